"""LoadBalancedView: any engine takes the task."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from . import _native, farm
from .async_result import AsyncResult
from .callee import Callee, Packed
from .chunking import ChunkPlanner, fixed_chunks
from .columns import Columns, make_columns, rows
from .dependency import dependencies_of
from .map_driver import MapDriver
from .map_result import AsyncMapResult
from .map_task import MapTask, Queue
from .native_function import NativeFunction, check_language
from .task_graph import NOTHING, Wish
from .task_queues import ANY_QUEUE, checked_tags, engine_queue, tagged
from .view import View

if TYPE_CHECKING:
    from .client import Client
    from .lazy_map import LazyMapIterator


class LoadBalancedView(View):
    """Tasks go to whichever engine is free.  ``targets``: only to these engines, in turn.

    Flags: block, targets, label; `retries`: None forgives the death of an engine, at most 3 starts, and no exception; 0
    never starts a task twice; n runs it again up to n times after death or exception. `priority`: higher first. `tags`: a text or
    several; only engines that were started with all of them (``space-engine --tag gpu``) run the tasks, which wait where there is
    none, and `queue_status` says so ("unserved"). `keep`: values stay on the engines, and results are Kept.

    `after`: tasks run when these tasks have ended; `follow`: and on the engine where they ran. Both are message ids,
    AsyncResults, Dependencies, dicts as of Dependency.as_dict, or lists, tuples or sets of these, all of which have to be met.
    A task whose dependencies cannot be met ends with ImpossibleDependency, one that depends on no task of this farm with
    InvalidDependency. `timeout`: seconds within which it has to start, else it ends with TaskTimeout (DependencyTimeout if it was
    still waiting for others); None or 0 is no limit.

    AsyncResults among the arguments of a call are their values where it runs, and the call waits for them as for `after`.
    All this goes on without the client.
    """

    _flag_names: ClassVar[tuple[str, ...]] = (
        *View._flag_names,
        *("retries", "priority", "after", "follow", "timeout", "tags"),
    )

    def __init__(self, client: Client, targets: Any = None) -> None:
        super().__init__(client, targets)
        self.retries: int | None = None
        self.priority = 0
        self.after: Any = None
        self.follow: Any = None
        self.timeout: float | None = None
        self.tags: Any = None
        self._turn = itertools.count()

    def _check_flag(self, name: str, value: Any) -> None:
        super()._check_flag(name, value)
        if name == "retries" and value is not None and not (type(value) is int and value >= 0):
            raise ValueError(f"retries must be None or a number of at least 0, not {value!r}")
        if name == "priority" and type(value) is not int:
            raise TypeError(f"priority must be an int, not {value!r}")
        if name in ("after", "follow"):
            dependencies_of(value)
        if name == "timeout" and value is not None:
            _check_timeout(value)
        if name == "tags":
            checked_tags(value)

    def _is_for_all(self) -> bool:
        return self.targets is None or self.targets == "all"

    def _callee(self, function: Any) -> Callee:
        """`function`, which some engine can run.

        Raises: NoSuchFunction; TypeError: it is in C++, and the flags ask for what its engines do not do. NotPicklable.
        """
        callee = self._submitter.callee(function)
        if callee.is_native:
            if self.after or self.follow or self.timeout:
                raise TypeError(
                    f"{callee.name} is a function in C++, whose tasks wait for no others: no after, follow or timeout"
                )
            if self._is_for_all():
                self.client.check_native(callee.function)
        return callee

    def _queues(self, callee: Callee) -> Iterator[Queue]:
        """Where the next tasks go, without end."""
        tags = checked_tags(self.tags)
        if self._is_for_all():
            return itertools.repeat((tagged(callee.queue, tags), None))
        if tags:
            raise ValueError(
                f"the view has both targets {self.targets} and tags {tags}; each chooses engines, so set one of them"
            )
        engines, _ = self.client.engines_of(self.targets)
        check_language(engines, callee.is_native)
        if self.follow is not None:  # whoever takes a task passes it on to the engine that it has to follow
            return itertools.repeat((ANY_QUEUE, None))
        return ((engine_queue(engine.id), engine) for engine in self._in_turn(engines))

    def _in_turn(self, engines: list[farm.Engine]) -> Iterator[farm.Engine]:
        while True:
            yield engines[next(self._turn) % len(engines)]

    def _wish(self, function: Any) -> Wish:
        """What the flags ask for, beside a queue."""
        if self.after is None and self.follow is None and not (self.timeout or self.tags) and self._is_for_all():
            return NOTHING  # usual
        after, follow = dependencies_of(self.after), dependencies_of(self.follow)
        wish = Wish(after, follow, self.timeout or None, tags=checked_tags(self.tags))
        is_choosy = wish or hasattr(function, "check_dependency")
        if self._is_for_all() or not is_choosy:
            return wish
        engines, _ = self.client.engines_of(self.targets)
        return replace(wish, targets=[engine.id for engine in engines])

    # ---- apply

    def _apply(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], block: bool) -> Any:
        wish = self._wish(function)
        submitter = self._submitter
        callee = self._callee(function)
        keep = self._keeps(None, callee)
        payload, results = callee.pack(args, kwargs)
        queue = next(self._queues(callee))
        numbers = submitter.take_numbers(1, self._own)
        result = AsyncResult(
            self.client,
            self._reader,
            numbers,
            callee.name,
            single=True,
            session=submitter.session,
            label=self.label,
            attempts=farm.max_attempts(self.retries),
        )
        result.note_dependencies(after=wish.after, follow=wish.follow)
        result.keeps = keep
        self._reader.expect(numbers, result)
        label, when = self.label, result._submitted
        task = MapTask(label or callee.name, callee.function, self.retries, self.priority, when, label, keep=keep)
        puts = task.puts(submitter, numbers.start, callee.kind, payload, queue, wish, results)
        submitter.send(puts, result)
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
        keep: bool | None = None,
    ) -> Any:
        """Options of map: chunksize 1, n, or "auto", which adapts to measured run times; ordered=False iterates in the
        order of arrival; return_exceptions puts errors in the place of values; keep as the flag."""
        check_chunksize(chunksize)
        wish = self._wish(function)
        columns, total = make_columns(sequences)
        if not total:
            return []
        callee = self._callee(function)
        name = callee.name
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
        result.note_dependencies(after=wish.after, follow=wish.follow)
        result.keeps = self._keeps(keep, callee)
        when = result._submitted
        task = MapTask(label or name, callee.function, self.retries, self.priority, when, label, keep=result.keeps)
        # A map that waits for others is submitted as a whole, so that it goes on without this client.
        if chunksize == "auto" and self._is_for_all() and not wish:
            self._start_auto(result, task, callee, columns, total)
        else:
            size = (
                chunksize
                if isinstance(chunksize, int)
                else max(1, total // (8 * max(1, self._places(callee.is_native))))
            )
            self._send_chunks(result, task, callee, columns, total, size, wish)
        return self._began(result, block)

    def _places(self, native: bool) -> int:
        """How many tasks of the view run at a time: calls of functions in C++ if `native`, else in Python."""
        if self._is_for_all():
            return sum(engine.threads for engine in self.client.engines() if engine.is_native is native)
        return sum(engine.threads for engine in self.client.engines_of(self.targets)[0])

    def _start_auto(self, result: AsyncMapResult, task: MapTask, callee: Callee, columns: Columns, total: int) -> None:
        planner = ChunkPlanner(self._places(callee.is_native))
        queue = next(self._queues(callee))
        MapDriver(
            self._submitter, self._reader, result, task, callee, queue, columns, total, planner, self._own
        ).start()

    def _send_chunks(
        self, result: AsyncMapResult, task: MapTask, callee: Callee, columns: Columns, total: int, size: int, wish: Wish
    ) -> None:
        queues = self._queues(callee)
        ranges = fixed_chunks(total, size)
        numbers = self._submitter.take_numbers(len(ranges), self._own)
        for number, (start, stop) in zip(numbers, ranges, strict=True):
            result.add_task(number, stop - start if size > 1 else None)
        self._reader.expect(numbers, result)
        result.seal()
        kind = callee.kind if size == 1 else callee.map_kind
        payloads: Iterator[Packed]
        if size == 1:
            no_names: dict[str, Any] = {}
            payloads = (callee.pack(row, no_names) for row in rows(columns))
        else:
            payloads = (callee.pack_part(columns, *part) for part in ranges)
        try:
            self._submitter.send_many(self._tasks(task, kind, queues, numbers, payloads, wish), result)
        except BaseException:  # an argument that cannot be pickled, or Ctrl-C
            self._reader.forget(numbers)
            raise

    def _tasks(
        self,
        task: MapTask,
        kind: str,
        queues: Iterator[Queue],
        numbers: range,
        payloads: Iterator[Packed],
        wish: Wish,
    ) -> Iterator[_native.Put]:
        session = self._submitter.session
        for number, (payload, results), queue in zip(numbers, payloads, queues, strict=False):
            if wish or results or self._submitter.data.hosts_of(payload):
                yield from task.puts(self._submitter, number, kind, payload, queue, wish, results, numbers)
            else:  # usual, and there may be very many
                yield task.put(session, number, kind, payload, queue)

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

        Args: ordered: results in the order of the inputs; otherwise as they come. max_outstanding: "auto" is as many as there
            are engines; 0 is no bound, so that all inputs are taken at once. return_exceptions: errors in the place of values.
        Raises: ValueError: no such bound.
        """
        from .lazy_map import LazyMapIterator

        if max_outstanding == "auto":
            native = isinstance(__function, NativeFunction)
            max_outstanding = max(1, self._places(native) if native else len(self))
        if type(max_outstanding) is not int or max_outstanding < 0:
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


def _check_timeout(timeout: Any) -> None:
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout must be a number of seconds or None, not {timeout!r}")
    if not timeout >= 0:
        raise ValueError(f"timeout must be at least 0 seconds, not {timeout!r}")
