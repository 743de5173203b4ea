"""Who is told of each result as it comes, and waiting for results in a coroutine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

    from .async_result import AsyncResult


Listener = Callable[[int | None], None]  # is told the position of a result, and None at the end


class Listeners:
    """Those who want to be told of the results of one call, and what they have not been told of."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._news: deque[int] = deque()

    def add(self, listener: Listener) -> None:
        """One more."""
        self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        """One less."""
        self._listeners.remove(listener)

    def __len__(self) -> int:
        return len(self._listeners)

    def note(self, position: int) -> None:
        """A result has come; `tell_news` will tell."""
        self._news.append(position)

    def tell_news(self) -> None:
        """Tell of all that was noted."""
        with suppress(IndexError):  # not asked before, since several threads may be here
            while self._news:
                self.tell(self._news.popleft())

    def tell(self, position: int | None) -> None:
        """Tell of one."""
        for listener in list(self._listeners):
            listener(position)


class Arrivals:
    """Wakes the coroutine that made it whenever a result has come.  A context manager."""

    def __init__(self, result: AsyncResult) -> None:
        import asyncio  # not at the top: engines need it not

        self._result = result
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    def _tell(self, _position: int | None) -> None:
        with suppress(RuntimeError):  # the loop was closed, so nobody waits any more
            self._loop.call_soon_threadsafe(self._news.set)

    async def wait_until(self, done: Callable[[], bool]) -> None:
        """Return once `done()`, which only a result can make true."""
        while not done():
            await self._news.wait()
            self._news.clear()

    def __enter__(self) -> Self:
        self._result._listen(self._tell)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._result._unlisten(self._tell)


async def wait_for_all(result: AsyncResult) -> Any:
    """The value of `result`."""
    from .remaking import in_coroutine

    with Arrivals(result) as arrivals:
        await arrivals.wait_until(result.done)
    return await in_coroutine(result, result.get)
