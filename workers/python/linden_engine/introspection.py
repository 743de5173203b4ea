"""Completions and descriptions of names where IPython is not installed, in the form in which Jupyter asks for them."""

from __future__ import annotations

import inspect
import re
import rlcompleter
from collections.abc import Callable
from typing import Any

_NAME_BEFORE = re.compile(r"[A-Za-z_][\w.]*$")
_NAME_AFTER = re.compile(r"\w*")
_MATCHES_MAX = 1000


def complete(names: dict[str, Any], code: str, cursor: int) -> dict[str, Any]:
    """Completions of the dotted name that ends at `cursor`."""
    found = _NAME_BEFORE.search(code[:cursor])
    text = found.group() if found else ""
    completer = rlcompleter.Completer(names)
    matches: list[str] = []
    while text and len(matches) < _MATCHES_MAX and (match := completer.complete(text, len(matches))) is not None:
        matches.append(match.rstrip("( "))
    unique = list(dict.fromkeys(matches))
    return {"matches": unique, "cursor_start": cursor - len(text), "cursor_end": cursor, "metadata": {}}


def name_at(code: str, cursor: int) -> str:
    """The dotted name around `cursor`; that of the call whose arguments it is in, if it is on none."""
    found = _NAME_BEFORE.search(code[:cursor])
    after = _NAME_AFTER.match(code[cursor:])
    name = (found.group() if found else "") + (after.group() if after else "")
    if not name and "(" in code[:cursor]:
        return name_at(code, code.rindex("(", 0, cursor))
    return name.rstrip(".")


def inspect_name(evaluate: Callable[[str], Any], code: str, cursor: int, detail_level: int) -> dict[str, Any]:
    """Type, signature, docstring and, with `detail_level` 1, source of the name around `cursor`."""
    name = name_at(code, cursor)
    try:
        if not name:
            raise NameError("no name there")
        value = evaluate(name)
    except Exception:  # noqa: BLE001  (a property may raise anything, and then there is nothing to tell)
        return {"found": False, "data": {}, "metadata": {}}
    return {"found": True, "data": {"text/plain": _describe(name, value, detail_level)}, "metadata": {}}


def _describe(name: str, value: Any, detail_level: int) -> str:
    lines = []
    if callable(value):
        try:
            lines.append(f"Signature: {name}{inspect.signature(value)}")
        except (TypeError, ValueError):  # builtins without one
            lines.append(f"Signature: {name}(...)")
    else:
        lines.append(f"String form: {_short(value)}")
    source = _source(value) if detail_level else None
    if source is not None:
        lines += ["Source:", source.rstrip()]
    else:
        lines += ["Docstring:", inspect.getdoc(value) or "<no docstring>"]
    lines.append(f"Type: {type(value).__name__}")
    return "\n".join(lines)


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001  (__repr__ is the user's)
        return f"<its repr raises {type(error).__name__}>"
    return text if len(text) <= 200 else text[:197] + "..."


def _source(value: Any) -> str | None:
    try:
        return inspect.getsource(value)
    except (TypeError, OSError):
        return None
