"""Real servers, engines and clusters for the integration tests, and a watch that none of their processes is left."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import linden
import pytest
from linden_launchers import LocalCluster
from linden_launchers.local import LocalServer, ServerReady
from linden_launchers.process import end_processes, process_id
from linden_launchers.server_command import ServerOptions, find_program

# Every process that a test starts, however indirectly, inherits this variable, by which those that are left are found.
MARK = "LINDEN_TEST_RUN"


def marked_processes(mark: str) -> dict[int, str]:
    """Pid and command line of each process, other than this one, with that mark."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) != os.getpid() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


@pytest.fixture(autouse=True)
def home(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A $LINDEN_HOME of the test's own."""
    monkeypatch.setenv("LINDEN_HOME", str(scratch / "home"))
    monkeypatch.delenv("LINDEN_CONNECTION", raising=False)
    return scratch / "home"


@pytest.fixture(autouse=True)
def no_process_left(no_file_left: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Fails a test that leaves a process behind, and ends that process."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    yield mark
    deadline = time.monotonic() + 3
    while (left := marked_processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.02)
    end_processes([process for pid in left if (process := process_id(pid))], grace_s=0)
    assert not left, f"left behind: {left}"


@pytest.fixture(autouse=True)
def no_file_left(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test that leaves temporary files, or large data, behind."""
    variables = {"TMPDIR": "tmp", "LINDEN_DATA_DIRECTORY": "shm", "LINDEN_SPILL_DIRECTORY": "spill"}
    for variable, name in variables.items():
        (scratch / name).mkdir()
        monkeypatch.setenv(variable, str(scratch / name))
    monkeypatch.setattr("tempfile.tempdir", str(scratch / "tmp"))
    yield
    deadline = time.monotonic() + 5
    while (
        left := [path for name in variables.values() for path in (scratch / name).rglob("*")]
    ) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"left behind: {left}"


Farm = Callable[..., tuple[LocalCluster, Any]]


@pytest.fixture
def farm() -> Iterator[Farm]:
    """``farm(n, **options)`` starts a cluster and gives it with a client; both end with the test."""
    made: list[tuple[LocalCluster, Any]] = []

    def make(n: int, **options: Any) -> tuple[LocalCluster, Any]:
        cluster = LocalCluster(n, **{"engine_hold": 0.2, "grace": 2.0, **options})
        client = cluster.start_and_connect(timeout=30)
        made.append((cluster, client))
        assert cluster._data_hold is not None
        cluster._data_hold.wait()  # it looks at the environment, which tests change, and at the server, which they kill
        return cluster, client

    yield make
    for cluster, client in made:
        client.close()
        cluster.stop_cluster()


@pytest.fixture
def hosts(farm: Farm, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Path, Path]:
    """A client, an engine (0) that shares its memory, an engine (1) of another "host", and both memories."""
    cluster, rc = farm(1, tcp="127.0.0.1:0")
    other = scratch / "other"
    other.mkdir()
    monkeypatch.setenv("LINDEN_DATA_DIRECTORY", str(other))
    cluster.start_engines(1)
    cluster.wait_for_engines(rc, 2)
    monkeypatch.setenv("LINDEN_DATA_DIRECTORY", str(scratch / "shm"))
    return rc, scratch / "shm", other


Serve = Callable[..., tuple[LocalServer, ServerReady]]


@pytest.fixture
def serve(scratch: Path) -> Iterator[Serve]:
    """``serve(**options)`` starts a server without engines; its socket is ``scratch / "s"``, its data ``scratch / "data"``."""
    servers: list[LocalServer] = []

    def make(**options: Any) -> tuple[LocalServer, ServerReady]:
        defaults = {"directory": scratch / "data", "unix_path": scratch / "s", "tcp": "127.0.0.1:0"}
        server = LocalServer(
            ServerOptions(find_program("space-server"), **{**defaults, **options}), scratch / "server.log"
        )
        server.start()
        servers.append(server)
        return server, server.wait_ready(20)

    yield make
    for server in servers:
        assert server.child is not None
        end_processes([server.child.id], grace_s=3)
        server.child.reap()


class TaskLog:
    """A file to which tasks write that they have started: who ran what, and how often."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def task(self, seconds: float = 0.0) -> Callable[[int], int]:
        """A function for engines: notes that number has started, takes some time, and returns its square."""
        path = str(self.path)

        def run(number: int) -> int:
            import os
            import time

            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.write(descriptor, f"{number} {os.getpid()}\n".encode())  # one write: lines of several engines do not mix
            os.close(descriptor)
            time.sleep(seconds)
            return number * number

        return run

    def starts(self) -> Counter[int]:
        """How often each number has started."""
        if not self.path.exists():
            return Counter()
        return Counter(int(line.split()[0]) for line in self.path.read_text().splitlines())


@pytest.fixture
def task_log(scratch: Path) -> TaskLog:
    return TaskLog(scratch / "started")


@pytest.fixture
def run_script(scratch: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """``run_script(text)`` runs Python in another process, with pipes."""
    started: list[subprocess.Popen[str]] = []

    def run(text: str, *arguments: str) -> subprocess.Popen[str]:
        path = scratch / f"script{len(started)}.py"
        path.write_text(text)
        script = subprocess.Popen(
            [sys.executable, str(path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(script)
        return script

    yield run
    for script in started:
        if script.poll() is None:
            script.kill()
        script.communicate()


class Results:
    """What the farm's space holds, read past the client that submitted."""

    def __init__(self, connection: str) -> None:
        self._connection = linden.connect(connection)
        self.space = self._connection.space("farm")

    def close(self) -> None:
        self._connection.close()

    def all(self) -> Counter[tuple[str, int]]:
        """How many result tuples there are for each task."""
        form = ("result", str, int, linden.ANY, linden.ANY, linden.ANY)
        return Counter((fields[1], fields[2]) for fields in self.space.iterate(form))

    def statuses(self) -> Counter[str]:
        form = ("result", str, int, linden.ANY, linden.ANY, linden.ANY)
        return Counter(fields[3] for fields in self.space.iterate(form))

    def tasks(self) -> list[dict[str, Any]]:
        """Tasks without a result, whoever holds them."""
        return list(self.space.describe(("task", *[linden.ANY] * 8)))

    def wait_until_no_task_is_left(self, timeout_s: float = 30) -> None:
        wait_for(lambda: not self.tasks(), timeout_s)


@pytest.fixture
def look() -> Iterator[Callable[[LocalCluster], Results]]:
    """``look(cluster)`` reads what is in its space."""
    made: list[Results] = []

    def make(cluster: LocalCluster) -> Results:
        made.append(Results(str(cluster.connection_file)))
        return made[-1]

    yield make
    for results in made:
        results.close()


def wait_for(condition: Callable[[], Any], timeout_s: float = 10) -> None:
    """For what other processes do and nobody tells."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


@pytest.fixture(name="wait_for")
def wait_for_fixture() -> Callable[..., None]:
    return wait_for


@pytest.fixture
def space_cluster() -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """``space_cluster("stop")`` runs the command; whatever it has started is stopped at the end."""

    def run(*arguments: str, timeout: float = 40) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "linden_launchers", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    yield run
    run("stop", "--all")


@pytest.fixture
def foreground_cluster() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``foreground_cluster("-n", "4")`` is space-cluster start in another process, which says when all engines serve."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "linden_launchers", "start", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "server" in line, line + process.stdout.read()
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def status_of(run: Callable[..., subprocess.CompletedProcess[str]], *arguments: str) -> dict[str, Any]:
    return dict(json.loads(run("status", "--json", *arguments).stdout))
