"""What a terminal makes of text: lines, carriage returns, and the bars that are drawn with them.  Pure."""

from __future__ import annotations

import re

# What moves the cursor.  Anything else, colours too, is text.
_MOVES = re.compile(r"(\r\n|\r|\n|\b|\x1b\[\d*A|\x1b\[\d*K)")


class OpenText:
    """The end of a text that is still being printed.

    Whole lines leave it as they are finished.  What stays are the rows from the cursor on: an unfinished line, or progress
    bars that are drawn over and over, several below each other if need be.
    """

    def __init__(self) -> None:
        self._rows = [""]
        self._row = 0
        self._column = 0

    @property
    def rows(self) -> list[str]:
        """The rows that may still change, without those that are empty at the end."""
        rows = [row.rstrip() for row in self._rows]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def feed(self, text: str) -> list[str]:
        """Go on with `text`; returns the lines that it finishes, without their ends.  O(len(text))."""
        if len(self._rows) == 1 and not _MOVES.search(text.replace("\n", "")):
            return self._feed_plain(text)
        for part in _MOVES.split(text):
            self._apply(part)
        finished, self._rows = self._rows[: self._row], self._rows[self._row :]
        self._row = 0
        return finished

    def finish(self) -> list[str]:
        """No more text will come: the rows that are left."""
        rows = self.rows
        self._rows, self._row, self._column = [""], 0, 0
        return rows

    def _feed_plain(self, text: str) -> list[str]:
        first, *rest = text.split("\n")
        self._write(first)
        if not rest:
            return []
        finished = [self._rows[0], *rest[:-1]]
        self._rows, self._column = [rest[-1]], len(rest[-1])
        return finished

    def _apply(self, part: str) -> None:
        match part:
            case "":
                return
            case "\r\n" | "\n":
                self._row += 1
                self._column = 0
                if self._row == len(self._rows):
                    self._rows.append("")
            case "\r":
                self._column = 0
            case "\b":
                self._column = max(0, self._column - 1)
            case _ if part.startswith("\x1b[") and part.endswith("A"):
                self._row = max(0, self._row - int(part[2:-1] or 1))
            case _ if part.startswith("\x1b[") and part.endswith("K"):
                self._erase(part[2:-1])
            case _:
                self._write(part)

    def _erase(self, how: str) -> None:
        row = self._rows[self._row]
        if how in ("", "0"):
            self._rows[self._row] = row[: self._column]
        elif how == "1":
            self._rows[self._row] = " " * self._column + row[self._column :]
        else:
            self._rows[self._row] = ""

    def _write(self, text: str) -> None:
        row = self._rows[self._row]
        if self._column > len(row):
            row = row.ljust(self._column)
        end = self._column + len(text)
        self._rows[self._row] = row[: self._column] + text + row[end:]
        self._column = end
