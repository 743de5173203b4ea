"""Imports that happen here and on engines: ``with view.sync_imports(): import numpy as np``.

What a block imports is known from `__import__`, under which name from the byte code after the call, so that ``as`` is right as well.
"""

from __future__ import annotations

import builtins
import dis
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from .reference import Reference

if TYPE_CHECKING:
    from .direct_view import DirectView

_import = builtins.__import__


class SyncImports:
    """The context manager.  Only import statements that stand in the block itself count, not those that they lead to.

    With `local=False` the names stand for what the engines have: ``view.apply(np.sqrt, 2)`` calls the engines' np.sqrt, and nothing is
    imported here.
    """

    def __init__(self, view: DirectView, local: bool, quiet: bool) -> None:
        self._view = view
        self._local = local
        self._quiet = quiet
        self._frame: FrameType | None = None
        self._before: Callable[..., Any] = _import

    def __enter__(self) -> DirectView:
        self._frame = sys._getframe(1)
        self._before = builtins.__import__
        builtins.__import__ = self._hook
        return self._view

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        builtins.__import__ = self._before
        self._frame = None

    def _hook(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        frame = sys._getframe(1)
        if frame is not self._frame:
            return self._before(name, globals, locals, fromlist or (), level)
        if level:
            name = importlib.util.resolve_name("." * level + name, str((globals or {}).get("__package__") or ""))
        found = import_at(frame, name)
        if not self._quiet:
            print(f"{found.statement} on engine(s)")
        self._view.apply_sync(import_there, found.statement)
        if self._local:
            return self._before(name, globals, locals, fromlist or ())
        return found.stand_in()


def import_there(statement: str) -> None:
    """On an engine: run an import statement in its namespace."""
    exec(statement, sys.modules["__main__"].__dict__)


class Import(NamedTuple):
    """An import statement: of a module, and what it binds to which names."""

    module: str
    names: list[tuple[str, str]]  # of ``from``: what, and as what; else empty
    target: str  # the name of a module that is imported as a whole

    @property
    def statement(self) -> str:
        """As source text."""
        if self.names:
            return f"from {self.module} import {', '.join(_renamed(what, name) for what, name in self.names)}"
        if self.target == self.module.partition(".")[0]:
            return f"import {self.module}"
        return f"import {self.module} as {self.target}"

    def stand_in(self) -> Any:
        """What `__import__` gives if the names are to be those of the engines."""
        if not self.names and "." not in self.module:
            return RemoteName(self.target)
        if self.target == self.module.partition(".")[0]:
            return RemoteName(self.target)
        # The byte code goes on to ask for the names of ``from``, or for the last module of a dotted one.
        return _Names(dict(self.names) or {self.module.rpartition(".")[2]: self.target})


def _renamed(what: str, name: str) -> str:
    return what if what == name else f"{what} as {name}"


def import_at(frame: FrameType, module: str) -> Import:
    """The import statement that `frame` is in."""
    after = _instructions_from(frame)
    names: list[tuple[str, str]] = []
    is_from = bool(_previous_constant(frame))
    wanted = ""
    for instruction in after:
        if instruction.opname == "IMPORT_FROM":
            wanted = instruction.argval
        elif instruction.opname == "IMPORT_STAR" or instruction.argrepr == "INTRINSIC_IMPORT_STAR":
            return Import(module, [("*", "*")], "")
        elif instruction.opname.startswith("STORE_"):
            if not is_from:
                return Import(module, [], instruction.argval)
            names.append((wanted, instruction.argval))
        elif instruction.opname == "POP_TOP" and is_from:
            break
    return Import(module, names, "")


def _instructions_from(frame: FrameType) -> Iterator[dis.Instruction]:
    return (each for each in dis.get_instructions(frame.f_code) if each.offset > frame.f_lasti)


def _previous_constant(frame: FrameType) -> Any:
    """The names of ``from``, which are loaded right before the import."""
    before = [each for each in dis.get_instructions(frame.f_code) if each.offset < frame.f_lasti]
    return before[-1].argval if before else None


class RemoteName(Reference):
    """A name of the engines; its attributes are theirs, too."""

    def __getattr__(self, attribute: str) -> RemoteName:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return RemoteName(f"{self.name}.{attribute}")


class _Names:
    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        target = self._targets.get(name)
        return self if target is None else RemoteName(target)
