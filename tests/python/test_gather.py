"""Scatter and gather are inverse to each other."""

from typing import Any

import pytest
from linden.gather import join, partition, single_item, sliceable


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


@pytest.mark.parametrize("dist", ["b", "r"])
@pytest.mark.parametrize("count", [1, 3, 30])
def test_data_frames_stay_data_frames(dist: str, count: int) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"n": range(11), "name": list("abcdefghijk")}, index=range(100, 111))
    for whole in (frame, frame["name"]):
        parts = partition(sliceable(whole), count, dist)
        assert [len(part) for part in parts] == [len(part) for part in partition(range(11), count, dist)]
        assert join(parts, dist).equals(whole)
    assert single_item(partition(frame, 11, dist)[3])["name"] == "d"


@pytest.mark.parametrize("dist", ["b", "r"])
def test_frames_of_other_packages_are_cut_by_rows(dist: str) -> None:
    """Those that know rows as pandas does, by `iloc`; nothing else is asked of them but a `concat` of their package."""
    whole = Frame(list(range(10)))
    assert sliceable(whole) is whole
    parts = partition(whole, 4, dist)
    assert [part.rows for part in parts] == partition(list(range(10)), 4, dist)


class Frame:
    """Iterates over columns, as data frames do, and has its rows in `iloc`."""

    def __init__(self, rows: list[int]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Any:
        raise AssertionError("the columns are nobody's items")

    @property
    def iloc(self) -> Any:
        return self

    def __getitem__(self, place: slice) -> Any:
        return Frame(self.rows[place])


@pytest.mark.parametrize("dist", ["b", "r"])
@pytest.mark.parametrize("shape", [(3, 2, 2), (0, 4), (7,)])
def test_arrays_with_empty_parts(dist: str, shape: tuple[int, ...]) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(numpy.prod(shape)).reshape(shape)
    joined = join(partition(array, 5, dist), dist)
    assert joined.shape == shape
    assert joined.dtype == array.dtype
    assert (joined == array).all()


def test_an_array_of_nothing_does_not_spoil_the_others() -> None:
    """What an engine computes of an empty part has often lost its shape."""
    numpy = pytest.importorskip("numpy")
    parts = [numpy.ones((2, 3), dtype=int), numpy.array([])]
    assert join(parts, "b").shape == (2, 3)
    assert join(parts, "r").dtype == int


def test_arrays_of_other_sizes_are_dealt_as_far_as_they_go() -> None:
    numpy = pytest.importorskip("numpy")
    parts = [numpy.array([1, 4, 5]), numpy.array([2]), numpy.array([3.5])]
    assert join(parts, "r").tolist() == [1, 2, 3.5, 4, 5]
    assert join([list(part) for part in parts], "r") == [1, 2, 3.5, 4, 5]


def test_what_cannot_be_cut_becomes_a_list() -> None:
    numpy = pytest.importorskip("numpy")
    assert sliceable(iter("ab")) == ["a", "b"]
    assert sliceable({1: 2}) == [1]
    with pytest.raises(TypeError):
        sliceable(numpy.array(1))
    with pytest.raises(TypeError):
        sliceable(3)  # type: ignore[arg-type]


def test_single_values_are_joined_to_a_list() -> None:
    assert join([1, 2, 3], "b") == [1, 2, 3]


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="round robin"):
        partition([1], 1, "x")
