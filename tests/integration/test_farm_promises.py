"""What the farm promises while processes die or are busy: F2, F4, F5, F6 and retries, with real engines."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest

Farm = Callable[..., Any]


class Gate:
    """Holds a task until the test lets it go on, and tells when the task has come; by two named pipes, so nobody polls."""

    def __init__(self, directory: Path) -> None:
        self.come, self.go = directory / "come", directory / "go"
        os.mkfifo(self.come)
        os.mkfifo(self.go)

    def task(self) -> Callable[[int], int]:
        """A function for engines that stops at the gate if its number is 0."""
        come, go = str(self.come), str(self.go)

        def run(number: int) -> int:
            import os
            from pathlib import Path

            if number == 0:
                Path(come).write_text(str(os.getpid()))
                Path(go).read_text()
            return number

        return run

    def wait(self) -> int:
        """The pid of the engine that has come."""
        return int(self.come.read_text())

    def open(self) -> None:
        self.go.write_text("")


@pytest.fixture
def gate(scratch: Path) -> Gate:
    return Gate(scratch)


# F2: three deaths are one more than a task may cause; so tasks that were blamed for deaths they only watched would end as dead.
def test_prefetched_tasks_are_not_blamed_for_the_death_of_their_engine(
    farm: Farm, look: Callable[..., Any], gate: Gate, wait_for: Callable[..., None]
) -> None:
    cluster, rc = farm(1)
    result = rc.load_balanced_view().map_async(gate.task(), range(30), chunksize=1)
    found = look(cluster)
    for _ in range(3):
        pid = gate.wait()
        # The space must have heard of the start, or the death does not count as an attempt.
        wait_for(lambda: {"reserved", "started"} <= {task["state"] for task in found.tasks()})
        os.kill(pid, signal.SIGKILL)
        # Only then: an engine that came while the dead one's are still held would run all the others meanwhile.
        wait_for(lambda: all(task["state"] == "ready" for task in found.tasks()))
        cluster.start_engines(1)
    values = result.get(timeout=20, return_exceptions=True)
    assert isinstance(values[0], linden.error.EngineError)
    assert values[1:] == list(range(1, 30))


# F1
def test_retries_0_is_not_prefetched_and_never_starts_twice(
    farm: Farm, look: Callable[..., Any], gate: Gate, wait_for: Callable[..., None]
) -> None:
    cluster, rc = farm(1)
    view = rc.load_balanced_view()
    view.retries = 0
    result = view.map_async(gate.task(), range(10), chunksize=1)
    pid = gate.wait()
    found = look(cluster)
    held = [task for task in found.tasks() if task["state"] in ("reserved", "started")]
    assert len(held) == 1
    os.kill(pid, signal.SIGKILL)
    cluster.start_engines(1)
    values = result.get(timeout=20, return_exceptions=True)
    assert isinstance(values[0], linden.error.EngineError)
    assert values[1:] == list(range(1, 10))


# F4: the task at the gate blocks one engine for as long as the test likes; all others must not wait for it.
def test_an_idle_engine_gets_what_a_busy_one_has_prefetched(farm: Farm, gate: Gate) -> None:
    _, rc = farm(2)
    view = rc.load_balanced_view()
    blocked = view.apply_async(gate.task(), 0)
    results = [view.apply_async(gate.task(), number) for number in range(1, 60)]
    gate.wait()
    assert [result.get(timeout=20) for result in results] == list(range(1, 60))
    assert not blocked.ready()
    gate.open()
    assert blocked.get(timeout=20) == 0


# F4, the other way round: the only engine has prefetched everything before the second one comes.
def test_an_engine_that_comes_later_gets_what_waits_in_another(
    farm: Farm, look: Callable[..., Any], gate: Gate, wait_for: Callable[..., None]
) -> None:
    cluster, rc = farm(1)
    view = rc.load_balanced_view()
    result = view.map_async(gate.task(), range(8), chunksize=1)
    gate.wait()
    found = look(cluster)
    wait_for(lambda: sum(task["state"] in ("reserved", "started") for task in found.tasks()) > 1)
    cluster.start_engines(1)
    wait_for(lambda: result.progress == 7, 20)
    gate.open()
    assert result.get(timeout=20) == list(range(8))


def test_results_of_short_tasks_do_not_wait_for_the_long_one_behind_them(
    farm: Farm, gate: Gate, wait_for: Callable[..., None]
) -> None:
    """An engine gathers results while it has more to do; what it has gathered is sent though the next task keeps it."""
    _, rc = farm(1)
    numbers = [*range(1, 101), 0, 101, 102]
    result = rc.load_balanced_view().map_async(gate.task(), numbers, chunksize=1)
    gate.wait()
    wait_for(lambda: result.progress == 100, 20)
    gate.open()
    assert result.get(timeout=20) == numbers


# F5
def test_output_belongs_to_its_task_and_keeps_its_order(farm: Farm) -> None:
    _, rc = farm(2)

    def talk(number: int) -> int:
        import sys

        for line in range(20):
            print(f"task {number} line {line}")
        print(f"warning of {number}", file=sys.stderr)
        return number

    result = rc.load_balanced_view().map_async(talk, range(20), chunksize=1)
    assert result.get(timeout=20) == list(range(20))
    expected = ["".join(f"task {number} line {line}\n" for line in range(20)) for number in range(20)]
    assert list(result.stdout) == expected
    assert list(result.stderr) == [f"warning of {number}\n" for number in range(20)]


# F5
def test_output_of_a_task_is_complete_even_if_the_server_is_killed(farm: Farm) -> None:
    cluster, rc = farm(1, engine_hold=5.0)

    def talk() -> None:
        import time

        for line in range(30):
            print(line, flush=True)
            time.sleep(0.01)

    result = rc.load_balanced_view().apply_async(talk)
    os.kill(cluster.server_pid, signal.SIGKILL)
    result.get(timeout=20)
    assert result.stdout.split() == [str(line) for line in range(30)]


# F6
def test_tasks_that_have_not_started_can_be_aborted(farm: Farm, gate: Gate) -> None:
    _, rc = farm(1)
    view = rc.load_balanced_view()
    blocked = view.apply_async(gate.task(), 0)
    gate.wait()
    waiting = view.apply_async(gate.task(), 1)
    waiting.abort()
    with pytest.raises(linden.error.TaskAborted):
        waiting.get(timeout=20)
    gate.open()
    assert blocked.get(timeout=20) == 0


def test_a_task_that_ends_its_engine_is_an_error_and_others_go_on(farm: Farm) -> None:
    _cluster, rc = farm(2, restart_engines=True, restarts_per_minute=100)
    view = rc.load_balanced_view()
    view.retries = 0
    died = view.apply_async(os._exit, 3)
    with pytest.raises(linden.error.EngineError):
        died.get(timeout=20)
    view.retries = None
    assert view.map_sync(lambda x: x + 1, range(20), chunksize=1) == list(range(1, 21))
    rc.wait_for_engines(2, timeout=20)


def test_a_direct_task_of_an_engine_that_dies_says_so(farm: Farm) -> None:
    _cluster, rc = farm(2)
    dead = rc[0].apply_async(os._exit, 1)
    with pytest.raises(linden.error.EngineError):
        dead.get(timeout=20)
    assert rc[-1].apply_sync(lambda: 5) == 5


# F3: results stay for others, by id, from another process, after the submitter has said goodbye.
def test_results_are_fetched_by_another_client(farm: Farm, run_script: Callable[..., subprocess.Popen[str]]) -> None:
    cluster, _rc = farm(1)
    with cluster.connect_client() as submitter:
        ids = submitter.load_balanced_view().map_async(lambda x: x * 2, range(10), chunksize=1).msg_ids
    script = run_script(
        "import json, sys, linden\nwith linden.Client(sys.argv[1]) as rc:\n"
        "    print(json.dumps(rc.get_result(json.loads(sys.argv[2])).get(timeout=20)))\n",
        str(cluster.connection_file),
        json.dumps(ids),
    )
    assert script.communicate(timeout=30)[0].strip() == str([2 * x for x in range(10)])
