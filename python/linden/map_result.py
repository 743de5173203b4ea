"""AsyncMapResult: the results of a map, one object however many items and tasks there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import farm, result_argument
from .async_result import AsyncResult, ResultSource
from .error import TaskAborted, raise_errors
from .outcome import Failure

if TYPE_CHECKING:
    from .client import Client


_NOWHERE = -1  # no position


class AsyncMapResult(AsyncResult):
    """The results of a map: `get` gives the list of all, iteration gives each as soon as it is here.

    `ordered`: iteration keeps the order of the items; otherwise it follows the order of arrival.
    """

    def __init__(
        self,
        client: Client,
        source: ResultSource,
        name: str,
        *,
        session: str | None,
        numbers: Sequence[int] = (),
        sizes: Sequence[int | None] = (),
        total: int = 0,
        ordered: bool = True,
        growing: bool = False,
        join: Callable[[list[Any]], Any] | None = None,
        label: str | None = None,
        targets: Any = None,
        attempts: int = farm.DEFAULT_ATTEMPTS,
        return_exceptions: bool = False,
    ) -> None:
        super().__init__(
            client,
            source,
            [],
            name,
            single=False,
            session=session,
            targets=targets,
            label=label,
            attempts=attempts,
            return_exceptions=return_exceptions,
        )
        self._numbers_list: list[int] = list(numbers)
        self._tasks = self._numbers_list  # type: ignore[assignment]
        self._positions = {number: position for position, number in enumerate(numbers)}
        # Items per task; None: one item, whose value is the task's value itself and not a list.
        self._sizes: list[int | None] = list(sizes)
        self._total = total
        self._ordered = ordered
        self._growing = growing
        self._join = join
        self._arrived: list[int] = []
        self._items_here = 0
        # Set by the driver of a growing map.
        self.on_result: Callable[[int, Sequence[Any]], None] | None = None

    # ---- growing maps (MapDriver)

    def add_task(self, number: int, size: int | None) -> None:
        """One more task, whose items come after those of the tasks before it.  Twice does no harm."""
        if number not in self._positions:
            self._sizes.append(size)
            self._numbers_list.append(number)
            self._positions[number] = len(self._numbers_list) - 1

    def seal(self) -> None:
        """There will be no further task."""
        self._growing = False
        if self._all_here():
            self._is_here = True
            self.complete()

    @property
    def in_flight(self) -> int:
        """Tasks whose results have not come."""
        return len(self._numbers_list) - len(self._raw)

    def size_of(self, position: int) -> int:
        """Items of a task."""
        return self._sizes[position] or 1

    # ---- filled by the source

    def _position(self, number: int) -> int:
        return self._positions[number]

    def store(self, position: int, fields: Sequence[Any]) -> bool:
        """For the source only."""
        if position not in self._raw:
            self._raw[position] = (fields, time.time())
            self._arrived.append(position)
            self._items_here += self.size_of(position)
        if self.on_result is not None:
            self.on_result(position, fields)
        if self._all_here():
            self._is_here = True
        return self._is_here if self._listeners is None else self._has_news(position)

    def _all_here(self) -> bool:
        return not self._growing and len(self._raw) >= len(self._numbers_list)

    def _as_argument(self) -> tuple[Any, ...]:
        if self._growing:
            raise ValueError(
                f"the map {self._name} is submitted bit by bit, so its result is no argument and no dependency yet; "
                'wait for it, or give it a chunksize other than "auto"'
            )
        return result_argument.items_of, list(self._sizes), self._join

    # ---- results

    @property
    def progress(self) -> int:
        """How many items are here."""
        if not self._is_complete():
            self._source.poll()
        return self._items_here

    def __len__(self) -> int:
        return self._total

    def _value(self, return_exceptions: bool) -> Any:
        values: list[Any] = []
        errors: list[BaseException] = []
        for position in range(len(self._numbers_list)):
            self._gather(self._chunk(position), values, errors)
        missing = self._total - len(values)
        if missing > 0:
            errors.append(
                TaskAborted(f"{self._name}: {missing} of {self._total} items were aborted before they started")
            )
            values += errors[-1:] * missing
        if errors and not return_exceptions:
            raise_errors(errors, self._name)
        return self._join(values) if self._join is not None and not errors else values

    @staticmethod
    def _gather(items: list[Any], values: list[Any], errors: list[BaseException]) -> None:
        # A list of results without any failure, which is usual, is taken over as it is.
        if Failure not in map(type, items):
            values += items
            return
        for item in items:
            if type(item) is Failure:
                if not errors or errors[-1] is not item.error:
                    errors.append(item.error)
                values.append(item.error)
            else:
                values.append(item)

    def _chunk(self, position: int) -> list[Any]:
        """The values, or failures, of the items of one task."""
        outcome: Any = self._outcome(position)
        size = self._sizes[position]
        if size is None:
            return [outcome]
        if type(outcome) is Failure:  # the whole task: its engine died, say
            return [outcome] * size
        return outcome

    def _failures(self) -> list[BaseException]:
        return [item.error for position in sorted(self._raw) for item in self._chunk(position) if type(item) is Failure]

    def _is_next_here(self, count: int) -> bool:
        return super()._is_next_here(count) if self._ordered else len(self._arrived) > count or self._is_complete()

    def _next_position(self, count: int) -> int | None:
        if not self._ordered and count < len(self._arrived):
            return self._arrived[count]
        return super()._next_position(count if self._ordered else _NOWHERE)

    def _value_of_each_task(self) -> list[Any]:
        return [self._chunk(position) for position in range(len(self._numbers_list))]
