"""Tasks that wait for others, on a real farm of two engines: after, follow, timeout, results as arguments, and what cannot be met."""

from __future__ import annotations

import operator
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import linden
import pytest
from linden import farm
from linden.dependency import Dependency
from linden.error import (
    DependencyTimeout,
    EngineError,
    ImpossibleDependency,
    InvalidDependency,
    RemoteError,
    TaskAborted,
    TaskTimeout,
)
from linden.load_balanced_view import LoadBalancedView

pytest_plugins = ["live"]

LONG = 30


def wait_for_file(path: str) -> int:
    deadline = time.monotonic() + LONG
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.005)
    return os.getpid()


def fail() -> None:
    raise ValueError("on purpose")


@pytest.fixture
def view(rc: linden.Client) -> LoadBalancedView:
    return rc.load_balanced_view()


Gate = tuple[Any, Callable[[], None]]


@contextmanager
def held_back(view: LoadBalancedView, path: Path) -> Iterator[Gate]:
    """A task that runs until it is let go, and what lets it go."""
    result = view.apply_async(wait_for_file, str(path))
    yield result, path.touch
    path.touch()
    result.wait(LONG)  # before the file is removed


# ---- after


def test_a_task_runs_after_others(view: LoadBalancedView, scratch: Path) -> None:
    with held_back(view, scratch / "go") as (first, go):
        with view.temp_flags(after=first):
            second = view.apply_async(os.getpid)
        assert not second.wait(0.05)
        go()
        second.get(LONG)
    assert second.started >= first.completed
    assert second.metadata.after == [first.msg_id]


@pytest.mark.parametrize("shape", ["id", "result", "dependency", "list", "tuple", "set", "dict", "nested"])
def test_a_dependency_has_many_shapes(view: LoadBalancedView, shape: str) -> None:
    one, two = view.apply_async(pow, 2, 3), view.apply_async(pow, 2, 4)
    value = {
        "id": one.msg_id,
        "result": one,
        "dependency": Dependency([one, two]),
        "list": [one, two.msg_id],
        "tuple": (one, two),
        "set": {one, two},
        "dict": Dependency([one, two], all=False).as_dict(),
        "nested": [one, Dependency(two), Dependency([one, two], success=False, failure=True, all=False)][:2],
    }[shape]
    with view.temp_flags(after=value, follow=None):
        assert view.apply_async(pow, 2, 5).get(LONG) == 32


@pytest.mark.parametrize("wrong", [7, 1.5, [7], object(), {"tasks": []}, Dependency])
def test_what_is_no_dependency_is_refused_at_once(view: LoadBalancedView, wrong: Any) -> None:
    for flag in ("after", "follow"):
        with pytest.raises(ValueError, match="dependency"):
            view.set_flags(**{flag: wrong})
    assert view.after is None


def test_flags_return_the_view_and_are_known_by_name(view: LoadBalancedView) -> None:
    one = view.apply_async(pow, 2, 3)
    assert view.set_flags(after=one, timeout=5, retries=1, label="mine") is view
    with view.temp_flags(after=None):
        assert view.after is None
    assert view.after is one
    with pytest.raises(KeyError, match="no flag 'afters'"):
        view.set_flags(afters=one)
    for wrong, error in ((-1, ValueError), ("1", TypeError), (True, TypeError)):
        with pytest.raises(error, match="timeout"):
            view.set_flags(timeout=wrong)


def test_a_failed_dependency_ends_the_task_at_once(view: LoadBalancedView, scratch: Path) -> None:
    with held_back(view, scratch / "go") as (slow, _):
        bad = view.apply_async(fail)
        with view.temp_flags(after=[slow, bad]):
            result = view.apply_async(os.getpid)
        with pytest.raises(ImpossibleDependency, match=rf"{bad.msg_id}.*'error'"):
            result.get(LONG)
        assert not slow.ready()
    with pytest.raises(RemoteError):
        result.get()
    assert result.status == "error"
    assert result.exception().ename == "ImpossibleDependency"  # type: ignore[union-attr]


def test_failure_goes_down_the_graph(view: LoadBalancedView) -> None:
    result = view.apply_async(fail)
    for _ in range(5):
        with view.temp_flags(after=result):
            result = view.apply_async(os.getpid)
    with pytest.raises(ImpossibleDependency):
        result.get(LONG)


def test_what_was_aborted_counts_as_failed(view: LoadBalancedView, scratch: Path) -> None:
    with held_back(view, scratch / "a") as (one, _), held_back(view, scratch / "b"):
        with view.temp_flags(after=one):
            waiting = view.apply_async(os.getpid)
        with view.temp_flags(after=waiting):
            behind = view.apply_async(os.getpid)
        waiting.abort()  # F6: also while it waits for others
        with pytest.raises(TaskAborted):
            waiting.get(LONG)
    with pytest.raises(ImpossibleDependency, match="cancelled"):
        behind.get(LONG)


def test_a_thousand_waiting_tasks_can_be_aborted(view: LoadBalancedView, scratch: Path) -> None:
    with held_back(view, scratch / "go") as (one, _):
        with view.temp_flags(after=one):
            waiting = view.map_async(abs, range(1500))
        waiting.abort()
        values = waiting.get(LONG, return_exceptions=True)
        assert {type(value) for value in values} == {TaskAborted}


GOOD, BAD = "good", "bad"
MET = [
    ((GOOD, GOOD), {"all": True}),
    ((GOOD, BAD), {"all": False}),
    ((BAD, GOOD), {"all": False}),
    ((GOOD, BAD), {"all": True, "failure": True}),
    ((BAD, BAD), {"all": True, "failure": True, "success": False}),
    ((GOOD, BAD), {"all": False, "failure": True, "success": False}),
    ((BAD, BAD), {"all": False, "failure": True}),
    ((GOOD,), {}),
    ((BAD,), {"success": False, "failure": True}),
    ((BAD,), {"failure": True, "all": False}),
    ((), {}),
]
IMPOSSIBLE = [
    ((GOOD, BAD), {"all": True}),
    ((BAD, BAD), {"all": False}),
    ((GOOD, BAD), {"all": True, "failure": True, "success": False}),
    ((GOOD, GOOD), {"all": False, "failure": True, "success": False}),
    ((BAD,), {}),
    ((GOOD,), {"success": False, "failure": True}),
]


def ended(view: LoadBalancedView, kinds: tuple[str, ...], early: bool) -> list[Any]:
    """Results of tasks that succeed or fail; `early`: it may be that they have not ended yet."""
    results = [
        view.apply_async(abs if kind == GOOD else operator.truediv, *((1,) if kind == GOOD else (1, 0)))
        for kind in kinds
    ]
    if not early:
        view.wait(results, LONG)
    return results


@pytest.mark.parametrize("early", [False, True], ids=["known", "to come"])
@pytest.mark.parametrize(("kinds", "switches"), MET)
def test_a_dependency_is_met(
    view: LoadBalancedView, kinds: tuple[str, ...], switches: dict[str, bool], early: bool
) -> None:
    results = ended(view, kinds, early)
    dependency = Dependency(results, **switches)
    with view.temp_flags(after=dependency):
        assert view.apply_async(pow, 3, 2).get(LONG) == 9
    good = {result.msg_id for result, kind in zip(results, kinds, strict=True) if kind == GOOD}
    assert dependency.check(good, {*dependency} - good)


@pytest.mark.parametrize("early", [False, True], ids=["known", "to come"])
@pytest.mark.parametrize(("kinds", "switches"), IMPOSSIBLE)
def test_a_dependency_is_impossible(
    view: LoadBalancedView, kinds: tuple[str, ...], switches: dict[str, bool], early: bool
) -> None:
    results = ended(view, kinds, early)
    dependency = Dependency(results, **switches)
    with view.temp_flags(after=dependency), pytest.raises(ImpossibleDependency):
        view.apply_async(pow, 3, 2).get(LONG)
    good = {result.msg_id for result, kind in zip(results, kinds, strict=True) if kind == GOOD}
    assert dependency.unreachable(good, {*dependency} - good)


def test_any_does_not_wait_for_the_others(view: LoadBalancedView, scratch: Path) -> None:
    with held_back(view, scratch / "go") as (slow, _):
        quick = view.apply_async(abs, 1)
        with view.temp_flags(after=Dependency([slow, quick], all=False)):
            view.apply_async(os.getpid).get(LONG)
        assert not slow.ready()


def test_several_dependencies_all_have_to_be_met(view: LoadBalancedView) -> None:
    good, bad = view.apply_async(abs, 1), view.apply_async(fail)
    some_failed = Dependency([good, bad], all=False, failure=True, success=False)
    with view.temp_flags(after=[good, some_failed]):
        assert view.apply_async(abs, -1).get(LONG) == 1
    with view.temp_flags(after=[some_failed, Dependency([good, bad])]), pytest.raises(ImpossibleDependency):
        view.apply_async(abs, -1).get(LONG)


# ---- unknown, to come, of others


@pytest.mark.parametrize("unknown", ["12345", "f" * 32 + "_1", ""])
def test_a_dependency_on_no_task_is_invalid(view: LoadBalancedView, unknown: str) -> None:
    for flag in ("after", "follow"):
        with view.temp_flags(**{flag: unknown}), pytest.raises(InvalidDependency):
            view.apply_async(abs, 1).get(LONG)
    with view.temp_flags(after=unknown), pytest.raises(RemoteError):
        view.map_sync(abs, range(3))


def test_a_cycle_would_begin_with_a_task_that_is_not_there_yet(rc: linden.Client, view: LoadBalancedView) -> None:
    def id_in(steps: int) -> str:
        return farm.message_id(rc.session, rc.submitter.next_number + steps)

    with view.temp_flags(after=id_in(0)), pytest.raises(InvalidDependency):  # itself
        view.apply_async(abs, 1).get(LONG)
    with view.temp_flags(after=id_in(1)):
        first = view.apply_async(abs, 1)
    with view.temp_flags(after=first):
        second = view.apply_async(abs, 1)
    with pytest.raises(InvalidDependency):
        first.get(LONG)
    with pytest.raises(ImpossibleDependency):
        second.get(LONG)


def test_a_dependency_that_was_purged_is_invalid(rc: linden.Client, view: LoadBalancedView) -> None:
    one, two = view.apply_async(abs, 1), view.apply_async(abs, 2)
    rc.wait([one, two], LONG)
    with view.temp_flags(after=[one, two]):
        view.apply_async(abs, 3).get(LONG)
    rc.purge_hub_results([one])
    with view.temp_flags(after=one), pytest.raises(InvalidDependency, match="purged"):
        view.apply_async(abs, 1).get(LONG)


def test_purging_removes_gates_too(rc: linden.Client, view: LoadBalancedView) -> None:
    for _ in range(3):
        pair = [view.apply_async(abs, 1), view.apply_async(abs, 2)]
        with view.temp_flags(after=pair):
            view.apply_async(abs, 3).get(LONG)
    assert rc.space.count(("gate", rc.session, int, str, str)) > 0
    rc.purge_hub_results("all")
    assert rc.space.count(("gate", rc.session, int, str, str)) == 0
    with view.temp_flags(after=[view.apply_async(abs, 1), view.apply_async(abs, 2)]):
        assert view.apply_async(abs, 3).get(LONG) == 3


def test_tasks_of_others_can_be_waited_for(cluster: Any, view: LoadBalancedView, scratch: Path) -> None:
    with cluster.connect_client() as other, held_back(other.load_balanced_view(), scratch / "go") as (foreign, go):
        done = other.load_balanced_view().apply_async(abs, 7)
        done.wait(LONG)
        with view.temp_flags(after=[foreign.msg_id, done.msg_id]):
            result = view.apply_async(abs, 1)
        assert not result.wait(0.02)
        go()
        assert result.get(LONG) == 1


# ---- follow


def test_a_task_follows_another_one(view: LoadBalancedView) -> None:
    first = view.apply_async(os.getpid)
    with view.temp_flags(follow=first):
        results = [view.apply_async(os.getpid) for _ in range(8)]
    assert {result.get(LONG) for result in results} == {first.get()}
    assert {result.engine_id for result in results} == {first.engine_id}
    assert results[0].metadata.follow == [first.msg_id]


def on_both(rc: linden.Client) -> list[Any]:
    """A finished task on each engine."""
    results = [rc[place].apply_async(os.getpid) for place in range(2)]
    rc.wait(results, LONG)
    return results


def test_all_on_different_engines_cannot_be_followed(rc: linden.Client, view: LoadBalancedView) -> None:
    with view.temp_flags(follow=on_both(rc)), pytest.raises(ImpossibleDependency, match="all of these"):
        view.apply_async(os.getpid).get(LONG)


def test_any_of_several_can_be_followed(rc: linden.Client, view: LoadBalancedView) -> None:
    left, right = on_both(rc)
    with view.temp_flags(follow=Dependency([left, right], all=False)):
        assert view.apply_async(os.getpid).get(LONG) in (left.get(), right.get())
    bad = rc[0].apply_async(fail)
    bad.wait(LONG)
    with view.temp_flags(follow=Dependency([bad, right], all=False)):
        assert view.apply_async(os.getpid).get(LONG) == right.get()
    with view.temp_flags(follow=Dependency(bad, success=False, failure=True)):
        assert view.apply_async(os.getpid).get(LONG) == left.get()


def test_targets_bound_where_a_task_may_follow(rc: linden.Client, view: LoadBalancedView) -> None:
    left, right = on_both(rc)
    with view.temp_flags(follow=left, targets=[right.engine_id]), pytest.raises(ImpossibleDependency):
        view.apply_async(os.getpid).get(LONG)
    with view.temp_flags(follow=left, targets=rc.ids):
        assert view.apply_async(os.getpid).get(LONG) == left.get()


def test_after_and_follow_together(rc: linden.Client, view: LoadBalancedView, scratch: Path) -> None:
    left, _ = on_both(rc)
    with held_back(view, scratch / "go") as (slow, go):
        with view.temp_flags(after=Dependency(slow, failure=True), follow=left):
            result = view.apply_async(os.getpid)
        assert not result.wait(0.02)
        go()
        assert result.get(LONG) == left.get()


def test_the_engine_to_follow_has_died(rc: linden.Client, view: LoadBalancedView) -> None:
    first = view.apply_async(os.getpid)
    os.kill(first.get(LONG), signal.SIGKILL)
    wait_until(lambda: first.engine_id not in rc.ids)
    with view.temp_flags(follow=first), pytest.raises(ImpossibleDependency, match="no engine that serves now"):
        view.apply_async(os.getpid).get(LONG)


def test_the_engine_to_follow_dies_with_the_task(rc: linden.Client, view: LoadBalancedView) -> None:
    for retries, error in ((None, ImpossibleDependency), (0, EngineError)):
        rc.wait_for_engines(2, timeout=LONG)
        first = view.apply_async(os.getpid)
        first.wait(LONG)
        with view.temp_flags(follow=first, retries=retries):
            result = view.apply_async(os._exit, 1)
        with pytest.raises(error):
            result.get(LONG)


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- timeout


def test_dependencies_that_are_late(view: LoadBalancedView, scratch: Path) -> None:
    with held_back(view, scratch / "go") as (slow, _):
        for after in (slow, [slow, view.apply_async(abs, 1)]):
            with view.temp_flags(after=after, timeout=0.05):
                result = view.apply_async(abs, 1)
            with pytest.raises(DependencyTimeout, match=r"0\.05 s"):
                result.get(LONG)
            with pytest.raises(TaskTimeout):
                result.get()


def has_timed_out(view: LoadBalancedView, result: Any) -> bool:
    """Whether its time to begin is over."""
    return view.client.space.count(("gate", *farm.parse_message_id(result.msg_id), "timeout", str)) > 0


def test_engines_that_have_no_time(view: LoadBalancedView, scratch: Path) -> None:
    with held_back(view, scratch / "a") as (one, go), held_back(view, scratch / "b") as (two, go_too):
        wait_until(lambda: view.queue_status()["unassigned"] == 0)
        with view.temp_flags(timeout=0.02):
            late = view.apply_async(abs, 1)
        with view.temp_flags(timeout=600):
            in_time = view.apply_async(abs, -3)
        wait_until(lambda: has_timed_out(view, late))
        go()
        go_too()
        view.wait([one, two], LONG)
    with pytest.raises(TaskTimeout, match="no engine had time"):
        late.get(LONG)
    assert in_time.get(LONG) == 3


def test_a_timeout_does_not_end_a_task_that_runs(view: LoadBalancedView, scratch: Path) -> None:
    with view.temp_flags(timeout=0.05), held_back(view, scratch / "go") as (result, go):
        wait_until(lambda: has_timed_out(view, result))
        wait_until(lambda: result.started is not None or view.queue_status()["unassigned"] == 0)
        go()
        assert isinstance(result.get(LONG), int)


# ---- results as arguments


def test_results_are_arguments(view: LoadBalancedView, rc: linden.Client) -> None:
    one = view.apply_async(pow, 2, 3)
    two = view.apply_async(operator.add, one, 1)
    assert two.get(LONG) == 9
    assert view.apply_async(sum, [one, two]).get(LONG) == 17
    assert view.apply_async(dict, x={"deep": [(one,)]}).get(LONG) == {"x": {"deep": [(8,)]}}
    assert rc[:].apply_sync(operator.neg, two) == [-9, -9]
    assert view.map_sync(operator.add, [one, two, 3], [1, 1, 1]) == [9, 10, 4]
    assert view.map_sync(operator.add, [one, two, 3], [1, 1, 1], chunksize=2) == [9, 10, 4]
    assert view.map_sync(operator.add, [one, two, 3], [1, 1, 1], chunksize="auto") == [9, 10, 4]
    assert rc[:].map_sync(operator.add, [one, two, 3], [1, 1, 1]) == [9, 10, 4]


def test_results_of_several_tasks_are_lists_as_arguments(view: LoadBalancedView, rc: linden.Client) -> None:
    for chunksize in (1, 3):
        squares = view.map_async(pow, range(5), [2] * 5, chunksize=chunksize)
        assert view.apply_async(list, squares).get(LONG) == [0, 1, 4, 9, 16]
    assert view.apply_async(sorted, rc[:].apply_async(os.getpid)).get(LONG) == sorted(rc[:].apply_sync(os.getpid))
    rc[:].scatter("part", range(7), block=True)
    assert view.apply_async(sum, rc[:].gather("part")).get(LONG) == 21


def test_results_can_be_pushed(view: LoadBalancedView, rc: linden.Client) -> None:
    rc[:].push({"value": view.apply_async(pow, 2, 5)}, block=True)
    assert rc[:]["value"] == [32, 32]


def test_a_result_that_failed_is_no_argument(view: LoadBalancedView) -> None:
    bad = view.apply_async(fail)
    with pytest.raises(ImpossibleDependency, match=bad.msg_id):
        view.apply_async(abs, bad).get(LONG)


def test_an_argument_that_was_purged(view: LoadBalancedView, rc: linden.Client, scratch: Path) -> None:
    one = view.apply_async(pow, 2, 3)
    one.wait(LONG)
    with held_back(view, scratch / "a") as (_, go), held_back(view, scratch / "b") as (_, go_too):
        wait_until(lambda: view.queue_status()["unassigned"] == 0)
        result = view.apply_async(abs, one)
        wait_until(lambda: rc.space.count(("gate", rc.session, int, "ok", str)) > 0)
        rc.purge_hub_results([one])
        go()
        go_too()
    with pytest.raises(LookupError, match=f"{one.msg_id}.*purged"):
        result.get(LONG)


def test_cancelling_a_task_that_waits(view: LoadBalancedView, scratch: Path) -> None:
    with held_back(view, scratch / "go") as (slow, _):
        with view.temp_flags(after=slow):
            waiting = view.apply_async(os.getpid)
        waiting.cancel()  # F6
        with pytest.raises((TaskAborted, CancelledError)):
            waiting.get(LONG)
        assert not slow.ready()


def test_a_map_that_is_submitted_bit_by_bit_is_no_dependency(view: LoadBalancedView, scratch: Path) -> None:
    growing = view.map_async(wait_for_file, [str(scratch / "go")] * 100, chunksize="auto")
    try:
        with pytest.raises(ValueError, match="chunksize"):
            view.set_flags(after=growing)
        with pytest.raises(TypeError, match="chunksize"):
            view.apply_async(len, growing)
    finally:
        (scratch / "go").touch()
        growing.wait(LONG)
    assert view.apply_async(len, growing).get(LONG) == 100


# ---- maps and large graphs


def test_a_map_waits_as_a_whole(view: LoadBalancedView, scratch: Path) -> None:
    with held_back(view, scratch / "go") as (slow, go):
        others = [view.apply_async(abs, -n) for n in range(3)]
        with view.temp_flags(after=[slow, *others]):
            maps = [view.map_async(abs, range(-20, 0), chunksize=size) for size in (1, 7, "auto")]
        assert not maps[0].wait(0.02)
        go()
        for each in maps:
            assert each.get(LONG) == list(range(20, 0, -1))
            assert min(each.started) >= slow.completed


def test_layers_that_depend_on_each_other(view: LoadBalancedView) -> None:
    layer: Any = view.map_async(abs, range(40))
    for _ in range(3):
        with view.temp_flags(after=layer):
            layer = view.map_async(abs, range(40))
    assert layer.get(LONG) == list(range(40))


def test_more_dependencies_than_a_tuple_may_have_guards(view: LoadBalancedView) -> None:
    many = view.map_async(abs, range(11_000))
    with view.temp_flags(after=many):
        assert view.apply_async(abs, -5).get(60) == 5


def test_threads_share_a_view(view: LoadBalancedView) -> None:
    pair = [view.apply_async(abs, 1), view.apply_async(abs, 2)]
    view.set_flags(after=pair)
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(view.apply_async(abs, -4))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert [result.get(LONG) for result in results] == [4] * 8
