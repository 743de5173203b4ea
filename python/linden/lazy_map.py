"""LazyMapIterator: results of a map over inputs that may be endless."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .async_result import AsyncResult
from .error import TaskAborted

if TYPE_CHECKING:
    from .view import View


class LazyMapIterator(Iterator[Any]):
    """Submits a task when one is asked for a result, so that a bounded number is on its way.

    All tasks are submitted with the flags that the view had when this was made.  An exception that the inputs raise is raised here
    once the results of the inputs before it have been given.
    """

    def __init__(
        self,
        view: View,
        function: Callable[..., Any],
        rows: Iterator[tuple[Any, ...]],
        ordered: bool,
        max_outstanding: int,
        return_exceptions: bool,
    ) -> None:
        self._view = view
        self._flags = {name: getattr(view, name) for name in view._flag_names}
        self._function = function
        self._rows = rows
        self._ordered = ordered
        self._max_outstanding = max_outstanding
        self._return_exceptions = return_exceptions
        self._on_their_way: deque[AsyncResult] = deque()
        self._exhausted = False
        self._is_cancelled = False
        self._error: Exception | None = None  # of the inputs
        self.deadline: float | None = None  # of time.monotonic(); then TimeoutError
        self._submit()

    def _submit(self) -> None:
        while not self._exhausted and not 0 < self._max_outstanding <= len(self._on_their_way):
            try:
                row = next(self._rows)
            except StopIteration:
                self._exhausted = True
                return
            except Exception as error:  # noqa: BLE001  (it is raised later)
                self._exhausted, self._error = True, error
                return
            with self._view.temp_flags(**self._flags):
                self._on_their_way.append(self._view.apply_async(self._function, *row))

    def cancel(self) -> None:
        """Take no more from the inputs, and abort what has not started.  The results of what has started still come."""
        self._exhausted = self._is_cancelled = True
        for result in self._on_their_way:
            if not result.done():
                result.abort()

    def __iter__(self) -> LazyMapIterator:
        return self

    def __next__(self) -> Any:
        while self._on_their_way:
            result = self._next_result()
            self._on_their_way.remove(result)
            self._submit()
            error = result.exception()
            if self._is_cancelled and isinstance(error, TaskAborted):
                continue
            if error is not None and not self._return_exceptions:
                raise error
            return result.get() if error is None else error
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        raise StopIteration

    def _next_result(self) -> AsyncResult:
        waiting = [self._on_their_way[0]] if self._ordered else list(self._on_their_way)
        limit = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        if not self._view.client.wait_any(waiting, limit):
            raise TimeoutError("the next result of the map did not come in time")
        return next(result for result in waiting if result.done())
