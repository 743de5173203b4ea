"""A barrier: nobody passes before all have arrived.  It can be used again and again.

    ("barrier", name, generation)             one; its generation rises when all have arrived
    ("barrier-arrival", name, generation, id) one for each who waits; it vanishes with its session

So whoever is lost while it waits has not arrived, and the others wait until somebody comes in its place.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from .. import _native
from ..errors import NoMatch
from ..fields import Between
from ..space import Space
from .recipe import Recipe

_LAST = 2**63 - 1


class Barrier(Recipe):
    """A meeting point of `parties`, the same number for all who use this name."""

    kind = "barrier"

    def __init__(self, space: Space, name: str, parties: int) -> None:
        if parties < 1:
            raise ValueError(f"parties is {parties}; it must be at least 1")
        super().__init__(space, name, [parties])
        self._parties = parties

    def _parts(self) -> Sequence[Sequence[Any] | _native.Put]:
        return [(self.kind, self._name, 0)]

    @property
    def parties(self) -> int:
        """How many must arrive."""
        return self._parties

    def waiting(self) -> int:
        """How many have arrived and wait now."""
        _, _, generation = self._set_up().read((self.kind, self._name, int))
        return self._space.count((f"{self.kind}-arrival", self._name, generation, str))

    def wait(self, *, timeout: float | None = None) -> int:
        """Arrive, wait for the others, and return how often the barrier was passed before.

        Raises: NoMatch (a TimeoutError): the others did not come in time; then we have not arrived.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        arrival = uuid.uuid4().hex
        generation, is_last = self._arrive(arrival, timeout)
        if not is_last:
            self._wait_for_others(generation, arrival, deadline)
        return generation

    def _arrive(self, arrival: str, timeout: float | None) -> tuple[int, bool]:
        with self._set_up().reserve((self.kind, self._name, int), timeout=timeout) as state:
            generation: int = state.tuple[2]
            arrived = self._space.count((f"{self.kind}-arrival", self._name, generation, str))
            is_last = arrived + 1 >= self._parties
            if is_last:
                state.finish([(self.kind, self._name, generation + 1)])
            else:
                fields = (f"{self.kind}-arrival", self._name, generation, arrival)
                state.finish([state.tuple, self._put_of_session(fields)])
        return generation, is_last

    def _wait_for_others(self, generation: int, arrival: str, deadline: float | None) -> None:
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            self._space.read((self.kind, self._name, Between(generation + 1, _LAST)), timeout=remaining)
        except NoMatch:
            if self._withdraw(generation, arrival):
                raise
        except BaseException:  # Ctrl-C
            self._withdraw(generation, arrival)
            raise
        else:
            self._space.try_take((f"{self.kind}-arrival", self._name, generation, arrival))

    def _withdraw(self, generation: int, arrival: str) -> bool:
        """Whether the others are still to come; then we have not arrived any more."""
        with self._space.reserve((self.kind, self._name, int)) as state:
            self._space.try_take((f"{self.kind}-arrival", self._name, generation, arrival))
            state.release()
        return bool(state.tuple[2] == generation)
