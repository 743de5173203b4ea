"""Running what must not be broken off half-way: Ctrl-C, which Python raises anywhere, comes after it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# SIGINT is the last to be given back: what it raises then breaks nothing off.
_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def to_its_end() -> Iterator[None]:
    """Signals that come within the block are handled when it has ended, and what their handlers raise wins over its own exception.

    What is run has to have a deadline itself.  In other threads than the main one nothing needs to be done: no handler runs there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, Any]] = []
    handlers: dict[int, Callable[[int, Any], Any]] = {}
    for number in _NUMBERS:
        handler = signal.getsignal(number)
        if callable(handler):  # otherwise it ends the process, or is ignored
            handlers[number] = handler
            signal.signal(number, lambda received, frame: came.append((received, frame)))
    try:
        yield
    finally:
        for each, handler in reversed(handlers.items()):
            signal.signal(each, handler)
        for received, frame in came:
            handlers[received](received, frame)
