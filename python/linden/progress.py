"""What people see while they wait: progress bars."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TextIO

if TYPE_CHECKING:
    from .async_result import AsyncResult

_QUIET_VARIABLES = ("LINDEN_NONINTERACTIVE", "IPP_NONINTERACTIVE")


def is_unattended() -> bool:
    """Whether the environment says that nobody looks at what programs show by themselves."""
    return any(os.environ.get(name, "") not in ("", "0") for name in _QUIET_VARIABLES)


class _Bar(Protocol):
    def update(self, n: int) -> Any: ...
    def close(self) -> Any: ...


def wait_interactive(
    results: Sequence[AsyncResult],
    interval: float,
    timeout: float | None,
    widget: Any = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Show how many of the items of `results` are done until all are, `stop()` is true or `timeout` is over."""
    deadline = None if timeout is None else time.monotonic() + timeout
    bar = progress_bar(sum(len(result) for result in results), "tasks", widget)
    shown = 0
    try:
        while True:
            done = sum(result.progress for result in results)
            bar.update(done - shown)
            shown = done
            pending = [result for result in results if not result.done()]
            if not pending or (stop is not None and stop()):
                return
            remaining = interval if deadline is None else min(interval, deadline - time.monotonic())
            if remaining <= 0:
                return
            pending[0].wait(remaining)
    finally:
        bar.close()


def progress_bar(total: int, unit: str, widget: Any = None) -> _Bar:
    """tqdm's bar where it is installed, else lines of text on stderr.  `widget`: force or forbid its notebook form."""
    try:
        if widget or (widget is None and in_notebook()):
            from tqdm.notebook import tqdm
        else:
            from tqdm import tqdm
    except ImportError:
        return _TextBar(total, unit, sys.stderr)
    bar: _Bar = tqdm(total=total, unit=unit)
    return bar


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    # Without importing IPython for the sake of the question.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"


class _TextBar:
    def __init__(self, total: int, unit: str, file: TextIO) -> None:
        self._total = total
        self._unit = unit
        self._file = file
        self._done = 0
        self._show()

    def update(self, n: int) -> None:
        self._done += n
        if n:
            self._show()

    def _show(self) -> None:
        self._file.write(f"\r{self._done}/{self._total} {self._unit}")
        self._file.flush()

    def close(self) -> None:
        self._file.write("\n")
        self._file.flush()
