"""A map with chunks of automatic size: cuts and submits the next chunks as results arrive.

It is driven by results alone, in whatever thread stores them; there is no thread of its own.  Everything may be
interrupted by Ctrl-C and called again: a chunk that was drafted is kept until it has been sent, and the results of one
that was sent twice count once.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import _native, farm
from .callee import Callee
from .chunking import ChunkPlanner
from .columns import Columns
from .map_result import AsyncMapResult
from .map_task import MapTask, Queue
from .result_facts import run_time
from .result_reader import ResultReader
from .submission import Submitter


class _Draft(NamedTuple):
    number: int
    stop: int
    size: int
    puts: list[_native.Put]


class MapDriver:
    """Feeds the rows of `columns` to the engines on behalf of `result`."""

    def __init__(
        self,
        submitter: Submitter,
        reader: ResultReader,
        result: AsyncMapResult,
        task: MapTask,
        callee: Callee,
        queue: Queue,
        columns: Columns,
        total: int,
        planner: ChunkPlanner,
        own: list[range],
    ) -> None:
        self._submitter = submitter
        self._reader = reader
        self._result = result
        self._task = task
        self._callee = callee
        self._queue = queue
        self._columns = columns
        self._total = total
        self._planner = planner
        self._own = own  # the view's history
        self._next = 0  # the first row that has not been sent
        self._draft: _Draft | None = None
        self._lock = threading.RLock()

    def start(self) -> None:
        """Send the first chunks."""
        self._result.on_result = self._on_result
        self._result.on_abort = self.stop
        self.submit()

    def stop(self) -> None:
        """Send nothing more."""
        with self._lock:
            self._next = self._total
            self._draft = None
            self.submit()

    def _on_result(self, position: int, fields: Sequence[Any]) -> None:
        if fields[farm.RESULT_STATUS] in (farm.CANCELLED, farm.ENGINE_DIED):
            self.stop()  # an aborted map goes no further; neither does one whose function kills engines
        self._planner.observe(self._result.size_of(position), run_time(fields))
        try:
            self.submit()
        except Exception as error:  # noqa: BLE001  (an argument that cannot be pickled: the caller of get() hears of it)
            self._result.fail(error)
            self.stop()

    def submit(self) -> None:
        """Send chunks until enough are on their way."""
        with self._lock:
            while self._next < self._total and self._result.in_flight < self._planner.in_flight_max:
                if self._draft is None:
                    self._draft = self._make_draft()
                draft = self._draft
                self._result.add_task(draft.number, draft.size)
                self._reader.expect(range(draft.number, draft.number + 1), self._result)
                self._submitter.send(draft.puts, self._result)
                self._next = draft.stop
                self._draft = None
            if self._next >= self._total:
                self._columns = ()
                self._result.seal()

    def _make_draft(self) -> _Draft:
        size = self._planner.next_size(self._total - self._next)
        stop = self._next + size
        number = self._submitter.take_numbers(1, self._own).start
        payload, results = self._callee.pack_part(self._columns, self._next, stop)
        puts = self._task.puts(self._submitter, number, self._callee.map_kind, payload, self._queue, results=results)
        return _Draft(number, stop, size, puts)
