"""Subscription: being told of every matching put (P30)."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from . import _native
from .completions import Completions, RequestFuture
from .errors import Closed
from .fields import Tuple, check_timeout, to_python

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Notification:
    """One put.  The tuple may be gone by now: being told of it is not having it."""

    number: int  # 1, 2, 3, ... in this subscription, without gaps other than stated ones
    id: int  # of the tuple
    tuple: Tuple


@dataclass(frozen=True, slots=True)
class Gap:
    """Puts that are not told, in the place where they would have been.

    `count` None: the server was started again and did not count.  The subscription then begins anew: with the next
    put, or, if it was asked for with ``initial=True``, with all that is there.
    """

    first: int  # the number of the first one that is missing
    count: int | None  # how many are


class Subscription:
    """Made by `Space.subscribe`.  An iterator, in ``for`` and ``async for`` alike, and a context manager that ends it.

    Each item is a `Notification`, or a `Gap` where this process was too slow or the server was started again.
    """

    def __init__(self, native: _native.Subscription, completions: Completions) -> None:
        self._native = native
        self._completions = completions
        self._items: deque[Notification | Gap] = deque()
        self._news: RequestFuture | None = None

    @property
    def initial_count(self) -> int:
        """How many of the first items were there already when the subscription began."""
        return self._native.initial_count

    def next(self, timeout: float | None = None) -> Notification | Gap | None:
        """The next item, or None if none has come in time.

        Args: timeout: seconds; 0 does not wait, None waits for ever.
        Raises: Closed: it was closed. SpaceGone.
        """
        check_timeout(timeout)
        with contextlib.suppress(IndexError):  # not asked before, since several threads may be here
            return self._items.popleft()
        items = [_item(*pair) for pair in self._native.next_batch(timeout, _BATCH)]
        self._items.extend(items[1:])
        return items[0] if items else None

    def close(self) -> None:
        """End it; who waits in it stops.  Idempotent."""
        self._items.clear()
        self._native.close()

    def __iter__(self) -> Iterator[Notification | Gap]:
        return self

    def __next__(self) -> Notification | Gap:
        try:
            item = self.next()
        except Closed:
            raise StopIteration from None
        assert item is not None  # it waits for ever
        return item

    def __aiter__(self) -> AsyncIterator[Notification | Gap]:
        return self

    async def __anext__(self) -> Notification | Gap:
        import asyncio  # not at the top: engines need it not

        try:
            while (item := self.next(0)) is None:
                # One announcement for all tasks that wait here; who is cancelled does not end it for the others.
                if self._news is None or self._news.done():
                    self._news = self._completions.submit(self._native.announce, lambda _: None, lambda _: None)
                await asyncio.shield(asyncio.wrap_future(self._news))
        except Closed:
            raise StopAsyncIteration from None
        return item

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _item(number: int, told: _native.Handout | int) -> Notification | Gap:
    if isinstance(told, int):
        return Gap(number, told or None)
    return Notification(number, told.id, to_python(told.fields))
