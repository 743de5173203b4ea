"""ExecuteReply: what came of a cell that was executed with ``silent=False``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .outcome import Metadata

_SHORT = 32


class ExecuteReply:
    """The value of a cell's last expression as text and rich data, and what the cell printed and displayed.

    In a notebook or in IPython it shows itself as the value did on the engine.
    """

    def __init__(
        self, source: str, execution_count: int, data: dict[str, Any], data_metadata: dict[str, Any] | None = None
    ) -> None:
        """For engines.  `data`: the value by MIME type, empty if there is none; `data_metadata`: likewise."""
        self.source = source
        self.execution_count = execution_count
        self.data = data
        self._data_metadata = data_metadata or {}
        self._task: Metadata | None = None

    def attach(self, metadata: Metadata) -> None:
        """For clients: what is known of the task."""
        self._task = metadata

    @property
    def execute_result(self) -> dict[str, Any] | None:
        """``{"data", "metadata", "execution_count"}``, data and metadata by MIME type; None if the cell had no value."""
        if not self.data:
            return None
        return {"data": self.data, "metadata": self._data_metadata, "execution_count": self.execution_count}

    @property
    def metadata(self) -> Metadata:
        """What is known of the task, as `AsyncResult.metadata` tells it."""
        if self._task is None:
            from .outcome import Metadata

            self._task = Metadata()
        return self._task

    @property
    def stdout(self) -> str:
        """What the cell printed."""
        return str(self.metadata["stdout"])

    @property
    def stderr(self) -> str:
        """What the cell wrote to stderr."""
        return str(self.metadata["stderr"])

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """What the cell displayed, each ``{"data", "metadata"}`` by MIME type."""
        return list(self.metadata["outputs"])

    def display(self) -> None:
        """Show the value here: richly in a notebook, as text elsewhere."""
        if not self.data:
            return
        ipython = sys.modules.get("IPython")  # without importing it for the sake of the question
        if ipython is not None and ipython.get_ipython() is not None:
            ipython.display.display(self.data, metadata=self._data_metadata, raw=True)
        else:
            print(str(self) or f"<{', '.join(self.data)}>")

    def __getitem__(self, key: str) -> Any:
        return self.metadata[key]

    # ---- what IPython and Jupyter ask for

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        chosen = {
            mime: value
            for mime, value in self.data.items()
            if (not include or mime in include) and not (exclude and mime in exclude) and mime != "text/plain"
        }
        return chosen, {mime: self._data_metadata[mime] for mime in chosen if mime in self._data_metadata}

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002  (the name is IPython's)
        text = str(self)
        engine = self.metadata["engine_id"]
        where = self.execution_count if engine is None else f"{engine}:{self.execution_count}"
        if text:
            printer.text(f"Out[{where}]: " + ("\n" if "\n" in text else "") + text)
        else:
            printer.text(repr(self))

    def _repr_of(self, mime: str) -> Any:
        if mime not in self.data:
            return None
        if mime in self._data_metadata:
            return self.data[mime], self._data_metadata[mime]
        return self.data[mime]

    def _repr_html_(self) -> Any:
        return self._repr_of("text/html")

    def _repr_markdown_(self) -> Any:
        return self._repr_of("text/markdown")

    def _repr_latex_(self) -> Any:
        return self._repr_of("text/latex")

    def _repr_json_(self) -> Any:
        return self._repr_of("application/json")

    def _repr_javascript_(self) -> Any:
        return self._repr_of("application/javascript")

    def _repr_svg_(self) -> Any:
        return self._repr_of("image/svg+xml")

    def _repr_png_(self) -> Any:
        return self._repr_of("image/png")

    def _repr_jpeg_(self) -> Any:
        return self._repr_of("image/jpeg")

    def _repr_pdf_(self) -> Any:
        return self._repr_of("application/pdf")

    def __str__(self) -> str:
        return str(self.data.get("text/plain", ""))

    def __repr__(self) -> str:
        text = str(self)
        if len(text) > _SHORT:
            text = text[: _SHORT - 3] + "..."
        return f"<ExecuteReply[{self.execution_count}]: {text}>"
