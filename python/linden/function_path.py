"""Functions by module path, as programs in other languages name them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def function_at(path: str) -> Callable[..., Any]:
    """The function ``package.module:name``; its module is imported where it is needed first.

    Raises: ValueError: no such path. ModuleNotFoundError, AttributeError, TypeError: nothing there that can be called. Whatever the
        import raises.
    """
    module_name, _, names = path.partition(":")
    if not module_name or not names:
        raise ValueError(f"{path!r} names no function in Python; one looks like package.module:function")
    found: Any = _module(module_name, path)
    for name in names.split("."):
        if not hasattr(found, name):
            raise AttributeError(f"{path!r}: there is no {names!r} in the module {module_name!r} of this engine")
        found = getattr(found, name)
    if not callable(found):
        raise TypeError(f"{path!r} is a {type(found).__name__}, and cannot be called")
    function: Callable[..., Any] = found
    return function


def _module(name: str, path: str) -> Any:
    try:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            importlib.invalidate_caches()  # it may have been written since this process has looked
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, and imports what is not
        raise ModuleNotFoundError(
            f"{path!r}: this engine has no module {error.name!r}; install it where the engine runs, or start the engine in its folder",
            name=error.name,
        ) from None
