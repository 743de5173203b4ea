"""The message ids of tasks that a client or a view has submitted, however many, as a list that takes no room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, overload

from . import farm


def note(ranges: list[range], numbers: range) -> None:
    """Append `numbers` to the history `ranges`."""
    if ranges and ranges[-1].stop == numbers.start:
        ranges[-1] = range(ranges[-1].start, numbers.stop)
    elif numbers:
        ranges.append(numbers)


class History(Sequence[str]):
    """Message ids in the order of submission.  Equal to a list of the same ids; slices are lists."""

    def __init__(self, session: str, ranges: Sequence[range]) -> None:
        self._session = session
        self._ranges = list(ranges)

    def __len__(self) -> int:
        return sum(map(len, self._ranges))

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        length = len(self)
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(length))]
        if not -length <= index < length:
            raise IndexError(f"no task at place {index} of a history of {length}")
        place = index % length
        for numbers in self._ranges:
            if place < len(numbers):
                return farm.message_id(self._session, numbers[place])
            place -= len(numbers)
        raise AssertionError("the ranges are as long as their sum")

    def __iter__(self) -> Iterator[str]:
        return (farm.message_id(self._session, number) for number in chain.from_iterable(self._ranges))

    def __contains__(self, id_: Any) -> bool:
        try:
            session, number = farm.parse_message_id(id_)
        except (ValueError, AttributeError):
            return False
        return session == self._session and self.has(number)

    def has(self, number: int) -> bool:
        """Whether the task of that number is in it."""
        return any(number in numbers for numbers in self._ranges)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, (list, tuple, History)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))
