"""What tasks print: attached to the task that runs, sent before its result (F5).

`sys.stdout` and `sys.stderr` are replaced by writers that keep text until it is collected: with the result, by the
attendant thread a moment later, or by the writer itself when there is much of it.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TextIO

from linden import _native, farm

# More text than this is sent by whoever prints it, so that a task that prints for ever does not fill the memory.
_HELD_CHARACTERS_MAX = 1 << 18
STDOUT = "stdout"
STDERR = "stderr"


class Owner(NamedTuple):
    """Whose text it is."""

    client: str
    number: int


class TaskOutput:
    """The text of the task that runs now.  Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: Owner | None = None
        self._pieces: list[tuple[str, str]] = []
        self._held = 0
        self._count = 0
        self._send: Callable[[list[_native.Put]], None] | None = None

    def send_with(self, send: Callable[[list[_native.Put]], None] | None) -> None:
        """How to send what is printed while a task runs."""
        self._send = send

    def begin(self, client: str, number: int) -> None:
        """From now on text belongs to this task."""
        with self._lock:
            self._owner = Owner(client, number)
            self._count = 0

    def end(self) -> list[_native.Put]:
        """The text that has not been sent; from now on it belongs to nobody."""
        if not self._pieces:  # usual, and nobody of this task writes any more
            self._owner = None
            return []
        with self._lock:
            puts = self._collect()
            self._owner = None
        return puts

    def write(self, stream: str, text: str) -> bool:
        """Keep `text`; False if no task runs."""
        with self._lock:
            if self._owner is None:
                return False
            self._pieces.append((stream, text))
            self._held += len(text)
            much = self._held > _HELD_CHARACTERS_MAX
        if much:
            self.send()
        return True

    def send(self) -> None:
        """Send what has been printed so far."""
        if not self._pieces or self._send is None:
            return
        # Under the lock, so that pieces arrive in their order and before the result.
        with self._lock:
            puts = self._collect()
            if puts:
                self._send(puts)

    def _collect(self) -> list[_native.Put]:
        owner = self._owner
        pieces, self._pieces = self._pieces, []
        self._held = 0
        if owner is None:
            return []
        puts = []
        for stream, text in _joined(pieces):
            puts.append(farm.output(owner.client, owner.number, stream, self._count, text))
            self._count += 1
        return puts


def _joined(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Neighbours of the same stream as one piece."""
    joined: list[tuple[str, list[str]]] = []
    for stream, text in pieces:
        if joined and joined[-1][0] == stream:
            joined[-1][1].append(text)
        else:
            joined.append((stream, [text]))
    return [(stream, "".join(texts)) for stream, texts in joined]


class TaskStream(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr.  Text that belongs to no task goes where it went before."""

    def __init__(self, output: TaskOutput, name: str, fallback: TextIO | None) -> None:
        self._output = output
        self._name = name
        self._fallback = fallback

    @property
    def name(self) -> str:
        """ "stdout" or "stderr"."""
        return f"<{self._name}>"

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Any text is welcome."""
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What UTF-8 cannot say is escaped."""
        return "backslashreplace"

    @property
    def buffer(self) -> Any:
        """For those who write bytes."""
        return _ByteStream(self)

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, text: str) -> int:
        """Keep the text for the task that runs."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text and not self._output.write(self._name, text) and self._fallback is not None:
            self._fallback.write(text)
        return len(text)

    def flush(self) -> None:
        """Nothing: text is sent soon anyway."""
        if self._fallback is not None and not self._fallback.closed:
            self._fallback.flush()

    def fileno(self) -> int:
        """Of the file that the process was started with."""
        if self._fallback is None:
            raise io.UnsupportedOperation("fileno")
        return self._fallback.fileno()


class _ByteStream(io.RawIOBase):
    def __init__(self, stream: TaskStream) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._stream.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)


def capture(output: TaskOutput) -> None:
    """From now on what this process prints belongs to its tasks; nobody types anything in."""
    sys.stdout = TaskStream(output, STDOUT, sys.stdout)
    sys.stderr = TaskStream(output, STDERR, sys.stderr)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  (for the life of the process)
