"""Results in parts: one for each task of a call, and several calls as one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from functools import partial
from itertools import chain
from typing import Any

from .async_result import AsyncResult
from .error import raise_errors
from .map_result import AsyncMapResult
from .outcome import Metadata


def split(whole: AsyncResult) -> tuple[AsyncResult, ...]:
    """AsyncResult.split, which keeps the parts with the whole: of a map that grows there are more and more."""
    known = whole._parts
    make = MapPart if isinstance(whole, AsyncMapResult) else ResultPart
    ids = whole.msg_ids
    new = [make(whole, position, ids[position]) for position in range(len(known), len(ids))]
    whole._parts = (*known, *new)
    if known:
        for part in new:
            part.take_over()
    else:
        whole._listen(partial(_tell, whole))
    return whole._parts


def _tell(whole: AsyncResult, position: int | None) -> None:
    for part in whole._parts if position is None else whole._parts[position : position + 1]:
        if isinstance(part, ResultPart):
            part.take_over()


class ResultPart(AsyncResult):
    """The result of one task of a call on several engines: its value."""

    _gives_value = True

    def __init__(self, whole: AsyncResult, position: int, id_: str) -> None:
        super().__init__(
            whole._client,
            whole._source,
            [id_],
            whole._name,
            single=self._gives_value,
            targets=whole._targets,
            label=whole._label,
            attempts=whole._attempts,
            return_exceptions=whole._return_exceptions,
        )
        self._whole = whole
        self._place = position
        self.known = whole.known
        self._submitted = whole._submitted
        self._outputs = {0: whole._outputs.setdefault(position, {})}

    def take_over(self) -> None:
        """Look whether the whole has the result."""
        if self._is_complete():
            self.complete()

    def _is_complete(self) -> bool:
        # Asked here as well, since Ctrl-C may have kept the whole from telling.
        if not self._is_here:
            found = self._whole._raw.get(self._place)
            if found is not None:
                self._raw.setdefault(0, found)
            self._error = self._whole._error if found is None else None
            self._is_here = found is not None or self._error is not None
        return self._is_here

    def _method(self, position: int) -> str:  # noqa: ARG002  (it has one)
        return self._whole._method(self._place)


class MapPart(ResultPart):
    """The result of one task of a map: a list with its chunk, which is a list of values."""

    _gives_value = False

    def __len__(self) -> int:
        return 1

    def _value(self, return_exceptions: bool) -> Any:
        values: list[Any] = []
        errors: list[BaseException] = []
        AsyncMapResult._gather(self._whole._chunk(self._place), values, errors)
        if errors and not return_exceptions:
            raise_errors(errors, self._name)
        return [values]


def join(results: Sequence[AsyncResult]) -> AsyncResult:
    """AsyncResult.join."""
    if not results:
        raise ValueError("join takes at least one AsyncResult")
    if any(not isinstance(result, AsyncResult) for result in results):
        raise TypeError("join takes AsyncResults")
    if any(result._client is not results[0]._client for result in results):
        raise ValueError("join takes results of one client; get_result(msg_ids) fetches those of another")
    return results[0] if len(results) == 1 else JoinedResult(results)


class JoinedResult(AsyncResult):
    """The results of several calls as one: the list of their values, those of maps and of several engines item by item."""

    def __init__(self, results: Sequence[AsyncResult]) -> None:
        self._results = list(results)
        self._places: dict[tuple[int, int], int] = {}  # by result and position there: the position here
        self._origins: list[tuple[int, int]] = []  # the inverse
        self._lock = threading.Lock()
        super().__init__(
            results[0]._client, _Together(results), [], ", ".join(dict.fromkeys(r._name for r in results)), single=False
        )
        self._submitted = min(result._submitted for result in results)
        self._ids: list[str] = []
        self._tasks = self._ids
        for index, result in enumerate(self._results):
            ids = result.msg_ids
            for position in range(len(ids)):
                self._place_of(index, position, ids)
        for index, result in enumerate(self._results):
            result._listen(partial(self._take_over, index))

    def _place_of(self, index: int, position: int, ids: Sequence[str] = ()) -> int:
        with self._lock:  # results of different calls may come in different threads
            place = self._places.setdefault((index, position), len(self._ids))
            if place == len(self._ids):
                result = self._results[index]
                self._ids.append(ids[position] if ids else result.msg_ids[position])
                self._origins.append((index, position))
                self._outputs[place] = result._outputs.setdefault(position, {})
            return place

    def _take_over(self, index: int, position: int | None) -> None:
        raw = self._results[index]._raw
        for each in list(raw) if position is None else [position]:
            place = self._place_of(index, each)
            if self._raw.setdefault(place, raw[each]) is raw[each]:
                self._has_news(place)
        self._is_complete()
        self._source.tell()  # type: ignore[attr-defined]
        self.complete()

    def _is_complete(self) -> bool:
        # Asked here as well, since Ctrl-C may have kept one of the results from telling.
        if not self._is_here and all(result._is_complete() for result in self._results):
            for index, result in enumerate(self._results):
                for each, found in list(result._raw.items()):
                    self._raw.setdefault(self._place_of(index, each), found)
                self._error = self._error or result._error
            self._is_here = True
        return self._is_here

    def __len__(self) -> int:
        return sum(1 if result._single else len(result) for result in self._results)

    @property
    def progress(self) -> int:
        """How many values are here."""
        return sum(result.progress for result in self._results)

    def _value(self, return_exceptions: bool) -> Any:
        rows = [self._rows(result, result._value(True)) for result in self._results]
        if not return_exceptions:
            errors = [error for result in self._results for error in result._failures()]
            if errors:
                raise_errors(errors, self._name)
        return list(chain.from_iterable(rows))

    @staticmethod
    def _rows(result: AsyncResult, value: Any) -> Sequence[Any]:
        return [value] if result._single else value

    def _items(self) -> Generator[Any, None, None]:
        for result in self._results:
            if result._single:
                yield result.get()
            else:
                yield from result._items()

    def _outcome(self, position: int) -> Any:
        result, place = self._origin(position)
        return result._outcome(place)

    def _chunk(self, position: int) -> list[Any]:
        result, place = self._origin(position)
        return result._chunk(place)

    def _origin(self, position: int) -> tuple[AsyncResult, int]:
        index, place = self._origins[position]
        return self._results[index], place

    def _metadata_list(self) -> list[Metadata]:
        return [row for result in self._results for row in result._metadata_list()]


class _Together:
    """The source of results that have sources of their own."""

    def __init__(self, results: Sequence[AsyncResult]) -> None:
        self._results = results
        self._news = threading.Condition()

    def tell(self) -> None:
        """A result has come."""
        with self._news:
            self._news.notify_all()

    def wait_until(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until `done()`; False after `timeout` seconds."""
        sources = {id(result._source): result._source for result in self._results}
        if len(sources) == 1:  # usual, and the quickest way
            [source] = sources.values()
            return source.wait_until(done, timeout)
        self.nudge(urgent=True)
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._news:
            return bool(self._news.wait_for(done, None if deadline is None else max(0.0, deadline - time.monotonic())))

    def poll(self) -> None:
        """Store what has arrived, without waiting."""
        for result in self._results:
            result._source.poll()

    def nudge(self, urgent: bool = False) -> None:
        """Results are expected that nobody may wait for."""
        for result in self._results:
            result._source.nudge(urgent)

    def forget(self, numbers: Sequence[int]) -> None:
        """Nothing is kept here."""
