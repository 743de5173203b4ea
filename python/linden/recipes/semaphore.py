"""A semaphore: a tuple per permit, and whoever has reserved one holds that permit.

    ("semaphore", name, number)

A permit comes back when its holder releases it, says goodbye or is lost, as a lock does.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from .. import _native
from ..errors import StaleLease
from ..reservation import Reservation
from ..space import Space
from .recipe import Recipe


class Permit:
    """One permit that is ours.  As a context manager: released at the block's end."""

    def __init__(self, held: Reservation) -> None:
        self._held = held

    @property
    def number(self) -> int:
        """Which one it is, from 0: useful where a permit stands for a device or a port."""
        return int(self._held.tuple[2])

    @property
    def fence(self) -> int:
        """Rises with every holding of this permit (P16)."""
        return self._held.attempt

    def release(self) -> None:
        """Let somebody else have it.

        Raises: StaleLease: it was lost before.
        """
        self._held.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._held.over:
            return
        try:
            self.release()
        except StaleLease:
            if kind is None:
                raise

    def __repr__(self) -> str:
        return f"<linden.recipes.Permit {self.number} of {self._held.tuple[1]!r}>"


class Semaphore(Recipe):
    """At most `permits` holders at a time, among all processes that use this name.

    Args: permits: how many there are; the same for all who use it. lease: as of a lock.
    """

    kind = "semaphore"

    def __init__(self, space: Space, name: str, permits: int, *, lease: float = 30.0) -> None:
        if permits < 1:
            raise ValueError(f"permits is {permits}; it must be at least 1")
        super().__init__(space, name, [permits])
        self._permits = permits
        self._lease = lease

    def _parts(self) -> Sequence[Sequence[Any] | _native.Put]:
        return [(self.kind, self._name, number) for number in range(self._permits)]

    def acquire(self, *, timeout: float | None = None) -> Permit:
        """Wait for a permit.

        Raises: NoMatch (a TimeoutError): not in time.
        """
        return Permit(self._set_up().reserve((self.kind, self._name, int), timeout=timeout, lease=self._lease))

    def try_acquire(self) -> Permit | None:
        """`acquire` without waiting; None if all are taken."""
        held = self._set_up().try_reserve((self.kind, self._name, int), lease=self._lease)
        return None if held is None else Permit(held)

    @property
    def permits(self) -> int:
        """How many there are."""
        return self._permits

    def available(self) -> int:
        """How many are free now."""
        return self._set_up().count((self.kind, self._name, int))
