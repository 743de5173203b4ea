"""Results as arguments of tasks: an AsyncResult among them travels by the ids of its tasks, and where the task runs it is its value.

The task waits for those results in the farm (task_graph.py), so neither the client nor this process has to be there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import serialize

if TYPE_CHECKING:
    from .async_result import AsyncResult

_pickling = threading.local()
# Gives the value of a task's result where arguments are unpickled; an engine sets it.
_loader: Callable[[str], Any] | None = None


# What is known of a result among arguments: it has yet to come; so has it, and its value stays on its engine; that is there.
PLAIN, KEPT, KEPT_THERE = range(3)


def dumps(value: Any, what: str = "the value") -> tuple[str, list[Any], dict[str, int]]:
    """As `serialize.dumps`, and the message ids of the results that lie in `value`, with what is known of them."""
    found: dict[str, int] = {}
    before = getattr(_pickling, "found", None)
    _pickling.found = found
    try:
        codec, parts = serialize.dumps(value, what)
    finally:
        _pickling.found = before
    return codec, parts, found


def reduce(result: AsyncResult) -> Any:
    """How a result is pickled as an argument; None if it is being pickled for something else."""
    found: dict[str, int] | None = getattr(_pickling, "found", None)
    if found is None:
        return None
    found.update(dict.fromkeys(result.msg_ids, KEPT if result.keeps else PLAIN))
    join, *rest = result._as_argument()
    return resolve, (result.msg_ids, join, *rest)


def note_kept(id_: str) -> bool:
    """The kept value of a task is being pickled; whether as an argument."""
    found: dict[str, int] | None = getattr(_pickling, "found", None)
    if found is None:
        return False
    found.setdefault(id_, KEPT_THERE)
    return True


class ResultArgument:
    """Stands for the value of a result where there is no engine: for those who look at the arguments of a task."""

    def __init__(self, ids: Sequence[str], join: Callable[..., Any], *rest: Any) -> None:
        self.ids = list(ids)
        self._join = join
        self._rest = rest

    def __reduce__(self) -> Any:
        return resolve, (self.ids, self._join, *self._rest)

    def __repr__(self) -> str:
        return f"<the result of {', '.join(self.ids)}>"


def resolve(ids: Sequence[str], join: Callable[..., Any], *rest: Any) -> Any:
    """What unpickling such an argument calls: on an engine the value of the result, elsewhere a ResultArgument."""
    if _loader is None:
        return ResultArgument(ids, join, *rest)
    return join([_loader(id_) for id_ in ids], *rest)


def set_result_loader(loader: Callable[[str], Any] | None) -> None:
    """From now on results that are unpickled as arguments in this process become what `loader` returns for their ids."""
    global _loader
    _loader = loader


def only(values: list[Any]) -> Any:
    """The value of a call on one engine."""
    return values[0]


def all_of(values: list[Any]) -> list[Any]:
    """The value of a call on several engines."""
    return values


def items_of(values: list[Any], sizes: Sequence[int | None], join: Callable[[list[Any]], Any] | None) -> Any:
    """The value of a map; the size is None for tasks of a single item."""
    items: list[Any] = []
    for value, size in zip(values, sizes, strict=True):
        items += [value] if size is None else value
    return items if join is None else join(items)
