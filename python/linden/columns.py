"""The arguments of a map as columns that can be cut: one sequence per parameter.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

Columns = tuple[Sequence[Any], ...]

# Sequences whose slices are cheap and pickle well; whatever else is iterable becomes a list.
_SLICED = (list, tuple, range, str, bytes)


def make_columns(sequences: Sequence[Iterable[Any]]) -> tuple[Columns, int]:
    """Columns and the number of rows, which is that of the shortest one, as in `map`."""
    columns = tuple(_sliceable(column) for column in sequences)
    return columns, min((len(column) for column in columns), default=0)


def _sliceable(column: Any) -> Sequence[Any]:
    if type(column) in _SLICED or is_array(column):
        return cast("Sequence[Any]", column)
    return list(column)


def is_array(value: Any) -> bool:
    """Whether `value` is a numpy array of at least one dimension, found out without importing numpy."""
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ == "ndarray" and value.ndim > 0


def cut(columns: Columns, start: int, stop: int) -> Columns:
    """Rows `start` to `stop` (excluded)."""
    return tuple(column[start:stop] for column in columns)


def rows(columns: Columns) -> Iterator[tuple[Any, ...]]:
    """One row after another."""
    return zip(*columns, strict=False)
