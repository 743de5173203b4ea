"""%autopx: a mode in which every cell is sent to engines.

IPython lets lists of functions change a cell before it is compiled.  While the mode is on, one of ours makes each cell a
call of %%px, whatever it is that runs the cell: a terminal, a kernel, or `run_cell`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class AutoPx:
    """The mode of the magics with one suffix.  It is the input transformer, too."""

    # IPython asks transformers without side effects whether a cell is complete, which the engines cannot be asked.
    has_side_effects = True

    def __init__(self, shell: Any, suffix: str) -> None:
        self._transformers: list[Any] = shell.input_transformers_cleanup
        self._magic = f"px{suffix}"
        self._toggle = re.compile(rf"\s*%autopx{re.escape(suffix)}\s*")
        # Magics that are about the engines, not for them.
        self._own = re.compile(rf"\s*(%%?px|%pxresult|%pxconfig|%autopx){re.escape(suffix)}\b")
        self._paused = False

    @property
    def is_on(self) -> bool:
        """Whether cells go to the engines."""
        return self in self._transformers

    def toggle(self) -> bool:
        """Switch the mode; whether it is on now."""
        if self.is_on:
            self.disable()
        else:
            self._transformers.append(self)
        return self.is_on

    def disable(self) -> None:
        """Cells run here again."""
        if self.is_on:
            self._transformers.remove(self)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Cells run here for a while."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def __call__(self, lines: list[str]) -> list[str]:
        """The cell as IPython is to run it: what stands before a line that ends the mode goes to the engines."""
        text = "".join(lines)
        if self._paused or not text.strip() or self._own.match(text):
            return lines
        end = next((number for number, line in enumerate(lines) if self._toggle.fullmatch(line)), len(lines))
        before = "".join(lines[:end])
        if not before.strip():
            return lines
        return [f"get_ipython().run_cell_magic({self._magic!r}, '', {before!r})\n", *lines[end:]]
