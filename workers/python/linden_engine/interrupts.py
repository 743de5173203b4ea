"""What reaches user code while it runs: Ctrl-C, signals, the wish that a task be cancelled (F6), and the end of the engine.

Python runs signal handlers in the main thread, which is where tasks run.  So the attendant thread, which hears that a task is to
be cancelled, notes which one and sends SIGINT to the main thread; the handler raises there if that task still runs.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal.getsignal takes ten times as long
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from .output import TaskOutput

Key = tuple[str, int]
_REMEMBERED_MAX = 10_000
# A cancelled task that goes on is reported and interrupted again after so long.
_PATIENCE_S = 5.0


class EngineStop(BaseException):
    """The engine is to stop now, in the middle of a task; no result of the task."""


class TaskCancelled(KeyboardInterrupt):
    """The task that runs was cancelled; whatever it does now, its result is that."""


class Interrupts:
    """Which task runs, and which ones are to be cancelled."""

    def __init__(self, output: TaskOutput) -> None:
        self.stopping: str | None = None  # why it ends now
        self.leaving: str | None = None  # why it takes no further task; what runs comes to its end
        self.on_leave: Callable[[], None] = lambda: None  # may be called by a signal handler
        self.waiting = False  # the main thread waits for a task, or has just got one that it has not begun
        self._output = output
        self._current: Key | None = None
        self._asked: dict[Key, None] = {}  # the oldest first
        self._wanted: Key | None = None
        self._since = 0.0
        self._main = threading.main_thread()
        self._handlers = {
            int(signal.SIGTERM): self._on_sigterm,
            int(signal.SIGINT): self._on_sigint,
            int(signal.SIGUSR1): self._on_sigusr1,
        }
        self._in_terminal = sys.stdin is not None and sys.stdin.isatty()

    def install(self) -> None:
        """Handle SIGTERM, SIGINT and SIGUSR1 from now on; to be called in the main thread."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    # ---- by the main thread

    def begin(self, key: Key) -> bool:
        """User code of this task may be interrupted from now on; False if it must not begin, for it was cancelled."""
        for number, handler in self._handlers.items():
            if _signal.getsignal(number) is not handler:  # the task before has changed it
                signal.signal(number, handler)
        self._current = key
        # In this order: whoever asks does it the other way round, so that one of the two sees the other.
        return key not in self._asked

    def end(self) -> None:
        """Nothing may be interrupted from now on."""
        self._current = None

    def was_cancelled(self, key: Key) -> bool:
        """Whether the result of this task is to be that it was cancelled."""
        if not self._asked or key not in self._asked:
            return False
        del self._asked[key]
        return True

    def stop(self, reason: str) -> None:
        """Note why the engine is to stop; the first reason counts."""
        self.stopping = self.stopping or reason

    def leave(self, reason: str) -> None:
        """Finish what runs, take nothing more, and go; the first reason counts.  May be called from any thread."""
        if self.leaving is None:
            self.leaving = reason
            self.on_leave()

    @property
    def takes_tasks(self) -> bool:
        """Whether there is to be a further task."""
        return self.stopping is None and self.leaving is None

    # ---- by the attendant

    def cancel(self, key: Key) -> None:
        """Interrupt the task if it runs, and do not let it begin."""
        while len(self._asked) >= _REMEMBERED_MAX:
            del self._asked[next(iter(self._asked))]
        self._asked[key] = None
        if self._current == key:
            self._since = time.monotonic()
            self._interrupt(key)

    def insist(self, report: Callable[[Key], None]) -> None:
        """Report a cancelled task that goes on, and interrupt it again; to be called now and then."""
        key = self._current
        if key is None or key not in self._asked or time.monotonic() - self._since < _PATIENCE_S:
            return
        self._since = time.monotonic()
        report(key)
        self._interrupt(key)

    def _interrupt(self, key: Key) -> None:
        self._wanted = key
        if self._main.ident is not None:
            signal.pthread_kill(self._main.ident, signal.SIGINT)

    # ---- handlers

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self.stop("SIGTERM")
        self._raise(EngineStop())

    def _on_sigusr1(self, _number: int, _frame: FrameType | None) -> None:
        """What batch systems send some time before the walltime is over (`sbatch --signal=B:USR1@120`)."""
        self.leave("SIGUSR1")

    def _on_sigint(self, _number: int, _frame: FrameType | None) -> None:
        wanted, self._wanted = self._wanted, None
        current = self._current
        if wanted is not None:
            if wanted == current:
                self._raise(TaskCancelled("the task was cancelled"))
        elif current is not None:
            self._raise(KeyboardInterrupt())
        # Between tasks it ends an engine that was started by hand; others are in the process group of a session whose
        # user means something else by Ctrl-C.
        elif self._in_terminal:
            self.stop("SIGINT")
            self._raise(EngineStop())

    def _raise(self, error: BaseException) -> None:
        if not self._output.raise_later(error):
            raise error
