"""One call on many engines, while the server or an engine is killed, and while others join."""

import os
import signal
from collections.abc import Callable
from typing import Any

import linden
import pytest
from linden_launchers import LocalCluster

Farm = Callable[..., tuple[LocalCluster, Any]]


def note_and_wait(path: str, gate: str, body: bytes) -> tuple[int, int]:
    """Writes down that this engine has begun, and goes on when the gate is open."""
    import os
    import time

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    os.close(descriptor)
    deadline = time.monotonic() + 30
    while not os.path.exists(gate) and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getpid(), len(body)


def begun(path: str) -> list[int]:
    return [int(line) for line in open(path)] if os.path.exists(path) else []


# F1: the server dies in the middle; each engine runs its part once, and the values come in the order of targets.
@pytest.mark.parametrize("size", [10, 1_000_000])
def test_f1_a_broadcast_survives_the_death_of_the_server(
    farm: Farm, scratch: Any, wait_for: Callable[..., None], size: int
) -> None:
    cluster, rc = farm(4, engine_hold=5.0)
    view = rc.broadcast_view()
    path, gate = str(scratch / "begun"), str(scratch / "gate")
    pids = view.apply_sync(os.getpid)
    result = view.apply_async(note_and_wait, path, gate, bytes(size))
    wait_for(lambda: len(begun(path)) >= 3, 20)
    os.kill(cluster.server_pid, signal.SIGKILL)
    open(gate, "w").close()
    assert result.get(timeout=30) == [(pid, size) for pid in pids]
    assert sorted(begun(path)) == sorted(pids)
    wait_for(lambda: not rc.space.count(("payload", str, int, linden.ANY)))


# F1: each of those that live has its result, the one that was killed has an error, and nobody runs its part.
def test_f1_an_engine_that_dies_in_a_broadcast_is_one_error(
    farm: Farm, scratch: Any, wait_for: Callable[..., None]
) -> None:
    _cluster, rc = farm(3)
    view = rc.broadcast_view()
    path, gate = str(scratch / "begun"), str(scratch / "gate")
    pids = view.apply_sync(os.getpid)
    view.execute("x = 3", block=True, label="a cell")
    script = scratch / "script.py"
    script.write_text("y = x + 1")
    view.run(script, block=True)
    assert view["y"] == [4, 4, 4]
    view.scatter("part", range(7), block=True)
    assert view.gather("part", block=True) == list(range(7))
    result = view.apply_async(note_and_wait, path, gate, bytes(500_000))
    wait_for(lambda: len(begun(path)) == 3, 20)
    os.kill(pids[1], signal.SIGKILL)
    open(gate, "w").close()
    values = result.get(timeout=30, return_exceptions=True)
    assert [values[0], values[2]] == [(pids[0], 500_000), (pids[2], 500_000)]
    assert isinstance(values[1], linden.error.EngineError)
    assert len(begun(path)) == 3


def test_an_engine_that_joins_later_does_not_run_it(farm: Farm, scratch: Any, wait_for: Callable[..., None]) -> None:
    cluster, rc = farm(2)
    view = rc.broadcast_view()
    path, gate = str(scratch / "begun"), str(scratch / "gate")
    result = view.apply_async(note_and_wait, path, gate, bytes(1_000_000))
    wait_for(lambda: len(begun(path)) == 2, 20)
    cluster.start_engines(1)
    rc.wait_for_engines(3, timeout=30)
    assert rc[2].apply_sync(len, "ab") == 2  # it serves
    open(gate, "w").close()
    assert len(result.get(timeout=30)) == 2
    assert len(begun(path)) == 2
    assert len(rc.direct_view("all").apply_sync(os.getpid)) == 3


# F3: arguments that are shared stay for the engines when their client has gone, and leave with the results.
def test_large_arguments_outlive_their_client(farm: Farm, scratch: Any, wait_for: Callable[..., None]) -> None:
    cluster, rc = farm(2)
    path, gate = str(scratch / "begun"), str(scratch / "gate")
    with cluster.connect_client() as other:
        blocked = other[:].apply_async(note_and_wait, path, gate, b"")
        wait_for(lambda: len(begun(path)) == 2, 20)
        ids = other[:].apply_async(len, bytes(1_000_000)).msg_ids
    open(gate, "w").close()
    assert rc.get_result(ids).get(timeout=30) == [1_000_000] * 2
    assert len(rc.get_result(blocked.msg_ids).get(timeout=30)) == 2
    form = ("payload", str, int, linden.ANY)
    assert rc.space.count(form) == 1
    rc.purge_results(ids)
    assert rc.space.count(form) == 0


def test_a_task_with_shared_arguments_can_be_given_once_more_while_it_waits(
    farm: Farm, scratch: Any, wait_for: Callable[..., None]
) -> None:
    _cluster, rc = farm(2)
    path, gate = str(scratch / "begun"), str(scratch / "gate")
    blocked = rc[:].apply_async(note_and_wait, path, gate, b"")
    wait_for(lambda: len(begun(path)) == 2, 20)
    waiting = rc[:].apply_async(len, bytes(1_000_000))
    again = rc.resubmit(waiting.msg_ids[0])
    open(gate, "w").close()
    assert waiting.get(timeout=30) == [1_000_000] * 2
    assert again.get(timeout=30) == 1_000_000
    assert len(blocked.get(timeout=30)) == 2
    with pytest.raises(ValueError, match="not in the farm any more"):
        rc.resubmit(waiting.msg_ids[0])


def test_targets_that_there_are_not_are_refused(farm: Farm) -> None:
    _cluster, rc = farm(1)
    with pytest.raises(IndexError, match="no engine 7"):
        rc.broadcast_view([0, 7])
    with pytest.raises(TypeError, match="targets must be"):
        rc.broadcast_view("everybody")
    view = rc.broadcast_view()
    rc.close()
    with pytest.raises(linden.Closed):
        view.apply_sync(len, "ab")
