"""ExecuteReply: what came of a cell that was executed with ``silent=False``."""

from __future__ import annotations

from typing import Any


class ExecuteReply:
    """The value of a cell's last expression as text and rich data."""

    def __init__(self, source: str, execution_count: int, data: dict[str, Any]) -> None:
        self.source = source
        self.execution_count = execution_count
        self.data = data

    @property
    def execute_result(self) -> dict[str, Any] | None:
        """Data by MIME type; None if the cell had no value."""
        return {"data": self.data, "execution_count": self.execution_count} if self.data else None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        return self.data

    def __str__(self) -> str:
        return str(self.data.get("text/plain", ""))

    def __repr__(self) -> str:
        return f"<ExecuteReply[{self.execution_count}]: {self}>"
