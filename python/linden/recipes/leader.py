"""Electing a leader: of all candidates one leads, and when it is lost another one does.

    ("lock", "leader of <name>")        whoever has reserved it leads
    ("leader", name, term, candidate)   who that is; it vanishes with its session

The term is the fence of the lock: it rises with every leader, so that others can refuse what a former one still sends.
"""

from __future__ import annotations

from types import TracebackType
from typing import NamedTuple, Self

from ..fields import Between
from ..space import Space
from .lock import Lock
from .recipe import Recipe

_LAST = 2**63 - 1


class Leader(NamedTuple):
    """Who leads."""

    term: int
    candidate: str


class Election(Recipe):
    """One candidate.  As a context manager: it leads within the block.

    Args: candidate: what the others see, such as an address. lease: as of a lock.
    """

    kind = "election"

    def __init__(self, space: Space, name: str, candidate: str, *, lease: float = 30.0) -> None:
        super().__init__(space, name)
        self._candidate = candidate
        self._lock = Lock(space, f"leader of {name}", lease=lease)

    @property
    def candidate(self) -> str:
        """Who we are."""
        return self._candidate

    @property
    def term(self) -> int:
        """Of our leadership; every later one is higher.

        Raises: RuntimeError: we do not lead.
        """
        return self._lock.fence

    def lead(self, *, timeout: float | None = None) -> int:
        """Wait until we lead, and return the term.

        Raises: NoMatch (a TimeoutError): not in time. RuntimeError: we lead already.
        """
        return self._announce(self._lock.acquire(timeout=timeout))

    def try_lead(self) -> int | None:
        """`lead` without waiting; None if somebody else leads."""
        term = self._lock.try_acquire()
        return None if term is None else self._announce(term)

    def leads(self) -> bool:
        """Whether we lead now, as the server sees it."""
        return self._lock.is_held()

    def resign(self) -> None:
        """Let another candidate lead.

        Raises: StaleLease: we were taken for lost before, and another may have led since. RuntimeError: we do not lead.
        """
        self._withdraw()
        self._lock.release()

    def leader(self) -> Leader | None:
        """Who leads now; None between two leaders."""
        found = self._space.try_read(("leader", self._name, int, str))
        return None if found is None else Leader(found[2], found[3])

    def wait_for_leader(self, after: int = 0, *, timeout: float | None = None) -> Leader:
        """Who leads in a term later than `after`; wait for one if there is none.

        Raises: NoMatch (a TimeoutError): not in time.
        """
        found = self._space.read(("leader", self._name, Between(after + 1, _LAST), str), timeout=timeout)
        return Leader(found[2], found[3])

    def _announce(self, term: int) -> int:
        # A former leader that was lost by its lease, and not with its session, has left its announcement.  If it wakes up
        # and makes one only now, ours comes first by its priority.
        while self._space.try_take(("leader", self._name, Between(0, term - 1), str)):
            pass
        self._space.put(("leader", self._name, term, self._candidate), priority=term, session=True)
        return term

    def _withdraw(self) -> None:
        self._space.try_take(("leader", self._name, self.term, self._candidate))

    def __enter__(self) -> Self:
        self.lead()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._withdraw()
        self._lock.__exit__(kind, value, traceback)
