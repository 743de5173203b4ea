"""A rendezvous: two meet, and each goes on with what the other has brought.

    ("rendezvous", name)                        whoever has reserved it decides who meets whom
    ("rendezvous-offer", name, id, session, value)  of one who waits; it vanishes with its session
    ("rendezvous-answer", name, id, value)      what the other has brought

Whoever is lost while it waits is not met by anybody.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from .. import _native
from ..errors import NoMatch
from ..fields import ANY
from ..space import Space
from .recipe import Recipe


class Rendezvous(Recipe):
    """A place where processes meet in pairs, in the order in which they come."""

    kind = "rendezvous"

    def __init__(self, space: Space, name: str) -> None:
        super().__init__(space, name)

    def _parts(self) -> Sequence[Sequence[Any] | _native.Put]:
        return [(self.kind, self._name)]

    def meet(self, value: Any = None, *, timeout: float | None = None) -> Any:
        """Wait for another one, and return its value; it gets ours.

        Raises: NoMatch (a TimeoutError): nobody came in time; then nobody has our value.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        id = uuid.uuid4().hex
        with self._set_up().reserve((self.kind, self._name), timeout=timeout) as place:
            offer = self._space.try_reserve((f"{self.kind}-offer", self._name, str, str, ANY))
            if offer is not None:
                _, _, other, session, others_value = offer.tuple
                answer = (f"{self.kind}-answer", self._name, other, value)
                offer.finish([self._put_of_session(answer, session)])
                place.release()
                return others_value
            own = (f"{self.kind}-offer", self._name, id, self._space.native.client.session, value)
            place.finish([place.tuple, self._put_of_session(own)])
        return self._wait_for_answer(id, deadline)

    def _wait_for_answer(self, id: str, deadline: float | None) -> Any:
        answer = (f"{self.kind}-answer", self._name, id, ANY)
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            return self._space.take(answer, timeout=remaining)[3]
        except NoMatch:
            # Somebody may hold our offer at this moment: then its answer comes, or the offer comes back.
            which, found = self._space.take_any([(f"{self.kind}-offer", self._name, id, str, ANY), answer])
            if which == 0:
                raise
            return found[3]
        except BaseException:  # Ctrl-C
            self._space.try_take((f"{self.kind}-offer", self._name, id, str, ANY))
            raise
