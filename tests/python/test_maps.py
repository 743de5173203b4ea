"""map and imap of load-balanced views on a real farm: chunks, order, errors in the place of values, endless inputs."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import linden
import pytest
from linden.error import CompositeError, RemoteError

pytest_plugins = ["live"]

LONG = 30


@pytest.fixture
def view(rc: linden.Client) -> linden.LoadBalancedView:
    return rc.load_balanced_view()


def inverse(x: int) -> float:
    return 1 / x


def wait_for_file(path: str, value: int) -> int:
    deadline = time.monotonic() + LONG
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.005)
    return value


CHUNKS = pytest.mark.parametrize("chunksize", [1, 2, 7, 100, "auto"])


@CHUNKS
def test_the_shortest_sequence_counts(view: linden.LoadBalancedView, chunksize: Any) -> None:
    assert view.map_sync(pow, range(7), iter([2] * 5), chunksize=chunksize) == [0, 1, 4, 9, 16]
    assert view.map_async(pow, [], [1, 2], chunksize=chunksize) == []
    for wrong in (0, -1, "some", 1.5, True):
        with pytest.raises(ValueError, match="chunksize"):
            view.map_sync(abs, [1], chunksize=wrong)


@CHUNKS
def test_errors_take_the_place_of_values(view: linden.LoadBalancedView, chunksize: Any) -> None:
    values = view.map_sync(inverse, [1, 0, 2, 0], chunksize=chunksize, return_exceptions=True)
    assert [value for value in values if not isinstance(value, Exception)] == [1.0, 0.5]
    assert [isinstance(value, ZeroDivisionError) for value in values] == [False, True, False, True]
    with pytest.raises(CompositeError, match="2 errors in inverse"):
        view.map_sync(inverse, [1, 0, 2, 0], chunksize=chunksize)


@pytest.mark.parametrize("ordered", [True, False])
def test_the_order_of_iteration(view: linden.LoadBalancedView, scratch: Path, ordered: bool) -> None:
    go, there = scratch / "go", scratch / "there"
    there.touch()
    result = view.map_async(wait_for_file, [str(go)] + [str(there)] * 3, range(4), ordered=ordered)
    results = iter(result)
    found = [] if ordered else [next(results) for _ in range(3)]
    go.touch()
    found += results
    assert found == ([0, 1, 2, 3] if ordered else [*found[:3], 0])
    assert sorted(found) == result.get(LONG) == [0, 1, 2, 3]


# ---- imap


def counted(limit: int | None = None) -> Iterator[int]:
    for number in itertools.count() if limit is None else range(limit):
        counted.taken = number + 1  # type: ignore[attr-defined]
        yield number


@pytest.mark.parametrize(("bound", "taken"), [("auto", 2), (5, 5), (1, 1)])
def test_as_much_is_taken_as_may_be_on_its_way(view: linden.LoadBalancedView, bound: Any, taken: int) -> None:
    results = view.imap(abs, counted(), max_outstanding=bound)
    assert counted.taken == taken  # type: ignore[attr-defined]
    assert list(itertools.islice(results, 20)) == list(range(20))
    assert counted.taken == taken + 20  # type: ignore[attr-defined]
    results.cancel()
    rest = list(results)
    assert rest == list(range(20, 20 + len(rest)))
    assert len(rest) <= taken


def test_without_a_bound_all_is_taken_at_once(view: linden.LoadBalancedView) -> None:
    results = view.imap(pow, counted(50), [2] * 40, max_outstanding=0)
    assert counted.taken >= 40  # type: ignore[attr-defined]
    assert list(results) == [number**2 for number in range(40)]
    for wrong in (-1, "all", True, 1.5):
        with pytest.raises(ValueError, match="max_outstanding"):
            view.imap(abs, [1], max_outstanding=wrong)


def test_cancelling_ends_what_waits(view: linden.LoadBalancedView, scratch: Path) -> None:
    results = view.imap(wait_for_file, itertools.repeat(str(scratch / "go")), itertools.count(), max_outstanding=20)
    deadline = time.monotonic() + LONG
    while view.queue_status()["unassigned"] > 18:
        assert time.monotonic() < deadline
    results.cancel()
    (scratch / "go").touch()
    assert set(results) <= {0, 1}  # which waits for what runs
    assert view.outstanding == set()


def test_results_as_they_come(view: linden.LoadBalancedView, scratch: Path) -> None:
    go, there = scratch / "go", scratch / "there"
    there.touch()
    paths = [str(go)] + [str(there)] * 3
    results = view.imap(wait_for_file, paths, range(4), ordered=False, max_outstanding=4)
    assert sorted(itertools.islice(results, 3)) == [1, 2, 3]
    go.touch()
    assert list(results) == [0]


def test_errors_of_items_and_of_inputs(view: linden.LoadBalancedView) -> None:
    values = list(view.imap(inverse, [1, 0, 2], return_exceptions=True))
    assert values[::2] == [1.0, 0.5]
    assert isinstance(values[1], RemoteError)
    results = view.imap(inverse, [1, 0, 2])
    assert next(results) == 1.0
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == [0.5]  # it goes on

    def broken() -> Iterator[int]:
        yield from (1, 2)
        raise OSError("no more")

    results = view.imap(inverse, broken())
    assert [next(results), next(results)] == [1.0, 0.5]
    with pytest.raises(OSError, match="no more"):
        next(results)
    assert list(results) == []


def test_flags_of_an_imap_are_those_of_its_beginning(rc: linden.Client, view: linden.LoadBalancedView) -> None:
    first = view.apply_async(os.getpid)
    with view.temp_flags(follow=first, label="mine"):
        results = view.imap(lambda _: os.getpid(), counted(6), max_outstanding=1)
    assert set(results) == {first.get(LONG)}
    assert view.label is None
    assert len(rc.db_query({"label": "mine", "client_uuid": rc.session})) == 6
