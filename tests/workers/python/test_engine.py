"""space-engine as a process: how it joins, leaves, and what it says when it cannot go on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import linden
import psutil
import pytest
from linden_launchers.local import LocalServer
from linden_launchers.process import end_processes
from linden_launchers.server_command import ServerOptions, find_program

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def server(scratch: Path) -> Iterator[LocalServer]:
    """A server without engines; its socket is ``scratch / "s"``."""
    options = ServerOptions(find_program("space-server"), directory=scratch / "data", unix_path=scratch / "s", tcp=None)
    server = LocalServer(options, scratch / "server.log")
    server.start()
    server.wait_ready(20)
    yield server
    stop(server)


def stop(server: LocalServer) -> None:
    if server.child is not None:
        end_processes([server.child.id], grace_s=3)
        server.child.reap()


@pytest.fixture
def engine(scratch: Path) -> Iterator[Start]:
    """``engine(*arguments)`` starts a space-engine of that server."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "linden_engine", "--connection", f"unix:{scratch / 's'}", *arguments]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def rc(server: LocalServer, scratch: Path) -> Iterator[linden.Client]:
    """A client of that server."""
    with linden.Client(f"unix:{scratch / 's'}") as client:
        yield client


def test_it_serves_and_says_who_it_is(rc: linden.Client, engine: Start) -> None:
    process = engine("--name", "number one")
    rc.wait_for_engines(1, timeout=20)
    assert rc[0].apply_sync(os.getpid) == process.pid
    info = rc.engines()[0].info
    assert (info["pid"], info["name"]) == (process.pid, "number one")
    assert {"host", "python", "cores", "started"} <= set(info)


def test_sigterm_is_a_clean_goodbye(rc: linden.Client, engine: Start) -> None:
    """What it ran is run by another; what it held too (P18)."""
    process = engine()
    rc.wait_for_engines(1, timeout=20)
    result = rc.load_balanced_view().apply_async(lambda: (os.getpid(), time.sleep(0.5))[0])
    while rc.queue_status()[0]["tasks"] == 0:
        result.wait(0.01)
    process.terminate()
    assert process.wait(10) == 0
    assert rc.ids == []
    other = engine()
    assert result.get(20) == other.pid


def test_ids_are_never_used_twice(rc: linden.Client, engine: Start) -> None:
    for wanted in range(3):
        process = engine()
        rc.wait_for_engines(1, timeout=20)
        assert rc.ids == [wanted]
        process.terminate()
        process.wait(10)


def test_shutdown_stops_it_even_in_a_task(rc: linden.Client, engine: Start) -> None:
    process = engine()
    rc.wait_for_engines(1, timeout=20)
    rc.load_balanced_view().apply_async(time.sleep, 60)
    rc.shutdown()
    assert process.wait(10) == 0


def test_sigint_does_not_stop_an_engine_without_a_terminal(rc: linden.Client, engine: Start) -> None:
    process = engine()
    rc.wait_for_engines(1, timeout=20)
    process.send_signal(signal.SIGINT)
    assert rc[0].apply_sync(os.getpid) == process.pid


def test_an_engine_that_was_stopped_for_too_long_joins_anew(rc: linden.Client, engine: Start) -> None:
    process = engine("--hold", "0.1", "--memory", "0.3")
    rc.wait_for_engines(1, timeout=20)
    assert rc.ids == [0]
    process.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 60
    while rc.ids and time.monotonic() < deadline:
        rc.wait_any([], 0.05)
    assert rc.ids == []
    process.send_signal(signal.SIGCONT)
    rc.wait_for_engines(1, timeout=30)
    assert rc.ids == [1]
    assert rc[0].apply_sync(os.getpid) == process.pid


def test_it_leaves_when_its_parent_has_gone(rc: linden.Client, engine: Start) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = engine("--parent-pid", str(parent.pid))
    rc.wait_for_engines(1, timeout=20)
    parent.communicate(b"\n")
    assert process.wait(10) == 0


def test_it_gives_up_when_the_server_stays_away(server: LocalServer, engine: Start, scratch: Path) -> None:
    process = engine("--reconnect", "0.5")
    with linden.Client(f"unix:{scratch / 's'}") as rc:
        rc.wait_for_engines(1, timeout=20)
    stop(server)
    assert process.wait(20) == 3
    assert process.stderr is not None
    assert "the farm has gone" in process.stderr.read()


def test_nobody_there(engine: Start) -> None:
    process = engine("--timeout", "0.3")
    assert process.wait(20) == 1
    assert process.stderr is not None
    assert "space-engine: " in process.stderr.read()


def test_no_connection_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "linden_engine", "--timeout", "0.1"],
        env={**os.environ, "LINDEN_HOME": str(tmp_path), "LINDEN_CONNECTION": ""},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "space-cluster start" in done.stderr


def test_it_runs_a_script_and_then_code_before_it_joins(
    server: LocalServer, rc: linden.Client, engine: Start, scratch: Path
) -> None:
    script = scratch / "script.py"
    script.write_text("names = ['script']\nprint('from the script')\n")
    process = engine("-s", str(script), "-c", "names.append('code')", "--ipython", "never")
    rc.wait_for_engines(1, timeout=20)
    assert rc[0]["names"] == ["script", "code"]
    process.terminate()
    process.wait(10)


def test_startup_code_is_a_cell(
    rc: linden.Client, engine: Start, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("IPython")
    monkeypatch.setenv("IPYTHONDIR", str(scratch / "ipython"))
    engine("-c", "lines = !echo one; echo two")
    rc.wait_for_engines(1, timeout=20)
    assert rc[0]["list(lines)"] == ["one", "two"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-c", "1 / 0"], "ZeroDivisionError: division by zero"),
        (["-c", "import sys; sys.exit(5)"], "SystemExit: 5"),
        (["-s", "/no/such/script.py"], "-s /no/such/script.py: cannot be read"),
    ],
)
def test_an_engine_whose_startup_fails_does_not_join(
    server: LocalServer, rc: linden.Client, engine: Start, options: list[str], told: str
) -> None:
    process = engine("--ipython", "never", *options)
    assert process.wait(20) == 4
    assert process.stderr is not None
    assert told in process.stderr.read()
    assert rc.ids == []


def test_file_is_another_name_for_connection(server: LocalServer, rc: linden.Client, scratch: Path) -> None:
    command = [sys.executable, "-m", "linden_engine", "--file", f"unix:{scratch / 's'}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        rc.wait_for_engines(1, timeout=20)
    finally:
        process.terminate()
        process.wait(10)


# MPI as far as an engine needs it, between processes that share a directory.
FAKE_MPI = """
import os, time
from pathlib import Path
class World:
    def Get_rank(self): return int(os.environ["FAKE_RANK"])
    def Get_size(self): return 2
    calls = 0
    def bcast(self, value, root):
        self.calls += 1
        path = Path(os.environ["FAKE_DIRECTORY"]) / f"bcast{self.calls}"
        if self.Get_rank() == root:
            path.with_suffix(".new").write_text(str(value))
            path.with_suffix(".new").rename(path)
        while not path.exists():
            time.sleep(0.01)
        return path.read_text()
COMM_WORLD = World()
"""


def test_ranks_have_engine_ids_in_their_order(
    server: LocalServer, rc: linden.Client, engine: Start, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = scratch / "mpi4py"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "MPI.py").write_text(FAKE_MPI)
    monkeypatch.setenv("PYTHONPATH", str(scratch), prepend=os.pathsep)
    monkeypatch.setenv("FAKE_DIRECTORY", str(scratch))
    processes = {}
    for rank in (1, 0):  # the later rank first, which must wait for the other
        monkeypatch.setenv("FAKE_RANK", str(rank))
        processes[rank] = engine("--mpi", "--ipython", "never")
    rc.wait_for_engines(2, timeout=20)
    assert rc.ids == [0, 1]
    assert rc[:]["mpi_rank"] == [0, 1]
    assert rc[:]["(mpi_size, MPI.COMM_WORLD.Get_rank())"] == [(2, 0), (2, 1)]
    assert [e.info["pid"] for e in rc.engines()] == [processes[0].pid, processes[1].pid]
    rc[:].clear(block=True)
    assert rc[:]["mpi_rank"] == [0, 1]


def test_mpi_without_mpi4py_says_what_to_do(engine: Start, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scratch / "mpi4py.py").write_text("raise ImportError('No module named mpi4py')")
    monkeypatch.setenv("PYTHONPATH", str(scratch), prepend=os.pathsep)
    process = engine("--mpi")
    assert process.wait(20) == 4
    assert process.stderr is not None
    assert "pip install mpi4py" in process.stderr.read()


def test_a_crash_leaves_a_traceback_on_the_stderr_of_the_engine(rc: linden.Client, engine: Start) -> None:
    process = engine()
    rc.wait_for_engines(1, timeout=20)

    def crash() -> None:
        import ctypes

        ctypes.string_at(0)

    with pytest.raises(linden.EngineError):
        rc[0].apply_sync(crash)
    process.wait(20)
    assert process.stderr is not None
    told = process.stderr.read()
    assert "Segmentation fault" in told
    assert " in crash" in told


def test_an_idle_engine_is_small(rc: linden.Client, engine: Start) -> None:
    """Below 30 MB, since IPython is imported only when it is wanted."""
    process = engine()
    rc.wait_for_engines(1, timeout=20)
    rc[0].apply_sync(os.getpid)
    assert psutil.Process(process.pid).memory_info().rss < 30e6
    loaded = rc[0].apply_sync(lambda: "IPython" in __import__("sys").modules)
    assert not loaded
