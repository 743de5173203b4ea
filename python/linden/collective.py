"""Tasks that work together: the tasks of one call of a direct view are a group, in which each has a rank and talks to the others.

def norm(part):
    from linden import collective
    group = collective.group()
    return group.allreduce((part * part).sum()) ** 0.5

view.apply_sync(norm, linden.Reference("part"))

All tasks of a group do the same operations in the same order.  Each operation is a few messages (collective_post.py), which are tuples
of the farm; what the tasks had for each other is gone when they have ended.  If one fails or its engine dies, all the others that wait,
now or later, get RankFailed.  Values are pickled; arrays that came from another rank are read-only, `copy()` makes one that is not.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import product
from typing import TYPE_CHECKING, Any

from . import _native, farm
from .collective_post import Message, Post
from .error import NoGroup, RanksDisagree
from .errors import LindenError
from .fields import check_timeout

if TYPE_CHECKING:
    import linden

    from .data import FarmData

# As long as others of its kind wait by default; who dies or fails is noticed at once.
TIMEOUT_S = 1800.0

Operation = Callable[[Any, Any], Any]


class Group:
    """The tasks of one call.  Made by `group`.

    Every operation takes `timeout`, seconds for the whole of it, None for ever; without it that of the group.
    Raises, all of them: RankFailed; RanksDisagree; CollectiveTimeout; NotPicklable: a value that cannot be sent.
    """

    def __init__(self, post: Post, rank: int, size: int, timeout: float | None = TIMEOUT_S) -> None:
        self.rank = rank
        self.size = size
        self.timeout = timeout
        self._post = post
        self._deadline: float | None = None

    @property
    def name(self) -> str:
        """Of the group, and of no other: the message id of its first task."""
        return self._post.name

    @property
    def space(self) -> linden.Space:
        """The farm's space, through the engine's own connection: for models of one's own.

        What is put with ``session=True`` is gone with the engine.  Whatever else a task leaves there, nobody removes.
        """
        return self._post.space()

    # ---- one to one

    def send(self, to: int, value: Any) -> None:
        """A message to one task, which has to `receive` it; does not wait for that."""
        with self._operation(self.timeout):
            self._send(to, "send", value)

    def receive(self, source: int, timeout: float | None = -1) -> Any:
        """The next message from one task."""
        with self._operation(timeout):
            return self._receive(source, "send")

    # ---- one to all, all to one

    def broadcast(self, value: Any = None, root: int = 0, timeout: float | None = -1) -> Any:
        """The `value` of `root`, on every rank; by a tree, so that the root sends it only so often as the tree is deep."""
        self._check(root)
        with self._operation(timeout):
            return self._broadcast(value, root, f"broadcast from {root}")

    def reduce(self, value: Any, op: str | Operation = "sum", root: int = 0, timeout: float | None = -1) -> Any:
        """All values, joined two by two up a tree, on `root`; None on the others.

        Args: value: an array, of the same shape on every rank, or anything that `op` takes. op: "sum", "prod", "min" or "max"
            (of arrays: element by element), or a function of two values, which must be associative; the one of the lower rank comes first.
        """
        self._check(root)
        with self._operation(timeout):
            return self._reduce(value, op, root, "reduce")

    def allreduce(self, value: Any, op: str | Operation = "sum", timeout: float | None = -1) -> Any:
        """As `reduce`, on every rank, and the same to the last bit."""
        with self._operation(timeout):
            return self._broadcast(self._reduce(value, op, 0, "allreduce"), 0, "allreduce")

    def gather(self, value: Any, root: int = 0, timeout: float | None = -1) -> list[Any] | None:
        """The list of all values by rank, on `root`; None on the others."""
        self._check(root)
        with self._operation(timeout):
            return self._gather(value, root)

    def allgather(self, value: Any, timeout: float | None = -1) -> list[Any]:
        """The list of all values by rank, on every rank."""
        with self._operation(timeout):
            everything: list[Any] = self._broadcast(self._gather(value, 0), 0, "allgather")
            return everything

    def scatter(self, values: Sequence[Any] | None = None, root: int = 0, timeout: float | None = -1) -> Any:
        """Of the `values` of `root`, one for each rank, this rank's own.

        Raises: ValueError: the root has not as many values as there are ranks.
        """
        self._check(root)
        if self.rank == root and (values is None or len(values) != self.size):
            found = "none" if values is None else str(len(values))
            raise ValueError(f"scatter wants a value for each of the {self.size} ranks, and was given {found}")
        with self._operation(timeout):
            what = f"scatter from {root}"
            if self.rank != root:
                return self._receive(root, what)
            assert values is not None
            for rank in range(self.size):
                if rank != root:
                    self._send(rank, what, values[rank])
            return values[root]

    def barrier(self, timeout: float | None = -1) -> None:
        """Return when all ranks have come so far."""
        with self._operation(timeout):
            self._tree(None, lambda mine, _others: mine, "barrier")
            self._broadcast(None, 0, "barrier")

    # ---- neighbours

    def exchange(self, values: Mapping[int, Any], timeout: float | None = -1) -> dict[int, Any]:
        """A value to each neighbour, and of each neighbour one: `values` and what is returned, by rank.

        Each neighbour has to name this rank, too; ranks that have no neighbour need not take part.
        """
        for rank in values:
            self._check(rank)
        with self._operation(timeout):
            for rank, value in values.items():
                self._send(rank, "exchange", value)
            return {rank: self._receive(rank, "exchange") for rank in values}

    def ring(self) -> tuple[int, int]:
        """The ranks on the left and on the right, around."""
        return (self.rank - 1) % self.size, (self.rank + 1) % self.size

    def grid(self, *shape: int, periodic: bool = False) -> Grid:
        """The ranks as a grid of that shape, the last coordinate rising first.

        Raises: ValueError: the shape is not that of as many ranks as there are.
        """
        return Grid(self, shape, periodic)

    # ---- inside

    @contextmanager
    def _operation(self, timeout: float | None) -> Iterator[None]:
        limit = self.timeout if timeout is not None and timeout == -1 else timeout
        check_timeout(limit)
        self._deadline = None if limit is None else time.monotonic() + limit
        yield
        self._post.settle()

    def _check(self, rank: int) -> None:
        if not isinstance(rank, int) or not 0 <= rank < self.size:
            raise ValueError(f"a rank of this group is a number from 0 to {self.size - 1}, not {rank!r}")

    def _send(self, to: int, what: str, value: Any) -> None:
        self._check(to)
        self._post.send(to, what, value)

    def _receive(self, source: int, what: str) -> Any:
        self._check(source)
        return self._expect(source, what, self._post.receive(source, what, self._deadline))

    def _expect(self, source: int, what: str, message: Message) -> Any:
        if message.what != what:
            raise RanksDisagree(f"rank {self.rank} came to {what}, and rank {source} to {message.what}")
        return message.value

    def _tree(self, value: Any, op: Operation, what: str) -> Any:
        """All values joined in the order of ranks, on rank 0: in round k each (2**k)-th rank takes over what its neighbour has."""
        step = 1
        while step < self.size:
            if self.rank & step:
                self._send(self.rank - step, what, value)
                return None
            if self.rank + step < self.size:
                value = op(value, self._receive(self.rank + step, what))
            step *= 2
        return value

    def _reduce(self, value: Any, op: str | Operation, root: int, name: str) -> Any:
        what = f"{name} ({op if isinstance(op, str) else 'function'}) of {_kind(value)}"
        value = self._tree(value, _operation_of(op), what)
        if root != 0 and self.rank == 0:
            self._send(root, what, value)
        elif root != 0 and self.rank == root:
            value = self._receive(0, what)
        return value if self.rank == root else None

    def _broadcast(self, value: Any, root: int, what: str) -> Any:
        """`_tree` the other way round."""
        place = (self.rank - root) % self.size
        step = 1
        while step < self.size and not place & step:
            step *= 2
        if place:
            value = self._receive((root + place - step) % self.size, what)
        while step > 1:
            step //= 2
            if place + step < self.size:
                self._send((root + place + step) % self.size, what, value)
        return value

    def _gather(self, value: Any, root: int) -> list[Any] | None:
        what = f"gather to {root}"
        if self.rank != root:
            self._send(root, what, value)
            return None
        return [value if rank == root else self._receive(rank, what) for rank in range(self.size)]

    def __repr__(self) -> str:
        return f"<linden.collective.Group: rank {self.rank} of {self.size}>"


class Grid:
    """The ranks of a group as a grid.

    `coordinates` are those of this rank; `neighbours` are ranks by offset, such as ``(0, -1)``: those that differ in one coordinate by
    one.  In a grid that is `periodic`, the first and the last are neighbours; in others ranks at the border have fewer.
    """

    def __init__(self, group: Group, shape: Sequence[int], periodic: bool) -> None:
        if not shape or any(type(extent) is not int or extent < 1 for extent in shape):
            raise ValueError(f"the shape of a grid is one or more numbers of at least 1, not {tuple(shape)!r}")
        places = list(product(*map(range, shape)))
        if len(places) != group.size:
            raise ValueError(
                f"a grid of shape {tuple(shape)} has {len(places)} places, and the group {group.size} ranks"
            )
        self._group = group
        self.shape = tuple(shape)
        self.coordinates: tuple[int, ...] = places[group.rank]
        self.neighbours: dict[tuple[int, ...], int] = {}
        for axis in range(len(shape)):
            for side in (-1, 1):
                offset = tuple(side if each == axis else 0 for each in range(len(shape)))
                there = tuple(map(operator.add, self.coordinates, offset))
                if periodic:
                    there = tuple(map(operator.mod, there, shape))
                with suppress(ValueError):  # beyond the border
                    self.neighbours[offset] = places.index(there)

    def exchange(self, values: Mapping[tuple[int, ...], Any], timeout: float | None = -1) -> dict[tuple[int, ...], Any]:
        """A value to each neighbour named, and of each one: `values` and what is returned, by offset.

        Raises: ValueError: there is no neighbour at that offset.
        """
        for offset in values:
            if offset not in self.neighbours:
                raise ValueError(
                    f"rank {self._group.rank} at {self.coordinates} has no neighbour at {offset!r}; its neighbours are at "
                    f"{sorted(self.neighbours)}"
                )
        group = self._group
        with group._operation(timeout):
            for offset in sorted(values):
                group._send(self.neighbours[offset], "exchange in a grid", values[offset])
            # In the order in which the others have sent them: two of them may be the same rank, around.
            back = sorted(values, key=_opposite)
            return {offset: group._receive(self.neighbours[offset], "exchange in a grid") for offset in back}


def _opposite(offset: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-each for each in offset)


# ---- operations of reduce ------------------------------------------------------------------------------------------

# Of plain values, and the name of numpy's for arrays.
_OPERATIONS: dict[str, tuple[Operation, str]] = {
    "sum": (operator.add, "add"),
    "prod": (operator.mul, "multiply"),
    "min": (min, "minimum"),
    "max": (max, "maximum"),
}


def _operation_of(op: str | Operation) -> Operation:
    if callable(op):
        return op
    if op not in _OPERATIONS:
        raise ValueError(f"op must be a function of two values or one of {', '.join(_OPERATIONS)}, not {op!r}")
    plain, name = _OPERATIONS[op]

    def join(one: Any, other: Any) -> Any:
        if not hasattr(one, "dtype"):
            return plain(one, other)
        import numpy

        return getattr(numpy, name)(one, other)

    return join


def _kind(value: Any) -> str:
    """What ranks have to agree about."""
    shape = getattr(value, "shape", None)
    return "a value" if not isinstance(shape, tuple) or shape == () else f"an array of shape {shape}"


# ---- the task that runs --------------------------------------------------------------------------------------------


# The space, the fields of the task, the engine, and where large parts of messages go.
_task: tuple[_native.Space, Sequence[Any], int, FarmData | None] | None = None
_group: tuple[Group, Post] | None = None


def group(timeout: float | None = -1) -> Group:
    """The group of the task that runs: all tasks of its call of a direct view (`apply`, `map` or `execute`).

    Args: timeout: seconds that each operation may wait for other ranks; None: for ever; default: half an hour.
    Raises: NoGroup: it is no task of a direct view, or its view has two tasks for one engine, which would wait for each other.
    """
    global _group
    if _group is None:
        task = _task
        call = None if task is None else farm.call_of(task[1])
        if task is None or call is None:
            here = "this is no task" if task is None else f"the task {task[1][farm.TASK_NAME]!r} is by itself"
            raise NoGroup(
                f"a group is the tasks of one call of a direct view, one for each engine, and {here}; call it as "
                "view.apply(function) with a view of several engines, such as rc[:]"
            )
        space, fields, engine, data = task
        rank = fields[farm.TASK_NUMBER] - call.start
        post = Post(space, fields[farm.TASK_CLIENT], call, rank, engine, data)
        _group = Group(post, rank, len(call)), post
    if timeout is None or timeout != -1:
        check_timeout(timeout)
        _group[0].timeout = timeout
    return _group[0]


def begin_task(space: _native.Space, fields: Sequence[Any], engine: int, data: FarmData | None = None) -> None:
    """For engines: a task begins.  `data`: where large parts of messages go."""
    global _task, _group
    _task, _group = (space, fields, engine, data), None


def end_task(status: str, payload: Any) -> None:
    """For engines: the task has ended, with that status and payload of its result."""
    global _task, _group
    _task, left, _group = None, _group, None
    if left is None:
        return
    failure = None if status == farm.OK else status
    if status == farm.ERROR:
        error = farm.parse_error_payload(payload)[0][0]
        failure = f"{error.ename}: {error.evalue}"
    with suppress(LindenError):  # refused, or the connection is gone: others learn of it by the result
        left[1].leave(failure)
