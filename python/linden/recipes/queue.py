"""A queue: first in, first out, with or without a bound.

    ("queue-item", name, slot, item)   slot is -1 without a bound
    ("queue-slot", name, slot)         as many as the bound, less the items

Putting into a bounded queue turns a slot into an item, getting turns the item back into the slot, each in one step; so
nobody who is killed takes a slot along.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from .. import _native
from ..errors import StaleLease
from ..fields import ANY
from ..reservation import Reservation
from ..space import Space
from .recipe import Recipe

_NO_SLOT = -1


class Delivery:
    """An item under a lease.  As a context manager: done at the block's end, back at its place in the queue if it fails."""

    def __init__(self, held: Reservation) -> None:
        self._held = held

    @property
    def item(self) -> Any:
        """What was put."""
        return self._held.tuple[3]

    @property
    def attempt(self) -> int:
        """How often it has been delivered, this time included."""
        return self._held.attempt

    def done(self) -> None:
        """Remove the item for good, and free its slot.

        Raises: StaleLease: it was lost before, and is somebody else's.
        """
        _, name, slot, _ = self._held.tuple
        self._held.finish([] if slot == _NO_SLOT else [("queue-slot", name, slot)])

    def put_back(self) -> None:
        """Put the item back at its place."""
        self._held.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._held.over:
            return
        if kind is None:
            self.done()
            return
        try:
            self.put_back()
        except StaleLease:
            return  # it is back already, and the block's own error matters more

    def __repr__(self) -> str:
        return f"<linden.recipes.Delivery {self.item!r}, attempt {self.attempt}>"


class Queue(Recipe):
    """A queue among all processes that use this name.  Items are whatever a tuple can hold.

    Args: bound: how many items fit, None: no bound; the same for all who use it.
    """

    kind = "queue"

    def __init__(self, space: Space, name: str, bound: int | None = None) -> None:
        if bound is not None and bound < 1:
            raise ValueError(f"bound is {bound}; it must be at least 1, or None")
        super().__init__(space, name, [] if bound is None else [bound])
        self._bound = bound

    def _parts(self) -> Sequence[Sequence[Any] | _native.Put]:
        return [("queue-slot", self._name, slot) for slot in range(self._bound or 0)]

    @property
    def bound(self) -> int | None:
        """How many items fit; None: any number."""
        return self._bound

    def put(self, item: Any, *, timeout: float | None = None) -> None:
        """Put an item at the end; wait for room if there is a bound.

        Raises: NoMatch (a TimeoutError): no room in time.
        """
        space = self._set_up()
        if self._bound is None:
            space.put(("queue-item", self._name, _NO_SLOT, item))
            return
        with space.reserve(("queue-slot", self._name, int), timeout=timeout) as slot:
            slot.finish([("queue-item", self._name, slot.tuple[2], item)])

    def get(self, *, timeout: float | None = None) -> Any:
        """Remove the first item and return it; wait for one if there is none.

        Whoever is killed right after has taken the item along; `receive` is for items that matter.
        Raises: NoMatch (a TimeoutError): nothing in time.
        """
        with self.receive(timeout=timeout) as delivery:
            return delivery.item

    def receive(self, *, timeout: float | None = None, lease: float = 30.0) -> Delivery:
        """The first item under a lease: it is gone when it is done, and back if we are lost before."""
        return Delivery(self._set_up().reserve(("queue-item", self._name, int, ANY), timeout=timeout, lease=lease))

    def __len__(self) -> int:
        """How many items wait."""
        return self._set_up().count(("queue-item", self._name, int, ANY))

    def __bool__(self) -> bool:
        return True
