"""What stands for sys.stdout, sys.stderr and sys.stdin while tasks run."""

from __future__ import annotations

import builtins
import faulthandler
import io
import os
import sys
from typing import Any, TextIO

from .descriptors import CapturedDescriptors
from .output import STDERR, STDOUT, TaskOutput


class TaskStream(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr.  Text that belongs to no task goes where it went before."""

    def __init__(self, output: TaskOutput, name: str, fallback: TextIO | None, descriptor: int | None = None) -> None:
        """`descriptor`: what `fileno` tells, for child processes; None: that of `fallback`."""
        self._output: TaskOutput | None = output
        self._name = name
        self._fallback = fallback
        self._descriptor = descriptor

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

    @property
    def line_buffering(self) -> bool:
        """Text needs no flush to be seen."""
        return True

    def reconfigure(self, **_options: Any) -> None:
        """Nothing to choose: any text is welcome, and seen soon."""

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, text: str) -> int:
        """Keep the text for the task that runs."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text and not (self._output is not None and self._output.write(self._name, text)):
            self.write_elsewhere(text)
        return len(text)

    def write_elsewhere(self, text: str) -> None:
        """Write where text goes that belongs to no task."""
        if self._fallback is not None and not self._fallback.closed:
            self._fallback.write(text)
            self._fallback.flush()

    def become_plain(self) -> None:
        """For a forked child: from now on write to the descriptor, which the engine reads."""
        if self._output is not None:
            self._output.abandon()
            self._output = None
        if self._descriptor is not None:
            raw = io.FileIO(self._descriptor, "w", closefd=False)
            self._fallback = io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)

    def flush(self) -> None:
        """Nothing: text is sent soon anyway."""
        if self._fallback is not None and not self._fallback.closed:
            self._fallback.flush()

    def fileno(self) -> int:
        """For child processes; what is written to it belongs to the task as well."""
        if self._descriptor is not None:
            return self._descriptor
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
    captured = CapturedDescriptors.make()
    streams = {
        STDOUT: _stream(output, STDOUT, sys.stdout, captured),
        STDERR: _stream(output, STDERR, sys.stderr, captured),
    }
    output.watch(captured, lambda stream, text: streams[stream].write_elsewhere(text))
    sys.stdout = sys.__stdout__ = streams[STDOUT]  # type: ignore[misc,assignment]
    sys.stderr = sys.__stderr__ = streams[STDERR]  # type: ignore[misc,assignment]
    if captured is not None:
        # What a crash leaves behind is for whoever runs the engine: nobody reads descriptor 2 any more then.
        faulthandler.enable(captured.original(STDERR))
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  (for the life of the process)
    builtins.input = _no_input


def _no_input(_prompt: object = "", /) -> str:
    """Stands for `input`."""
    raise EOFError("nobody can type anything in on an engine; give the task what it needs as an argument")


def _stream(output: TaskOutput, name: str, before: TextIO | None, captured: CapturedDescriptors | None) -> TaskStream:
    if captured is None:
        return TaskStream(output, name, before)
    return TaskStream(output, name, captured.original(name), captured.number(name))
