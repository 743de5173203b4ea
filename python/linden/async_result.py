"""AsyncResult: the results of one call, now or later.  AsyncMapResult: those of a map, however many its items.

Result tuples are kept as they came and are unpickled in the thread that asks for them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence, Set
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, Future, InvalidStateError
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from . import farm, result_argument
from .arrivals import Arrivals, Listener, Listeners, wait_for_all
from .completions import AwaitableFuture
from .data import DataLost
from .error import raise_errors
from .execute_reply import ExecuteReply
from .kept import attached
from .outcome import Failure, decode
from .result_facts import TaskFacts, errors_in
from .task_output import Piece

if TYPE_CHECKING:
    from .client import Client
    from .live_output import LiveOutput


_LISTENING = threading.Lock()


class ResultSource(Protocol):
    """Where results come from."""

    def wait_until(self, done: Callable[[], bool], timeout: float | None = None) -> bool: ...
    def poll(self) -> None: ...
    def nudge(self, urgent: bool = False) -> None: ...
    def forget(self, numbers: Sequence[int]) -> None: ...


class AsyncResult(TaskFacts, AwaitableFuture):
    """The results of the tasks of one call.

    A `concurrent.futures.Future`, and awaitable.  `get` gives the value of a call on one engine, and a list of values in
    the order of targets for a call on several.
    """

    def __init__(
        self,
        client: Client,
        source: ResultSource,
        message_ids: Sequence[str] | range,
        name: str,
        *,
        single: bool,
        session: str | None = None,
        targets: Any = None,
        label: str | None = None,
        attempts: int = farm.DEFAULT_ATTEMPTS,
        return_exceptions: bool = False,
    ) -> None:
        super().__init__()
        self._client = client
        self._source = source
        self._tasks = message_ids  # numbers of this client's tasks, or the ids of any tasks
        self._session = session
        self._single = single
        self._name = name
        self._targets = targets
        self._label = label
        self._attempts = attempts
        self._return_exceptions = return_exceptions
        self.keeps = False  # set by views: whether engines keep the values, and these are Kept
        self.known: dict[str, Any] = {}  # metadata of each task that the view knows of
        self._raw: dict[int, tuple[Sequence[Any], float]] = {}
        self._outcomes: dict[int, Any] = {}
        self._outputs: dict[int, dict[int, Piece]] = {}  # by position and tuple id: stream and content
        self._output_count = 0
        self._error: BaseException | None = None
        # Not just the future's state: Ctrl-C may have kept the last result from completing the future.
        self._is_here = False
        self._submitted = time.time()
        self._listeners: Listeners | None = None
        self._parts: tuple[AsyncResult, ...] = ()
        self.deadline: float | None = None  # of time.monotonic(); iteration raises TimeoutError then
        self.on_abort: Callable[[], None] | None = None  # set by who would submit more tasks

    def note_dependencies(self, **dependencies: Sequence[Set[str]]) -> None:
        """For views only: message ids that the tasks come `after` and `follow`, for their metadata."""
        for name, sets in dependencies.items():
            if sets:
                self.known[name] = sorted(set().union(*sets))

    # ---- filled by the source

    def store_result(self, number: int, fields: Sequence[Any]) -> bool:
        """For the source only."""
        return self.store(self._position(number), fields)

    def store(self, position: int, fields: Sequence[Any]) -> bool:
        """For the source only: the result of the task at `position`; whether `complete` is to be called."""
        if position not in self._raw:
            self._raw[position] = (fields, time.time())
        if self._all_here():
            self._is_here = True
        return self._has_news(position)

    def _has_news(self, position: int) -> bool:
        """Whether `complete` is to be called after the result at `position` was stored."""
        if self._listeners is not None:
            self._listeners.note(position)
            return True
        return self._is_here

    def store_output(self, number: int, id: int, stream: str, payload: Any) -> None:
        """For the source only."""
        self._outputs.setdefault(self._position(number), {})[id] = (stream, payload)
        self._output_count += 1

    def fail(self, error: BaseException) -> None:
        """For the source only: no further result will come."""
        if self._error is None and not self._all_here():
            self._error = error
            self._is_here = True
            self._source.forget(self._numbers())
        self.complete()

    def _position(self, number: int) -> int:
        return number - self._tasks.start  # type: ignore[union-attr]

    def _numbers(self) -> Sequence[int]:
        return self._tasks if self._session is not None else ()  # type: ignore[return-value]

    def _all_here(self) -> bool:
        return len(self._raw) >= len(self._tasks)

    def complete(self) -> None:
        """For the source only: tell listeners what has come; if that is all, resolve the future, which runs callbacks."""
        if self._listeners is not None:
            self._listeners.tell_news()
        if not self._is_here:
            return
        try:
            self.set_result(None)
        except InvalidStateError:  # done already
            return
        if self._listeners is not None:
            self._listeners.tell(None)

    def _listen(self, listener: Listener) -> None:
        """Call ``listener(position)`` for each result, those that are here too, maybe twice; ``listener(None)`` at the end.

        It is called in whatever thread stores results, and must not raise.
        """
        with _LISTENING:
            if self._listeners is None:
                self._listeners = Listeners()
            self._listeners.add(listener)
        for position in list(self._raw):
            listener(position)
        if self.done():
            listener(None)
        else:
            self._source.nudge(urgent=True)

    def _unlisten(self, listener: Listener) -> None:
        """End what `_listen` began."""
        if self._listeners is not None:
            self._listeners.remove(listener)

    def _is_complete(self) -> bool:
        return self._is_here

    # ---- waiting

    def wait(self, timeout: float | None = None, return_when: str | None = None) -> Any:
        """Wait until all results are here; whether they are.

        Args: timeout: seconds; None or negative waits for ever. return_when: as in concurrent.futures.wait; then the
            return value is the sets (done, pending) of what `split` gives: a result for each task.
        Raises: ValueError: no such `return_when`.
        """
        limit = _limit(timeout)
        if return_when is not None:
            self._wait_when(limit, return_when)
            parts = set(self.split())
            done = {part for part in parts if part._is_complete()}
            return done, parts - done
        return self._source.wait_until(self._is_complete, limit)

    def _wait_when(self, limit: float | None, return_when: str) -> None:
        enough = {
            ALL_COMPLETED: lambda: False,
            FIRST_EXCEPTION: self._has_failure,
            FIRST_COMPLETED: lambda: bool(self._raw),
        }.get(return_when)
        if enough is None:
            raise ValueError(
                f"return_when must be ALL_COMPLETED, FIRST_EXCEPTION or FIRST_COMPLETED, not {return_when!r}"
            )
        self._source.wait_until(lambda: self._is_complete() or enough(), limit)

    def wait_for_output(self, timeout: float | None = -1) -> bool:
        """Wait for the output, which is here once the results are (F5)."""
        return bool(self.wait(timeout))

    def ready(self) -> bool:
        """Whether all results are here."""
        return self.done()

    def done(self) -> bool:
        """Whether all results are here."""
        if not self._is_here:
            self._source.poll()
        if self._is_here and not Future.done(self):
            self.complete()
        return self._is_here

    def successful(self) -> bool:
        """Whether all tasks ended without an error.

        Raises: RuntimeError: not all results are here.
        """
        if not self.done():
            raise RuntimeError("the results are not here yet; wait() for them")
        return self._error is None and not self._has_failure()

    def wait_interactive(
        self, interval: float = 0.1, timeout: float | None = -1, widget: Any = None, return_when: str = ALL_COMPLETED
    ) -> None:
        """Wait with a progress bar.  Ctrl-C ends the waiting, not the tasks."""
        from .progress import wait_interactive

        stop = self._has_failure if return_when == FIRST_EXCEPTION else None
        wait_interactive([self], interval, _limit(timeout), widget, stop)

    def add_done_callback(self, fn: Callable[[Future[Any]], Any]) -> None:
        """Call `fn(self)` once all results are here, in whatever thread stores the last one."""
        super().add_done_callback(fn)
        if not self.done():
            self._source.nudge(urgent=True)

    def when_done(self, fn: Callable[[Future[Any]], Any]) -> None:
        """As `add_done_callback`, for who is in the midst of sending or of storing results, and must not begin with another one."""
        super().add_done_callback(fn)
        self._source.nudge()

    # ---- results

    def get(
        self, timeout: float | None = None, return_exceptions: bool | None = None, return_when: str | None = None
    ) -> Any:
        """The value, or the list of values.

        Args: timeout: seconds; None or negative waits for ever. return_exceptions: put errors in the place of values.
            return_when: FIRST_EXCEPTION raises as soon as one task has failed.
        Raises: TimeoutError; RemoteError: a task raised an exception; CompositeError: several did; TaskAborted;
            EngineError. ValueError: FIRST_COMPLETED, for there is no value of a part.
        """
        limit = _limit(timeout)
        deadline = None if limit is None else time.monotonic() + limit
        if return_when not in (None, ALL_COMPLETED, FIRST_EXCEPTION):
            raise ValueError(
                f"get gives all values, so return_when is ALL_COMPLETED or FIRST_EXCEPTION, not {return_when!r}; "
                "wait(return_when=FIRST_COMPLETED) tells which results are here"
            )
        if return_when == FIRST_EXCEPTION:
            self._wait_when(limit, return_when)
            if not self._is_complete() and self._has_failure():
                raise self._failures()[0]
        if not self._source.wait_until(self._is_complete, limit):
            raise TimeoutError(f"{self._name}: {self.progress} of {len(self)} done within {timeout:g} s")
        if self._error is not None:
            raise self._error
        if return_exceptions is None:
            return_exceptions = self._return_exceptions
        if deadline is None:
            return self._value(return_exceptions)
        from .remaking import patience

        with patience(max(0.0, deadline - time.monotonic())):
            return self._value(return_exceptions)

    def _value(self, return_exceptions: bool) -> Any:
        if self._single:
            value = self._outcome(0)
            if not self._errors_of(0, value):
                return value
        values = [self._outcome(position) for position in range(len(self._tasks))]
        errors = [error for position, value in enumerate(values) for error in self._errors_of(position, value)]
        if errors and not return_exceptions:
            raise_errors(errors, self._name)
        plain = [_with_errors(value) for value in values] if errors else values
        return plain[0] if self._single else plain

    def _errors_of(self, position: int, value: Any) -> list[BaseException]:
        # Only a chunk of a map has failures among its items, and only if its status says so.
        is_ok = self._raw[position][0][farm.RESULT_STATUS] == farm.OK
        return [] if is_ok and type(value) is not Failure else errors_in(value)

    def _outcome(self, position: int) -> Any:
        if position not in self._outcomes:
            outcome = decode(self._raw[position][0], self._method(position), self._attempts)
            if type(outcome) is Failure and type(outcome.error) is DataLost:
                outcome = self._made_again(position, outcome.error)
            self._outcomes[position] = attached(outcome, self._client, everywhere=self.keeps)
            if type(outcome) is ExecuteReply:
                outcome.attach(self._metadata_of(position, self._message_id(position)))
        return self._outcomes[position]

    def _made_again(self, position: int, lost: DataLost) -> Any:
        """The outcome of the task at `position`, run once more because its large data are lost.

        Raises: TimeoutError: within the patience of whoever asks.
        """
        try:
            self._raw[position] = self._client.remaking.result(self._message_id(position), lost)
        except DataLost as error:
            return Failure(error)
        return decode(self._raw[position][0], self._method(position), self._attempts)

    def _method(self, position: int) -> str:  # noqa: ARG002
        """What the task is called in errors."""
        return self._name

    def _has_failure(self) -> bool:
        return any(fields[farm.RESULT_STATUS] != farm.OK for fields, _ in list(self._raw.values()))

    def _failures(self) -> list[BaseException]:
        positions = sorted(self._raw)
        return [error for position in positions for error in errors_in(self._outcome(position))]

    def result(self, timeout: float | None = None) -> Any:
        """As `get`."""
        return self.get(timeout)

    @property
    def r(self) -> Any:
        """As `get()`."""
        return self.get()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The error that `get` raises, or None."""
        if not self.wait(timeout):
            raise TimeoutError(f"{self._name}: no result within {timeout:g} s")
        try:
            self.get()
        except BaseException as error:  # noqa: BLE001  (it is what was asked for)
            return error
        return None

    def get_dict(self, timeout: float | None = -1) -> dict[int, Any]:
        """Values by engine id.

        Raises: ValueError: an engine ran more than one of the tasks.
        """
        self.get(timeout)
        engines = [row["engine_id"] for row in self._metadata_list()]
        if len(set(engines)) != len(engines):
            raise ValueError("an engine ran more than one of the tasks, so there is no dict by engine")
        return dict(zip(engines, self._value_of_each_task(), strict=True))

    def _value_of_each_task(self) -> list[Any]:
        return [_with_errors(self._outcome(position)) for position in range(len(self._tasks))]

    @property
    def result_dict(self) -> dict[int, Any]:
        """As `get_dict()`."""
        return self.get_dict()

    def abort(self) -> None:
        """Abort the tasks which have not started; their results are TaskAborted.

        Raises: RuntimeError: all results are here.
        """
        if self.done():
            raise RuntimeError("all results are here, nothing is left to abort")
        self._client.abort(self)

    def cancel(self) -> bool:
        """Abort the tasks which have not started, and interrupt those that run (F6); the results of both are TaskAborted.

        A task that runs gets a KeyboardInterrupt and may clean up; whatever it returns or raises then, its result is TaskAborted.
        Waits for half a second at most until engines have heard of it.

        Returns: whether every task that had no result yet is aborted, or is going to be; False if one has ended otherwise meanwhile, or
            if all results are here.
        """
        if self.done():
            return False
        from .cancelling import cancel

        ended = sum(fields[farm.RESULT_STATUS] != farm.CANCELLED for fields, _ in list(self._raw.values()))
        return cancel(self._client, self, ended)

    # ---- what the tasks have printed and displayed

    def stream_output(self) -> LiveOutput:
        """A context manager in which stdout, stderr, displays and errors of the tasks are shown as they come.

        Each line begins with its stream and engine, ``[stdout:3] text``; in a notebook each engine has a place of its own.
        """
        from .live_output import LiveOutput

        return LiveOutput(self)

    def display_outputs(self, groupby: str = "type", result_only: bool = False) -> None:
        """Wait for the results, then show what the tasks have printed and displayed, and the values of cells.

        Args: groupby: "type": all stdout, then all stderr, displays and values; "engine": all of an engine as it came, then
            the next; "order": as type, but the first display of each engine, then the second, and so on.
            result_only: values of cells only.
        Raises: ValueError: no such grouping.
        """
        from .output_display import check_grouping, display_tasks, task_views

        check_grouping(groupby)
        self.wait()
        display_tasks(task_views(self), groupby, result_only=result_only, named=not self._single)

    def _positions_with_output(self) -> list[int]:
        return list(self._outputs)

    def _pieces(self, position: int) -> list[tuple[int, str, Any]]:
        """(tuple id, stream, content) of what a task has printed and displayed, in order."""
        return [(id_, *piece) for id_, piece in list(self._outputs.get(position, {}).items())]

    def _errors_at(self, position: int) -> list[BaseException]:
        return errors_in(self._outcome(position))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._known(key)
        self._must_be_ready()
        value = self.get()
        return [value][key] if self._single else value[key]

    def __iter__(self) -> Generator[Any, None, None]:
        if self._single:
            raise TypeError("the result of one call on one engine is a value and cannot be iterated; use get()")
        return self._items()

    def _items(self) -> Generator[Any, None, None]:
        count = 0
        while True:
            self._wait_for(partial(self._is_next_here, count))
            position = self._next_position(count)
            if position is None:
                return
            yield from map(self._item, self._chunk(position))
            count += 1

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._single:
            raise TypeError("the result of one call on one engine is a value and cannot be iterated; await it")
        return self._items_async()

    async def _items_async(self) -> AsyncIterator[Any]:
        from .remaking import in_coroutine

        with Arrivals(self) as arrivals:
            count = 0
            while True:
                await arrivals.wait_until(partial(self._is_next_here, count))
                position = self._next_position(count)
                if position is None:
                    return
                for outcome in await in_coroutine(self, partial(self._chunk, position)):
                    yield self._item(outcome)
                count += 1

    def __await__(self) -> Generator[Any, None, Any]:
        """The value, as `get` gives it.  A coroutine that is cancelled stops waiting; the tasks go on."""
        return wait_for_all(self).__await__()

    # What iteration shows as number `count`, once it is here: the result at a position, or None at the end.

    def _is_next_here(self, count: int) -> bool:
        return count in self._raw or self._is_complete()

    def _next_position(self, count: int) -> int | None:
        if count in self._raw:
            return count
        if self._error is not None:
            raise self._error
        return None

    def _chunk(self, position: int) -> list[Any]:
        """The outcomes of the items of a task."""
        return [self._outcome(position)]

    def _wait_for(self, done: Callable[[], bool]) -> None:
        limit = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        if not self._source.wait_until(done, limit):
            raise TimeoutError(f"{self._name}: {self.progress} of {len(self)} done in time")

    # ---- parts

    def split(self) -> tuple[AsyncResult, ...]:
        """A result for each task, which may be waited for by itself; of a single task, this one.

        Those of a map give lists of one chunk, a list of values.
        """
        if len(self._tasks) == 1:
            return (self,)
        from .result_parts import split

        return self._parts if len(self._parts) == len(self._tasks) else split(self)

    @classmethod
    def join(cls, *async_results: AsyncResult) -> AsyncResult:
        """One result for all tasks of `async_results`: the list of their values.

        Raises: ValueError: there are none, or they are of several clients.
        """
        from .result_parts import join

        return join(async_results)

    def __reduce__(self) -> Any:
        """Pickled are the message ids and where the farm is; whoever unpickles fetches the results from there.

        Among the arguments of a task it is the value, on the engine.
        """
        as_argument = result_argument.reduce(self)
        if as_argument is not None:
            return as_argument
        from .result_pickle import reduced

        return reduced(self)

    def _item(self, outcome: Any) -> Any:
        if type(outcome) is not Failure:
            return outcome
        if self._return_exceptions:
            return outcome.error
        raise outcome.error

    def _as_argument(self) -> tuple[Any, ...]:
        """What makes the value of the values of the tasks on an engine, and its further arguments."""
        return (result_argument.only if self._single else result_argument.all_of,)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def _repr_html_(self) -> str:
        from .reprs import result_html

        return result_html(self)

    def __repr__(self) -> str:
        state = "finished" if self.done() else f"{self.progress}/{len(self)}"
        return f"<{type(self).__name__}({self._name}): {state}>"


def _with_errors(outcome: Any) -> Any:
    """The outcome of a task with errors in the places of failures."""
    if type(outcome) is Failure:
        return outcome.error
    if type(outcome) is list:
        return [item.error if type(item) is Failure else item for item in outcome]
    return outcome


def _limit(timeout: float | None) -> float | None:
    # ipyparallel writes -1 for "for ever".
    return None if timeout is None or timeout < 0 else timeout
