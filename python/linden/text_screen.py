"""A screen for terminals, files and pipes: whole lines with their stream and engine in front, bars at the bottom."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from typing import Any, TextIO

from .execute_reply import ExecuteReply
from .farm import CLEAR_OUTPUT, COMMS, STDERR, STDOUT, TRACEBACK
from .output_display import TEXTS, Label, Labels, Piece
from .output_text import OpenText

_ROWS_MAX = 16
_UNSEEN = COMMS | {CLEAR_OUTPUT}  # what a terminal has no way to show
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CLEAR_BELOW = "\r\x1b[J"


class TextScreen:
    """Shows lines when they are finished.

    On a terminal lines that are not finished, such as progress bars, are drawn below, one row for each engine and stream,
    and drawn again when they change; elsewhere only what becomes of them is seen.
    """

    def __init__(self, out: TextIO, err: TextIO, labels: Labels) -> None:
        self._labels = labels
        self._files = {STDOUT: out, STDERR: err}
        self._is_terminal = out.isatty() and err.isatty()
        self._texts: dict[tuple[Label, str], OpenText] = {}
        self._progress = ""
        self._drawn = 0

    def show(self, pieces: Iterable[Piece]) -> None:
        """More output."""
        lines: list[tuple[str, str]] = []
        for piece in pieces:
            if piece.stream in TEXTS:
                lines += self._feed(piece)
            elif piece.stream == TRACEBACK:
                rows = self._labels.traceback_lines(piece.engine, piece.content)
                if not self._is_terminal:
                    rows = [_COLOUR.sub("", row) for row in rows]
                lines += [*self._finish(piece.engine), *((STDERR, row) for row in rows)]
            elif piece.stream not in _UNSEEN:
                lines += self._finish(piece.engine)
                text = plain_text(piece.content)
                lines += [(STDOUT, self._labels.prefix("output", piece.engine) + row) for row in text.splitlines()]
        self._print(lines)

    def _feed(self, piece: Piece) -> list[tuple[str, str]]:
        text = self._texts.setdefault((piece.engine, piece.stream), OpenText())
        before = self._labels.prefix(piece.stream, piece.engine)
        return [(piece.stream, before + line) for line in text.feed(piece.content)]

    def _finish(self, engine: Label) -> list[tuple[str, str]]:
        """The lines that this engine has begun, since something else follows them."""
        return [
            (stream, self._labels.prefix(stream, owner) + row)
            for (owner, stream), text in self._texts.items()
            if owner == engine
            for row in text.finish()
        ]

    def value(self, engine: Label, reply: ExecuteReply) -> None:
        """The value of a cell, as ``Out[engine:count]: value``."""
        first, *rest = plain_text({"data": reply.data}).splitlines() or [""]
        # A value of several lines begins on a line of its own, so that its columns stay aligned, as in IPython.
        prompt = self._labels.out_prompt(engine, reply.execution_count)
        lines = [prompt.rstrip(), first, *rest] if rest else [prompt + first]
        self._print(self._finish(engine) + [(STDOUT, line) for line in lines])

    def error(self, engine: Label, error: BaseException, *, whole: bool = True) -> None:
        """What a task raised."""
        self._print(self._finish(engine) + [(STDERR, line) for line in self._labels.error_lines(engine, error, whole)])

    def progress(self, done: int, total: int, elapsed_s: float) -> None:
        """How many tasks are done; on a terminal only, where it does not stay."""
        if self._is_terminal:
            self._progress = f"{done}/{total} tasks done, {elapsed_s:.0f} s" if done < total else ""
            self._print([])

    def close(self) -> None:
        """Finish all lines."""
        self._progress = ""
        self._print(
            [line for engine in dict.fromkeys(owner for owner, _ in self._texts) for line in self._finish(engine)]
        )

    def _print(self, lines: list[tuple[str, str]]) -> None:
        if self._drawn:
            self._write(STDOUT, (f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else "") + _CLEAR_BELOW)
            self._drawn = 0
        last = STDOUT
        for stream, line in lines:
            if stream != last:
                self._files[last].flush()
            self._write(stream, line + "\n")
            last = stream
        self._draw_open()
        for file in self._files.values():
            file.flush()

    def _draw_open(self) -> None:
        if not self._is_terminal:
            return
        rows = [
            self._labels.prefix(stream, engine) + row
            for (engine, stream), text in self._texts.items()
            for row in text.rows
        ]
        if self._progress:
            rows.append(self._progress)
        columns, height = shutil.get_terminal_size()
        rows = rows[-min(_ROWS_MAX, max(1, height - 2)) :]
        if rows:
            self._files[STDERR].flush()
            self._write(STDOUT, "\n".join(row[: columns - 1] for row in rows))
            self._drawn = len(rows)

    def _write(self, stream: str, text: str) -> None:
        file = self._files[stream]
        try:
            file.write(text)
        except UnicodeEncodeError:  # this terminal's encoding is narrower than an engine's
            encoding = file.encoding or "ascii"
            file.write(text.encode(encoding, "backslashreplace").decode(encoding))


def plain_text(content: Any) -> str:
    """What a display says as text."""
    data = content.get("data", {})
    if "text/plain" in data:
        return str(data["text/plain"])
    return f"<{', '.join(data)}>" if data else ""
