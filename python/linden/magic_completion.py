"""Completion of what will run on engines: by the names that are there.

IPython asks matchers while a person types.  In the body of a %%px cell, behind %px, and everywhere while %autopx is on, ours
asks one engine of the view, and waits for it no longer than a person would.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from .magics import ParallelMagics

_PATIENCE_S = 0.5


class Matcher:
    """Completes for the magics with one suffix."""

    def __init__(self, magics: ParallelMagics) -> None:
        self._magics = magics
        suffix = re.escape(magics.suffix)
        self._cell = re.compile(rf"%%px{suffix}\b.*")
        self._line = re.compile(rf"\s*%px{suffix}\s+")

    def remote_code(self, context: CompletionContext) -> tuple[str, int] | None:
        """The code that the engines would get, and where the cursor is in it; None if it stays here."""
        lines = context.full_text.split("\n")
        number, column = context.cursor_line, context.cursor_position
        begun = self._line.match(lines[number])
        if begun is not None:
            return (lines[number][begun.end() :], column - begun.end()) if column >= begun.end() else None
        if self._cell.fullmatch(lines[0]):
            if number == 0:
                return None
            lines, number = lines[1:], number - 1
        elif not self._magics.autopx_is_on or lines[0].lstrip().startswith("%"):
            return None
        return "\n".join(lines), sum(len(line) + 1 for line in lines[:number]) + column

    def matches(self, context: CompletionContext) -> SimpleMatcherResult:
        """What IPython asks for."""
        nothing: SimpleMatcherResult = {"completions": []}
        remote = self.remote_code(context)
        view = self._magics.active_view
        if remote is None or view is None or view.client.closed:
            return nothing
        try:
            reply = self._ask(*remote)
        except Exception:  # noqa: BLE001  (whatever it is, it must not come between a person and what is being typed)
            return nothing
        if reply is None:
            return nothing
        code, start, end = remote[0], reply["cursor_start"], reply["cursor_end"]
        return {
            "completions": [SimpleCompletion(text=match, type="remote") for match in reply["matches"]],
            "matched_fragment": code[start:end],
            "suppress": True,
        }

    def _ask(self, code: str, cursor: int) -> Any:
        view = self._magics.view
        engines, _ = view.client.engines_of(view.targets)
        result = view.complete(code, cursor, targets=engines[0].id, block=False)
        if result.wait(_PATIENCE_S):
            return result.get()
        result.cancel()  # the engine is busy
        return None


def matcher_for(magics: ParallelMagics) -> Any:
    """The function for IPython's list of matchers."""
    owner = Matcher(magics)

    @context_matcher(identifier=f"linden.px{magics.suffix}")
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        return owner.matches(context)

    return matcher
