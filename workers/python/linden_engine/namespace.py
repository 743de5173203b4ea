"""The user's namespace of an engine: what push, pull and execute see, and functions that came by value.

A function that was defined in somebody's ``__main__``, or in another function, arrives by value, with a dictionary of the
globals that it uses.  As in ipyparallel it also sees the names of the engine's namespace, which win over what it brought
along, and what it declares ``global`` and assigns is kept there.  Functions of modules are left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from opcode import opmap
from types import CodeType, FunctionType, ModuleType
from typing import Any, cast

from linden.serialize import global_names

_STORE_GLOBAL = opmap["STORE_GLOBAL"]
_DELETE_GLOBAL = opmap["DELETE_GLOBAL"]
_EXTENDED_ARG = opmap["EXTENDED_ARG"]


class Namespace:
    """The names that a user has put on this engine."""

    def __init__(self) -> None:
        # What is defined here pickles by value, since its module is called __main__.
        self.module = ModuleType("__main__", "The namespace of this engine.")
        self.names: dict[str, Any] = self.module.__dict__
        self.names["__builtins__"] = __builtins__
        self._kept = set(self.names)
        self._provided: dict[str, Any] = {}

    def install(self) -> None:
        """Become this process's ``__main__``."""
        sys.modules["__main__"] = self.module

    def evaluate(self, expression: str) -> Any:
        """The value of a name or an expression."""
        if expression in self.names:
            return self.names[expression]
        return eval(expression, self.names)

    def set(self, name: str, value: Any) -> None:
        """Give a value to a name; a dotted one is an attribute."""
        if type(value) is FunctionType and is_by_value(value, self.names):
            value = self._adopt(value)
        target, _, attribute = name.rpartition(".")
        if target:
            setattr(self.evaluate(target), attribute, value)
        else:
            self.names[name] = value

    def _adopt(self, function: FunctionType) -> FunctionType:
        """The function with this namespace as its globals."""
        for name, value in function.__globals__.items():
            self.names.setdefault(name, value)
        adopted = FunctionType(
            function.__code__, self.names, function.__name__, function.__defaults__, function.__closure__
        )
        adopted.__kwdefaults__ = function.__kwdefaults__
        adopted.__dict__.update(function.__dict__)
        adopted.__qualname__ = function.__qualname__
        adopted.__doc__ = function.__doc__
        return adopted

    def provide(self, values: dict[str, Any]) -> None:
        """Names that the engine itself provides; `clear` leaves them."""
        self._provided.update(values)
        self.names.update(values)

    def keep(self, names: Iterable[str]) -> None:
        """These names do not belong to users; `clear` leaves them."""
        self._kept.update(names)

    def clear(self) -> None:
        """Forget all names."""
        for name in [name for name in self.names if name not in self._kept]:
            del self.names[name]
        self.restore()

    def restore(self) -> None:
        """Bring back what the engine provides."""
        self.names.update(self._provided)

    def bridge(self, function: Any) -> Callable[..., Any]:
        """`function`, made to see this namespace if it came by value."""
        if hasattr(function, "check_dependency"):  # a linden.dependency.dependent: two functions
            function.f, function.df = self.bridge(function.f), self.bridge(function.df)
        if type(function) is not FunctionType or not is_by_value(function, self.names):
            return cast("Callable[..., Any]", function)
        return self._bridged(function)

    def _bridged(self, function: FunctionType) -> Callable[..., Any]:
        own = function.__globals__
        used: set[str] = set()
        stored: set[str] = set()
        for each in _family(function):
            used.update(name for name in global_names(each.__code__) if not name.startswith("_"))
            stored.update(_stored_globals(each.__code__))
        if not used and not stored:
            return function
        names = self.names
        known = names.keys()

        def call(*args: Any, **kwargs: Any) -> Any:
            for name in used & known:
                own[name] = names[name]
            try:
                return function(*args, **kwargs)
            finally:
                for name in stored:
                    if name in own:
                        names[name] = own[name]
                    else:
                        names.pop(name, None)

        call.__name__ = function.__name__
        return call


def is_by_value(function: FunctionType, names: dict[str, Any]) -> bool:
    """Whether the function came with globals of its own instead of those of a module of this process."""
    if function.__globals__ is names:
        return False
    module = sys.modules.get(function.__module__)
    return module is None or module.__dict__ is not function.__globals__


def _family(function: FunctionType) -> Iterator[FunctionType]:
    """The function and those among its globals that travelled with it."""
    yield function
    own = function.__globals__
    for value in own.values():
        if type(value) is FunctionType and value.__globals__ is own and value is not function:
            yield value


def _stored_globals(code: CodeType) -> Iterator[str]:
    """The names that `code` and functions inside it declare ``global`` and assign."""
    argument = 0
    for position in range(0, len(code.co_code), 2):
        operation, low = code.co_code[position], code.co_code[position + 1]
        argument = argument << 8 | low
        if operation in (_STORE_GLOBAL, _DELETE_GLOBAL):
            yield code.co_names[argument]
        if operation != _EXTENDED_ARG:
            argument = 0
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _stored_globals(constant)
