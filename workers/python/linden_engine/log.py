"""What an engine says of itself on stderr: event, then key=value.  Never task content."""

from __future__ import annotations

import sys
import time


class Log:
    """Lines with a time; written to the stderr that the process was started with."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._file = sys.stderr

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
