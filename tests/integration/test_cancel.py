"""Cancelling tasks that wait, that are held, and that run (F6)."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest
from linden.error import CompositeError, TaskAborted

Farm = Callable[..., Any]


def endless(marker: str) -> None:
    """Runs until it is interrupted, and leaves a note of that."""
    import time
    from pathlib import Path

    print("begun")
    Path(marker).write_text("begun")
    try:
        while True:
            time.sleep(60)
    except KeyboardInterrupt as error:
        Path(marker).write_text(type(error).__name__)
        print("cleaned up")
        raise


def wait_for_text(path: Path, text: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists() or path.read_text() != text:
        assert time.monotonic() < deadline, f"{path} never said {text!r}"
        time.sleep(0.01)


def results_in_space(rc: linden.Client, result: Any) -> list[str]:
    """The statuses of all result tuples of a task; there must be one."""
    form = linden.farm.results_form(*linden.farm.parse_message_id(result.msg_id))
    native = rc.space.native
    return [row["fields"][3] for row in native.client.wait(native.send_list(form, limit=10))["tuples"]]


# F6
def test_f6_a_task_that_runs_is_interrupted_and_aborted(farm: Farm, scratch: Path) -> None:
    _, rc = farm(1)
    marker = scratch / "marker"
    result = rc.load_balanced_view().apply_async(endless, str(marker))
    wait_for_text(marker, "begun")
    assert result.cancel()
    with pytest.raises(TaskAborted, match="cancelled on engine 0"):
        result.get(timeout=20)
    assert marker.read_text() == "TaskCancelled"
    assert result.stdout == "begun\ncleaned up\n"
    assert result.status == "aborted"
    assert results_in_space(rc, result) == ["cancelled"]
    assert not result.cancel()
    assert rc[0].apply_sync(os.getpid) > 0


# F6: the value of a task that goes on in spite of it is not its result.
def test_f6_a_task_that_returns_all_the_same_is_aborted(farm: Farm, scratch: Path) -> None:
    _, rc = farm(1)
    marker = scratch / "marker"

    def stubborn(marker: str) -> str:
        import time
        from pathlib import Path

        Path(marker).write_text("begun")
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            return "a value"
        return "too late"

    result = rc[0].apply_async(stubborn, str(marker))
    wait_for_text(marker, "begun")
    assert result.cancel()
    with pytest.raises(TaskAborted):
        result.get(timeout=20)
    assert results_in_space(rc, result) == ["cancelled"]


# F6
def test_f6_a_task_that_does_not_listen_is_reported_and_interrupted_again(farm: Farm, scratch: Path) -> None:
    _, rc = farm(1)
    marker = scratch / "marker"

    def deaf(marker: str) -> None:
        import time
        from pathlib import Path

        interrupts = 0
        while interrupts < 2:
            Path(marker).write_text(f"interrupted {interrupts} times")
            try:
                time.sleep(60)
            except KeyboardInterrupt:
                interrupts += 1

    result = rc[0].apply_async(deaf, str(marker))
    wait_for_text(marker, "interrupted 0 times")
    assert result.cancel()
    with pytest.raises(TaskAborted):
        result.get(timeout=30)
    assert "this task was cancelled and goes on" in result.stderr


# F6: no other thread of the engine hears anything until the task is over.
def test_f6_a_task_that_keeps_the_interpreter_is_aborted_at_its_end(farm: Farm, scratch: Path) -> None:
    _, rc = farm(1)
    marker = scratch / "marker"

    def keep(marker: str) -> str:
        import ctypes
        from pathlib import Path

        Path(marker).write_text("begun")
        ctypes.PyDLL(None).sleep(2)
        return "a value"

    result = rc[0].apply_async(keep, str(marker))
    wait_for_text(marker, "begun")
    assert result.cancel()
    with pytest.raises(TaskAborted):
        result.get(timeout=20)


# F6: whoever is told that a task was cancelled sees no value of it, and the other way round.
def test_f6_cancel_tells_the_truth(farm: Farm) -> None:
    _, rc = farm(2)
    view = rc.load_balanced_view()
    for _ in range(5):
        results = [view.apply_async(time.sleep, number / 1000) for number in range(30)]
        told = [result.cancel() for result in results]
        ended = [result.exception(20) for result in results]
        assert [isinstance(error, TaskAborted) for error in ended] == told


# F6
def test_f6_signal_handlers_of_an_earlier_task_are_in_nobodys_way(farm: Farm, scratch: Path) -> None:
    _, rc = farm(1)
    marker = scratch / "marker"

    def ignore() -> None:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    rc[0].apply_sync(ignore)
    result = rc[0].apply_async(endless, str(marker))
    wait_for_text(marker, "begun")
    assert result.cancel()
    with pytest.raises(TaskAborted):
        result.get(timeout=20)
    rc.shutdown()


# F6: by whom ever, by its name.
def test_f6_another_client_may_cancel_a_task(farm: Farm, scratch: Path) -> None:
    cluster, rc = farm(1)
    marker = scratch / "marker"
    result = rc.load_balanced_view().apply_async(endless, str(marker))
    wait_for_text(marker, "begun")
    with cluster.connect_client() as other:
        fetched = other.get_result(result.msg_id, block=False)
        assert fetched.cancel()
        with pytest.raises(TaskAborted):
            fetched.get(timeout=20)
    with pytest.raises(TaskAborted):
        result.get(timeout=20)


# F6: behind a task that runs, so that it would wait long to be begun and not run.
def test_f6_what_an_engine_holds_ahead_is_aborted_before_its_turn(farm: Farm, scratch: Path) -> None:
    _, rc = farm(1)
    marker = scratch / "marker"
    view = rc.load_balanced_view()
    running = view.apply_async(endless, str(marker))
    wait_for_text(marker, "begun")
    held = view.apply_async(os.getpid)
    direct = rc[0].apply_async(os.getpid)
    for result in (held, direct):
        assert result.cancel()
        with pytest.raises(TaskAborted):
            result.get(timeout=20)
    assert not running.done()
    running.cancel()
    with pytest.raises(TaskAborted):
        running.get(timeout=20)


# F6
def test_f6_a_map_is_cancelled_as_a_whole(farm: Farm) -> None:
    _, rc = farm(2)
    result = rc.load_balanced_view().map_async(time.sleep, [60] * 40, chunksize=1)
    while rc.queue_status()["unassigned"] > 38:
        result.wait(0.01)
    assert result.cancel()
    with pytest.raises((TaskAborted, CompositeError)):
        result.get(timeout=20)
    assert all(isinstance(value, TaskAborted) for value in result.get(return_exceptions=True))


# F6: retries are for tasks that fail, not for those that somebody has cancelled.
def test_f6_what_was_cancelled_is_not_run_again(farm: Farm, scratch: Path) -> None:
    _, rc = farm(1)
    marker = scratch / "marker"
    view = rc.load_balanced_view().set_flags(retries=5)
    result = view.apply_async(endless, str(marker))
    wait_for_text(marker, "begun")
    result.cancel()
    with pytest.raises(TaskAborted):
        result.get(timeout=20)
    assert view.apply_sync(lambda: 5) == 5
    assert marker.read_text() == "TaskCancelled"


# F6, F1: the engine dies of the interrupt, and nobody takes the task up again.
def test_f6_a_cancelled_task_whose_engine_dies_is_not_started_elsewhere(farm: Farm, scratch: Path) -> None:
    cluster, rc = farm(1)
    log = scratch / "log"

    def die(log: str) -> None:
        import os
        import time
        from pathlib import Path

        with Path(log).open("a") as file:
            file.write(f"{os.getpid()}\n")
        try:
            time.sleep(60)
        finally:
            os.kill(os.getpid(), 9)

    result = rc.load_balanced_view().apply_async(die, str(log))
    deadline = time.monotonic() + 20
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert result.cancel()
    cluster.start_engines(1)
    with pytest.raises(TaskAborted):
        result.get(timeout=20)
    assert len(log.read_text().splitlines()) == 1


# F6
def test_f6_abort_leaves_alone_what_runs(farm: Farm, scratch: Path) -> None:
    _, rc = farm(1)
    marker = scratch / "marker"
    result = rc.load_balanced_view().apply_async(endless, str(marker))
    wait_for_text(marker, "begun")
    result.abort()
    assert marker.read_text() == "begun"
    assert not result.done()
    rc.send_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        result.get(timeout=20)
