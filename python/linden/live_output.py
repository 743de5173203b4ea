"""The output of tasks while they run: what is behind `AsyncResult.stream_output` and a blocking %px.

A thread of its own shows output, so that whoever waits in the block may do so as usual, and Ctrl-C strikes there and never
between a piece and its place on the screen.  The thread has the context of the one that entered the block; so a Jupyter
kernel puts its output into that cell.
"""

from __future__ import annotations

import threading
import time
from contextvars import copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from . import farm
from .output_display import Piece, Screen, content_of, engine_label, is_traceback_of, open_screen, show_errors
from .task_output import SHOWN

if TYPE_CHECKING:
    from .async_result import AsyncResult

# How long what comes is gathered before it is shown at once.
_GATHER_S = 0.03
_LOOK_S = 0.1


class LiveOutput:
    """A context manager in which stdout, stderr, displays and errors of a result's tasks are shown as they come.

    What the tasks had printed before is shown first.  Leaving the block ends it; once all results are here, everything has
    been shown (F5).  Args: output: whether to show more than progress. progress_after: seconds of waiting after which to
    show how many tasks are done; None: never.
    """

    def __init__(self, result: AsyncResult, *, output: bool = True, progress_after: float | None = None) -> None:
        self.errors_shown = 0
        self._result = result
        self._output = output
        self._progress_after = progress_after
        self._began = time.monotonic()
        self._seen: dict[int, int] = {}  # pieces shown of each task
        self._looked_at: set[int] = set()  # tasks whose results have been
        self._tracebacks: dict[int, Piece] = {}  # that may be those of results to come
        self._leaving = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin, or go on after another block: nothing is shown twice."""
        # An event of its own for each thread: Ctrl-C may have kept us from waiting for the one before.
        leaving = self._leaving = threading.Event()
        run = copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run, leaving), name="linden-output", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            leaving.set()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leaving.set()
        if self._thread is not None:
            self._thread.join()
        if self._failure is not None and value is None:
            raise self._failure

    # ---- in the thread

    def _run(self, leaving: threading.Event) -> None:
        try:
            screen = open_screen(named=not self._result._single)
            try:
                self._show_until_the_end(screen, leaving)
            finally:
                screen.close()
        except Exception as error:  # noqa: BLE001  (sys.stdout is the user's; the block raises it)
            self._failure = error

    def _show_until_the_end(self, screen: Screen, leaving: threading.Event) -> None:
        result = self._result

        def is_over() -> bool:
            return leaving.is_set() or result._is_complete()

        while True:
            # Asked before the output is looked at: then all of it is here.
            over = is_over()
            count = self._news()
            if self._output:
                self._show_output(screen)
                self._show_errors(screen)
            if over:
                return
            self._show_progress(screen)
            result._source.wait_until(is_over, _GATHER_S)
            result._source.wait_until(lambda: is_over() or self._news() != count, _LOOK_S)  # noqa: B023

    def _news(self) -> int:
        return self._result._output_count + len(self._result._raw)

    def _show_output(self, screen: Screen) -> None:
        new = []
        for position in self._result._positions_with_output():
            pieces = self._result._pieces(position)
            seen = self._seen.get(position, 0)
            self._seen[position] = len(pieces)
            new += [(id_, position, stream, content) for id_, stream, content in pieces[seen:] if stream in SHOWN]
        # By tuple id, which is the order in which they came into the space.
        rows = sorted(new, key=lambda row: row[0])
        screen.show([piece for _, *row in rows for piece in self._shown(*row)])

    def _shown(self, position: int, stream: str, content: Any) -> list[Piece]:
        """The piece, and a traceback before it that turned out not to be the task's last word."""
        piece = Piece(engine_label(self._result, position), stream, content_of(stream, content))
        held = self._tracebacks.pop(position, None)
        shown = [] if held is None else [held]
        if stream == farm.TRACEBACK:
            self._tracebacks[position] = piece
        else:
            shown.append(piece)
        return shown

    def _show_errors(self, screen: Screen) -> None:
        for position, (fields, _) in list(self._result._raw.items()):
            if position not in self._looked_at:
                self._looked_at.add(position)
                failed = fields[farm.RESULT_STATUS] != farm.OK
                errors = self._result._errors_at(position) if failed else []
                held = self._tracebacks.pop(position, None)
                if held is not None and not is_traceback_of(held.content, errors):
                    screen.show([held])
                label = engine_label(self._result, position)
                show_errors(screen, [(label, error) for error in errors], self.errors_shown)
                self.errors_shown += len(errors)

    def _show_progress(self, screen: Screen) -> None:
        elapsed = time.monotonic() - self._began
        if self._progress_after is not None and elapsed >= self._progress_after:
            screen.progress(self._result.progress, len(self._result), elapsed)
