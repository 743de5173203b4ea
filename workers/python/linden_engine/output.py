"""What tasks print and display: attached to the task that runs, sent before its result (F5).

Pieces are kept until they are collected: with the result, by the attendant thread a moment later, or by whoever prints much.
While a task runs, whatever this process prints belongs to it: from any thread, from C code, and from child processes that
inherited its stdout and stderr (descriptors.py).  What is printed between tasks goes where it went before the engine began.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from linden import _native, farm
from linden.errors import LindenError

# More than this is sent by whoever prints it, so that a task that prints for ever does not fill the memory.
_HELD_MAX = 1 << 18
# No output tuple has more text than this.
PIECE_CHARACTERS_MAX = 1 << 18
STDOUT = farm.STDOUT
STDERR = farm.STDERR


class Owner(NamedTuple):
    """Whose output it is."""

    client: str
    number: int


class Sink(Protocol):
    """Sends puts to the farm."""

    def send(self, puts: list[_native.Put]) -> None:
        """Send without waiting."""

    @property
    def is_full(self) -> bool:
        """Whether so much is on its way that whoever has more should wait."""
        ...

    def confirm(self, timeout: float | None = None) -> None:
        """Wait until it is not full."""

    def flush(self, seconds: float) -> None:
        """Wait until the farm has all that was sent, or for so many seconds."""

    def settle(self) -> list[_native.Put]:
        """Wait until the farm has all that was sent; what it refused."""
        ...


Extent = tuple[int, int]


class Descriptors(Protocol):
    """What was written to the descriptors 1 and 2 by others than Python."""

    def extent(self) -> Extent | None:
        """How far they have been written to; None if nothing has come since the last collection."""
        ...

    def collect(self, extent: Extent) -> tuple[Sequence[tuple[str, str]], bool]:
        """Some (stream, text) up to `extent`, and whether there is more of that."""
        ...


class TaskOutput:
    """The output of the task that runs now.  Safe to use from several threads, and from signal handlers."""

    def __init__(self) -> None:
        self._guard = _Guard()
        self._owner: Owner | None = None
        self._pieces: list[tuple[str, Any]] = []
        self._held = 0
        self._count = 0
        self._sink: Sink | None = None
        self._used_sink: Sink | None = None  # by this task
        self._descriptors: Descriptors | None = None
        self._elsewhere: Callable[[str, str], None] = lambda _stream, _text: None
        self._told: dict[int, Callable[[str, Any], None]] = {}  # by thread

    def send_with(self, sink: Sink | None) -> None:
        """How to send what is printed while a task runs."""
        self._sink = sink

    def watch(self, descriptors: Descriptors | None, elsewhere: Callable[[str, str], None]) -> None:
        """What else to collect, and where to write (stream, text) that belongs to no task."""
        self._descriptors = descriptors
        self._elsewhere = elsewhere

    @contextmanager
    def told(self, tell: Callable[[str, Any], None]) -> Iterator[None]:
        """In this thread, and while this lasts, output belongs to no task: `tell` is called with each (stream, payload)."""
        thread = threading.get_ident()
        self._told[thread] = tell
        try:
            yield
        finally:
            self._told.pop(thread, None)

    @property
    def is_told(self) -> bool:
        """Whether this thread's output belongs to no task."""
        return threading.get_ident() in self._told

    def raise_later(self, error: BaseException) -> bool:
        """For signal handlers: whether the main thread is in here, so that it raises `error` as soon as it leaves.

        So no interrupt loses a piece or doubles one.
        """
        return self._guard.raise_later(error)

    def abandon(self) -> None:
        """For a forked child: nothing in here is its business.  Another thread of the parent may have held the lock."""
        self._guard = _Guard()
        self._owner = None
        self._pieces = []
        self._told = {}
        self._sink = self._used_sink = self._descriptors = None

    # ---- the life of a task

    def begin(self, client: str, number: int, *, at_once: bool = False) -> None:
        """From now on output belongs to this task.  `at_once`: the one before it has just ended, so there was nothing between."""
        if not at_once:
            self._drain()
        with self._guard:
            self._owner = Owner(client, number)
            self._count = 0

    def end(self) -> list[_native.Put]:
        """What the farm does not have yet; from now on output belongs to nobody."""
        self._drain()
        with self._guard:
            puts = self._collect() if self._pieces else []
            self._owner = None
            sink, self._used_sink = self._used_sink, None
        # Outside, since it may take long.  What was refused comes first; `n` tells the order.
        return puts if sink is None else [*sink.settle(), *puts]

    def say_last_words(self, seconds: float) -> None:
        """This process is about to end: send what there is, and wait for its arrival, at most so many seconds."""
        try:
            self.send(wait=False)
            if self._used_sink is not None and seconds > 0:
                self._used_sink.flush(seconds)
        except LindenError:  # the farm has gone before us
            return

    # ---- pieces

    def write(self, stream: str, text: str) -> bool:
        """Keep `text`; False if no task runs."""
        return self._add(stream, text, len(text))

    def publish(self, stream: str, payload: Any, size: int) -> bool:
        """Keep a piece that is no text of stdout or stderr; False if no task runs.  `size`: about how many bytes it has."""
        return self._add(stream, payload, size)

    def _add(self, stream: str, payload: Any, size: int) -> bool:
        if self._told and (tell := self._told.get(threading.get_ident())) is not None:
            tell(stream, payload)
            return True
        self._drain()  # what a child process wrote before this was said
        with self._guard:
            if self._owner is None:
                return False
            self._pieces.append((stream, payload))
            self._held += size
        if self._held > _HELD_MAX:
            self._send_held(wait=True)
        return True

    def send(self, wait: bool = True) -> None:
        """Send what there is so far.  With `wait`, waits while the farm does not keep up, so that memory stays bounded."""
        self._drain(wait)
        self._send_held(wait)

    def _send_held(self, wait: bool) -> bool:
        """Send what is held; False if it was not, since somebody would have had to wait."""
        with self._guard:  # so that pieces arrive in their order
            sink = self._sink
            if sink is None or not self._pieces:
                return True
            if not wait and sink.is_full:
                sink.confirm(0.0)
                if sink.is_full:
                    return False
            puts = self._collect()
            if puts:
                self._used_sink = sink
                sink.send(puts)
        if wait:  # outside, since it may take long, and interrupts are welcome
            sink.confirm()
        return True

    def _drain(self, wait: bool = True) -> None:
        """Take over what was written to the descriptors up to now, a part at a time, so that memory stays bounded."""
        descriptors = self._descriptors
        extent = None if descriptors is None else descriptors.extent()
        if descriptors is None or extent is None:
            return
        more = True
        while more:
            with self._guard:
                found, more = descriptors.collect(extent)
                self._take_over(found)
            if more and not self._send_held(wait):
                return

    def _take_over(self, found: Sequence[tuple[str, str]]) -> None:
        for stream, text in found:
            if self._owner is None:
                self._elsewhere(stream, text)
            else:
                self._pieces.append((stream, text))
                self._held += len(text)

    def _collect(self) -> list[_native.Put]:
        owner = self._owner
        pieces, self._pieces = self._pieces, []
        self._held = 0
        if owner is None:
            return []
        puts = []
        for stream, payload in _joined(pieces):
            puts.append(farm.output(owner.client, owner.number, stream, self._count, payload))
            self._count += 1
        return puts


class _Guard:
    """A lock that the same thread may take again, and that puts off interrupts of the main thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._main = threading.main_thread().ident
        self._depth = 0  # of the main thread; only that thread changes it
        self._error: BaseException | None = None

    def raise_later(self, error: BaseException) -> bool:
        if not self._depth:
            return False
        self._error = error
        return True

    def __enter__(self) -> None:
        if threading.get_ident() == self._main:
            self._depth += 1
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()
        if threading.get_ident() == self._main:
            self._depth -= 1
            if self._error is not None and not self._depth:
                error, self._error = self._error, None
                raise error


def _joined(pieces: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Neighbouring text of the same stream as one piece, but none that is too large."""
    joined: list[tuple[str, Any]] = []
    texts: list[str] = []
    current = ""

    def end_text() -> None:
        text = "".join(texts)
        texts.clear()
        joined.extend(
            (current, text[start : start + PIECE_CHARACTERS_MAX]) for start in range(0, len(text), PIECE_CHARACTERS_MAX)
        )

    for stream, payload in pieces:
        is_text = stream in (STDOUT, STDERR)
        if not is_text or stream != current:
            end_text()
            current = stream
        if is_text:
            texts.append(payload)
        else:
            joined.append((stream, payload))
    end_text()
    return joined
