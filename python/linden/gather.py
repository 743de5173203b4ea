"""Cutting a sequence, an array or a data frame into parts for several engines, and joining them again."""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain
from typing import Any

from .async_result import AsyncResult
from .chunking import even_parts
from .columns import is_array

BLOCKS = "b"
ROUND_ROBIN = "r"

# Makes an array of a shape and a dtype.
MakeEmpty = Callable[[tuple[int, ...], Any], Any]
# From here on several threads copy.
_LARGE_BYTES = 16 << 20

_SEQUENCES = (list, tuple, range, str, bytes, bytearray, memoryview, array)
# What makes one of several, by package; data frames of others are cut and joined like those of pandas if they have `iloc`.
_CONCATENATE = {"pandas": "concat", "polars": "concat", "pyarrow": "concat_tables"}


def check_dist(dist: str) -> None:
    """Refuse an unknown way to cut."""
    if dist not in (BLOCKS, ROUND_ROBIN):
        raise ValueError(f"dist must be 'b' (blocks) or 'r' (round robin), not {dist!r}")


def is_frame(value: Any) -> bool:
    """Whether it has rows as a data frame has, found out without importing a package."""
    return hasattr(value, "iloc") or (_package(value) in _CONCATENATE and hasattr(value, "__getitem__"))


def sliceable(value: Iterable[Any]) -> Any:
    """`value`, or the list of its items if it cannot be cut.

    Raises: TypeError: an array without dimensions, or nothing that has items.
    """
    if isinstance(value, _SEQUENCES) or is_array(value) or is_frame(value):
        return value
    return list(value)


def partition(sequence: Any, count: int, dist: str) -> list[Any]:
    """`count` parts of `sequence`, of an array along its first axis, of a frame by rows; their sizes differ by one at most."""
    check_dist(dist)
    rows = getattr(sequence, "iloc", sequence)
    if dist == BLOCKS:
        return [rows[start:stop] for start, stop in even_parts(len(sequence), count)]
    parts = [rows[first::count] for first in range(count)]
    return [part.copy() for part in parts] if is_array(sequence) else parts  # what lies scattered travels slowly


def single_item(part: Any) -> Any:
    """The item of a part that has one."""
    return getattr(part, "iloc", part)[0]


def join(parts: Sequence[Any], dist: str, make_empty: MakeEmpty | None = None) -> Any:
    """The inverse of `partition`: arrays become one array and frames one frame, whatever else a list.

    `make_empty`: makes the one array if it is to be large; None: numpy does.
    """
    check_dist(dist)
    if parts and all(map(is_array, parts)):
        return _join_arrays(parts, dist, make_empty)
    if parts and all(map(is_frame, parts)):
        return _join_frames(parts, dist)
    rows = [part if isinstance(part, (list, tuple, range, str)) or is_array(part) else [part] for part in parts]
    joined = list(chain.from_iterable(rows))
    return joined if dist == BLOCKS else [joined[place] for place in _dealt(rows)]


def _dealt(parts: Sequence[Any]) -> list[int]:
    """Where the items are, when the parts lie one after the other, that go round the parts."""
    sizes = [len(part) for part in parts]
    starts = [end - size for end, size in zip(accumulate(sizes), sizes, strict=True)]
    return [start + row for row in range(max(sizes)) for start, size in zip(starts, sizes, strict=True) if row < size]


def _join_arrays(parts: Sequence[Any], dist: str, make_empty: MakeEmpty | None) -> Any:
    import numpy

    # An engine that has got nothing may have made an array of another shape of it.
    filled = [part for part in parts if len(part)] or [parts[0]]
    if make_empty is not None and sum(part.nbytes for part in filled) >= _LARGE_BYTES and _are_alike(filled):
        joined = make_empty((sum(map(len, filled)), *filled[0].shape[1:]), filled[0].dtype)
        _copy_side_by_side(filled, joined)
    else:
        joined = numpy.concatenate(filled)
    if dist == BLOCKS:
        return joined
    sizes = [len(part) for part in parts]
    if sizes != [len(range(first, len(joined), len(parts))) for first in range(len(parts))]:
        return joined[_dealt(parts)]
    dealt = numpy.empty_like(joined)  # usual, and quick
    for first, end in enumerate(accumulate(sizes)):
        dealt[first :: len(parts)] = joined[end - sizes[first] : end]
    return dealt


def _are_alike(parts: Sequence[Any]) -> bool:
    first = parts[0]
    return not first.dtype.hasobject and all(
        part.dtype == first.dtype and part.shape[1:] == first.shape[1:] for part in parts
    )


def _copy_side_by_side(parts: Sequence[Any], joined: Any) -> None:
    """Copy the parts one behind the other, by as many threads as there are processors; numpy lets go of the interpreter for that."""
    from concurrent.futures import ThreadPoolExecutor

    ends = list(accumulate(map(len, parts)))

    def copy(index: int) -> None:
        joined[ends[index] - len(parts[index]) : ends[index]] = parts[index]

    with ThreadPoolExecutor(min(len(parts), os.cpu_count() or 1), "linden-join") as pool:
        list(pool.map(copy, range(len(parts))))


def _join_frames(parts: Sequence[Any], dist: str) -> Any:
    filled = [part for part in parts if len(part)] or [parts[0]]
    package = _package(parts[0])
    concatenate = getattr(sys.modules[package], _CONCATENATE.get(package, "concat"))
    joined = concatenate(filled)
    if dist == BLOCKS:
        return joined
    order = _dealt(parts)
    return joined.take(order) if package == "pyarrow" else getattr(joined, "iloc", joined)[order]


def _package(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


class GatherResult(AsyncResult):
    """The joined parts of a sequence that was scattered."""

    def __init__(self, *args: Any, dist: str, **options: Any) -> None:
        super().__init__(*args, **options)
        check_dist(dist)
        self._dist = dist

    def _as_argument(self) -> tuple[Any, ...]:
        return join, self._dist

    def _value(self, return_exceptions: bool) -> Any:
        parts = super()._value(return_exceptions)
        return join([parts] if self._single else parts, self._dist, self._client.submitter.data.empty_array)
