"""Starting this process over, in its place: the same program, arguments, folder and environment under the same process id.

So whoever started the engine, a batch system or a supervisor, does not notice, and nobody has to be asked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

RESTART = "restart"  # why the engine stops
_STANDARD = (0, 1, 2)


class Beginning:
    """How this process was started; made before tasks change any of it."""

    def __init__(self) -> None:
        self._arguments = list(sys.orig_argv)
        self._folder = os.getcwd()
        self._environment = dict(os.environ)
        self._streams = [(number, _copy(number)) for number in _STANDARD]
        self._first: Callable[[], None] = lambda: None

    def first(self, action: Callable[[], None]) -> None:
        """Something to be done before this process starts over."""
        self._first = action

    def again(self) -> NoReturn:
        """Become what this process was at its beginning.  Connections must have been closed; may be called in any thread."""
        self._first()
        for number, copy in self._streams:
            if copy is not None:
                os.dup2(copy, number)
        os.chdir(self._folder)
        os.execve(sys.executable, self._arguments, self._environment)


def _copy(descriptor: int) -> int | None:
    """Of a descriptor, which tasks' output is taken from later; None if it is not open."""
    try:
        return os.dup(descriptor)
    except OSError:
        return None
