"""The session of the quickstart, and clusters from start to stop, with real processes."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest
from linden_launchers.process import process_id


def runs(pid: int) -> bool:
    """Whether there is such a process; one that only waits to be reaped has ended."""
    process = process_id(pid)
    return process is not None and process.is_alive()


Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]


def test_the_session_of_the_quickstart(foreground_cluster: Start) -> None:
    foreground_cluster("-n", "4")

    def mul(a: int, b: int) -> int:
        return a * b

    rc = linden.Client()
    rc.block = True
    assert rc.ids == [0, 1, 2, 3]
    assert rc[0].apply(mul, 5, 6) == 30
    assert rc[:].apply(mul, 5, 6) == [30] * 4
    view = rc.load_balanced_view()
    view.block = True
    assert view.map(mul, range(1, 10), range(2, 11)) == [2, 6, 12, 20, 30, 42, 56, 72, 90]
    rc.close()


def test_a_farm_with_nothing_started() -> None:
    with linden.start(4) as rc:
        assert len(rc.ids) == 4
        assert rc[:].apply_sync(lambda: 42) == [42] * 4
        directory = rc.cluster.directory
        pids = [rc.cluster.server_pid, *rc.cluster.engine_pids]
    assert not directory.exists()
    assert not any(runs(pid) for pid in pids)


def test_shutdown_of_the_hub_stops_the_cluster() -> None:
    rc = linden.start(2)
    assert set(rc[:].apply_sync(os.getpid)) == set(rc.cluster.engine_pids)
    cluster = rc.cluster
    rc.shutdown(hub=True)
    assert cluster.server_pid is None
    assert not cluster.cluster_file.exists()
    assert not cluster.directory.exists()


def test_two_farms_of_one_process_do_not_meet() -> None:
    with linden.start(1) as one, linden.start(1) as other:
        assert one[0].apply_sync(os.getpid) in one.cluster.engine_pids
        assert other[0].apply_sync(os.getpid) in other.cluster.engine_pids
        assert set(one.cluster.engine_pids).isdisjoint(other.cluster.engine_pids)


def test_functions_of_modules_beside_the_script_are_found(run_script: Start, scratch: Path) -> None:
    (scratch / "beside.py").write_text("def triple(x):\n    return 3 * x\n")
    script = run_script(
        "import linden, beside\nwith linden.start(1) as rc:\n    print(rc[0].apply_sync(beside.triple, 14))\n"
    )
    assert script.communicate(timeout=30)[0].strip() == "42"


STARTED = """
import json, sys, linden
rc = linden.start(2)
rc[:].apply_sync(int)
print(json.dumps([rc.cluster.server_pid, *rc.cluster.engine_pids]), flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_script_leaves_no_process_and_no_file(
    run_script: Start, home: Path, number: int, wait_for: Callable[..., None]
) -> None:
    script = run_script(STARTED + "sys.stdin.read()\n")
    assert script.stdout is not None
    pids = json.loads(script.stdout.readline())
    assert len(pids) == 3
    script.send_signal(number)
    script.wait()
    wait_for(lambda: not any(runs(pid) for pid in pids), 5)
    wait_for(lambda: not list((home / "clusters").iterdir()), 5)


# sum() of a range never lets another Python thread run, so the engine itself cannot notice anything.
def test_an_engine_whose_task_holds_the_interpreter_ends_with_a_killed_script(
    run_script: Start, home: Path, wait_for: Callable[..., None]
) -> None:
    script = run_script(STARTED + "rc[:].apply_async(lambda: sum(range(10**12)))\nsys.stdin.read()\n")
    assert script.stdout is not None
    pids = json.loads(script.stdout.readline())
    script.kill()
    script.wait()
    wait_for(lambda: not any(runs(pid) for pid in pids), 10)
    wait_for(lambda: not list((home / "clusters").iterdir()), 10)


def test_a_script_that_just_ends_leaves_nothing(run_script: Start, home: Path) -> None:
    script = run_script(STARTED)
    pids = json.loads(script.communicate(timeout=30)[0])
    assert not [pid for pid in pids if runs(pid)]
    assert not list((home / "clusters").iterdir())


def test_a_script_that_raises_leaves_nothing(run_script: Start, home: Path) -> None:
    script = run_script(STARTED + "raise ValueError('oh')\n")
    assert "ValueError: oh" in script.communicate(timeout=30)[0]
    assert script.returncode == 1
    assert not list((home / "clusters").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_a_cluster_in_the_foreground(foreground_cluster: Start, space_cluster: Run, number: int) -> None:
    process = foreground_cluster("-n", "2")
    started = time.monotonic()
    process.send_signal(number)
    output = process.communicate(timeout=20)[0]
    assert process.returncode == 0, output
    assert "cluster default has stopped" in output
    assert time.monotonic() - started < 5
    assert space_cluster("status").returncode == 3


def test_a_cluster_in_the_foreground_that_is_killed_ends_with_all_it_has(
    foreground_cluster: Start, space_cluster: Run, wait_for: Callable[..., None]
) -> None:
    process = foreground_cluster("-n", "2")
    status = json.loads(space_cluster("status", "--json").stdout)
    process.kill()
    pids = [status["server"]["pid"], *[engine["pid"] for engine in status["engines"]]]
    wait_for(lambda: not any(runs(pid) for pid in pids), 5)
    assert space_cluster("status").returncode == 4
    assert space_cluster("stop").returncode == 0


def test_a_daemon_from_start_to_stop(space_cluster: Run, home: Path) -> None:
    done = space_cluster("start", "-n", "2", "--daemonize", "--tcp", "127.0.0.1:0")
    assert done.returncode == 0, done.stderr
    assert "2 engines" in done.stdout
    done = space_cluster("status", "--json")
    status = json.loads(done.stdout)
    assert done.returncode == 0
    assert (status["state"], status["owner_kind"], status["engine_ids"]) == ("running", "daemon", [0, 1])
    assert "serving: 0, 1" in space_cluster("status").stdout
    assert "default" in space_cluster("list").stdout

    connection = json.loads((home / "clusters/default/connection.json").read_text())
    with linden.Client(connection["tcp"]) as rc:
        assert rc[:].apply_sync(lambda: 1) == [1, 1]

    done = space_cluster("start", "-n", "1", "--daemonize")
    assert done.returncode == 1
    assert "is running already" in done.stderr
    assert space_cluster("stop").returncode == 0
    assert space_cluster("stop").returncode == 3
    assert space_cluster("status").returncode == 3
    assert not runs(status["server"]["pid"])


def test_a_named_cluster_continues_on_its_data(space_cluster: Run) -> None:
    for expected in (None, ("note", 1)):
        assert space_cluster("start", "-n", "0", "--daemonize", "--cluster-id", "mine").returncode == 0
        with linden.connect(cluster_id="mine") as connection:
            space = connection.space("farm")
            assert space.try_read(("note", int)) == expected
            if expected is None:
                space.put(("note", 1))
        assert space_cluster("stop", "--cluster-id", "mine").returncode == 0


def test_the_supervisor_starts_a_killed_server_again_and_clients_go_on(
    space_cluster: Run, wait_for: Callable[..., None]
) -> None:
    assert space_cluster("start", "-n", "1", "--daemonize").returncode == 0
    before = json.loads(space_cluster("status", "--json").stdout)
    with linden.Client() as rc:
        os.kill(before["server"]["pid"], signal.SIGKILL)
        assert rc[0].apply_sync(lambda: 42) == 42
    after = json.loads(space_cluster("status", "--json").stdout)
    assert after["state"] == "running"
    assert after["server_starts"] == 2
    assert after["server"]["pid"] != before["server"]["pid"]


def test_a_daemon_whose_supervisor_was_killed_goes_on_and_can_be_stopped(space_cluster: Run) -> None:
    assert space_cluster("start", "-n", "1", "--daemonize").returncode == 0
    status = json.loads(space_cluster("status", "--json").stdout)
    os.kill(status["owner"]["pid"], signal.SIGKILL)
    with linden.Client() as rc:
        assert rc[0].apply_sync(lambda: 42) == 42
    assert space_cluster("stop").returncode == 0
    assert not runs(status["server"]["pid"])


def test_a_daemon_that_cannot_start_says_why(space_cluster: Run, scratch: Path) -> None:
    (scratch / "file").touch()
    done = space_cluster("start", "-n", "1", "--daemonize", "--data", str(scratch / "file"))
    assert done.returncode == 1
    assert str(scratch / "file") in done.stderr
    assert space_cluster("status").returncode == 3


# The first result is to be there within half a second (docs/design); this guards against losing an order of magnitude.
def test_the_first_result_comes_soon() -> None:
    def measure() -> float:
        started = time.perf_counter()
        with linden.start(4) as rc:
            rc[:].apply_sync(int)
            return time.perf_counter() - started

    assert min(measure() for _ in range(3)) < 3.0


def test_engines_can_be_added_and_stopped(farm: Callable[..., Any]) -> None:
    cluster, rc = farm(1)
    name = cluster.start_engines(1)
    rc.wait_for_engines(2, timeout=20)
    cluster.stop_engines(name)
    assert rc[0].apply_sync(lambda: 1) == 1
