"""The tuples of what every engine runs before its first task (docs/reference/farm-schema.md).

    ("on_join", key, name, kind, function, payload)

Everything in here is pure.
"""

from __future__ import annotations

from typing import Any

from . import _native
from .fields import ANY

_TEXT = _native.Typed("text")


def on_join(key: str, name: str, kind: str, function: str, payload: Any) -> _native.Put:
    """What every engine runs before its first task."""
    return _native.Put(("on_join", key, name, kind, function, payload))


def on_join_form(key: Any = ANY) -> tuple[Any, ...]:
    """What engines run before their first task."""
    return ("on_join", key, _TEXT, _TEXT, _TEXT, ANY)


def as_task(name: str, kind: str, function: str, payload: Any) -> tuple[Any, ...]:
    """The fields of a task that nobody has given: what an engine runs of itself."""
    return ("task", "", "", 0, name, kind, function, None, payload)
