"""DirectView: the same work, or a part of it each, on chosen engines; and the engines' namespaces."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _native, farm, file_range, serialize
from .async_result import AsyncResult
from .chunking import even_parts
from .columns import is_array, make_columns
from .gather import GatherResult, check_dist, partition, single_item, sliceable
from .kept import ArgumentKey
from .map_result import AsyncMapResult
from .map_task import MapTask
from .native_function import check_language
from .submission import pack_with_results
from .task_queues import engine_queue
from .view import View

if TYPE_CHECKING:
    from .sync_imports import SyncImports

# What a user's code is run for: the tasks of a call may work together (collective.py).
_TOGETHER = (farm.APPLY, farm.MAP, farm.EXECUTE)
# What is asked of engines on the way, not submitted as work: not in the history.
_NOT_REMEMBERED = (farm.CLEAR, farm.COMPLETE, farm.INSPECT)


class DirectView(View):
    """Runs each call on every one of `targets`.

    ``"all"`` means whichever engines there are at the time of the call; a list of ids is fixed; a single id gives values
    where a list gives lists of values.  Tasks of a direct view end with their engine: they never run elsewhere.
    """

    def __init__(self, client: Any, targets: Any = "all") -> None:
        super().__init__(client, targets)

    # ---- inside

    def _submit(
        self,
        kind: str,
        name: str,
        payload: Any,
        *,
        block: bool | None,
        parts: Callable[[int], list[Any]] | None = None,
        function: str = "",
        targets: Any = None,
        label: str | None = None,
        make_result: type[AsyncResult] = AsyncResult,
        results: Sequence[ArgumentKey] | None = None,
        keep: bool = False,
        **options: Any,
    ) -> Any:
        """One task for each target, all in one request, with the same payload or, given their number, its `parts`.

        `results`: tasks whose results lie in the payload. `keep`: the values stay where they are.
        """
        engines, single = self._engines(kind, targets)
        payloads = None if parts is None else parts(len(engines))  # first: nothing is asked for what cannot be cut
        # As in ipyparallel, whatever runs or moves something of a user's is in the history, and clearing is not.
        numbers = self._submitter.take_numbers(len(engines), self._own, remember=kind not in _NOT_REMEMBERED)
        result = make_result(
            self.client,
            self._reader,
            numbers,
            name,
            single=single,
            session=self._submitter.session,
            targets=[engine.id for engine in engines],
            label=label or self.label,
            attempts=1,
            **options,
        )
        result.keeps = keep
        if payloads is None:
            payloads = self._submitter.payload_for_each(payload, numbers, result)
        self._send(kind, name, function, engines, payloads, numbers, result, results)
        return self._began(result, self.block if block is None else block)

    def _engines(self, kind: str, targets: Any = None) -> tuple[list[farm.Engine], bool]:
        """The engines that tasks of that kind go to, and whether it is a single one.

        Raises: NoEnginesRegistered; IndexError; TypeError: an engine in C++ runs no Python, or the other way round.
        """
        native = kind in farm.CALLS
        engines, single = self.client.engines_of(self.targets if targets is None else targets, native=native)
        check_language(engines, native)
        return engines, single

    def _send(
        self,
        kind: str,
        name: str,
        function: str,
        engines: list[farm.Engine],
        payloads: list[Any],
        numbers: range,
        result: AsyncResult,
        results: Sequence[ArgumentKey] | None = None,
    ) -> None:
        self._reader.expect(numbers, result)
        # Two tasks on one engine would wait for each other.
        together = kind in _TOGETHER and len({engine.id for engine in engines[: len(numbers)]}) == len(numbers)
        task = MapTask(
            name, function, 0, 0, result._submitted, result._label, numbers if together else None, result.keeps
        )
        puts: list[_native.Put] = []
        for engine, number, payload in zip(engines, numbers, payloads, strict=False):
            queue = engine_queue(engine.id), engine
            puts += task.puts(self._submitter, number, kind, payload, queue, None, results or (), numbers)
        self._submitter.send(puts, result)

    # ---- apply and map

    def _apply(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], block: bool) -> Any:
        callee = self._submitter.callee(function)
        payload, results = callee.pack(args, kwargs)
        # Results among the arguments are their values on the engines, which wait for them.
        return self._submit(
            callee.kind,
            callee.name,
            payload,
            block=block,
            function=callee.function,
            results=results,
            keep=self._keeps(None, callee),
        )

    def _map(self, function: Callable[..., Any], sequences: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return self._map_parts(function, sequences, **options)

    def _map_parts(
        self,
        function: Callable[..., Any],
        sequences: tuple[Any, ...],
        *,
        block: bool,
        track: bool = False,  # noqa: ARG002  (the name is ipyparallel's)
        return_exceptions: bool = False,
        label: str | None = None,
        join: Callable[[list[Any]], Any] | None = None,
        keep: bool | None = None,
    ) -> Any:
        """One task per engine with a contiguous part of the items.  `keep`: as the flag."""
        columns, total = make_columns(sequences)
        if not total:
            return []
        callee = self._submitter.callee(function)
        keep = self._keeps(keep, callee)
        if join is None and not keep and any(is_array(sequence) for sequence in sequences):
            join = _as_array
        name = callee.name
        engines, _ = self._engines(callee.map_kind)
        ranges = even_parts(total, min(total, len(engines)))
        numbers = self._submitter.take_numbers(len(ranges), self._own)
        result = AsyncMapResult(
            self.client,
            self._reader,
            name,
            session=self._submitter.session,
            numbers=numbers,
            sizes=[stop - start for start, stop in ranges],
            total=total,
            join=join,
            label=label or self.label,
            targets=[engine.id for engine in engines],
            attempts=1,
            return_exceptions=return_exceptions,
        )
        result.keeps = keep
        parts = [callee.pack_part(columns, *part) for part in ranges]
        results = list(dict.fromkeys(key for _, keys in parts for key in keys))
        payloads = [payload for payload, _ in parts]
        self._send(callee.map_kind, name, callee.function, engines, payloads, numbers, result, results)
        return self._began(result, block)

    # ---- the engines' namespaces

    def execute(
        self, code: str, silent: bool = True, targets: Any = None, block: bool | None = None, label: str | None = None
    ) -> Any:
        """Run source text (an IPython cell where IPython is installed) in the engines' namespaces.

        `silent=False`: the value is an ExecuteReply with the value of the last expression.
        """
        payload = [code, silent]
        return self._submit(farm.EXECUTE, "execute", payload, block=block, targets=targets, label=label)

    def complete(self, code: str, cursor_pos: int | None = None, targets: Any = None, block: bool | None = None) -> Any:
        """Completions of `code` at `cursor_pos` (default: its end) by names of the engines' namespaces.

        Returns: per engine ``{"matches", "cursor_start", "cursor_end", "metadata"}``, as Jupyter's complete_reply: each of `matches`
            may stand in the place of ``code[cursor_start:cursor_end]``.
        """
        payload = [code, len(code) if cursor_pos is None else cursor_pos]
        return self._submit(farm.COMPLETE, "complete", payload, block=block, targets=targets)

    def inspect(
        self,
        code: str,
        cursor_pos: int | None = None,
        detail_level: int = 0,
        targets: Any = None,
        block: bool | None = None,
    ) -> Any:
        """What ``name?`` tells of the name in `code` at `cursor_pos` (default: its end), on the engines.

        Args: detail_level: 1 tells the source, too, as ``name??`` does.
        Returns: per engine ``{"found", "data", "metadata"}``, as Jupyter's inspect_reply: `data` by MIME type, with text/plain.
        """
        payload = [code, len(code) if cursor_pos is None else cursor_pos, detail_level]
        return self._submit(farm.INSPECT, "inspect", payload, block=block, targets=targets)

    def run(
        self, filename: str | Path, targets: Any = None, block: bool | None = None, label: str | None = None
    ) -> Any:
        """`execute` the text of a local file."""
        text = Path(filename).expanduser().read_text(encoding="utf-8")
        return self.execute(text, targets=targets, block=block, label=label or str(filename))

    def push(
        self,
        ns: dict[str, Any],
        targets: Any = None,
        block: bool | None = None,
        track: bool | None = None,  # noqa: ARG002
    ) -> Any:
        """Put names into the engines' namespaces; a dotted name sets an attribute."""
        if not isinstance(ns, dict):
            raise TypeError(f"push takes a dict of names, not a {type(ns).__name__}")
        payload, results = pack_with_results(ns, "the pushed dict", self._submitter.data)
        return self._submit(farm.PUSH, "push", payload, block=block, targets=targets, results=results)

    def pull(self, names: str | Sequence[str], targets: Any = None, block: bool | None = None) -> Any:
        """The value of a name or expression in the engines' namespaces; a list of names gives lists of values."""
        payload = _names(names)
        return self._submit(farm.PULL, "pull", payload, block=block, targets=targets)

    def get(self, key_s: str | Sequence[str]) -> Any:
        """`pull`, and wait for it."""
        return self.pull(key_s, block=True)

    def update(self, ns: dict[str, Any]) -> Any:
        """As `push`."""
        return self.push(ns, block=self.block)

    def __getitem__(self, key: str) -> Any:
        return self.get(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self.push({key: value}, block=True)

    def clear(self, targets: Any = None, block: bool | None = None) -> Any:
        """Empty the engines' namespaces."""
        return self._submit(farm.CLEAR, "clear", None, block=block, targets=targets)

    def activate(self, suffix: str = "") -> None:
        """Run IPython's %px, %%px, %autopx, %pxresult and %pxconfig on this view.

        Args: suffix: ends the names of these magics, so that several views can be active: ``"_even"`` makes %px_even.
        """
        from .magics import activate

        activate(self, suffix)

    def sync_imports(self, local: bool = True, quiet: bool = False) -> SyncImports:
        """A block whose import statements happen here and on the engines: ``with view.sync_imports(): import numpy as np``.

        Args: local: also here; otherwise the names stand for what the engines have, to be called by views. quiet: say nothing.
        Raises, in the block: RemoteError: an engine cannot import it.
        """
        from .sync_imports import SyncImports

        return SyncImports(self, local, quiet)

    @property
    def importer(self) -> SyncImports:
        """As `sync_imports()`."""
        return self.sync_imports()

    # ---- scatter and gather

    def scatter(
        self,
        key: str,
        seq: Iterable[Any],
        dist: str = "b",
        flatten: bool = False,
        targets: Any = None,
        block: bool | None = None,
        track: bool | None = None,  # noqa: ARG002
    ) -> Any:
        """Push a part of `seq` under the name `key` to each engine; where there are more engines than items, some parts are empty.

        Args: seq: a sequence or anything that has items; an array, cut along its first axis; a data frame (of pandas, polars,
            pyarrow or alike), cut by rows. dist: "b" cuts contiguous blocks, "r" deals round robin. flatten: a part of one item is
            pushed as the item.
        Raises: ValueError: no such `dist`. TypeError: nothing that has items.
        """
        check_dist(dist)
        sequence = sliceable(seq)

        def parts(count: int) -> list[_native.Object]:
            values = (
                {key: single_item(part) if flatten and len(part) == 1 else part}
                for part in partition(sequence, count, dist)
            )
            return [serialize.pack(value, f"the sequence {key}", self._submitter.data) for value in values]

        return self._submit(farm.PUSH, "scatter", None, parts=parts, block=block, targets=targets)

    def scatter_file(
        self,
        key: str,
        path: str | os.PathLike[str],
        dist: str = "b",
        *,
        into: str = "lines",
        separator: str | bytes | None = "\n",
        record_bytes: int | None = None,
        encoding: str | None = "utf-8",
        shared: bool = True,
        targets: Any = None,
        block: bool | None = None,
    ) -> Any:
        """Give each engine a part of a file under the name `key`, cut at the borders of its records.

        Args: dist: "b" cuts ranges of about the same size, "r" deals records round robin. into: "lines" is the list of records,
            "bytes" the bytes of the range, "range" an object to iterate over that reads them when they are wanted, for what is
            larger than memory. separator: ends a record; None: cut anywhere. record_bytes: records have that length instead.
            encoding: of texts; None: records are bytes. shared: engines open the path themselves; False: it is read here and sent.
        Raises: OSError: there is no such file here. ValueError: arguments that do not go together. Errors of engines:
            FileNotFoundError; ValueError: the file has another size there.
        """
        file_range.check_form(into, dist)
        if not shared and into == file_range.RANGE:
            raise ValueError(
                "a range is read by the engines, which have to see the path: into='range' needs shared=True"
            )

        def ranges(count: int) -> list[file_range.FileRange]:
            options: dict[str, Any] = {"separator": separator, "record_bytes": record_bytes, "encoding": encoding}
            return file_range.cut_file(path, count, dist, **options)

        def pushed(count: int) -> list[_native.Object]:
            return [serialize.pack({key: file_range.load(part, into)}) for part in ranges(count)]

        def read_there(count: int) -> list[_native.Object]:
            return [serialize.pack(((key, part, into), {})) for part in ranges(count)]

        if not shared:
            return self._submit(farm.PUSH, "scatter_file", None, parts=pushed, block=block, targets=targets)
        digest, _ = self._submitter.publish(file_range.load_as)
        return self._submit(
            farm.APPLY, "scatter_file", None, parts=read_there, function=digest, block=block, targets=targets
        )

    def gather(self, key: str, dist: str = "b", targets: Any = None, block: bool | None = None) -> Any:
        """Pull the parts under the name `key` and join them: the inverse of `scatter`.

        Returns: of arrays one array, of data frames one frame, of whatever else a list; parts that are empty add nothing.
        Raises: ValueError: no such `dist`.
        """
        check_dist(dist)
        payload = _names(key)
        return self._submit(
            farm.PULL,
            "gather",
            payload,
            block=block,
            targets=targets,
            make_result=GatherResult,
            dist=dist,
        )


def _names(names: str | Sequence[str]) -> str | list[str]:
    if isinstance(names, str):
        return names
    if isinstance(names, (list, tuple, set)) and all(isinstance(name, str) for name in names):
        return list(names)
    raise TypeError(f"names must be a str or a list of str, not {names!r}")


def _as_array(values: list[Any]) -> Any:
    import numpy

    return numpy.asarray(values)
