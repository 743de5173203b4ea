"""The machine of a MapReduce job: results in, what to do next out; no farm, no clock."""

from typing import Any

import pytest
from linden import farm
from linden.mapreduce_state import MAP, REDUCE, REMAKES_MAX, Cancel, Done, Drop, Fail, JobState, Submit, TaskId


def value(run: Any = "run", **counters: int) -> dict[str, Any]:
    return {"run": run, "pairs": 10, "counters": counters}


def submits(actions: Any) -> list[TaskId]:
    return [action.task for action in actions if isinstance(action, Submit)]


def mapped(maps: int = 2, reduces: int = 2) -> JobState:
    """A job whose maps are done, and whose reduce tasks run."""
    state = JobState(maps, reduces)
    state.go_on()
    for index in range(maps):
        state.on_result(TaskId(MAP, index, 1), farm.OK, value(f"run {index}"), seconds=1.0)
    return state


def test_a_number_says_what_task_it_is() -> None:
    for task in (TaskId(MAP, 0, 1), TaskId(REDUCE, 0xFFFFFF, 7), TaskId(MAP, 12345, 3)):
        assert TaskId.of(task.number) == task
        assert task.number > 0


def test_reduce_tasks_begin_when_all_maps_are_done() -> None:
    state = JobState(2, 3)
    assert submits(state.go_on()) == [TaskId(MAP, 0, 1), TaskId(MAP, 1, 1)]
    assert not state.on_result(TaskId(MAP, 1, 1), farm.OK, value("b"))
    actions = state.on_result(TaskId(MAP, 0, 1), farm.OK, value("a"))
    assert submits(actions) == [TaskId(REDUCE, partition, 1) for partition in range(3)]
    assert state.outputs_for_reduce() == [(0, 1, "a"), (1, 1, "b")]
    assert state.phase == REDUCE


def test_it_is_done_when_all_is_reduced() -> None:
    state = mapped()
    assert state.on_result(TaskId(REDUCE, 0, 1), farm.OK, value()) == []
    assert state.on_result(TaskId(REDUCE, 1, 1), farm.OK, value()) == [Done()]
    assert state.phase == "done"


def test_a_job_without_input_is_done_at_once() -> None:
    state = JobState(0, 4)
    assert state.is_done
    assert state.go_on() == []


def test_empty_map_outputs_are_not_fetched() -> None:
    state = JobState(2, 1)
    state.go_on()
    state.on_result(TaskId(MAP, 0, 1), farm.OK, value(None))
    state.on_result(TaskId(MAP, 1, 1), farm.OK, value("b"))
    assert state.outputs_for_reduce() == [(1, 1, "b")]


def test_a_result_that_comes_twice_counts_once() -> None:
    state = JobState(2, 1)
    state.go_on()
    state.on_result(TaskId(MAP, 0, 1), farm.OK, value(lines=1))
    assert state.on_result(TaskId(MAP, 0, 1), farm.OK, value(lines=1)) == []
    assert state.done(MAP) == 1
    assert state.counters() == {"map pairs": 10, "lines": 1}


# ---- lost outputs


def test_a_lost_map_output_is_made_again_and_then_reduced() -> None:
    state = mapped()
    actions = state.on_result(TaskId(REDUCE, 0, 1), farm.OK, {"lost": [(1, 1)]})
    assert submits(actions) == [TaskId(MAP, 1, 2)]
    assert state.phase == MAP
    # The other reduce task meets the same loss a moment later: nothing is made twice.
    assert state.on_result(TaskId(REDUCE, 1, 1), farm.OK, {"lost": [(1, 1)]}) == []
    actions = state.on_result(TaskId(MAP, 1, 2), farm.OK, value("again"))
    assert submits(actions) == [TaskId(REDUCE, 0, 2), TaskId(REDUCE, 1, 2)]
    assert state.outputs_for_reduce() == [(0, 1, "run 0"), (1, 2, "again")]


def test_a_loss_that_was_repaired_meanwhile_is_reduced_at_once() -> None:
    state = mapped()
    state.on_result(TaskId(REDUCE, 0, 1), farm.OK, {"lost": [(1, 1)]})
    state.on_result(TaskId(MAP, 1, 2), farm.OK, value("again"))
    actions = state.on_result(TaskId(REDUCE, 1, 1), farm.OK, {"lost": [(1, 1)]})
    assert submits(actions) == [TaskId(REDUCE, 1, 2)]


def test_outputs_that_are_lost_again_and_again_fail_the_job() -> None:
    state = mapped(1, 1)
    failures: list[Fail] = []
    for attempt in range(1, REMAKES_MAX + 3):
        actions = state.on_result(TaskId(REDUCE, 0, attempt), farm.OK, {"lost": [(0, attempt)]})
        failures = [action for action in actions if isinstance(action, Fail)]
        if failures:
            break
        state.on_result(TaskId(MAP, 0, attempt + 1), farm.OK, value())
    assert "was lost 21 times" in failures[0].reason


def test_a_reduced_output_that_is_lost_after_the_end_is_made_again() -> None:
    state = mapped(1, 1)
    state.on_result(TaskId(REDUCE, 0, 1), farm.OK, value())
    assert submits(state.lose_reduce(0)) == [TaskId(REDUCE, 0, 2)]
    assert state.on_result(TaskId(REDUCE, 0, 1), farm.OK, value()) == []  # told again, and lost all the same
    assert not state.is_done


# ---- failures


@pytest.mark.parametrize("status", [farm.ERROR, farm.ENGINE_DIED, farm.CANCELLED])
def test_a_task_that_fails_fails_the_job(status: str) -> None:
    state = JobState(3, 1)
    state.go_on()
    actions = state.on_result(TaskId(MAP, 1, 1), status, None, "bad line")
    assert actions[0] == Fail(TaskId(MAP, 1, 1), "bad line")
    assert actions[1:] == [Cancel(TaskId(MAP, 0, 1)), Cancel(TaskId(MAP, 2, 1))]
    assert state.phase == "failed"
    assert state.go_on() == []


def test_what_comes_after_a_failure_is_dropped() -> None:
    state = JobState(2, 1)
    state.go_on()
    state.on_result(TaskId(MAP, 0, 1), farm.ERROR, None, "bad")
    assert state.on_result(TaskId(MAP, 1, 1), farm.OK, value("late")) == [Drop(value("late"))]


# ---- slow tasks


def nearly_done() -> JobState:
    """Three of four maps took a second; the fourth runs."""
    state = JobState(4, 1)
    state.go_on()
    for index in range(3):
        state.on_result(TaskId(MAP, index, 1), farm.OK, value(), seconds=1.0)
    return state


def test_a_slow_task_gets_a_second_copy_when_an_engine_is_idle() -> None:
    state = nearly_done()
    slow = TaskId(MAP, 3, 1)
    assert state.speculate([slow], 1, now=100.0) == []  # seen for the first time
    assert state.speculate([slow], 1, now=101.9) == []
    assert state.speculate([slow], 0, now=103.0) == []
    assert submits(state.speculate([slow], 1, now=103.0)) == [TaskId(MAP, 3, 2)]
    assert state.speculate([slow, TaskId(MAP, 3, 2)], 1, now=200.0) == []  # two are enough


def test_the_copy_that_comes_first_counts_and_the_other_is_cancelled() -> None:
    state = nearly_done()
    slow, copy = TaskId(MAP, 3, 1), TaskId(MAP, 3, 2)
    state.speculate([slow], 1, now=0.0)
    state.speculate([slow], 1, now=10.0)
    actions = state.on_result(copy, farm.OK, value("copy"))
    assert Cancel(slow) in actions
    assert submits(actions) == [TaskId(REDUCE, 0, 1)]
    # It was too late to cancel it: what it has made goes.
    assert state.on_result(slow, farm.OK, value("late")) == [Drop(value("late"))]
    assert state.on_result(slow, farm.CANCELLED, None) == []


def test_a_copy_that_fails_does_not_fail_the_job_while_the_other_runs() -> None:
    state = nearly_done()
    slow, copy = TaskId(MAP, 3, 1), TaskId(MAP, 3, 2)
    state.speculate([slow], 1, now=0.0)
    state.speculate([slow], 1, now=10.0)
    assert state.on_result(copy, farm.ENGINE_DIED, None, "died") == []
    assert submits(state.on_result(slow, farm.OK, value())) == [TaskId(REDUCE, 0, 1)]


def test_nothing_is_slow_before_half_of_the_phase_is_done() -> None:
    state = JobState(4, 1)
    state.go_on()
    state.on_result(TaskId(MAP, 0, 1), farm.OK, value(), seconds=0.1)
    state.speculate([TaskId(MAP, 1, 1)], 2, now=0.0)
    assert state.speculate([TaskId(MAP, 1, 1)], 2, now=1000.0) == []


# ---- another client


def test_a_failure_from_before_is_judged_when_all_is_known() -> None:
    state = JobState(1, 1, replays=True)
    assert state.on_result(TaskId(MAP, 0, 1), farm.ERROR, None, "bad luck") == []
    state.note_put(TaskId(MAP, 0, 2))
    assert state.settle() == []
    assert state.on_result(TaskId(MAP, 0, 2), farm.ERROR, None, "again") == [Fail(TaskId(MAP, 0, 1), "bad luck")]
    nobody_else = JobState(1, 1, replays=True)
    nobody_else.on_result(TaskId(MAP, 0, 1), farm.ERROR, None, "bad luck")
    assert nobody_else.settle() == [Fail(TaskId(MAP, 0, 1), "bad luck")]


def test_a_reduced_output_is_not_made_again_for_ever() -> None:
    state = mapped(1, 1)
    for attempt in range(1, REMAKES_MAX + 1):
        state.on_result(TaskId(REDUCE, 0, attempt), farm.OK, value())
        assert submits(state.lose_reduce(0)) == [TaskId(REDUCE, 0, attempt + 1)]
    state.on_result(TaskId(REDUCE, 0, REMAKES_MAX + 1), farm.OK, value())
    (fail,) = state.lose_reduce(0)
    assert isinstance(fail, Fail)
    assert "reduce task 0 was lost 21 times" in fail.reason


def test_whoever_reads_the_results_again_comes_to_the_same_state() -> None:
    """F1: the state follows from tuples: results in the order of their puts, and tasks that are there."""
    told = [
        (TaskId(MAP, 0, 1), value("a")),
        (TaskId(MAP, 1, 1), value("b")),
        (TaskId(REDUCE, 0, 1), {"lost": [(0, 1)]}),
        (TaskId(MAP, 0, 2), value("again")),
        (TaskId(REDUCE, 1, 1), value()),
    ]
    state = JobState(2, 2)
    for task, what in told:
        state.on_result(task, farm.OK, what)
    assert state.done(MAP) == 2
    assert state.done(REDUCE) == 1
    assert state.outputs_for_reduce() == [(0, 2, "again"), (1, 1, "b")]
    assert TaskId(REDUCE, 0, 2) in state.running()  # put by whoever drove, or to be put now


def test_tasks_that_another_client_has_put_are_not_put_again() -> None:
    state = JobState(2, 1)
    state.note_put(TaskId(MAP, 0, 2))
    assert submits(state.go_on()) == [TaskId(MAP, 1, 1)]
