"""Functions in C++: `native` names one, and views call it on the engines that have it (docs/howto/call-cpp-from-python.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from . import farm
from .error import NoSuchFunction


class NativeFunction:
    """A function of engines in C++, by its name.

    Views call it as they call functions in Python: `apply`, `map`, `imap`.  Arguments and the result are plain values: None, bool, int,
    float, str, bytes, lists of these and numpy arrays.
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"a function in C++ is named by a str, not by {name!r}")
        self.__name__ = name

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Raises: TypeError: it is not in this process."""
        raise TypeError(f"{self!r} runs on engines in C++: view.apply({self!r}, ...)")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NativeFunction) and self.__name__ == other.__name__

    def __hash__(self) -> int:
        return hash(("NativeFunction", self.__name__))

    def __repr__(self) -> str:
        return f"linden.native({self.__name__!r})"


def native(name: str) -> NativeFunction:
    """The function of that name that engines in C++ have registered: ``view.apply(linden.native("mandelbrot"), 640, 480)``."""
    return NativeFunction(name)


def check_language(engines: Iterable[farm.Engine], native: bool) -> None:
    """Refuse to give engines what they cannot run: functions in C++ if `native`, else Python.

    Raises: TypeError.
    """
    wrong = [engine.id for engine in engines if engine.is_native is not native]
    if wrong and native:
        raise TypeError(f"engine {wrong[0]} runs Python, and this is a function in C++; give it to engines in C++")
    if wrong:
        raise TypeError(
            f"engine {wrong[0]} runs functions in C++ only: call them by name, view.apply(linden.native(name), ...), or choose "
            "engines that run Python (Client.ids)"
        )


def check_function(engines: Iterable[farm.Engine], name: str) -> None:
    """Refuse a name that none of these engines has.  Where there is no engine in C++ yet, the call waits for one.

    Raises: NoSuchFunction.
    """
    known = {function for engine in engines if engine.is_native for function in engine.functions}
    if known and name not in known:
        raise NoSuchFunction(f"no engine has a function {name!r} in C++; there are {', '.join(sorted(known))}")
