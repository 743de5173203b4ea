"""What is written to the descriptors 1 and 2 by C code and by child processes.

Each of the two becomes a file in memory that everybody appends to and nobody reads but this module.  A pipe would do, too, and
would keep a slow reader's writer waiting; but C code that prints while it holds Python's lock would then wait for ever for a
reader that needs that lock.  What has been read is given back to the system as it goes.

Text of one descriptor keeps its order, also with what Python code prints before and after; between C code's stdout and its
stderr there is no order to be known.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from .output import STDERR, STDOUT

_READ_MAX = 1 << 20
# When so much was read, its room is given back.
_GIVE_BACK_BYTES = 4 << 20
_PUNCH_HOLE_KEEP_SIZE = 0x02 | 0x01


class CapturedDescriptors:
    """The descriptors 1 and 2 of this process."""

    def __init__(self) -> None:
        # What C code has printed so far must not be taken for a task's.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        self._files = [_CapturedDescriptor(1, STDOUT), _CapturedDescriptor(2, STDERR)]
        self._flush_c = _c_flush()

    @classmethod
    def make(cls) -> CapturedDescriptors | None:
        """None where this system has no files in memory, or no descriptors 1 and 2."""
        try:
            os.fstat(1)
            os.fstat(2)
            return cls()
        except (AttributeError, OSError):
            return None

    def extent(self) -> tuple[int, int] | None:
        """How far the two have been written to; None if nothing has come since the last collection."""
        self._flush_c()
        out, err = self._files
        extent = out.end(), err.end()
        return None if extent == (out.position, err.position) else extent

    def collect(self, extent: tuple[int, int]) -> tuple[list[tuple[str, str]], bool]:
        """A part of what was written up to `extent`, as (stream, text), and whether there is more of it."""
        before = [file.position for file in self._files]
        texts = [(file.stream, file.read(end)) for file, end in zip(self._files, extent, strict=True)]
        more = any(file.position < end for file, end in zip(self._files, extent, strict=True))
        progress = before != [file.position for file in self._files]
        return [(stream, text) for stream, text in texts if text], more and progress

    def original(self, stream: str) -> TextIO:
        """Where the descriptor led to before."""
        return self._file(stream).original

    def number(self, stream: str) -> int:
        """1 or 2."""
        return self._file(stream).number

    def _file(self, stream: str) -> _CapturedDescriptor:
        return self._files[0 if stream == STDOUT else 1]


class _CapturedDescriptor:
    def __init__(self, number: int, stream: str) -> None:
        self.number = number
        self.stream = stream
        original = os.dup(number)
        file = os.memfd_create(f"linden-{stream}")
        fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
        # A description of our own, whose position is ours alone.
        self._reader = os.open(f"/proc/self/fd/{file}", os.O_RDWR | os.O_CLOEXEC)
        os.dup2(file, number)
        os.close(file)
        self.position = 0
        self._given_back = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self.original = open(original, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115

    def end(self) -> int:
        """How many bytes were ever written to it."""
        end = os.lseek(self._reader, 0, os.SEEK_END)
        if end < self.position:  # somebody who opened /dev/stdout by name has cut it short
            self.position = self._given_back = 0
        return end

    def read(self, end: int) -> str:
        """Some of the text up to `end`."""
        data = (
            os.pread(self._reader, min(_READ_MAX, end - self.position), self.position) if end > self.position else b""
        )
        self.position += len(data)
        if self.position - self._given_back > _GIVE_BACK_BYTES:
            _give_back(self._reader, self.position)
            self._given_back = self.position
        return self._decoder.decode(data)


def _give_back(descriptor: int, size: int) -> None:
    import ctypes

    fallocate = _libc(ctypes).fallocate
    fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    fallocate(descriptor, _PUNCH_HOLE_KEEP_SIZE, 0, size)


def _c_flush() -> Callable[[], Any]:
    """Write out what C's stdout holds back; in a file that is all until there is a page of it."""
    import ctypes

    try:
        library = _libc(ctypes)
        stdout = ctypes.c_void_p.in_dll(library, "stdout")
        flush = library.fflush
    except (AttributeError, ValueError, OSError):
        return lambda: None
    flush.argtypes = [ctypes.c_void_p]
    return lambda: flush(stdout)


def _libc(ctypes: Any) -> Any:
    # Keeps Python's lock, for none of the calls waits for anything.
    return ctypes.PyDLL(None)
