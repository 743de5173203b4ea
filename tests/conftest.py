"""What tests of several folders share: where things are, a place for sockets whose path must stay short, and ``--promise``."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import promises, together

# A shell that starts the tests in the background makes them deaf to Ctrl-C, and all that they start with them.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = promises.ROOT
_LONGEST_FIRST = ["launchers", "integration", "tidy", "jupyter", "package"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--promise", metavar="P17", help="only tests that cite this promise")
    parser.addoption(
        "--launchers",
        metavar="ci|all|NAME,...",
        default="ci",
        help="on which systems the contract of launchers is tested (tests/launchers/README.md)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    _leave_out_other_promises(config, items)
    if hasattr(config, "workerinput"):  # one of several processes of pytest-xdist
        # What takes long comes first, so that no process is left alone with it at the end.
        items.sort(key=lambda item: _LONGEST_FIRST.index(_folder(item)) if _folder(item) in _LONGEST_FIRST else 9)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return together.scheduler(config, log)


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT / "tests").parts[0]


def _leave_out_other_promises(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("promise")
    if wanted is None:
        return
    try:
        promises.check_promise(wanted)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    citing = {test.name for test in promises.python_tests() if wanted in test.promises}
    chosen = [item for item in items if _without_parameters(item) in citing]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _without_parameters(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return ROOT


@pytest.fixture
def scratch() -> Iterator[Path]:
    """An empty folder with a short name: a Unix socket's path has at most 107 bytes, which pytest's tmp_path may pass."""
    path = Path(tempfile.mkdtemp(prefix="ld-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def built_commands_come_first() -> None:
    """Tests start space-server and the others by name; these are the ones beside the Python that runs the tests."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


class SpaceServer:
    """A space-server of a test's own, which can be killed and started again on the same data."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.address = f"unix:{folder / 's'}"
        # It ends with the tests, even if these are killed.
        parent = ["--parent-pid", str(os.getpid())]
        self._command = [
            "space-server",
            "--directory",
            str(folder / "data"),
            "--unix",
            str(folder / "s"),
            *parent,
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it listens."""
        reader, writer = os.pipe()
        self._process = subprocess.Popen([*self._command, "--ready-fd", str(writer)], pass_fds=[writer])
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            assert ready.readline(), "space-server ended before it listened"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(20)
            self._process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)


@pytest.fixture
def space_server(scratch: Path) -> Iterator[SpaceServer]:
    """A running server whose socket and data are in the scratch folder."""
    server = SpaceServer(scratch)
    server.start()
    yield server
    server.stop()
