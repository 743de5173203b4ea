"""Cutting a sequence into parts for several engines, and joining them again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

from .async_result import AsyncResult
from .chunking import even_parts
from .columns import is_array

BLOCKS = "b"
ROUND_ROBIN = "r"
_NOTHING = object()


def check_dist(dist: str) -> None:
    """Refuse an unknown way to cut."""
    if dist not in (BLOCKS, ROUND_ROBIN):
        raise ValueError(f"dist must be 'b' (blocks) or 'r' (round robin), not {dist!r}")


def partition(sequence: Sequence[Any], count: int, dist: str) -> list[Any]:
    """`count` parts of `sequence`; their sizes differ by one at most."""
    check_dist(dist)
    if dist == ROUND_ROBIN:
        return [sequence[first::count] for first in range(count)]
    return [sequence[start:stop] for start, stop in even_parts(len(sequence), count)]


def join(parts: Sequence[Any], dist: str) -> Any:
    """The inverse of `partition`; arrays become one array, whatever else a list."""
    check_dist(dist)
    if parts and all(is_array(part) for part in parts):
        return _join_arrays(parts, dist)
    rows = [part if isinstance(part, (list, tuple, range, str)) or is_array(part) else [part] for part in parts]
    if dist == ROUND_ROBIN:
        return [item for items in zip_longest(*rows, fillvalue=_NOTHING) for item in items if item is not _NOTHING]
    return list(chain.from_iterable(rows))


def _join_arrays(parts: Sequence[Any], dist: str) -> Any:
    import numpy

    if dist == BLOCKS:
        return numpy.concatenate(parts)
    first = parts[0]
    joined = numpy.empty((sum(len(part) for part in parts), *first.shape[1:]), dtype=first.dtype)
    for index, part in enumerate(parts):
        joined[index :: len(parts)] = part
    return joined


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
        return join([parts] if self._single else parts, self._dist)
