"""A cluster, a Jupyter server with a notebook, and a browser that shows it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import linden
import nbformat
import pytest
from linden_launchers.local_cluster import LocalCluster

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def place(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which everything that IPython and Jupyter write goes, with a kernel of this Python."""
    for name in ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "LINDEN_HOME"):
        folder = scratch / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    kernel = scratch / "jupyter_data_dir" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    # What asks for news would lie over the page.
    settings = scratch / "jupyter_config_dir" / "labconfig" / "page_config.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}))
    return scratch


@pytest.fixture
def rc(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[linden.Client]:
    """A client of two engines, which ``linden.Client()`` finds too."""
    cluster = LocalCluster(2, engine_hold=0.2, grace=2.0)
    cluster.start_cluster()
    try:
        monkeypatch.setenv("LINDEN_CONNECTION", str(cluster.connection_file))
        with cluster.connect_client() as client:
            client.wait_for_engines(2, timeout=30)
            yield client
    finally:
        cluster.stop_cluster()


Serve = Callable[[list[str]], str]


@pytest.fixture
def serve(place: Path) -> Iterator[Serve]:
    """``serve(cells)`` starts JupyterLab on a notebook with these cells; the address of that page."""
    servers: list[subprocess.Popen[bytes]] = []

    def start(cells: list[str]) -> str:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        work = place / "work"
        work.mkdir()
        nbformat.write(notebook, work / "notebook.ipynb")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = [f"--port={port}", "--ip=127.0.0.1", "--no-browser", "--allow-root", f"--ServerApp.root_dir={work}"]
        options += ["--IdentityProvider.token=secret"]
        with (place / "server.log").open("wb") as log:
            command = [sys.executable, "-m", "jupyterlab", *options]
            servers.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))
        _wait_for_port(port, servers[-1], place / "server.log")
        return f"http://127.0.0.1:{port}/doc/tree/notebook.ipynb?token=secret"

    yield start
    for server in servers:
        server.send_signal(signal.SIGTERM)  # it shuts its kernels down, too
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(5)


def _wait_for_port(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"JupyterLab does not listen: {log.read_text()}")


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of a headless browser."""
    from playwright import sync_api

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail(f"wanted one of {', '.join(BROWSERS)}, found none; ./dev test installs it")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 900, "height": 800})
        page.set_default_timeout(60_000)
        yield page
        browser.close()
