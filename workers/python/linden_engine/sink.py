"""Sends output of tasks to the farm, no faster than the farm takes it, and sees to it that a full space loses none."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import NamedTuple

from linden import _native, farm
from linden.errors import LimitExceeded, OutcomeUnknown, Overloaded

# So much may be on its way before whoever prints waits for the farm.
_WINDOW_BYTES = 1 << 20
# So much of what a full space has refused is kept until the result, which takes it along.
_REFUSED_BYTES_MAX = 4 << 20


class _Sent(NamedTuple):
    request: int
    size: int
    puts: list[_native.Put]


class FarmSink:
    """Puts output tuples.  Requests of one client take effect in order (P9), so output is there before its result."""

    def __init__(self, space: _native.Space) -> None:
        self._space = space
        self._unanswered: deque[_Sent] = deque()
        self._confirming = threading.Lock()
        self._sent_bytes = 0  # changed by send only, of which the caller makes one at a time
        self._answered_bytes = 0  # changed while confirming only
        self._refused: list[_native.Put] = []
        self._refused_bytes = 0

    def send(self, puts: list[_native.Put]) -> None:
        """Send, without waiting."""
        size = sum(put.nbytes for put in puts)
        self._sent_bytes += size
        self._unanswered.append(_Sent(self._space.send_put(puts), size, puts))

    @property
    def is_full(self) -> bool:
        """Whether so much is on its way that whoever has more should wait."""
        return self._sent_bytes - self._answered_bytes > _WINDOW_BYTES

    def confirm(self, timeout: float | None = None) -> None:
        """Wait until it is not full; with `timeout`, at most so many seconds for each answer, and not for other threads."""
        if not self.is_full or not self._confirming.acquire(blocking=timeout is None):
            return
        try:
            while self.is_full and self._confirm_one(timeout):
                pass
        finally:
            self._confirming.release()

    def flush(self, seconds: float) -> None:
        """Wait until the space has all that was sent, or for so many seconds."""
        deadline = time.monotonic() + seconds
        if not self._confirming.acquire(timeout=seconds):
            return
        try:
            while self._confirm_one(max(0.0, deadline - time.monotonic())):
                pass
        finally:
            self._confirming.release()

    def settle(self) -> list[_native.Put]:
        """Wait until the space has all that was sent; what it refused, to be put with the result."""
        with self._confirming:
            while self._confirm_one(None):
                pass
            refused, self._refused = self._refused, []
            self._refused_bytes = 0
        return refused

    def _confirm_one(self, timeout: float | None) -> bool:
        if not self._unanswered:
            return False
        # Out of the queue first: an interrupt may strike after the answer was consumed, which cannot be had again.
        sent = self._unanswered.popleft()
        try:
            self._space.client.wait(sent.request, timeout)
        except OutcomeUnknown:
            self._unanswered.appendleft(sent)
            return False
        except (Overloaded, LimitExceeded):
            self._keep(sent)
            self._answered_bytes += sent.size
        except BaseException:
            self._answered_bytes += sent.size
            raise
        else:
            self._answered_bytes += sent.size
        return True

    def _keep(self, sent: _Sent) -> None:
        # A full space takes results, and what comes with them, but no other puts.
        if self._refused_bytes + sent.size <= _REFUSED_BYTES_MAX:
            self._refused += sent.puts
            self._refused_bytes += sent.size
            return
        _, client, number, _, n, _ = sent.puts[0].fields
        note = f"\n[linden: {sent.size} bytes of output are missing here, the space was full]\n"
        self._refused.append(farm.output(client, number, farm.STDERR, n, note))
