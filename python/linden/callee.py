"""How calls of a function travel: a Python function by its digest with pickled arguments, one in C++ by its name with plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import farm, plain
from .columns import Columns, cut, rows
from .kept import ArgumentKey
from .native_function import NativeFunction
from .reference import Reference, call_reference
from .task_queues import ANY_QUEUE, NATIVE_QUEUE

if TYPE_CHECKING:
    from .data import FarmData
    from .submission import Submitter

# A payload, and the tasks whose results lie in it.
Packed = tuple[Any, list[ArgumentKey]]


class PythonCallee(NamedTuple):
    """A Python function that was published."""

    name: str
    function: str  # as tasks name it
    submitter: Submitter
    first: tuple[Any, ...] = ()  # arguments before those of the call
    kind: str = farm.APPLY  # of a task for one call
    map_kind: str = farm.MAP  # of a task for a part of a map
    queue: str = ANY_QUEUE  # of calls that any engine may take
    is_native: bool = False

    def pack(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Packed:
        """The payload of a call.

        Raises: TypeError: its message names the argument.
        """
        return self.submitter.pack_arguments((*self.first, *args), kwargs, self.name)

    def pack_part(self, columns: Columns, start: int, stop: int) -> Packed:
        """The payload of the rows `start` to `stop` (excluded) of a map.

        Raises: as `pack`.
        """
        from .submission import pack_with_results

        part = (*([one] * (stop - start) for one in self.first), *cut(columns, start, stop))
        return pack_with_results(part, f"items {start} to {stop - 1} of {self.name}", self.submitter.data)


class NativeCallee(NamedTuple):
    """A function in C++."""

    name: str
    function: str
    kind: str = farm.CALL
    map_kind: str = farm.CALL_MAP
    queue: str = NATIVE_QUEUE
    is_native: bool = True
    data: FarmData | None = None  # where large arrays go

    def pack(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Packed:
        if kwargs:
            names = ", ".join(kwargs)
            raise TypeError(
                f"{self.name} is a function in C++ and takes no keyword arguments, found {names}: give them by position"
            )
        return [
            plain.pack(value, f"argument {index} of {self.name}", self.data) for index, value in enumerate(args)
        ], []

    def pack_part(self, columns: Columns, start: int, stop: int) -> Packed:
        part = rows(cut(columns, start, stop))
        return [self._pack_row(row, start + index) for index, row in enumerate(part)], []

    def _pack_row(self, row: tuple[Any, ...], item: int) -> list[Any]:
        what = f"of item {item} of {self.name}"
        return [plain.pack(value, f"argument {index} {what}", self.data) for index, value in enumerate(row)]


Callee = PythonCallee | NativeCallee


def callee_of(function: Any, submitter: Submitter) -> Callee:
    """`function`, ready to be called by tasks.

    Raises: NotPicklable.
    """
    if isinstance(function, NativeFunction):
        return NativeCallee(function.__name__, function.__name__, data=submitter.data)
    if isinstance(function, Reference):
        digest, _ = submitter.publish(call_reference)
        return PythonCallee(function.name, digest, submitter, (function,))
    digest, name = submitter.publish(function)
    return PythonCallee(name, digest, submitter)
