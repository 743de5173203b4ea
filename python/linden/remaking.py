"""Results whose large data are lost: a client that still knows the task gives it once more, and waits for the new result instead.

It happens where the value is asked for, so nobody notices but by the time it takes.  Once only: what is lost again is said to be lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from . import hub
from .arrivals import Arrivals
from .data import DataLost
from .errors import LindenError
from .once_more import NotRepeatable, RunsOnce, task_to_repeat
from .resubmission import give_once_more

if TYPE_CHECKING:
    from .async_result import AsyncResult
    from .client import Client

Value = TypeVar("Value")

_here = threading.local()


class Remaking:
    """What a client has given once more, by the message id of the result that is lost."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._again: dict[str, AsyncResult] = {}
        self._lock = threading.Lock()  # the whole and its parts may be asked by several threads

    def result(self, id_: str, lost: DataLost) -> tuple[Sequence[Any], float]:
        """The new result tuple in the place of that of `id_`, and when it came.

        Raises: DataLost: the task may not run once more; the text says why. TimeoutError: not within the patience of this thread.
        """
        with self._lock:
            again = self._again.get(id_)
            if again is None:
                again = self._again[id_] = self._give(id_, lost)
        limit = _left()
        if not again.wait(limit):
            raise TimeoutError(f"the data of {id_} are lost; its task runs once more, and has not ended in time")
        if again._error is not None:
            raise again._error
        return again._raw[0]

    def _give(self, id_: str, lost: DataLost) -> AsyncResult:
        try:
            rows = list(hub.find(self._client, [id_]))
            if not rows or rows[0].fields[0] != "result":
                raise NotRepeatable("its result was purged")
            return give_once_more(self._client, [id_], [task_to_repeat(rows[0].fields)], single=True, remember=False)
        except (NotRepeatable, LindenError) as why:  # the connection may be closed
            hint = "; Client.resubmit(msg_id) runs it all the same" if isinstance(why, RunsOnce) else ""
            raise DataLost(f"{lost}; it is not made again: {why}{hint}") from None

    def pending(self) -> list[AsyncResult]:
        """What has been given once more and has no result."""
        return [again for again in list(self._again.values()) if not again.done()]


# ---- how long this thread waits ------------------------------------------------------------------------------------


@contextmanager
def patience(seconds: float | None) -> Iterator[None]:
    """What is lost is waited for so long in this thread; None, which is usual: as long as it takes."""
    before = getattr(_here, "deadline", None)
    _here.deadline = None if seconds is None else time.monotonic() + seconds
    try:
        yield
    finally:
        _here.deadline = before


def _left() -> float | None:
    deadline: float | None = getattr(_here, "deadline", None)
    return None if deadline is None else max(0.0, deadline - time.monotonic())


async def in_coroutine(result: AsyncResult, read: Callable[[], Value]) -> Value:
    """What `read` gives; should it need something that is lost, the loop goes on while that is made again."""
    while True:
        try:
            with patience(0):
                return read()
        except TimeoutError:
            pending = result._client.remaking.pending()
            if not pending:
                raise
        for again in pending:
            with Arrivals(again) as arrivals:
                await arrivals.wait_until(again.done)
