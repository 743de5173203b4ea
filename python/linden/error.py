"""Errors of the farm, under the names of ``ipyparallel.error``.

An exception that a task raised arrives as a ``RemoteError`` which is also of the original type where that type is known
here, so that both ``except RemoteError`` and ``except ValueError`` catch it.
"""

from __future__ import annotations

import builtins
import pickle
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, NoReturn

from .errors import *  # noqa: F403  (one module has every error)


class IPythonError(Exception):
    """ipyparallel's name for what all of its errors are."""


class KernelError(IPythonError):
    """Whatever goes wrong on the farm."""


class EngineError(KernelError):
    """The engine that had the task has gone, and the task is not run again."""


EngineDied = EngineError


class NoEnginesRegistered(KernelError):
    """There is no engine to run anything on."""


class NoSuchFunction(KernelError, LookupError):
    """No engine in C++ has a function of that name."""


class TaskAborted(KernelError):
    """The task was aborted before it had started, or cancelled while it ran."""


class TaskRejectError(KernelError):
    """An engine has refused the task.  ipyparallel's name; engines of a farm refuse nothing."""


class TaskTimeout(KernelError):
    """The task did not start within the `timeout` of its view."""


class UnmetDependency(KernelError):
    """Raised by a task or its `depend` condition: not on this engine, try another one."""


class ImpossibleDependency(UnmetDependency):
    """What the task depends on can never be met any more: a task failed, or no engine is a place for it."""


class DependencyTimeout(ImpossibleDependency, TaskTimeout):
    """What the task depends on was not met within the `timeout` of its view."""


class InvalidDependency(ImpossibleDependency):
    """The task depends on one that is not there."""


class KeptResultLost(KernelError):
    """The value that an engine kept is nowhere any more, and cannot be made again; the message says which, where, and why."""


class CollectiveError(KernelError):
    """An operation of a group of tasks (`linden.collective`) has failed."""


class NoGroup(CollectiveError):
    """There is no group here: only tasks of one call of a direct view are one."""


class RankFailed(CollectiveError):
    """Another task of the group has failed, or its engine has died, so the operation will never be complete."""


class RanksDisagree(CollectiveError):
    """The tasks of the group do not do the same: another operation, another shape, or one of them has ended already."""


class CollectiveTimeout(CollectiveError, TimeoutError):
    """Another task of the group did not come in time."""


class RemoteError(KernelError):
    """An exception that was raised in a task.

    `ename` and `evalue` are its type and text, `traceback` is the text of the traceback on the engine, `engine_info` is
    ``{"engine_id", "engine_uuid", "method"}``, `original` the exception itself if it could be carried over.
    """

    ename: str = ""
    evalue: str = ""
    traceback: str = ""
    engine_info: dict[str, Any]
    original: BaseException | None = None

    def __init__(self, ename: str, evalue: str, traceback: str = "", engine_info: dict[str, Any] | None = None) -> None:
        super().__init__(ename, evalue, traceback, engine_info)
        self._describe(ename, evalue, traceback, engine_info)

    def _describe(self, ename: str, evalue: str, traceback: str, engine_info: dict[str, Any] | None) -> None:
        self.ename = ename
        self.evalue = evalue
        self.traceback = traceback
        self.engine_info = engine_info or {}

    def __str__(self) -> str:
        text = f"{self.ename}: {self.evalue}"
        if self.engine_info:
            info = self.engine_info
            text = f"[{info.get('engine_id')}:{info.get('method')}] {text}"
        return text

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def __reduce__(self) -> Any:
        state = pickle.dumps(self.original) if self.original is not None else None
        return make_remote_error, (self.ename, self.evalue, self.traceback, self.engine_info, state)

    def render_traceback(self) -> list[str]:
        """The remote traceback as lines."""
        return (self.traceback or str(self)).splitlines()

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of the local traceback."""
        return self.render_traceback()

    def print_traceback(self, excid: int | None = None) -> None:  # noqa: ARG002  (the name is ipyparallel's)
        """Print the remote traceback to stderr."""
        print("\n".join(self.render_traceback()), file=sys.stderr)


class CompositeError(RemoteError):
    """Several tasks of one call failed.  `errors` are theirs in the order of tasks; `elist` is ipyparallel's form of them.

    Args: msg: says of what call. elist: the errors, or rows (name, text, traceback, engine_info).
    """

    # How many errors are shown.
    tb_limit = 4

    def __init__(self, msg: str, elist: Sequence[BaseException | tuple[str, str, str, dict[str, Any]]]) -> None:
        self.errors = [e if isinstance(e, BaseException) else make_remote_error(*e, pickled=None) for e in elist]
        super().__init__("CompositeError", msg, "", None)
        self.msg = msg

    @property
    def elist(self) -> list[tuple[str, str, str, dict[str, Any]]]:
        """(name, text, traceback, engine_info) of each error."""
        return [
            (e.ename, e.evalue, e.traceback, e.engine_info)
            if isinstance(e, RemoteError)
            else (type(e).__name__, str(e), "", {})
            for e in self.errors
        ]

    def __reduce__(self) -> Any:
        return type(self), (self.msg, self.errors)

    def __str__(self) -> str:
        lines = [self.msg]
        lines += [_one_line(error) for error in self.errors[: self.tb_limit]]
        hidden = len(self.errors) - self.tb_limit
        if hidden > 0:
            lines.append(f"... and {hidden} more")
        return "\n".join(lines)

    def render_traceback(self) -> list[str]:
        """The remote tracebacks of the first `tb_limit` errors as lines."""
        lines = [self.msg]
        for error in self.errors[: self.tb_limit]:
            lines.append(_one_line(error))
            if isinstance(error, RemoteError):
                lines += error.render_traceback()
            lines.append("")
        hidden = len(self.errors) - self.tb_limit
        if hidden > 0:
            lines.append(f"... and {hidden} more")
        return lines

    def print_traceback(self, excid: int | None = None) -> None:
        """Print the remote traceback of error number `excid` to stderr; without it those of the first `tb_limit`."""
        error = self if excid is None else self.errors[excid]
        lines = error.render_traceback() if isinstance(error, RemoteError) else [str(error)]
        print("\n".join(lines), file=sys.stderr)

    def raise_exception(self, excid: int = 0) -> NoReturn:
        """Raise the error of number `excid`.

        Raises: IndexError: there are not so many.
        """
        try:
            error = self.errors[excid]
        except IndexError:
            raise IndexError(f"no error {excid}; there are {len(self.errors)}, numbered from 0") from None
        raise error


class AlreadyDisplayedError(RemoteError):
    """Stands for errors whose text was shown already, so that it is not shown again.

    `original_error` is the error itself: that of one task, or a CompositeError.
    """

    def __init__(self, original_error: BaseException) -> None:
        self.original_error = original_error
        super().__init__(type(self).__name__, self._text())

    def _text(self) -> str:
        error = self.original_error
        return f"{len(error.errors)} errors" if isinstance(error, CompositeError) else _one_line(error)

    def __str__(self) -> str:
        return self.evalue

    def __reduce__(self) -> Any:
        return type(self), (self.original_error,)

    def render_traceback(self) -> list[str]:
        return [self.evalue]


def _one_line(error: BaseException) -> str:
    text = str(error) if isinstance(error, KernelError) else f"{type(error).__name__}: {error}"
    return text.splitlines()[0] if text else type(error).__name__


# Our own errors that engines in C++ give, which pickle nothing.
_BY_NAME = {"NoSuchFunction": NoSuchFunction}
_remote_classes: dict[type[BaseException], type[RemoteError]] = {}


def _remote_class(original: type[BaseException]) -> type[RemoteError]:
    """A subclass of RemoteError that is of type `original` too, or RemoteError itself if the two do not go together."""
    found = _remote_classes.get(original)
    if found is None:
        found = _remote_classes[original] = _make_remote_class(original)
    return found


def _make_remote_class(original: type[BaseException]) -> type[RemoteError]:
    if issubclass(RemoteError, original) or original in (SystemExit, GeneratorExit):
        return RemoteError
    try:
        return type(original.__name__, (RemoteError, original), {"__module__": __name__, "__doc__": original.__doc__})
    except TypeError:
        return RemoteError


def make_remote_error(
    ename: str, evalue: str, traceback: str, engine_info: dict[str, Any] | None, pickled: bytes | None
) -> RemoteError:
    """The error that stands here for one that was raised on an engine."""
    original = _load_exception(pickled)
    if original is None:
        known = getattr(builtins, ename, _BY_NAME.get(ename))
        kind = known if isinstance(known, type) and issubclass(known, Exception) else Exception
        error = _construct(_remote_class(kind), (evalue,))
    else:
        error = _construct(_remote_class(type(original)), original.args)
        _copy_state(original, error)
    error._describe(ename, evalue, traceback, engine_info)
    if traceback:
        error.__notes__ = [f"\nTraceback on the engine:\n{traceback}"]
    return error


def _construct(cls: type[RemoteError], arguments: tuple[Any, ...]) -> RemoteError:
    # Without __init__: that of the original type has run already where it was unpickled, and may want other arguments.
    try:
        error = cls.__new__(cls)
    except Exception:  # noqa: BLE001  (__new__ may be the user's)
        error = RemoteError.__new__(RemoteError)
    error.args = arguments
    return error


def _copy_state(original: BaseException, error: RemoteError) -> None:
    """What is known of `original`: its attributes, and the fields of builtin types, such as errno."""
    for base in type(original).__mro__:
        if base in (BaseException, object) or not issubclass(type(error), base):
            continue
        for name, member in vars(base).items():
            if isinstance(member, (MemberDescriptorType, GetSetDescriptorType)) and not name.startswith("__"):
                with suppress(AttributeError, TypeError):
                    setattr(error, name, getattr(original, name))
    error.__dict__.update(original.__dict__)
    error.original = original


def _load_exception(pickled: bytes | None) -> BaseException | None:
    if not pickled:
        return None
    try:
        original = pickle.loads(pickled)
    except Exception:  # noqa: BLE001  (a class that is not known here must not hide the error itself)
        return None
    return original if isinstance(original, BaseException) else None


def raise_errors(errors: Sequence[BaseException], method: str) -> NoReturn:
    """Raise the one error, or a CompositeError of several."""
    if len(errors) == 1:
        raise errors[0]
    raise CompositeError(f"{len(errors)} errors in {method}", errors)


def collect_exceptions(results: Iterable[Any], method: str = "unspecified") -> list[Any]:
    """`results` as a list if there is no exception among them; else raise as `AsyncResult.get` does."""
    values = list(results)
    errors = [value for value in values if isinstance(value, BaseException)]
    if errors:
        raise_errors(errors, method)
    return values


def wrap_exception(engine_info: dict[str, Any] | None = None) -> dict[str, Any]:
    """The exception that is being handled as a dict: status, ename, evalue, traceback (lines), engine_info.

    Raises: RuntimeError: none is being handled.
    """
    import traceback

    error = sys.exception()
    if error is None:
        raise RuntimeError("wrap_exception is called in an except block")
    return {
        "status": "error",
        "ename": type(error).__name__,
        "evalue": str(error),
        "traceback": "".join(traceback.format_exception(error)).splitlines(),
        "engine_info": engine_info or {},
    }


def unwrap_exception(content: dict[str, Any]) -> RemoteError:
    """The error that `wrap_exception`, or the "error" of a record of `Client.db_query`, tells of."""
    text = content.get("traceback") or []
    return make_remote_error(
        content["ename"],
        content["evalue"],
        text if isinstance(text, str) else "\n".join(text),
        content.get("engine_info"),
        pickled=None,
    )
