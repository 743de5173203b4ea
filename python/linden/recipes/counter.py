"""A counter: one tuple with its value, which is exchanged for the next in one step.

    ("counter", name, value)

Whoever is killed in the midst of an addition has added either all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import _native
from ..space import Space
from .recipe import Recipe


class Counter(Recipe):
    """A number of 64 bits that many processes change.  It begins at 0."""

    kind = "counter"

    def __init__(self, space: Space, name: str) -> None:
        super().__init__(space, name)

    def _parts(self) -> Sequence[Sequence[Any] | _native.Put]:
        return [(self.kind, self._name, 0)]

    def add(self, amount: int = 1, *, timeout: float | None = None) -> int:
        """Add, and return the new value; with 1 no two callers ever get the same.

        Raises: OverflowError: beyond 64 bits; nothing has changed. NoMatch: not in time.
        """
        return self._exchange(lambda value: value + amount, timeout)[1]

    def set(self, value: int, *, timeout: float | None = None) -> int:
        """Set, and return the value before."""
        return self._exchange(lambda _: value, timeout)[0]

    def value(self, *, timeout: float | None = None) -> int:
        """The value now."""
        return int(self._set_up().read((self.kind, self._name, int), timeout=timeout)[2])

    def _exchange(self, change: Callable[[int], int], timeout: float | None) -> tuple[int, int]:
        with self._set_up().reserve((self.kind, self._name, int), timeout=timeout) as held:
            before: int = held.tuple[2]
            after = change(before)
            held.finish([(self.kind, self._name, after)])
        return before, after
