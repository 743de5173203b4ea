"""What notebooks show of clients, views and results.  Text of users is escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .async_result import AsyncResult
    from .client import Client
    from .view import View

_ROWS_MAX = 20


def client_html(client: Client) -> str:
    """The engines of a client, one a row."""
    if client.closed:
        return f"<b>Client</b> {escape(repr(client))}"
    engines = client.engines()
    rows = [
        (engine.id, *(engine.info.get(key, "") for key in ("host", "pid", "python")))
        for engine in engines[: _ROWS_MAX + 1]
    ]
    title = f"<b>Client</b> of {escape(client.connection.address)}, {_plural(len(engines), 'engine')}"
    return title + _table(("engine", "host", "pid", "Python"), rows, len(engines))


def view_html(view: View) -> str:
    """What a view is for, and its flags."""
    flags = [(name, repr(getattr(view, name))) for name in view._flag_names]
    title = f"<b>{type(view).__name__}</b> of {escape(str('all' if view.targets is None else view.targets))}"
    return title + _table(("flag", "value"), flags, len(flags))


def result_html(result: AsyncResult) -> str:
    """How far a call is, and how each task went."""
    title = f"<b>{type(result).__name__}</b> {escape(result._name)}: {_state(result)}"
    bar = "" if result.done() else f" <progress value='{result.progress}' max='{len(result)}'></progress>"
    rows = result._metadata_list()
    cells = [(row["engine_id"], row["status"], _seconds(row["started"], row["completed"])) for row in rows]
    return title + bar + _table(("engine", "status", "seconds"), cells[: _ROWS_MAX + 1], len(cells))


def _state(result: AsyncResult) -> str:
    if not result.done():
        return f"{result.progress} of {len(result)} done"
    counts = Counter(row["status"] for row in result._metadata_list())
    return ", ".join(f"{count} {escape(str(status))}" for status, count in counts.items()) or "nothing to do"


def _seconds(start: datetime | None, end: datetime | None) -> str:
    return f"{(end - start).total_seconds():.3f}" if start and end else ""


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]], total: int) -> str:
    lines = [_row("th", heads)]
    lines += [_row("td", ["" if cell is None else cell for cell in row]) for row in list(rows)[:_ROWS_MAX]]
    if total > _ROWS_MAX:
        lines.append(f"<tr><td colspan='{len(heads)}'>… and {total - _ROWS_MAX} more</td></tr>")
    return f"<table>{''.join(lines)}</table>"


def _row(tag: str, cells: Iterable[Any]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"
