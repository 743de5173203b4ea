"""ViewExecutor: a view as a `concurrent.futures.Executor`."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

from .async_result import AsyncResult

if TYPE_CHECKING:
    from .view import View


class ViewExecutor(Executor):
    """Runs calls on a view.  Shutting it down waits for its tasks and never stops engines."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._max_workers = len(view)
        self._is_shut_down = False
        self._pending: weakref.WeakSet[AsyncResult] = weakref.WeakSet()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn(*args, **kwargs)``."""
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
        result = self.view.apply_async(fn, *args, **kwargs)
        self._pending.add(result)
        return result

    def map(
        self, fn: Callable[..., Any], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[Any]:
        """`map` in parallel; results come as an iterator in order.  `timeout` has no effect."""
        if self._is_shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if timeout is not None:
            warnings.warn("timeout has no effect on the map of a view's executor", stacklevel=2)
        from .load_balanced_view import LoadBalancedView

        options = {"chunksize": chunksize} if isinstance(self.view, LoadBalancedView) else {}
        result = self.view.map_async(fn, *iterables, **options)
        if isinstance(result, AsyncResult):
            self._pending.add(result)
        return iter(result)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more; wait for what was submitted."""
        self._is_shut_down = True
        pending = [result for result in self._pending if not result.done()]
        if cancel_futures:
            for result in pending:
                result.cancel()
        if wait:
            for result in pending:
                result.wait()
