"""MapReduce: a mapper makes (key, value) pairs of records, a reducer makes one result of all values of a key.

    counts = linden.MapReduce(str.split, linden.mapreduce.count).run(rc, linden.TextFiles("log.txt"))
    for word, number in counts: ...

Map tasks write sorted runs where they are; reduce tasks merge them.  ``docs/tutorial/mapreduce.md``, ``docs/design/mapreduce.md``.
"""

from __future__ import annotations

import inspect
import math
import operator
import os
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from . import _native, farm, job_tuples
from .job_tuples import Job
from .mapreduce_job import MapReduceJob
from .mapreduce_source import TextFiles, splits_of
from .mapreduce_task import MapTask, Native, ReduceTask, Settings, increment, name_of
from .native_function import NativeFunction

if TYPE_CHECKING:
    from .client import Client

__all__ = ["MapReduce", "MapReduceJob", "TextFiles", "count", "increment", "native"]

_FRAME_BYTES = 4 << 20
_MEMORY = 256 << 20
_MEMORY_MIN = 1 << 20


def count(_key: Any, values: Iterable[int]) -> int:
    """As the reducer of a job whose mapper yields keys alone: how often each came.  Done in C++."""
    return sum(values)


def native(name: str, library: str | os.PathLike[str] | None = None) -> Native:
    """A mapper or a reducer in C++, by the name under which a shared library registers it (``linden/mapreduce.h``).

    Args: library: its path, the same on every engine; None: the ones that Linden brings: the mapper "words", which yields
        each word of a line with 1, and the reducer "pairs", which hands on what it gets.
    """
    return Native(name, None if library is None else os.path.abspath(library))


# What is done in C++, by the function that says it.
_IN_CPP: dict[Any, str] = {sum: "sum", operator.add: "sum", min: "min", max: "max", count: "sum"}


class MapReduce:
    """A job to be run over any input.

    Args: mapper: gets a record, and returns or yields (key, value) tuples; or `native("name")`. reducer: gets a key and an
        iterator over its values, and returns the result of that key, or, if it is a generator, yields (key, value) tuples; or
        `native("name")`; or sum, min, max, operator.add, which are done in C++ on numbers; or `count`, for mappers that yield
        keys alone. combiner: gets a key and values of one map task, and returns one value for them, to make less of what travels;
        for sum, min, max and count there is one by itself. partitions: how many reduce tasks; None: two for each engine.
        sort: whether results come in the order of keys. memory: bytes that a task takes for pairs before it spills them to disk.
        threads: of C++ in a task; None: the cores of an engine's host that its engines leave it. retries, priority: of its
        tasks, as of a LoadBalancedView.
    Raises: TypeError, ValueError: an argument.

    Keys are None, bool, int, float, str, bytes, and tuples of these; values are anything.  Keys of different types are different keys, and
    sorted by type.
    """

    def __init__(
        self,
        mapper: Callable[[Any], Any],
        reducer: Callable[..., Any],
        combiner: Callable[..., Any] | None = None,
        partitions: int | None = None,
        sort: bool = True,
        *,
        memory: int = _MEMORY,
        threads: int | None = None,
        retries: int | None = None,
        priority: int = 0,
    ) -> None:
        for what, function in (("mapper", mapper), ("reducer", reducer), ("combiner", combiner)):
            if not (callable(function) or (what == "combiner" and function is None)):
                raise TypeError(f"the {what} must be callable, or linden.mapreduce.native(...), not {function!r}")
        if partitions is not None and not (type(partitions) is int and partitions >= 1):
            raise ValueError(f"partitions must be None or a number of at least 1, not {partitions!r}")
        if not (type(memory) is int and memory >= _MEMORY_MIN):
            raise ValueError(f"memory must be a number of bytes of at least {_MEMORY_MIN}, not {memory!r}")
        if threads is not None and not (type(threads) is int and threads >= 1):
            raise ValueError(f"threads must be None or a number of at least 1, not {threads!r}")
        if isinstance(combiner, NativeFunction):
            raise TypeError("a combiner is a function in Python, or sum, min or max")
        if combiner is not None and combiner not in _IN_CPP and inspect.isgeneratorfunction(combiner):
            raise TypeError(f"the combiner {name_of(combiner)} yields; it must return one value for the values it gets")
        self.mapper = mapper
        self.reducer = reducer
        self.combiner = combiner
        self.partitions = partitions
        self.sort = sort
        self.memory = memory
        self.threads = threads
        self.retries = retries
        self.priority = priority

    def run(
        self,
        client: Client,
        source: Any,
        *,
        name: str | None = None,
        output: str | os.PathLike[str] | None = None,
    ) -> MapReduceJob:
        """Start the job on all engines.

        Args: source: `TextFiles`, or any iterable of records: a sequence, a generator, ``space.iterate(template)``. name: to
            find it again; None: made up. output: a directory for results as files of lines "key, tab, value", one per
            partition, ``part-00000.txt`` and so on, written by engines; None: results come back.
        Raises: FileNotFoundError: no such input. ValueError: there is a job of that name. NotPicklable.
        """
        job_id = secrets.token_hex(16)
        return self.run_as(client, source, name or f"{name_of(self.mapper)}-{job_id[:8]}", job_id, output)

    def run_as(
        self, client: Client, source: Any, name: str, job_id: str, output: str | os.PathLike[str] | None
    ) -> MapReduceJob:
        """As `run`, for who may have to ask twice, and finds by its id the job that the first time has left."""
        if find_job(client, name) is not None:
            raise ValueError(
                f"there is a MapReduce job {name!r} already; attach to it, purge it, or choose another name"
            )
        engines = [engine for engine in client.engines() if not engine.is_native]
        partitions = self.partitions or max(1, 2 * len(engines))
        directory = _made(output)
        splits = splits_of(source, len(engines))
        map_task, reduce_task = self._tasks(partitions, self._threads_of(engines), directory, self._is_shared(engines))
        functions = {"map": client.submitter.publish(map_task)[0], "reduce": client.submitter.publish(reduce_task)[0]}
        facts = {
            "mapper": name_of(self.mapper),
            "reducer": name_of(self.reducer),
            "maps": 0,
            "reduces": partitions,
            "sort": self.sort,
            "output": directory,
            "functions": functions,
            "retries": self.retries,
            "priority": self.priority,
        }
        job = Job(name, job_id, job_tuples.INPUT, facts)
        return MapReduceJob(client, _put_input(client, job, splits), is_new=True)

    @staticmethod
    def attach(client: Client, name: str) -> MapReduceJob:
        """A job that this or another client has started: to wait for it, and to go on with it if its client has gone.

        Raises: KeyError: no such job. RuntimeError: its client has gone before all input was in the farm.
        """
        job = find_job(client, name)
        if job is None:
            raise KeyError(f"there is no MapReduce job {name!r} in this farm; was it purged?")
        if job.phase == job_tuples.INPUT:
            raise RuntimeError(
                f"not all input of MapReduce {name!r} is in the farm; its client puts it there still, or has gone: "
                "then MapReduce.discard(client, name), and run it again"
            )
        return MapReduceJob(client, job, is_new=False)

    @staticmethod
    def discard(client: Client, name: str) -> None:
        """Forget a job whose client has gone, whatever its state.

        Raises: KeyError: no such job.
        """
        job = find_job(client, name)
        if job is None:
            raise KeyError(f"there is no MapReduce job {name!r} in this farm")
        if job.phase == job_tuples.INPUT:
            _forget(client, job)
            return
        attached = MapReduce.attach(client, name)
        attached.cancel()
        attached.purge()

    def _tasks(
        self, partitions: int, threads: int, directory: str | None, share: bool = False
    ) -> tuple[MapTask, ReduceTask]:
        reduced = _in_cpp(self.reducer)
        combined = reduced if self.combiner is None else _in_cpp(self.combiner)
        combiner = self.combiner if self.combiner is not None and combined is None else None
        settings = Settings(partitions, self.memory, threads, combined, counts=self.reducer is count, share=share)
        reducer = None if reduced is not None else self.reducer
        yields = inspect.isgeneratorfunction(reducer) or inspect.isgeneratorfunction(getattr(reducer, "__call__", None))  # noqa: B004
        reduce_settings = settings._replace(combine=reduced if reduced is not None else combined)
        return MapTask(self.mapper, combiner, settings), ReduceTask(reducer, reduce_settings, yields, directory)

    @staticmethod
    def _is_shared(engines: list[farm.Engine]) -> bool:
        """Whether engines must fetch runs from other hosts; a client on another host fetches large results."""
        return len({os.uname().nodename, *(engine.info.get("host") for engine in engines)}) > 1

    def _threads_of(self, engines: list[farm.Engine]) -> int:
        if self.threads is not None:
            return self.threads
        on_host: dict[str, int] = {}
        for engine in engines:
            on_host[engine.info.get("host", "")] = on_host.get(engine.info.get("host", ""), 0) + 1
        free = [engine.info.get("cores", 1) / on_host[engine.info.get("host", "")] for engine in engines]
        return max(1, math.floor(min(free, default=1)))

    def __repr__(self) -> str:
        return f"<linden.MapReduce of {name_of(self.mapper)} and {name_of(self.reducer)}>"


def _in_cpp(function: Any) -> str | None:
    try:
        return _IN_CPP.get(function)
    except TypeError:  # it has no hash
        return None


def find_job(client: Client, name: str) -> Job | None:
    """The job of that name as its tuple tells."""
    native = client.space.native
    rows = native.client.wait(native.send_list(job_tuples.job_form(name), limit=1, all_states=True))["tuples"]
    return job_tuples.parse_job(rows[0]["fields"]) if rows else None


def _forget(client: Client, job: Job) -> None:
    """Remove all that the farm has of a job that never ran."""
    for form in [*job_tuples.all_forms(job.id), job_tuples.job_form(job.name, job.id)]:
        while client.space.take_many(form, 1000, timeout=0):
            pass


def _made(output: str | os.PathLike[str] | None) -> str | None:
    if output is None:
        return None
    directory = os.path.abspath(os.fspath(output))
    os.makedirs(directory, exist_ok=True)
    if any(entry.startswith("part-") for entry in os.listdir(directory)):
        raise ValueError(f"{directory} holds results already; remove them, or choose another directory")
    return directory


def _put_input(client: Client, job: Job, splits: Iterable[Any]) -> Job:
    """Put what the map tasks read, then the job as ready to run."""
    native = client.space.native
    first = native.client.wait(native.send_put([job.put()]))[0]
    maps = 0
    try:
        _check_is_alone(client, job)
        frame, size = [], 0
        for split in splits:
            put = job_tuples.payload(job.id, maps, split)
            maps += 1
            frame.append(put)
            size += put.nbytes
            if size >= _FRAME_BYTES:
                native.client.wait(native.send_put(frame, patient=True))
                frame, size = [], 0
        job = job._replace(phase="map", facts={**job.facts, "maps": maps})
        ready = [*frame, job.put(), _native.Put(job_tuples.driver(job.id))]
        native.client.wait(native.send_commit(ready, [], [first]))
    except BaseException:
        _forget(client, job)
        raise
    return job


def _check_is_alone(client: Client, job: Job) -> None:
    """Of two clients that have begun a job of one name at once, the first goes on."""
    native = client.space.native
    rows = native.client.wait(native.send_list(job_tuples.job_form(job.name), limit=1, all_states=True))["tuples"]
    if rows and job_tuples.parse_job(rows[0]["fields"]).id != job.id:
        raise ValueError(f"there is a MapReduce job {job.name!r} already, which another client has begun meanwhile")
