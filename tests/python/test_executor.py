"""ViewExecutor over a farm in memory: what PEP 3148 asks for."""

import itertools
from collections.abc import Iterator

import pytest
from fake_native import FakeFarm
from linden.direct_view import DirectView
from linden.executor import ViewExecutor
from linden.load_balanced_view import LoadBalancedView


@pytest.fixture
def fake() -> FakeFarm:
    return FakeFarm()


@pytest.fixture
def executor(fake: FakeFarm) -> ViewExecutor:
    return ViewExecutor(LoadBalancedView(fake))  # type: ignore[arg-type]


def double(x: int) -> int:
    return 2 * x


def test_map_submits_at_once_also_what_has_no_length(executor: ViewExecutor, fake: FakeFarm) -> None:
    executor.map(double, range(5))
    executor.map(double, (x for x in range(5)))
    assert len(fake.tasks) == 10


@pytest.mark.parametrize("chunksize", [1, 3, "auto"])
def test_map_is_in_order(executor: ViewExecutor, chunksize: int) -> None:
    assert list(executor.map(double, iter(range(10)), chunksize=chunksize)) == [2 * x for x in range(10)]
    assert list(executor.map(pow, iter([2, 3]), iter([3, 2, 1]), chunksize=chunksize)) == [8, 9]
    assert list(executor.map(double, iter(()))) == list(executor.map(double, [])) == []


def test_endless_inputs_are_drawn_as_results_are_asked_for(executor: ViewExecutor, fake: FakeFarm) -> None:
    results = executor.map(pow, itertools.count(), itertools.repeat(2))
    assert len(fake.tasks) <= 2
    assert list(itertools.islice(results, 5)) == [0, 1, 4, 9, 16]


def test_buffersize_bounds_what_is_on_its_way(executor: ViewExecutor, fake: FakeFarm) -> None:
    drawn = []

    def inputs() -> Iterator[int]:
        for x in range(8):
            drawn.append(x)
            yield x

    results = executor.map(double, inputs(), buffersize=3)
    assert len(drawn) == 3
    assert list(results) == [2 * x for x in range(8)]


@pytest.mark.parametrize("buffersize", [None, 2])
def test_a_result_that_does_not_come_in_time_is_a_timeout(
    executor: ViewExecutor, fake: FakeFarm, buffersize: int | None
) -> None:
    results = executor.map(double, range(3), timeout=0.02, buffersize=buffersize)
    fake.tasks.clear()
    with pytest.raises(TimeoutError):
        next(results)
    assert fake.aborted


def test_an_iterator_that_is_closed_cancels_the_rest(executor: ViewExecutor, fake: FakeFarm) -> None:
    results = executor.map(double, range(5))
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert len(fake.aborted) == 1


def test_nothing_is_taken_after_shutdown(executor: ViewExecutor, fake: FakeFarm) -> None:
    future = executor.submit(double, 4)
    executor.shutdown()
    assert future.done()
    executor.shutdown()
    for call in (lambda: executor.submit(double, 1), lambda: executor.map(double, [1])):
        with pytest.raises(RuntimeError, match="after shutdown"):
            call()


def test_cancel_futures_aborts_all_in_one_go(executor: ViewExecutor, fake: FakeFarm) -> None:
    futures = [executor.submit(double, n) for n in range(3)]
    fake.tasks.clear()  # no engine is free
    executor.shutdown(wait=False, cancel_futures=True)
    assert len(fake.aborted) == 1
    assert set(fake.aborted[0]) == set(futures)


def test_over_a_direct_view_each_call_runs_everywhere(fake: FakeFarm) -> None:
    with ViewExecutor(DirectView(fake, "all")) as executor:
        assert executor._max_workers == 2
        assert executor.submit(double, 4).result(1) == [8, 8]
        assert list(executor.map(double, range(5))) == [0, 2, 4, 6, 8]
