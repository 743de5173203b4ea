"""LoadBalancedView: any engine takes the task."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from . import _native, farm, serialize
from .async_result import AsyncResult
from .chunking import ChunkPlanner, fixed_chunks
from .columns import Columns, cut, make_columns, rows
from .map_driver import MapDriver, MapTask
from .map_result import AsyncMapResult
from .reference import Reference
from .view import View

if TYPE_CHECKING:
    from .client import Client
    from .lazy_map import LazyMapIterator

Queue = tuple[str, farm.Engine | None]


class LoadBalancedView(View):
    """Tasks go to whichever engine is free.  ``targets``: only to these engines, in turn.

    Flags: block, targets, label; `retries`: None forgives the death of an engine, at most 3 starts, and no exception; 0
    never starts a task twice; n runs it again up to n times after death or exception. `priority`: higher first.
    """

    _flag_names: ClassVar[tuple[str, ...]] = (*View._flag_names, "retries", "priority")

    def __init__(self, client: Client, targets: Any = None) -> None:
        super().__init__(client, targets)
        self.retries: int | None = None
        self.priority = 0
        self._turn = itertools.count()

    def _check_flag(self, name: str, value: Any) -> None:
        super()._check_flag(name, value)
        if name == "retries" and value is not None and not (type(value) is int and value >= 0):
            raise ValueError(f"retries must be None or a number of at least 0, not {value!r}")
        if name == "priority" and type(value) is not int:
            raise TypeError(f"priority must be an int, not {value!r}")

    def _queues(self) -> Iterator[Queue]:
        """Where the next tasks go, without end."""
        if self.targets is None or self.targets == "all":
            return itertools.repeat((farm.ANY_QUEUE, None))
        engines, _ = self.client.engines_of(self.targets)
        return ((farm.engine_queue(engine.id), engine) for engine in self._in_turn(engines))

    def _in_turn(self, engines: list[farm.Engine]) -> Iterator[farm.Engine]:
        while True:
            yield engines[next(self._turn) % len(engines)]

    # ---- apply

    def _apply(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], block: bool) -> Any:
        submitter = self._submitter
        digest, name, payload = submitter.call_payload(function, args, kwargs)
        queue, engine = next(self._queues())
        numbers = submitter.take_numbers(1, self._own)
        result = AsyncResult(
            self.client,
            self._reader,
            numbers,
            name,
            single=True,
            session=submitter.session,
            label=self.label,
            attempts=farm.max_attempts(self.retries),
        )
        self._reader.expect(numbers, result)
        put = farm.task(
            queue,
            submitter.session,
            numbers.start,
            self.label or name,
            farm.APPLY,
            digest,
            payload,
            retries=self.retries,
            priority=self.priority,
            engine=engine,
            submitted=result._submitted,
            label=self.label,
        )
        submitter.send([put], result)
        return self._began(result, block)

    # ---- map

    def _map(self, function: Callable[..., Any], sequences: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return self._map_chunks(function, sequences, **options)

    def _map_chunks(
        self,
        function: Callable[..., Any],
        sequences: tuple[Any, ...],
        *,
        block: bool,
        chunksize: int | str = 1,
        ordered: bool = True,
        return_exceptions: bool = False,
        label: str | None = None,
        join: Callable[[list[Any]], Any] | None = None,
    ) -> Any:
        """Options of map: chunksize 1, n, or "auto", which adapts to measured run times; ordered=False iterates in the
        order of arrival; return_exceptions puts errors in the place of values."""
        check_chunksize(chunksize)
        columns, total = make_columns(sequences)
        if not total:
            return []
        function, columns = _resolve_reference(function, columns, total)
        digest, name = self._submitter.publish(function)
        label = label or self.label
        result = AsyncMapResult(
            self.client,
            self._reader,
            name,
            session=self._submitter.session,
            total=total,
            ordered=ordered,
            growing=True,
            join=join,
            label=label,
            attempts=farm.max_attempts(self.retries),
            return_exceptions=return_exceptions,
        )
        task = MapTask(farm.ANY_QUEUE, label or name, digest, self.retries, self.priority, result._submitted, label)
        if chunksize == "auto" and self.targets in (None, "all"):
            self._start_auto(result, task, columns, total)
        else:
            size = chunksize if isinstance(chunksize, int) else max(1, total // (8 * len(self)))
            self._send_chunks(result, task, columns, total, size)
        return self._began(result, block)

    def _start_auto(self, result: AsyncMapResult, task: MapTask, columns: Columns, total: int) -> None:
        planner = ChunkPlanner(len(self.client.engines()))
        MapDriver(self._submitter, self._reader, result, task, columns, total, planner, self._own).start()

    def _send_chunks(self, result: AsyncMapResult, task: MapTask, columns: Columns, total: int, size: int) -> None:
        ranges = fixed_chunks(total, size)
        numbers = self._submitter.take_numbers(len(ranges), self._own)
        for number, (start, stop) in zip(numbers, ranges, strict=True):
            result.add_task(number, stop - start if size > 1 else None)
        self._reader.expect(numbers, result)
        result.seal()
        make = self._single_tasks if size == 1 else self._chunk_tasks
        try:
            self._submitter.send_many(make(task, numbers, columns, ranges), result)
        except BaseException:  # an argument that cannot be pickled, or Ctrl-C
            self._reader.forget(numbers)
            raise

    def _single_tasks(
        self, task: MapTask, numbers: range, columns: Columns, _ranges: list[tuple[int, int]]
    ) -> Iterator[_native.Put]:
        session = self._submitter.session
        pack = self._submitter.pack_arguments
        no_names: dict[str, Any] = {}
        for number, row, (queue, engine) in zip(numbers, rows(columns), self._queues(), strict=False):
            payload = pack(row, no_names, task.name)
            yield farm.task(
                queue,
                session,
                number,
                task.name,
                farm.APPLY,
                task.function,
                payload,
                retries=task.retries,
                priority=task.priority,
                engine=engine,
                submitted=task.submitted,
                label=task.label,
            )

    def _chunk_tasks(
        self, task: MapTask, numbers: range, columns: Columns, ranges: list[tuple[int, int]]
    ) -> Iterator[_native.Put]:
        session = self._submitter.session
        for number, (start, stop), (queue, engine) in zip(numbers, ranges, self._queues(), strict=False):
            payload = serialize.pack(cut(columns, start, stop), f"items {start} to {stop - 1} of {task.name}")
            yield farm.task(
                queue,
                session,
                number,
                task.name,
                farm.MAP,
                task.function,
                payload,
                retries=task.retries,
                priority=task.priority,
                engine=engine,
                submitted=task.submitted,
                label=task.label,
            )

    def imap(
        self,
        __function: Callable[..., Any],
        /,
        *sequences: Iterable[Any],
        ordered: bool = True,
        max_outstanding: int | str = "auto",
        return_exceptions: bool = False,
    ) -> LazyMapIterator:
        """`map` over inputs that may be endless: an iterator that keeps `max_outstanding` tasks on their way.

        "auto": as many as there are engines; 0: no bound.
        """
        from .lazy_map import LazyMapIterator

        if max_outstanding == "auto":
            max_outstanding = max(1, len(self))
        if not isinstance(max_outstanding, int) or max_outstanding < 0:
            raise ValueError(f'max_outstanding must be "auto" or a number of at least 0, not {max_outstanding!r}')
        items = zip(*sequences, strict=False)
        return LazyMapIterator(self, __function, items, ordered, max_outstanding, return_exceptions)

    def register_joblib_backend(self, name: str = "linden", make_default: bool = False) -> None:
        """Make this view the joblib backend `name`, and under the default name "ipyparallel" as well.

        ``with joblib.parallel_config(backend="linden"): ...`` then runs its calls here.  Raises: ImportError: no joblib.
        """
        from .joblib import register

        register(name, make_default, self)


def check_chunksize(chunksize: int | str) -> None:
    """Refuse what is no chunk size."""
    if chunksize != "auto" and not (type(chunksize) is int and chunksize >= 1):
        raise ValueError(f'chunksize must be "auto" or a number of at least 1, not {chunksize!r}')


def _resolve_reference(function: Any, columns: Columns, total: int) -> tuple[Callable[..., Any], Columns]:
    if not isinstance(function, Reference):
        return function, columns
    from .reference import call_reference

    return call_reference, ([function] * total, *columns)
