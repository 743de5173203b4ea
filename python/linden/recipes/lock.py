"""A lock: one tuple, and whoever has reserved it holds the lock.

    ("lock", name)

The lock is free again when its holder releases it, says goodbye, or is lost: killed, cut off for longer than its hold time,
or frozen for longer than the lease.  Waiters are served in the order in which they came.

A holder that was lost may not know it yet.  So each holding has a `fence`, a number that rises with every holding: pass it
along with what is done under the lock, and let the other side refuse a fence that is lower than one it has seen.
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


class Lock(Recipe):
    """A lock among all processes that use this name.  Not re-entrant; threads that share one object share its holding.

    Args: lease: after so many seconds without a sign of life from the holder's process the lock is free.
    """

    kind = "lock"

    def __init__(self, space: Space, name: str, *, lease: float = 30.0) -> None:
        super().__init__(space, name)
        self._lease = lease
        self._held: Reservation | None = None

    def _parts(self) -> Sequence[Sequence[Any] | _native.Put]:
        return [(self.kind, self._name)]

    def acquire(self, *, timeout: float | None = None) -> int:
        """Wait until the lock is ours, and return the fence.

        Raises: NoMatch (a TimeoutError): not in time. RuntimeError: this object holds it already.
        """
        self._check_free()
        self._held = self._set_up().reserve((self.kind, self._name), timeout=timeout, lease=self._lease)
        return self._held.attempt

    def try_acquire(self) -> int | None:
        """`acquire` without waiting; None if somebody holds it."""
        self._check_free()
        self._held = self._set_up().try_reserve((self.kind, self._name), lease=self._lease)
        return None if self._held is None else self._held.attempt

    def release(self) -> None:
        """Give the lock to whoever waits for it.

        Raises: StaleLease: it was lost before; somebody else may have held it since. RuntimeError: not held.
        """
        held, self._held = self._reservation(), None
        held.release()

    @property
    def fence(self) -> int:
        """The number of this holding; the next one's is higher (P16).

        Raises: RuntimeError: not held.
        """
        return self._reservation().attempt

    def is_held(self) -> bool:
        """Whether this object holds the lock now, as the server sees it."""
        if self._held is None:
            return False
        return any(
            row["id"] == self._held.id and row["attempt"] == self._held.attempt and row["state"] != "ready"
            for row in self._space.describe((self.kind, self._name))
        )

    def holder(self) -> str | None:
        """The session of whoever holds the lock now, or None."""
        for row in self._set_up().describe((self.kind, self._name)):
            return str(row["holder"]) if row["state"] != "ready" else None
        return None

    def _check_free(self) -> None:
        if self._held is not None:
            raise RuntimeError(f"this object holds {self.kind} {self._name!r} already; it would wait for itself")

    def _reservation(self) -> Reservation:
        if self._held is None:
            raise RuntimeError(f"{self.kind} {self._name!r} is not held by this object")
        return self._held

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.release()
        except StaleLease:
            if kind is None:
                raise  # what the block did was not done under the lock to its end

    def __repr__(self) -> str:
        state = "not held" if self._held is None else f"held, fence {self._held.attempt}"
        return f"<linden.recipes.{type(self).__name__} {self._name!r} in space {self._space.name!r}, {state}>"
