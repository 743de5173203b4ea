"""ViewExecutor: a view as a `concurrent.futures.Executor` (PEP 3148)."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from concurrent.futures import Executor, Future
from itertools import chain, islice, tee
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from .async_result import AsyncResult
from .error import NoEnginesRegistered
from .load_balanced_view import LoadBalancedView

if TYPE_CHECKING:
    from .lazy_map import LazyMapIterator
    from .view import View

# Inputs of unknown length are drawn up to here at once; what goes on beyond may never end.
_DRAWN_MAX = 10_000


class ViewExecutor(Executor):
    """Runs calls on a view.  Shutting it down waits for its tasks and never stops engines.

    Over a load-balanced view each call goes to whichever engine is free; over a direct view it runs on each of its targets,
    and its value is a list.  `view` is the view, `_max_workers` the number of its engines when the executor was made.
    """

    def __init__(self, view: View) -> None:
        self.view = view
        try:
            self._max_workers = len(view)
        except NoEnginesRegistered:  # tasks wait until somebody serves
            self._max_workers = 0
        self._is_shut_down = False
        self._pending: weakref.WeakSet[AsyncResult] = weakref.WeakSet()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn(*args, **kwargs)``; returns its AsyncResult, which is a future.

        Raises: RuntimeError: after shutdown.
        """
        self._refuse_if_shut_down()
        result = self.view.apply_async(fn, *args, **kwargs)
        self._pending.add(result)
        return result

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int | str = 1,
        buffersize: int | None = None,
        **options: Any,
    ) -> Iterator[Any]:
        """``map(fn, *iterables)`` in parallel; an iterator of results, in order.

        Args: timeout: seconds from now, within which the iterator gives a result or raises TimeoutError. chunksize: items per
            task, or "auto". buffersize: items on their way at a time; None: all of them, unless inputs have no length and
            go on beyond 10,000, for then they may never end. options: of the view's map or imap.
        An iterator that is closed, or dropped, before its end cancels what has not started.
        Raises: RuntimeError: after shutdown.
        """
        self._refuse_if_shut_down()
        deadline = None if timeout is None else time.monotonic() + timeout
        if not isinstance(self.view, LoadBalancedView):
            return self._within(self.view.map_async(fn, *iterables, **options), deadline)
        lazily = buffersize is not None or "max_outstanding" in options
        if not lazily and not any(isinstance(inputs, Sized) for inputs in iterables):
            rows = zip(*iterables, strict=False)
            drawn = list(islice(rows, _DRAWN_MAX + 1))
            lazily = len(drawn) > _DRAWN_MAX
            if not drawn:
                return iter(())
            iterables = tuple(_columns(chain(drawn, rows), len(iterables)) if lazily else zip(*drawn, strict=True))
        if lazily:
            options.setdefault("max_outstanding", "auto" if buffersize is None else buffersize)
            return self._within(self.view.imap(fn, *iterables, **options), deadline)
        return self._within(self.view.map_async(fn, *iterables, chunksize=chunksize, **options), deadline)

    def _within(self, results: Any, deadline: float | None) -> Iterator[Any]:
        """Tasks are on their way already; the iterator only waits for them."""
        if isinstance(results, list):  # there were no items
            return iter(results)
        results.deadline = deadline
        if isinstance(results, AsyncResult):
            self._pending.add(results)
        return _iterate(results)

    def _refuse_if_shut_down(self) -> None:
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more; wait for what was submitted.  `cancel_futures`: abort what has not started.  Idempotent."""
        self._is_shut_down = True
        pending = [result for result in self._pending if not result.done()]
        if cancel_futures and pending:
            for result in pending:
                if result.on_abort is not None:
                    result.on_abort()
            self.view.client.abort(pending)
        if wait:
            for result in pending:
                result.wait()


def _iterate(results: AsyncResult | LazyMapIterator) -> Generator[Any, None, None]:
    try:
        yield from results
    finally:
        if not isinstance(results, AsyncResult):
            results.cancel()
        elif not results.done():
            results.abort()  # as PEP 3148 has it: what runs goes on


def _columns(rows: Iterator[tuple[Any, ...]], count: int) -> list[Iterator[Any]]:
    """The `count` columns of rows, drawn as they are needed."""
    return [map(itemgetter(place), copy) for place, copy in enumerate(tee(rows, count))]
