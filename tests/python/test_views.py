"""Views and AsyncResults over a farm in memory: values, errors, order, chunks, flags."""

import asyncio
import concurrent.futures
import threading
from typing import Any

import pytest
from fake_native import FakeFarm
from in_memory import direct as direct
from in_memory import double, reciprocal
from in_memory import fake as fake
from in_memory import view as view
from linden import farm
from linden.direct_view import DirectView
from linden.error import CompositeError, EngineError, RemoteError, TaskAborted
from linden.load_balanced_view import LoadBalancedView
from linden.reference import Reference
from linden.serialize import NotPicklable

# ---- apply


def test_apply_sync_gives_the_value(view: LoadBalancedView) -> None:
    assert view.apply_sync(double, 21) == 42
    assert view.apply_sync(lambda a, *, b: a - b, 5, b=3) == 2


def test_apply_gives_a_future(view: LoadBalancedView) -> None:
    result = view.apply(double, 21)
    assert isinstance(result, concurrent.futures.Future)
    assert result.result(1) == 42
    assert result.successful()
    assert result.exception() is None
    assert result.status == "ok"
    assert result.engine_id == 0
    assert result.serial_time == pytest.approx(0.001, abs=1e-5)


def test_the_flag_block_decides(view: LoadBalancedView) -> None:
    with view.temp_flags(block=True):
        assert view.apply(double, 1) == 2
    assert view.block is False


def test_an_error_is_of_its_own_type_and_remote(view: LoadBalancedView) -> None:
    result = view.apply_async(reciprocal, 0)
    with pytest.raises(ZeroDivisionError):
        result.get()
    with pytest.raises(RemoteError, match=r"\[0:reciprocal\] ZeroDivisionError"):
        result.get()
    assert not result.successful()
    assert isinstance(result.exception(), RemoteError)
    assert result.status == "error"
    assert isinstance(result.get(return_exceptions=True), RemoteError)


def test_get_in_vain_is_a_timeout(view: LoadBalancedView, fake: FakeFarm) -> None:
    result = view.apply_async(double, 1)
    fake.tasks.clear()
    with pytest.raises(TimeoutError, match="0 of 1"):
        result.get(0.01)
    assert result.wait(0) is False
    with pytest.raises(RuntimeError):
        result.successful()


def test_results_of_a_task_that_never_ran(view: LoadBalancedView, fake: FakeFarm) -> None:
    aborted, died = view.apply_async(double, 1), view.apply_async(double, 2)
    fake.tasks.clear()
    fake.arrive(farm.result(fake.session, 1, farm.CANCELLED, [], None))
    fake.arrive(farm.result(fake.session, 2, farm.ENGINE_DIED, [], None))
    with pytest.raises(TaskAborted):
        aborted.get(1)
    with pytest.raises(EngineError, match="3 times"):
        died.get(1)
    assert aborted.status == "aborted"


def test_retries_are_written_into_the_task(view: LoadBalancedView, fake: FakeFarm) -> None:
    view.apply_async(double, 1)
    view.set_flags(retries=2).apply_async(double, 1)
    assert [farm.retries_of(task) for task in fake.tasks] == [None, 2]
    for wrong in (-1, "2", True):
        with pytest.raises(ValueError, match="retries"):
            view.set_flags(retries=wrong)
    with pytest.raises(KeyError, match="no flag 'retry'"):
        view.set_flags(retry=1)


def test_an_argument_that_cannot_be_pickled_is_named(view: LoadBalancedView, fake: FakeFarm) -> None:
    with pytest.raises(NotPicklable, match="argument 1 of double"):
        view.apply_async(double, 1, threading.Lock())
    with pytest.raises(NotPicklable, match="argument 'x' of double"):
        view.apply_async(double, x=threading.Lock())
    assert fake.reader.outstanding() == []


def test_a_put_that_is_refused_is_the_error_of_its_result(view: LoadBalancedView, fake: FakeFarm) -> None:
    fake.refuse = lambda fields: fields[0] == "task"
    with pytest.raises(ValueError, match="refused"):
        view.apply_sync(double, 1)


def test_a_task_that_was_refused_has_a_result_for_those_that_wait_for_it(
    view: LoadBalancedView, fake: FakeFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[Any] = []
    send = fake.native_space.send_put
    monkeypatch.setattr(
        fake.native_space,
        "send_put",
        lambda puts, **options: put.extend(p.fields for p in puts) or send(puts, **options),
    )
    fake.refuse = lambda fields: fields[0] == "task"
    result = view.apply_async(double, 1)
    with pytest.raises(ValueError, match="refused"):
        result.get(1)
    assert [fields[:4] for fields in put if fields[0] == "result"] == [("result", fake.session, 1, farm.CANCELLED)]


def test_a_result_can_be_awaited(view: LoadBalancedView, fake: FakeFarm) -> None:
    fake.runs_in_background = True

    async def main() -> int:
        value: int = await view.apply_async(double, 21)
        return value

    assert asyncio.run(main()) == 42


def test_done_callbacks_are_called(view: LoadBalancedView, fake: FakeFarm) -> None:
    fake.runs_in_background = True
    called = threading.Event()
    view.apply_async(double, 1).add_done_callback(lambda _: called.set())
    assert called.wait(5)


def test_futures_can_be_waited_for_together(view: LoadBalancedView, fake: FakeFarm) -> None:
    fake.runs_in_background = True
    results = [view.apply_async(double, number) for number in range(5)]
    done, pending = concurrent.futures.wait(results, timeout=5)
    assert not pending
    assert sorted(result.get() for result in done) == [0, 2, 4, 6, 8]
    again = [view.apply_async(double, number) for number in range(5)]
    assert {result.get() for result in concurrent.futures.as_completed(again, timeout=5)} == {0, 2, 4, 6, 8}


def test_output_comes_with_the_result(view: LoadBalancedView, fake: FakeFarm) -> None:
    result = view.apply_async(double, 1)
    fake.arrive(farm.output(fake.session, 1, "stdout", 0, "a"))
    fake.arrive(farm.output(fake.session, 1, "stderr", 1, "b"))
    fake.arrive(farm.output(fake.session, 1, "stdout", 2, "c"))
    result.get()
    assert (result.stdout, result.stderr) == ("ac", "b")


# ---- map


@pytest.mark.parametrize("chunksize", [1, 3, 100, "auto"])
def test_map_is_the_builtin_map(view: LoadBalancedView, chunksize: Any) -> None:
    assert view.map_sync(double, range(10), chunksize=chunksize) == [2 * x for x in range(10)]
    assert view.map_sync(pow, [2, 3, 4], (3, 2, 1, 0), chunksize=chunksize) == [8, 9, 4]
    assert view.map_sync(double, iter([1, 2]), chunksize=chunksize) == [2, 4]
    assert view.map_async(double, [], chunksize=chunksize) == []


@pytest.mark.parametrize("chunksize", [0, -1, 1.5, "many", True])
def test_odd_chunk_sizes_are_refused(view: LoadBalancedView, chunksize: Any) -> None:
    with pytest.raises(ValueError, match="chunksize"):
        view.map_sync(double, range(3), chunksize=chunksize)


@pytest.mark.parametrize("chunksize", [1, 2, "auto"])
def test_errors_of_a_map(view: LoadBalancedView, chunksize: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        view.map_sync(reciprocal, [1, 0, 2], chunksize=chunksize)
    with pytest.raises(CompositeError) as caught:
        view.map_sync(reciprocal, [1, 0, 2, 0], chunksize=chunksize)
    assert len(caught.value.errors) == 2
    values = view.map_sync(reciprocal, [1, 0, 2], chunksize=chunksize, return_exceptions=True)
    assert values[0] == 1
    assert isinstance(values[1], ZeroDivisionError)
    assert values[2] == 0.5


@pytest.mark.parametrize("chunksize", [1, 2, "auto"])
def test_a_map_is_iterated_in_order_as_results_arrive(view: LoadBalancedView, fake: FakeFarm, chunksize: Any) -> None:
    result = view.map_async(double, range(6), chunksize=chunksize)
    iterator = iter(result)
    assert next(iterator) == 0
    assert fake.tasks  # the rest has not run yet
    assert list(iterator) == [2, 4, 6, 8, 10]
    assert result.get() == [0, 2, 4, 6, 8, 10]
    assert len(result) == result.progress == 6


def test_an_unordered_map_is_iterated_in_the_order_of_arrival(view: LoadBalancedView, fake: FakeFarm) -> None:
    result = view.map_async(double, range(3), ordered=False)
    fake.run_next(2)
    fake.run_next(0)
    assert list(result) == [4, 0, 2]
    assert result.get() == [0, 2, 4]


def test_chunks_of_automatic_size_are_few(view: LoadBalancedView, fake: FakeFarm) -> None:
    assert view.map_sync(double, range(20_000), chunksize="auto") == [2 * x for x in range(20_000)]
    assert len(fake.submitter.history) < 200


def test_many_tasks_travel_in_few_frames(view: LoadBalancedView, fake: FakeFarm) -> None:
    view.map_async(double, range(10_000))
    frames = [size for size in fake.put_sizes if size > 1]
    assert len(frames) < 20
    assert max(frames) <= 2048


def test_an_item_that_cannot_be_pickled_leaves_nothing_behind(view: LoadBalancedView, fake: FakeFarm) -> None:
    with pytest.raises(NotPicklable, match="argument 0 of double"):
        view.map_async(double, [1, threading.Lock()])
    assert fake.reader.outstanding() == []


def test_an_item_of_an_automatic_chunk_that_cannot_be_pickled_is_an_error(view: LoadBalancedView) -> None:
    with pytest.raises(NotPicklable, match="items"):
        view.map_sync(double, [*range(50), threading.Lock()], chunksize="auto")


def test_an_engine_died_chunk_is_one_error(view: LoadBalancedView, fake: FakeFarm) -> None:
    result = view.map_async(double, range(4), chunksize=2)
    fake.tasks.popleft()
    fake.arrive(farm.result(fake.session, 1, farm.ENGINE_DIED, [], None))
    with pytest.raises(EngineError):
        result.get()
    values = result.get(return_exceptions=True)
    assert isinstance(values[0], EngineError)
    assert values[2:] == [4, 6]


def test_imap_keeps_few_tasks_on_their_way(view: LoadBalancedView, fake: FakeFarm) -> None:
    drawn = []

    def endless() -> Any:
        number = 0
        while True:
            drawn.append(number)
            yield number
            number += 1

    iterator = view.imap(double, endless(), max_outstanding=3)
    assert [next(iterator) for _ in range(5)] == [0, 2, 4, 6, 8]
    assert len(drawn) <= 9
    assert len(fake.tasks) <= 3


# ---- direct views


def test_a_direct_view_runs_on_all_its_targets(direct: DirectView, fake: FakeFarm) -> None:
    assert direct.apply_sync(double, 1) == [2, 2]
    assert DirectView(fake, 1).apply_sync(double, 1) == 2
    assert DirectView(fake, [1]).apply_sync(double, 1) == [2]


def test_a_direct_map_has_one_task_per_engine(direct: DirectView, fake: FakeFarm) -> None:
    result = direct.map_async(double, range(5))
    assert len(fake.tasks) == 2
    assert result.get() == [0, 2, 4, 6, 8]
    assert direct.map_sync(double, [7]) == [14]
    assert direct.map_sync(double, []) == []


def test_push_and_pull(direct: DirectView) -> None:
    direct.push({"a": 1, "b": 2}, block=True)
    assert direct.pull("a + b", block=True) == [3, 3]
    assert direct.pull(["a", "b"], block=True) == [[1, 2], [1, 2]]
    direct["c"] = 5
    assert direct["c"] == [5, 5]
    direct.clear(block=True)
    with pytest.raises(CompositeError):
        direct.get("a")


def test_references_are_looked_up_on_the_engine(direct: DirectView) -> None:
    direct["a"] = [1, 2]
    assert direct.apply_sync(len, Reference("a")) == [2, 2]
    assert direct.apply_sync(Reference("len"), [1, [2], Reference("a[0]")]) == [3, 3]


def test_targets_can_be_given_per_call(direct: DirectView) -> None:
    assert direct.execute("x = 3", targets=1, block=True) is None
    assert direct.pull("x", targets=1, block=True) == 3


def test_get_dict(direct: DirectView, fake: FakeFarm) -> None:
    result = DirectView(fake, 0).apply_async(double, 1)
    assert result.get_dict() == {0: 2}
    assert direct.apply_async(double, 1).get_dict() == {0: 2, 1: 2}
