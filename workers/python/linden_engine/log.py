"""What an engine says of itself on stderr: event, then key=value.  Never task content."""

from __future__ import annotations

import io
import os
import sys
import time
from typing import TextIO


class Log:
    """Lines with a time; written to the stderr that the process was started with, also once tasks have that for theirs."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._file = _own_copy(sys.stderr)

    def event(self, event: str, **values: object) -> None:
        """Something that happened."""
        if not self._quiet:
            self._write(" ".join([event, *(f"{key}={value}" for key, value in values.items())]))

    def failure(self, message: str) -> None:
        """Why this engine cannot go on; said even if it is to be quiet."""
        self._write(message)

    def _write(self, text: str) -> None:
        if self._file is None:  # started without any stderr
            return
        try:
            print(time.strftime("%Y-%m-%dT%H:%M:%S"), text, file=self._file, flush=True)
        except (OSError, ValueError):  # nobody reads it any more
            return


def _own_copy(stream: TextIO | None) -> TextIO | None:
    """The same file through a descriptor of our own; `stream` itself if it has none."""
    if stream is None:
        return None
    try:
        return open(os.dup(stream.fileno()), "w", encoding="utf-8", errors="backslashreplace")
    except (OSError, ValueError, io.UnsupportedOperation):
        return stream
