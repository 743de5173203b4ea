"""What a task depends on: other tasks (`Dependency`), or the engine that runs it (`depend`, `require`).

The names are those of ipyparallel.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Set
from types import FunctionType, ModuleType
from typing import Any

from .async_result import AsyncResult
from .error import UnmetDependency
from .fields import shown
from .reference import define

_FLAGS = ("all", "success", "failure")


class Dependency(set[str]):
    """A set of message ids that a task is to run after, or where one of them ran.

    Args: dependencies: a message id, an AsyncResult, a list, tuple or set of these, or what `as_dict` gave. all: all of them
        have to end, or any of them. success, failure: whether those count that succeeded, and those that failed.
    Raises: ValueError: neither success nor failure counts. TypeError: something in it is no task.

    With `all` and without `failure` a task fails with ImpossibleDependency as soon as the first of these tasks has failed.
    """

    all: bool
    success: bool
    failure: bool

    def __init__(self, dependencies: Any = (), all: bool = True, success: bool = True, failure: bool = False) -> None:
        if isinstance(dependencies, Mapping):
            unknown = set(dependencies) - {"dependencies", *_FLAGS}
            if unknown:
                raise ValueError(
                    f"a dependency as a dict has the keys dependencies, {', '.join(_FLAGS)}; found {min(unknown)!r}"
                )
            all, success, failure = (
                dependencies.get(name, value) for name, value in zip(_FLAGS, (all, success, failure), strict=True)
            )
            dependencies = dependencies.get("dependencies", ())
        elif isinstance(dependencies, Dependency):  # its switches go with it
            all, success, failure = dependencies.all, dependencies.success, dependencies.failure
        if not (success or failure):
            raise ValueError("a dependency on neither success nor failure is never met; let at least one of them count")
        super().__init__(_message_ids(dependencies))
        self.all = bool(all)
        self.success = bool(success)
        self.failure = bool(failure)

    def check(self, completed: Set[str], failed: Set[str] | None = None) -> bool:
        """Whether it is met, given the ids of the tasks that have succeeded and failed so far.  Nothing is met by nobody."""
        if not self:
            return True
        good = self._among(self.success, completed, self.failure, failed)
        return self <= good if self.all else bool(self & good)

    def unreachable(self, completed: Set[str], failed: Set[str] | None = None) -> bool:
        """Whether it can never be met any more, given the ids of the tasks that have succeeded and failed so far."""
        if not self:
            return False
        bad = self._among(not self.success, completed, not self.failure, failed)
        return bool(self & bad) if self.all else self <= bad

    @staticmethod
    def _among(use_completed: bool, completed: Set[str], use_failed: bool, failed: Set[str] | None) -> set[str]:
        found = set(completed) if use_completed else set()
        return found | set(failed) if use_failed and failed is not None else found

    def as_dict(self) -> dict[str, Any]:
        """As plain values: dependencies (sorted), all, success, failure."""
        return {"dependencies": sorted(self), "all": self.all, "success": self.success, "failure": self.failure}

    def __reduce__(self) -> Any:
        return Dependency, (self.as_dict(),)

    def __repr__(self) -> str:
        flags = ", ".join(f"{name}={getattr(self, name)}" for name in _FLAGS)
        return f"Dependency({sorted(self)}, {flags})"


def _message_ids(dependencies: Any) -> Iterable[str]:
    if isinstance(dependencies, (str, AsyncResult)):
        dependencies = [dependencies]
    for each in dependencies:
        if isinstance(each, str):
            yield each
        elif isinstance(each, AsyncResult):
            each._as_argument()  # refuses a map that is not submitted as a whole
            yield from each.msg_ids
        else:
            raise TypeError(f"a dependency is a message id or an AsyncResult, not {shown(each)}")


def dependencies_of(value: Any) -> list[Dependency]:
    """What the flags `after` and `follow` may be, as Dependencies that all have to be met.

    Raises: ValueError: it is none of those.
    """
    if value is None:
        return []
    try:
        if isinstance(value, (Dependency, Mapping, str, AsyncResult)):
            return [Dependency(value)]
        if isinstance(value, (list, tuple, set, frozenset)):
            special = [each for each in value if isinstance(each, (Dependency, Mapping))]
            plain = [each for each in value if not isinstance(each, (Dependency, Mapping))]
            return [dependency for dependency in [Dependency(plain), *map(Dependency, special)] if dependency]
    except TypeError as error:
        raise ValueError(str(error)) from None
    raise ValueError(
        f"a dependency is a message id, an AsyncResult, a Dependency, a list, tuple or set of these, or a dict, not {shown(value)}"
    )


# ---- Engines -------------------------------------------------------------------------------------------------------


class depend:  # noqa: N801  (the name is ipyparallel's)
    """Decorator: the function runs only on an engine where ``f(*args, **kwargs)`` is not False.

    If it is False or raises UnmetDependency, another engine is tried, and none twice; when all have refused, the task ends with
    ImpossibleDependency.
    """

    def __init__(self, _wrapped_f: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.f = _wrapped_f
        self.args = args
        self.kwargs = kwargs

    def __call__(self, f: Callable[..., Any]) -> dependent:
        return dependent(f, self.f, *self.args, **self.kwargs)


class dependent:  # noqa: N801  (the name is ipyparallel's)
    """The function `f`, which wants ``df(*dargs, **dkwargs)`` not to be False where it runs.  See `depend`."""

    def __init__(
        self, _wrapped_f: Callable[..., Any], _wrapped_df: Callable[..., Any], *dargs: Any, **dkwargs: Any
    ) -> None:
        self.f = _wrapped_f
        self.__name__ = getattr(_wrapped_f, "__name__", "f")
        self.__doc__ = getattr(_wrapped_f, "__doc__", None)
        self.df = _wrapped_df
        self.dargs = dargs
        self.dkwargs = dkwargs

    def check_dependency(self) -> None:
        """Raises: UnmetDependency: not here."""
        if self.df(*self.dargs, **self.dkwargs) is False:
            raise UnmetDependency(f"{getattr(self.df, '__name__', 'the condition')} of {self.__name__} is False here")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function here.

        Raises: UnmetDependency: not here.
        """
        self.check_dependency()
        return self.f(*args, **kwargs)


def require(*objects: Any, **mapping: Any) -> depend:
    """Decorator: what the function needs where it runs: modules, by name or themselves, are imported there; functions, and
    objects by keyword, are defined there under their names.  An engine that cannot import a module is no place for it.

    Raises: TypeError: an object that has no name and is not given by keyword.
    """
    modules: list[str] = []
    for each in objects:
        if isinstance(each, str):
            modules.append(each)
        elif isinstance(each, ModuleType):
            modules.append(each.__name__)
        elif hasattr(each, "__name__"):
            mapping[each.__name__] = each
        else:
            raise TypeError(
                f"require takes modules, names of modules, functions, and other objects by keyword, not {shown(each)}"
            )
    return depend(provide, tuple(modules), mapping)


def provide(modules: tuple[str, ...], objects: dict[str, Any], into: dict[str, Any] | None = None) -> bool:
    """What `require` does where the function runs.  `into`: a namespace, if not that of this process's tasks.

    Raises: UnmetDependency: a module cannot be imported.
    """
    give = define if into is None else into.__setitem__
    for name in modules:
        try:
            __import__(name)
        except ImportError as error:
            raise UnmetDependency(f"cannot import {name}: {error}") from error
        top = name.partition(".")[0]
        give(top, sys.modules[top])
    for name, value in objects.items():
        give(name, value)
    return True


def interactive(f: Any) -> Any:
    """Decorator: the function as if it was defined in ``__main__``, so that on an engine its globals are the engine's namespace."""
    if not isinstance(f, FunctionType):
        return f
    main = sys.modules["__main__"]
    copy = FunctionType(f.__code__, main.__dict__, f.__name__, f.__defaults__, f.__closure__)
    copy.__kwdefaults__ = f.__kwdefaults__
    copy.__doc__ = f.__doc__
    copy.__dict__.update(f.__dict__)
    copy.__module__ = "__main__"
    return copy
