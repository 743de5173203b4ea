"""Reference: a name that means something on the engine only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

# How a name is looked up where references are unpickled; an engine sets it, in other processes a reference stays one.
_resolver: Callable[[str], Any] | None = None
# How names are defined there; an engine sets it.
_definer: Callable[[str, Any], None] | None = None


class Reference:
    """Stands for the object `name`, or the value of the expression `name`, in the namespace of the engine.

    May be an argument, lie inside of one, or be called: ``view.apply(Reference("f"), 1, [Reference("a")])``.
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a Reference needs a name, got a {type(name).__name__}")
        self.name = name

    def __reduce__(self) -> Any:
        return resolve, (self.name,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self.name == other.name

    def __hash__(self) -> int:
        return hash(("Reference", self.name))

    def __repr__(self) -> str:
        return f"Reference({self.name!r})"


def resolve(name: str) -> Any:
    """What unpickling a reference calls."""
    return Reference(name) if _resolver is None else _resolver(name)


def set_resolver(resolver: Callable[[str], Any] | None) -> None:
    """From now on references that are unpickled in this process become what `resolver` returns."""
    global _resolver
    _resolver = resolver


def set_definer(definer: Callable[[str, Any], None] | None) -> None:
    """From now on `define` in this process gives names to `definer`."""
    global _definer
    _definer = definer


def define(name: str, value: Any) -> None:
    """Give a value to a name in the namespace where tasks run; ``__main__`` if this process is no engine."""
    if _definer is None:
        setattr(sys.modules["__main__"], name, value)
    else:
        _definer(name, value)


def call_reference(function: Any, /, *args: Any, **kwargs: Any) -> Any:
    """What a call of a reference runs on the engine, where `function` is resolved already."""
    return function(*args, **kwargs)
