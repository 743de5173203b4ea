"""Streams of a space as async iterators.

The native stream is asked by a thread of the stream's own, one batch at a time and only when somebody waits for it, so
that credit says how much is on its way: a consumer that is slow is not sent more.
"""

from __future__ import annotations

import asyncio
import atexit
import queue
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from . import _native
from .errors import Closed, LindenError
from .fields import Template, Tuple, check_count, make_forms, make_puts, to_python
from .reservation import Token
from .space import Space

T = TypeVar("T")
Handouts = list[_native.Handout]
_JOIN_S = 2.0


class Stream(Generic[T]):
    """Tuples that come by themselves.  Iterate with ``async for``, within ``async with`` or until `close`."""

    def __init__(
        self,
        space: Space,
        mode: int,
        templates: Sequence[Template],
        credit: int,
        convert: Callable[[_native.Handout], T],
        *,
        lease: float = 30.0,
    ) -> None:
        if not templates:
            raise ValueError("a stream needs at least one template")
        check_count("credit", credit)
        self._space = space
        self._mode = mode
        self._forms = make_forms(templates)
        self._convert = convert
        self._native = space.native.open_stream(mode, self._forms, credit=credit, lease=lease)
        # What next() gives of a reserving stream counts as begun, so it is asked for singly.
        self._batch = 1 if mode == _native.RESERVE else credit
        self._inbox: deque[_native.Handout] = deque()
        self._pull: asyncio.Future[None] | None = None
        self._pulls: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None] = (
            queue.SimpleQueue()
        )
        self._thread: threading.Thread | None = None
        self._closing = False
        _open_streams.add(self)

    @property
    def native(self) -> _native.Stream:
        """The C++ stream."""
        return self._native

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._inbox:
            if self._closing:
                raise StopAsyncIteration
            # Shielded: who is cancelled here leaves what is on its way to whoever asks next.
            await asyncio.shield(self._pull or self._start_pull())
        return self._convert(self._inbox.popleft())

    async def close(self) -> None:
        """End it.  What has come and was not given out is back in the space afterwards.  Idempotent."""
        if self._closing:
            return
        self._closing = True
        try:
            if self._mode != _native.READ:
                await self._come_to_rest()
        finally:
            self._native.close()
            self._pulls.put(None)
            if self._pull is not None:
                await asyncio.wait([self._pull])  # it ends at once, since the stream is closed
            self._put_back()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def end_thread(self) -> None:
        """Close the native stream and wait for the thread that is inside it."""
        self._native.close()
        self._pulls.put(None)
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    # ---- inside

    def _start_pull(self) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        self._pull = loop.create_future()
        self._pulls.put((loop, self._pull))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="linden-stream", daemon=True)
            self._thread.start()
        return self._pull

    def _run(self) -> None:
        while (wanted := self._pulls.get()) is not None:
            loop, pull = wanted
            found: Handouts = []
            failure: Exception | None = None
            try:
                found = self._native.next_batch(None, self._batch)
            except Exception as error:  # noqa: BLE001  (whoever waits for the tuple hears of it)
                failure = error
            try:
                loop.call_soon_threadsafe(self._pulled, pull, found, failure)
            except RuntimeError:  # the event loop was closed, and the stream was not
                self._inbox.extend(found)
                self._put_back()
                return

    def _pulled(self, pull: asyncio.Future[None], found: Handouts, error: Exception | None) -> None:
        self._pull = None
        self._inbox.extend(found)
        if error is None or (self._closing and isinstance(error, Closed)):
            pull.set_result(None)
        else:
            pull.set_exception(error)
            pull.exception()  # has been looked at, even if whoever waited was cancelled

    async def _come_to_rest(self) -> None:
        """Lets the space hand out no more, and waits for what is on its way."""
        try:
            self._native.set_credit(0)
            # Whatever was sent to us before the space heard of this arrives before the answer to a later request (P9).
            await self._space.count_async(())
        except LindenError:  # space or connection are gone, and so is what the stream held
            return
        if self._mode == _native.TAKE:  # what is reserved is given back by closing
            self._inbox.extend(self._native.next_batch(0))

    def _put_back(self) -> None:
        held = list(self._inbox)
        self._inbox.clear()
        if held and self._mode == _native.TAKE:
            self._space.native.send_put([_native.Put(handout.fields) for handout in held])
        elif held and self._mode == _native.RESERVE:
            self._space.native.send_release([(handout.id, handout.attempt) for handout in held], started=False)


_open_streams: weakref.WeakSet[Stream[Any]] = weakref.WeakSet()


@atexit.register
def _end_threads() -> None:
    # As in connection.py, and before what it does: a thread that is inside C++ at the interpreter's end is torn down there.
    for stream in list(_open_streams):
        stream.end_thread()


class StreamedReservation:
    """A tuple that a reserving stream holds for us.  With ``async with``: finished, or released if the block fails.

    Its ends are queued and sent together with others within 4 ms, hence there is nothing to await.  If it
    has ended by its lease, they do nothing: the tuple belongs to somebody else by then.
    """

    def __init__(self, stream: _native.Stream, handout: _native.Handout) -> None:
        self._stream = stream
        self._handout = handout
        self._over = False
        self.tuple: Tuple = to_python(handout.fields)

    @classmethod
    def stream(
        cls, space: Space, templates: Sequence[Template], credit: int, lease: float
    ) -> Stream[StreamedReservation]:
        """A stream of these."""

        def convert(handout: _native.Handout) -> StreamedReservation:
            return cls(stream.native, handout)

        stream = Stream(space, _native.RESERVE, templates, credit, convert, lease=lease)
        return stream

    @property
    def id(self) -> int:
        """Of the tuple."""
        return self._handout.id

    @property
    def attempt(self) -> int:
        """How often the tuple has been handed out, this time included."""
        return self._handout.attempt

    @property
    def token(self) -> Token:
        """(tuple id, attempt): what fences off a former holder (P16)."""
        return self._handout.id, self._handout.attempt

    def finish(self, puts: Iterable[Sequence[object] | _native.Put] = ()) -> None:
        """Remove the tuple and put `puts`, in one step (P17)."""
        made = make_puts(puts)
        self._over = True
        self._stream.finish(self._handout.id, self._handout.attempt, made)

    def release(self, started: bool = True) -> None:
        """Give the tuple back; it keeps its age.  `started`: it counts against max_attempts (P19)."""
        self._over = True
        self._stream.release(self._handout.id, self._handout.attempt, started)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._over:
            return
        if kind is None:
            self.finish()
        else:
            self.release()

    def __repr__(self) -> str:
        return f"<linden.aio.StreamedReservation {self.tuple!r}, attempt {self.attempt}>"
