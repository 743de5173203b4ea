"""Futures of requests to a space, resolved by one thread per connection.

C++ never calls Python: answers wait in a queue of the native client, and this thread drains it in batches.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any

from . import _native
from .errors import Closed, NoMatch
from .lease_watch import LeaseWatch

_JOIN_S = 2.0


class AwaitableFuture(Future[Any]):
    """A `concurrent.futures.Future` that a coroutine may await as well."""

    def __await__(self) -> Generator[Any, None, Any]:
        import asyncio

        return asyncio.wrap_future(self).__await__()


class RequestFuture(AwaitableFuture):
    """The answer to one request.  Cancelling it cancels the request: what was on its way is given back."""

    def __init__(
        self,
        convert: Callable[[Any], Any],
        cancel: Callable[[], None],
        give_back: Callable[[Any], None] | None,
        no_match_is_none: bool,
    ) -> None:
        super().__init__()
        self._convert = convert
        self._cancel_request = cancel
        self._give_back = give_back
        self._no_match_is_none = no_match_is_none
        self._brought: Any = None  # by the answer, before it was converted

    def cancel(self) -> bool:
        """Cancel the request if it has not been answered."""
        if not super().cancel():
            return False
        self._cancel_request()
        return True

    def abandon(self) -> None:
        """For whoever alone has this future and will not look at it: cancel it, or give back what has come already."""
        if not self.cancel():
            self.add_done_callback(lambda _: self._return_what_came())

    def _return_what_came(self) -> None:
        if self._brought is not None and self._give_back is not None:
            self._give_back(self._brought)

    def answer(self, ok: bool, value: Any) -> None:
        """Resolve with the native answer; for the thread below only."""
        if not self.set_running_or_notify_cancel():
            if ok and self._give_back is not None:
                self._give_back(value)
            return
        try:
            if not ok and not (self._no_match_is_none and isinstance(value, NoMatch)):
                raise value
            self._brought = value if ok else None
            converted = self._convert(self._brought)
        except Exception as error:  # noqa: BLE001  (the future carries it)
            self.set_exception(error)
        else:
            self.set_result(converted)


class Completions:
    """The futures of one connection, and what watches over its leases."""

    def __init__(self, client: _native.Client) -> None:
        self._client = client
        self.leases = LeaseWatch(client)
        self._lock = threading.Lock()
        self._futures: dict[int, RequestFuture] = {}
        self._thread: threading.Thread | None = None

    def submit(
        self,
        send: Callable[[], int],
        convert: Callable[[Any], Any],
        cancel: Callable[[int], None],
        give_back: Callable[[Any], None] | None = None,
        no_match_is_none: bool = False,
    ) -> RequestFuture:
        """Send a request (with queue=True) and return its future."""
        request = 0
        future = RequestFuture(convert, lambda: cancel(request), give_back, no_match_is_none)
        with self._lock:  # so that the thread does not see the answer before it knows the future
            request = send()
            self._futures[request] = future
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="linden-completions", daemon=True)
                self._thread.start()
        return future

    def _run(self) -> None:
        while True:
            try:
                answers = self._client.completions()
            except Exception as error:  # noqa: BLE001  (whatever ends the connection ends every future)
                self._fail_all(error)
                return
            if not answers:
                self._fail_all(Closed("the connection was closed"))
                return
            for request, ok, value in answers:
                with self._lock:
                    future = self._futures.pop(request, None)
                if future is not None:
                    future.answer(ok, value)

    def _fail_all(self, error: Exception) -> None:
        with self._lock:
            futures = list(self._futures.values())
            self._futures.clear()
            self._thread = None
        for future in futures:
            future.answer(False, error)

    def join(self) -> None:
        """Wait for the thread to end; the native client must have been closed."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_S)
