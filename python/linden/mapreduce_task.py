"""What the tasks of a MapReduce job do, on engines: ordinary tasks, whose function is a `MapTask` or a `ReduceTask`.

A map task returns a dict: where its run is ("run", None if it is empty), what it did ("records", "pairs", "pairs_out", "bytes",
"spills"), and "counters".  A reduce task returns its pairs ("data", or "run" if they are large), or where it wrote them ("path"), and the
same; or only {"lost": [(index, attempt), ...]}, the map outputs that it could not fetch.
"""

from __future__ import annotations

import codecs
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple

from . import _shuffle, run_store
from .mapreduce_source import RecordsSpec, TextSplitSpec
from .native_function import NativeFunction

# Between these, signals are seen and other threads may run.
_TEXT_BYTES = 1 << 20
_RECORDS = 1000
_PAIRS = 200_000
_VALUES = 10_000
# Pairs of a reduce task travel in its result up to this size.
INLINE_BYTES_MAX = 4 << 20

_COMBINES = {"sum": _shuffle.Combine.SUM, "min": _shuffle.Combine.MIN, "max": _shuffle.Combine.MAX}
NO_COMBINE = _shuffle.Combine.NONE


class Native(NativeFunction):
    """A mapper or a reducer in C++; see `linden.mapreduce.native`."""

    def __init__(self, name: str, library: str | None = None) -> None:
        super().__init__(name)
        self.library = library

    def __repr__(self) -> str:
        return f"linden.mapreduce.native({self.__name__!r}, {self.library!r})"


class Settings(NamedTuple):
    """What map tasks and reduce tasks of a job have in common."""

    partitions: int
    memory_bytes: int
    threads: int
    combine: str | None = None  # "sum", "min" or "max": done in C++, on both sides unless there is a reducer
    counts: bool = False  # mappers yield keys, each of which counts one
    share: bool = False  # runs are fetched from other hosts, too


# ---- Counters ------------------------------------------------------------------------------------------------------

_counters: dict[str, int] = {}


def increment(name: str, by: int = 1) -> None:
    """Add to a counter of the job, in a mapper, combiner or reducer in Python; each task that counts is counted once."""
    _counters[name] = _counters.get(name, 0) + by


def _facts(output: _shuffle.Output | None, **more: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"counters": dict(_counters), **more}
    if output is not None:
        facts |= {"records": output.records, "pairs": output.pairs, "spills": output.spills}
    return facts


# ---- Map -----------------------------------------------------------------------------------------------------------


class MapTask:
    """Maps the records of a split, and keeps the run that it makes of them."""

    def __init__(self, mapper: Any, combiner: Callable[[Any, Iterator[Any]], Any] | None, settings: Settings) -> None:
        """`combiner`: in Python; those in C++ are in `settings`."""
        self.mapper = mapper
        self.combiner = combiner
        self.settings = settings
        self.__name__ = name_of(mapper)

    def __call__(self, job: str, split: TextSplitSpec | RecordsSpec) -> dict[str, Any]:
        _counters.clear()
        store = run_store.store
        settings = self.settings
        output = _shuffle.Output(
            settings.partitions,
            combine=_COMBINES.get(settings.combine or "", NO_COMBINE),
            counts=settings.counts,
            memory_bytes=settings.memory_bytes,
            threads=settings.threads,
            directory=store.directory,
            bytes=isinstance(split, TextSplitSpec) and split.encoding is None,
        )
        feed = self._feed(output, split)
        while feed():
            if output.is_full:
                self._spill(output)
        if not output.pairs:
            return _facts(output, run=None, bytes=0, pairs_out=0)
        written = {"pairs": 0}
        run = store.write(runs_of(job, "map"), lambda descriptor: self._finish(output, descriptor, written))
        if settings.share:
            run = run_store.share(run)
        return _facts(output, run=run, bytes=run[-1], pairs_out=written["pairs"] or output.pairs_out)

    def _feed(self, output: _shuffle.Output, split: TextSplitSpec | RecordsSpec) -> Callable[[], bool]:
        """What maps the next records; it returns False when there are no more."""
        if isinstance(split, RecordsSpec):
            if isinstance(self.mapper, NativeFunction):
                raise TypeError(f"the mapper {self.mapper.__name__} is in C++, which reads text files only")
            return self._feed_records(output, split)
        if isinstance(self.mapper, NativeFunction) and not reads_natively(split.encoding):
            raise ValueError(
                f"the mapper {self.mapper.__name__} is in C++, which reads UTF-8 or bytes, not {split.encoding}; convert "
                "the files, or give TextFiles encoding=None"
            )
        text = _shuffle.TextSplit(
            split.path,
            split.begin,
            split.end,
            delimiter=split.delimiter,
            record_bytes_max=max(self.settings.memory_bytes, _TEXT_BYTES),
        )
        if isinstance(self.mapper, NativeFunction):
            functions, name = functions_with(self.mapper), self.mapper.__name__
            return lambda: output.map_native(functions, name, text, _TEXT_BYTES)
        encoding = "" if split.encoding is not None and _is_utf8(split.encoding) else split.encoding

        def feed() -> bool:
            try:
                return output.map_text(self.mapper, text, _TEXT_BYTES, encoding, split.errors)
            except _shuffle.BadPair as error:
                raise TypeError(
                    f"mapper {self.__name__}, record at byte {text.offset} of {text.path}: {error}"
                ) from None
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"the record at byte {text.offset} of {text.path} is not {split.encoding}: {error}; give TextFiles its "
                    'encoding, or errors="replace"'
                ) from None
            except Exception as error:
                error.add_note(f"in mapper {self.__name__}, at the record at byte {text.offset} of {text.path}")
                raise

        return feed

    def _feed_records(self, output: _shuffle.Output, split: RecordsSpec) -> Callable[[], bool]:
        records = iter(split.records)

        def feed() -> bool:
            try:
                return output.map(self.mapper, records, _RECORDS)
            except _shuffle.BadPair as error:
                record = split.records[output.records - 1]
                raise TypeError(f"mapper {self.__name__}, record {record!r:.200}: {error}") from None

        return feed

    def _spill(self, output: _shuffle.Output) -> None:
        if self.combiner is None:
            output.spill()
            return
        run = _shuffle.Writer(self.settings.partitions, directory=run_store.store.directory)
        output.sort()
        self._combine(run, output.sorted)
        run.finish()
        output.replace(run)

    def _finish(self, output: _shuffle.Output, descriptor: int, written: dict[str, int]) -> int:
        if self.combiner is None:
            return output.finish(descriptor, "the output of a map task")
        run = _shuffle.Writer(self.settings.partitions, descriptor=descriptor)
        if output.spills:
            self._spill(output)
            self._combine(run, output.merged)
        else:
            output.sort()
            self._combine(run, output.sorted)
        written["pairs"] = run.pairs
        return run.finish()

    def _combine(self, run: _shuffle.Writer, pairs_of: Callable[[int], _shuffle.Pairs]) -> None:
        assert self.combiner is not None
        for partition in range(self.settings.partitions):
            run.begin(partition)
            for key, values in groups(pairs_of(partition)):
                run.add(key, _called("combiner", self.combiner, key, values))


def runs_of(job: str, phase: str) -> str:
    """What runs of a phase of a job are dropped by."""
    return f"{job}-{phase}"


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def reads_natively(encoding: str | None) -> bool:
    """Whether mappers in C++ read files of this encoding."""
    return encoding is None or codecs.lookup(encoding).name in ("utf-8", "ascii")


# ---- Reduce --------------------------------------------------------------------------------------------------------


class ReduceTask:
    """Merges one partition of all map outputs, and reduces it."""

    def __init__(self, reducer: Any, settings: Settings, yields: bool, directory: str | None) -> None:
        """`reducer`: None: what is combined is the result. `yields`: it is a generator of pairs. `directory`: for files of text."""
        self.reducer = reducer
        self.settings = settings
        self.yields = yields
        self.directory = directory
        self.__name__ = name_of(reducer or settings.combine)

    def __call__(self, job: str, partition: int, outputs: Sequence[tuple[int, int, Any]]) -> dict[str, Any]:
        """`outputs`: index, attempt and run of each map output."""
        _counters.clear()
        runs: list[memoryview] = []
        lost: list[tuple[int, int]] = []
        for index, attempt, ref in outputs:
            try:
                runs.append(run_store.fetch(ref))
            except run_store.RunLost:
                lost.append((index, attempt))
        if lost:
            return {"lost": lost}
        how = _COMBINES.get(self.settings.combine or "", NO_COMBINE)
        # Numbers that were combined are combined again, whatever reduces them then.
        pairs = _shuffle.merge(runs, partition, combine=how)
        if self.directory is not None:
            return self._write_text(job, partition, pairs)
        return self._keep(job, pairs)

    # ---- pairs that stay

    def _keep(self, job: str, pairs: _shuffle.Pairs) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        group = runs_of(job, "reduce")
        run = run_store.store.write(group, lambda descriptor: self._reduce_to_run(pairs, descriptor, facts))
        if run[-1] > INLINE_BYTES_MAX and not self.settings.share:
            return _facts(None, run=run, data=None, **facts)
        if run[-1] > INLINE_BYTES_MAX:
            return _facts(None, run=run_store.share(run), data=None, **facts)
        try:
            return _facts(None, run=None, data=bytes(run_store.fetch(run)), **facts)
        finally:
            run_store.drop(run)

    def _reduce_to_run(self, pairs: _shuffle.Pairs, descriptor: int, facts: dict[str, Any]) -> int:
        if self.reducer is None:
            run = _shuffle.Writer(1, descriptor=descriptor)
            run.begin(0)
            while run.add_some(pairs, _PAIRS):
                pass
            facts.update(keys=run.pairs, pairs_out=run.pairs)
            size = run.finish()
        elif self.yields or isinstance(self.reducer, NativeFunction):
            output = self._sorting_output(pairs, facts)
            size = output.finish(descriptor, "the output of a reduce task")
            facts["pairs_out"] = output.pairs_out
        else:
            run = _shuffle.Writer(1, descriptor=descriptor)
            run.begin(0)
            for key, values in groups(pairs):
                run.add(key, _called("reducer", self.reducer, key, values))
            facts.update(keys=run.pairs, pairs_out=run.pairs)
            size = run.finish()
        facts["bytes"] = size
        return size

    def _sorting_output(self, pairs: _shuffle.Pairs, facts: dict[str, Any]) -> _shuffle.Output:
        """What a reducer yields that may change keys."""
        output = _shuffle.Output(
            1,
            memory_bytes=self.settings.memory_bytes,
            threads=self.settings.threads,
            directory=run_store.store.directory,
        )
        if isinstance(self.reducer, NativeFunction):
            functions, name = functions_with(self.reducer), self.reducer.__name__
            while output.reduce_native(functions, name, pairs, _PAIRS):
                if output.is_full:
                    output.spill()
            facts["keys"] = output.records
            return output
        facts["keys"] = 0
        for key, values in groups(pairs):
            facts["keys"] += 1
            for pair in _called("reducer", self.reducer, key, values):
                if not (isinstance(pair, tuple) and len(pair) == 2):
                    raise TypeError(
                        f"reducer {self.__name__} yielded {pair!r:.200} for key {key!r:.200}; wanted is a (key, value) tuple"
                    )
                try:
                    output.add(*pair)
                except _shuffle.BadPair as error:
                    raise TypeError(f"reducer {self.__name__}: {error}") from None
                if output.is_full:
                    output.spill()
        return output

    # ---- files of text

    def _write_text(self, job: str, partition: int, pairs: _shuffle.Pairs) -> dict[str, Any]:
        """The pairs as lines "key, tab, value" in a file that is there whole or not at all."""
        assert self.directory is not None
        facts: dict[str, Any] = {}
        path = os.path.join(self.directory, f"part-{partition:05}.txt")
        part = f"{path}.{secrets.token_hex(8)}.tmp"  # other attempts may be on other hosts
        run = run_store.store.write(
            runs_of(job, "reduce"), lambda descriptor: self._reduce_to_run(pairs, descriptor, facts)
        )
        try:
            reduced = _shuffle.merge([run_store.fetch(run)], 0)
            with open(part, "x", encoding="utf-8") as file:
                while some := reduced.next_pairs(_VALUES):
                    file.writelines(f"{key}\t{value}\n" for key, value in some)
            os.replace(part, path)
        finally:
            run_store.drop(run)
            with suppress(FileNotFoundError):
                os.unlink(part)
        return _facts(None, run=None, data=None, path=path, **facts)


# ---- What both need ------------------------------------------------------------------------------------------------


def groups(pairs: _shuffle.Pairs) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Each key with its values, which are read as they are asked for, until the next key."""
    while (group := pairs.next_group(_VALUES)) is not None:
        key, values, is_whole = group
        yield key, iter(values) if is_whole else chain(values, _more(pairs))


def _more(pairs: _shuffle.Pairs) -> Iterator[Any]:
    while values := pairs.more_values(_VALUES):
        yield from values


def _called(what: str, function: Callable[[Any, Iterator[Any]], Any], key: Any, values: Iterator[Any]) -> Any:
    try:
        return function(key, values)
    except Exception as error:
        error.add_note(f"in {what} {name_of(function)}, at key {key!r:.200}")
        raise


def name_of(function: Any) -> str:
    """What people call it."""
    return str(getattr(function, "__name__", None) or function)


_functions: dict[str | None, _shuffle.Functions] = {}


def functions_with(native: NativeFunction) -> _shuffle.Functions:
    """Ours, and those of the function's library: two libraries may use a name for different things."""
    library = native.library if isinstance(native, Native) else None
    if library not in _functions:
        functions = _shuffle.Functions()
        if library is not None:
            functions.load(library)
        _functions[library] = functions
    return _functions[library]
