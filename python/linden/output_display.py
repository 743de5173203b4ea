"""What tasks printed and displayed, as people see it: one place for `AsyncResult.stream_output`, `display_outputs` and %px.

A *piece* is what one output tuple of a task carries.  Text comes as it is, under "stdout" and "stderr"; displays come under
the names of Jupyter's messages, "display_data", "update_display_data", "clear_output" and "error", with that message's
content.

A `Screen` shows pieces, values and errors of many engines.  There are two: on a terminal or in a file each line has its
stream and engine in front (`[stdout:3] text`), and bars that are being drawn stay at the bottom; in a Jupyter kernel each
engine has its own places in the cell's output, which are updated, so that what is live is grouped, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from . import farm
from .error import CompositeError, RemoteError
from .execute_reply import ExecuteReply
from .task_output import SHOWN

if TYPE_CHECKING:
    from .async_result import AsyncResult

TEXTS = (farm.STDOUT, farm.STDERR)
GROUPINGS = ("type", "engine", "order")


# Who printed something: the id of an engine, or "#3" for the fourth task of a call whose engine is not known yet.
Label = int | str


class Piece(NamedTuple):
    """One piece of output.  `content`: text, or a message's content."""

    engine: Label
    stream: str
    content: Any


class TaskView(NamedTuple):
    """A finished task as far as people see it: its pieces in the order in which they came, and its value."""

    engine: Label
    pieces: Sequence[tuple[str, Any]]
    value: Any = None


class Screen(Protocol):
    """Where output is shown.  For one thread."""

    def show(self, pieces: Iterable[Piece]) -> None:
        """More output."""

    def value(self, engine: Label, reply: ExecuteReply) -> None:
        """The value of a cell, as ``Out[engine:count]: value``."""

    def error(self, engine: Label, error: BaseException, *, whole: bool = True) -> None:
        """What a task raised; `whole`: with its traceback."""

    def progress(self, done: int, total: int, elapsed_s: float) -> None:
        """How many tasks are done."""

    def close(self) -> None:
        """Nothing more will come; unfinished lines are finished."""


def open_screen(*, named: bool = True) -> Screen:
    """A screen on where this process's output goes now.  `named`: put the engine before what it says."""
    labels = Labels(named)
    shell = kernel_shell()
    if shell is not None:
        from .notebook_screen import NotebookScreen

        return NotebookScreen(shell.display_pub, labels)
    from .text_screen import TextScreen

    return TextScreen(sys.stdout, sys.stderr, labels)


def kernel_shell() -> Any:
    """The IPython shell of this process if it is a Jupyter kernel's, else None."""
    # Without importing IPython for the sake of the question.
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if hasattr(shell, "kernel") else None


def is_traceback_of(content: Any, errors: Sequence[BaseException]) -> bool:
    """Whether a piece "error" says what the result of its task says, too."""
    return any(
        isinstance(error, RemoteError) and (content["ename"], content["evalue"]) == (error.ename, error.evalue)
        for error in errors
    )


def content_of(stream: str, content: Any) -> Any:
    """The content of an output tuple: text as it is, a message's content from its JSON."""
    return json.loads(content) if stream not in TEXTS and isinstance(content, str) else content


class Labels(NamedTuple):
    """What stands before output.  `named`: whether engines are told apart; a call on one engine shows its output bare."""

    named: bool = True

    def prefix(self, kind: str, engine: Label) -> str:
        """Before a line: ``[stdout:3] ``."""
        return f"[{kind}:{engine}] " if self.named else ""

    def out_prompt(self, engine: Label, count: int) -> str:
        """Before a value: ``Out[3:17]: ``."""
        return f"Out[{engine}:{count}]: " if self.named else f"Out[{count}]: "

    def traceback_lines(self, engine: Label, content: Any) -> list[str]:
        """A traceback that was shown on an engine."""
        return ([f"[error:{engine}]"] if self.named else []) + list(content["traceback"])

    def error_lines(self, engine: Label, error: BaseException, whole: bool) -> list[str]:
        """An error as lines: a head that names the engine, and the remote traceback if `whole`."""
        info = getattr(error, "engine_info", None) or {}
        head = f"[{engine}:{info.get('method', 'error')}] " if self.named else ""
        if whole and isinstance(error, RemoteError):
            return ([head.rstrip()] if head else []) + error.render_traceback()
        name = error.ename if isinstance(error, RemoteError) else type(error).__name__
        text = error.evalue if isinstance(error, RemoteError) else str(error)
        return f"{head}{name}: {text}".splitlines()


def show_errors(screen: Screen, errors: Iterable[tuple[Label, BaseException]], shown: int = 0) -> None:
    """Show errors, the first few of them (CompositeError.tb_limit, less `shown`) with their tracebacks."""
    for count, (engine, error) in enumerate(errors, shown):
        screen.error(engine, error, whole=count < CompositeError.tb_limit)


def engine_label(result: AsyncResult, position: int) -> Label:
    """Whose output the pieces of a task are."""
    fields = result._raw.get(position, (None,))[0]
    targets = result._targets
    if type(targets) is list and len(targets) == len(result._tasks):
        return int(targets[position])
    engine = None if fields is None else farm.engine_of(fields)
    return f"#{position}" if engine is None else engine


def task_views(result: AsyncResult) -> list[TaskView]:
    """The tasks of a result that is complete."""
    return [
        TaskView(engine_label(result, position), _shown_pieces(result, position), result._outcome(position))
        for position in sorted(result._raw)
    ]


def _shown_pieces(result: AsyncResult, position: int) -> list[tuple[str, Any]]:
    pieces = [
        (stream, content_of(stream, content)) for _, stream, content in result._pieces(position) if stream in SHOWN
    ]
    # What the task failed of is raised to whoever asks for its value.
    if pieces and pieces[-1][0] == farm.TRACEBACK and is_traceback_of(pieces[-1][1], result._errors_at(position)):
        pieces.pop()
    return pieces


def check_grouping(groupby: str) -> str:
    """`groupby`.

    Raises: ValueError: there is no such grouping.
    """
    if groupby not in GROUPINGS:
        raise ValueError(f"groupby must be 'type', 'engine' or 'order', not {groupby!r}")
    return groupby


def display_tasks(
    tasks: Sequence[TaskView], groupby: str = "type", *, result_only: bool = False, named: bool = True
) -> None:
    """Show what tasks have printed and displayed, and the values of cells.

    Args: groupby: "type": all stdout, then all stderr, displays, values; "engine": all of an engine as it came,
        then the next; "order": as type, but the first display of each engine, then the second, and so on.
        result_only: values only. named: put the engine before what it says.
    Raises: ValueError: no such grouping.
    """
    check_grouping(groupby)
    screen = open_screen(named=named)
    try:
        if not result_only and groupby == "engine":
            for task in tasks:
                screen.show(Piece(task.engine, stream, content) for stream, content in task.pieces)
                _show_value(screen, task)
            return
        if not result_only:
            _show_by_type(screen, tasks, groupby)
        for task in tasks:
            _show_value(screen, task)
    finally:
        screen.close()


def _show_value(screen: Screen, task: TaskView) -> None:
    if isinstance(task.value, ExecuteReply) and task.value.data:
        screen.value(task.engine, task.value)


def _show_by_type(screen: Screen, tasks: Sequence[TaskView], groupby: str) -> None:
    for wanted in TEXTS:
        for task in tasks:
            texts = [Piece(task.engine, stream, content) for stream, content in task.pieces if stream == wanted]
            screen.show([*texts, *([Piece(task.engine, wanted, "\n")] if _is_open(texts) else [])])
    displays = [[Piece(task.engine, *piece) for piece in task.pieces if piece[0] not in TEXTS] for task in tasks]
    if groupby == "order":
        screen.show(_in_turn(displays))
    else:
        screen.show(piece for row in displays for piece in row)


def _is_open(texts: Sequence[Piece]) -> bool:
    return bool(texts) and not texts[-1].content.endswith("\n")


def _in_turn(rows: Sequence[Sequence[Piece]]) -> Iterator[Piece]:
    for place in range(max((len(row) for row in rows), default=0)):
        for row in rows:
            if place < len(row):
                yield row[place]
