"""Scatter and gather are inverse to each other."""

from typing import Any

import pytest
from linden.gather import join, partition


@pytest.mark.parametrize("dist", ["b", "r"])
@pytest.mark.parametrize("count", [1, 3, 7])
@pytest.mark.parametrize("sequence", [list(range(10)), [], [1], tuple("abcde"), range(5)])
def test_join_undoes_partition(sequence: Any, count: int, dist: str) -> None:
    parts = partition(sequence, count, dist)
    assert len(parts) == count
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert join(parts, dist) == list(sequence)


@pytest.mark.parametrize("dist", ["b", "r"])
def test_arrays_stay_arrays(dist: str) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(22).reshape(11, 2)
    joined = join(partition(array, 4, dist), dist)
    assert isinstance(joined, numpy.ndarray)
    assert (joined == array).all()


def test_single_values_are_joined_to_a_list() -> None:
    assert join([1, 2, 3], "b") == [1, 2, 3]


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="round robin"):
        partition([1], 1, "x")
