"""An engine whose batch job is about to end: it takes nothing more, and nothing is lost or blamed (F1, F2, P18)."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import linden
import pytest
from linden import farm
from linden_launchers.local import LocalServer
from linden_launchers.process import end_processes
from linden_launchers.server_command import ServerOptions, find_program

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def rc(scratch: Path) -> Iterator[linden.Client]:
    """A client of a server without engines."""
    options = ServerOptions(find_program("space-server"), directory=scratch / "data", unix_path=scratch / "s", tcp=None)
    server = LocalServer(options, scratch / "server.log")
    child = server.start()
    server.wait_ready(20)
    with linden.Client(f"unix:{scratch / 's'}") as client:
        yield client
    end_processes([child.id], grace_s=3)
    child.reap()


@pytest.fixture
def engine(scratch: Path) -> Iterator[Start]:
    """``engine(*arguments, **environment)`` starts a space-engine of that server."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "linden_engine", "--connection", f"unix:{scratch / 's'}", *arguments]
        given = {**os.environ, **environment}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=given)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until_there(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.01)


def task_that_waits(begun: str, go: str) -> int:
    """Says that it runs, and ends when it is told to."""
    import os
    import pathlib
    import time

    pathlib.Path(begun).touch()
    while not pathlib.Path(go).exists():
        time.sleep(0.01)
    return os.getpid()


def test_an_idle_engine_leaves_at_sigusr1(rc: linden.Client, engine: Start) -> None:
    process = engine()
    rc.wait_for_engines(1, timeout=20)
    process.send_signal(signal.SIGUSR1)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "reason=SIGUSR1" in output
    assert rc.ids == []


def test_what_runs_comes_to_its_end_and_the_rest_goes_to_others(
    rc: linden.Client, engine: Start, scratch: Path
) -> None:
    """Work that must not start twice is among what it held (retries=0), and none of it is blamed."""
    process = engine()
    rc.wait_for_engines(1, timeout=20)
    view = rc.load_balanced_view()
    first = view.apply_async(task_that_waits, str(scratch / "begun"), str(scratch / "go"))
    with view.temp_flags(retries=0):
        rest = [view.apply_async(os.getpid) for _ in range(5)]
    rest += [view.apply_async(os.getpid) for _ in range(20)]
    until_there(scratch / "begun")
    process.send_signal(signal.SIGUSR1)
    (scratch / "go").touch()
    assert first.get(20) == process.pid
    assert process.wait(20) == 0
    other = engine()
    assert {result.get(20) for result in rest} == {other.pid}


def test_an_engine_that_is_drained_by_a_word_finishes_what_it_runs(
    rc: linden.Client, engine: Start, scratch: Path
) -> None:
    process = engine()
    rc.wait_for_engines(1, timeout=20)
    view = rc.load_balanced_view()
    first = view.apply_async(task_that_waits, str(scratch / "begun"), str(scratch / "go"))
    rest = view.apply_async(os.getpid)
    until_there(scratch / "begun")
    rc.space.put_many([farm.control(rc.engines()[0].session, farm.DRAIN)])
    (scratch / "go").touch()
    assert first.get(20) == process.pid
    output, _ = process.communicate(timeout=20)
    assert (process.returncode, "reason=drained" in output) == (0, True)
    other = engine()
    assert rest.get(20) == other.pid


def test_at_the_end_of_the_walltime_the_task_that_runs_is_given_back(
    rc: linden.Client, engine: Start, scratch: Path
) -> None:
    """The batch system would kill it; so the next engine begins at once, not when a lease has run out."""
    process = engine("--walltime", "2", "--leave-before", "1")
    rc.wait_for_engines(1, timeout=20)
    result = rc.load_balanced_view().apply_async(task_that_waits, str(scratch / "begun"), str(scratch / "go"))
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "reason=walltime" in output
    assert rc.ids == []
    (scratch / "go").touch()
    other = engine()
    assert result.get(20) == other.pid


def test_an_engine_whose_walltime_is_over_does_not_begin(rc: linden.Client, engine: Start) -> None:
    process = engine("--until", "1000")
    assert process.wait(20) == 0
    assert rc.ids == []


def test_both_ways_to_say_when_are_one_too_many(engine: Start) -> None:
    process = engine("--until", "1000", "--walltime", "5")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "give one of them" in output


def test_its_registration_says_which_member_of_which_job_it_is(rc: linden.Client, engine: Start) -> None:
    engine(LINDEN_CLUSTER_ID="bio", LINDEN_ENGINE_SET="2", LINDEN_JOB_ID="17", LINDEN_ARRAY_INDEX="3", LINDEN_RANK="1")
    rc.wait_for_engines(1, timeout=20)
    info = rc.engines()[0].info
    assert {name: info[name] for name in ("cluster", "set", "job", "index", "rank")} == {
        "cluster": "bio",
        "set": "2",
        "job": "17",
        "index": 3,
        "rank": 1,
    }
