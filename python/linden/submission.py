"""Tasks on their way into the farm: numbers, functions and frames.  One per client, safe to use from several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from . import _native, farm, history, result_argument, serialize
from .async_result import AsyncResult
from .callee import Callee, Packed, callee_of
from .data import FarmData, Held
from .errors import Closed, ConnectionLost, LindenError, NoMatch, SessionExpired, ShuttingDown, SpaceGone, Unreachable
from .kept import ArgumentKey, KeptKey
from .result_reader import ResultReader, TaskGroup
from .stored_file import take_pickled
from .task_graph import TaskGraph

if TYPE_CHECKING:
    from .connection_file import ConnectionInfo

# Frames start small, so that engines begin while the rest is being pickled, and grow.
_FIRST_FRAME_TASKS = 32
_FRAME_TASKS_MAX = 2048
_FRAME_BYTES_MAX = 8 << 20
# Where copies of a payload are larger than this together, it is put once and read by each engine, which costs a round trip.
_COPIES_BYTES_MAX = 256 << 10


# After these nothing can be said to the farm.
_GONE = (Closed, ConnectionLost, SessionExpired, SpaceGone, ShuttingDown, Unreachable)


def pack_with_results(value: Any, what: str = "the value", data: FarmData | None = None) -> Packed:
    """`value` as an object field, with `data` its large parts by reference, and the tasks whose results lie in it.

    Raises: NotPicklable.
    """
    take_pickled()  # what user code has pickled by itself
    codec, parts, ids = result_argument.dumps(value, what)
    if data is not None:
        codec, parts = serialize.by_reference(codec, parts, data)
    return _native.Object(codec, parts), [_task_key(*item) for item in ids.items()] if ids else []


def _task_key(id_: str, known: int) -> ArgumentKey:
    key = farm.parse_message_id(id_)
    return key if known == result_argument.PLAIN else KeptKey(*key, known == result_argument.KEPT_THERE)


class _Frame:
    """Tasks of a group that were put together; if that is refused, the group fails, and so do tasks that wait for these."""

    def __init__(self, space: _native.Space, puts: list[_native.Put], group: TaskGroup) -> None:
        self._space = space
        self._puts = puts
        self._group = group

    def fail(self, error: BaseException) -> None:
        """The put was refused, or nothing more will be heard."""
        self._group.fail(error)
        if isinstance(error, _GONE) or not isinstance(error, LindenError):
            return
        tasks = [fields for put in self._puts if (fields := put.fields)[0] == "task"]
        self._space.send_put([farm.cancelled(task) for task in tasks], patient=True)


class Submitter:
    """Puts tasks; their answers are looked at when somebody waits for the results (ResultReader.confirm_later)."""

    def __init__(
        self, client: _native.Client, space: _native.Space, reader: ResultReader, info: ConnectionInfo | None = None
    ) -> None:
        self.session = client.session
        self._client = client
        self._space = space
        self._reader = reader
        self._lock = threading.Lock()
        self.next_number = 1
        self._published: set[str] = set()
        self.history: list[range] = []
        self.graph = TaskGraph(client, space, self)
        self.data = FarmData(space, info)

    def take_numbers(self, count: int, own: list[range], *, remember: bool = True) -> range:
        """The next `count` task numbers; `own` is the history of the view that they are for.

        `remember`: whether they are in the histories, which name what users have submitted.
        """
        with self._lock:
            numbers = range(self.next_number, self.next_number + count)
            self.next_number += count
            if remember:
                history.note(self.history, numbers)
                history.note(own, numbers)
        return numbers

    def publish(self, function: Callable[..., Any]) -> tuple[str, str]:
        """Make sure that engines can read the function; its digest and name.

        Raises: NotPicklable.
        """
        packed = serialize.pack_function(function)
        if packed.digest not in self._published:
            if not self._is_there(packed.digest):
                # Tasks that use it are put later on the same connection, so it is there before them (P9).
                self._client.wait(self._space.send_put([farm.function(packed)]))
            self._published.add(packed.digest)
        return packed.digest, packed.name

    def _is_there(self, digest: str) -> bool:
        request = self._space.send_take(_native.READ, [farm.function_form(digest)], timeout=0.0)
        try:
            self._client.wait(request)
        except NoMatch:
            return False
        return True

    def callee(self, function: Any) -> Callee:
        """`function`, ready to be called by tasks.  Raises: NotPicklable."""
        return callee_of(function, self)

    def pack_arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any], name: str) -> Packed:
        """Arguments of a call as a payload, and the tasks whose results lie among them.

        Raises: NotPicklable: its message names the argument.
        """
        try:
            return pack_with_results((args, kwargs), data=self.data)
        except serialize.NotPicklable:
            for index, argument in enumerate(args):
                serialize.dumps(argument, f"argument {index} of {name}")
            for key, argument in kwargs.items():
                serialize.dumps(argument, f"argument {key!r} of {name}")
            raise

    def payload_for_each(self, payload: Any, numbers: range, result: AsyncResult) -> list[Any]:
        """What the tasks `numbers` carry that all have the same payload: the payload, or if that is large the number under
        which it was put once.  It is removed when all of their results are here.
        """
        if type(payload) is not _native.Object or payload.nbytes * (len(numbers) - 1) <= _COPIES_BYTES_MAX:
            return [payload] * len(numbers)
        held: list[Held] = []
        uses = [use for number in numbers for use in self.data.claim_payload(self.session, number, payload, held)]
        puts = [*uses, farm.shared_payload(self.session, numbers.start, payload)]
        shared = self._client.wait(self._space.send_put(puts, patient=True))[-1]
        result.when_done(partial(self._remove_shared, shared))
        if uses:
            keys = [(self.session, number) for number in numbers]
            result.when_done(lambda _: self.data.release(keys, held))
        return [numbers.start] * len(numbers)

    def _remove_shared(self, tuple_id: int, result: Any) -> None:
        # A client that is closed before its results have come leaves the payload to the tasks; it goes with the results.
        with suppress(LindenError):
            self._reader.confirm_later(self._space.send_commit([], [], [tuple_id]), result)

    def is_outstanding(self, session: str, number: int) -> bool:
        """Whether it is a task of this client that is on its way."""
        return session == self.session and self._reader.expects(number)

    def send(self, puts: list[_native.Put], group: TaskGroup) -> None:
        """Put tasks whose results `group` expects already."""
        if self.data.pending:
            puts = [*self.data.claim(puts, group), *puts]
        self._reader.confirm_later(self._space.send_put(puts, patient=True), _Frame(self._space, puts, group))

    def send_many(self, puts: Iterable[_native.Put], group: TaskGroup) -> None:
        """`send` in frames, while `puts` are being made."""
        frame: list[_native.Put] = []
        frame_bytes = 0
        limit = _FIRST_FRAME_TASKS
        for put in puts:
            frame.append(put)
            frame_bytes += put.nbytes
            if len(frame) >= limit or frame_bytes >= _FRAME_BYTES_MAX:
                self.send(frame, group)
                frame = []
                frame_bytes = 0
                limit = min(2 * limit, _FRAME_TASKS_MAX)
        if frame:
            self.send(frame, group)
