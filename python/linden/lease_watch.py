"""A line in the log when leases of ours are about to end because the server cannot be reached.

Leases are renewed by themselves while the server is there, so nobody has to think of them; but a program that computes for
an hour notices nothing when the network goes, and would only learn at its finish that somebody else has its tuple by then.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from . import _native

_log = logging.getLogger("linden.leases")

_NAMED = 3
_SHOWN_CHARACTERS = 120
_LOOKS_PER_LEASE = 6
_LOOK_S = 60.0  # at least so often
_Key = tuple[str, int, int]  # the space, the tuple's id, the attempt


@dataclass(frozen=True)
class _Held:
    lease: float
    handout: _native.Handout


class LeaseWatch:
    """Watches over the reservations of one connection, in a thread of its own while there are any."""

    def __init__(self, client: _native.Client) -> None:
        self._client = client
        self._changed = threading.Condition()
        self._held: dict[_Key, _Held] = {}
        self._shortest = float("inf")  # no lease is shorter
        self._reached = 0.0  # when the server was there last, as far as we have looked
        self._told = False  # of this absence
        self._stopped = False
        self._thread: threading.Thread | None = None

    def hold(self, space: str, handout: _native.Handout, lease: float) -> None:
        """A reservation begins."""
        with self._changed:
            if not self._held:
                self._reached, self._told = time.monotonic(), False
            self._held[space, handout.id, handout.attempt] = _Held(lease, handout)
            if lease >= self._shortest or self._stopped:
                return
            self._shortest = lease
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="linden-leases", daemon=True)
                self._thread.start()
            else:
                self._changed.notify()

    def let_go(self, space: str, id: int, attempt: int) -> None:
        """It is over, here at least."""
        with self._changed:
            self._held.pop((space, id, attempt), None)

    def stop(self) -> None:
        """The connection is closed."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def look(self, now: float) -> None:
        """Say so, once, if the server has been away for two thirds of the shortest lease.  `now` as of time.monotonic."""
        with self._changed:
            self._shortest = min((held.lease for held in self._held.values()), default=float("inf"))
            if self._client.connected or self._client.failure is not None:
                self._reached, self._told = now, False
                return
            away = now - self._reached
            if self._told or away < self._shortest * 2 / 3:
                return
            self._told = True
            message = self._message(away)
        _log.warning("%s", message)

    def _message(self, away: float) -> str:
        ending = sorted(self._held.items(), key=lambda item: item[1].lease)
        named = "; ".join(
            f"tuple {id}, attempt {attempt}, of space {space!r}: {_shown(held.handout.fields)}"
            for (space, id, attempt), held in ending[:_NAMED]
        )
        others = f"; and {len(ending) - _NAMED} more" if len(ending) > _NAMED else ""
        return (
            f"the server at {self._client.address} has not been reached for {away:.1f} s; unless it is soon, these leases end "
            f"and others get the tuples: {named}{others}"
        )

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._stopped:
                    self._changed.wait(min(self._shortest / _LOOKS_PER_LEASE, _LOOK_S) if self._held else None)
                if self._stopped:
                    return
            self.look(time.monotonic())


def _shown(fields: tuple[Any, ...]) -> str:
    text = repr(fields)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
