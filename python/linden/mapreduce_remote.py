"""MapReduce for programs in other languages: what `linden::MapReduce` (``linden/mapreduce_job.h``) calls in engines.

A job that such a program has started is like any other.  It is driven in an engine, by a thread beside its tasks; when that engine
dies, whoever waits for the job calls `drive` in another one.  Values that come and go are plain (``linden/plain.py``).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import engine_connection, job_tuples, mapreduce
from .errors import LindenError
from .function_path import function_at
from .mapreduce import MapReduce, TextFiles

if TYPE_CHECKING:
    from .client import Client
    from .mapreduce_job import MapReduceJob

_NAME = "MapReduce for another language"
# A page of results has about so many bytes, and no more pairs than that.
_PAGE_BYTES = 256 << 10
_PAGE_PAIRS = 5000
# A page that is not there by then may have to be made again by this very engine, which has to be free for that.
_PAGE_S = 0.5
_READINGS_MAX = 8
_BUILT_IN: dict[str, Callable[..., Any]] = {"sum": sum, "min": min, "max": max, "count": mapreduce.count}

_lock = threading.Lock()  # what follows
# By name, the jobs that this process drives.
_driven: set[str] = set()


# ---- A job


def start(name: str, job_id: str, functions: Sequence[Any], options: Sequence[Any], source: Sequence[Any]) -> None:
    """Start a job, and go on with it in this engine.

    Args: functions: mapper, reducer and combiner as `linden::JobFunction` says them. options: names and values, as of
        `linden.MapReduce`, and "output". source: ``["text", paths, names and values as of linden.TextFiles]`` or ``["records", records]``.
    Raises: as `linden.MapReduce` and its `run`.
    """
    mapper, reducer, combiner = (None if each is None else _function(each) for each in functions)
    assert mapper is not None
    assert reducer is not None
    rest = dict(options)
    output = rest.pop("output", None)
    client = engine_connection.connect(_NAME)
    try:
        found = mapreduce.find_job(client, name)
        if found is not None and found.id == job_id:  # an engine has begun with this call, and died
            if found.phase != job_tuples.INPUT:
                _keep_driving(client, MapReduce.attach(client, name))
                return
            MapReduce.discard(client, name)
        job = MapReduce(mapper, reducer, combiner, **rest)
        _keep_driving(client, job.run_as(client, _source(source), name, job_id, output))
    except BaseException:
        client.close()
        raise


def drive(name: str) -> None:
    """Go on with a job in this engine, if nobody else does.  Raises: KeyError, RuntimeError: as `MapReduce.attach`."""
    with _lock:
        if name in _driven:
            return
    client = engine_connection.connect(_NAME)
    try:
        _keep_driving(client, MapReduce.attach(client, name))
    except BaseException:
        client.close()
        raise


def _keep_driving(client: Client, job: MapReduceJob) -> None:
    def wait() -> None:
        try:
            with suppress(LindenError):
                job.wait()
        finally:
            with _lock:
                _driven.discard(job.name)
            client.close()

    thread = threading.Thread(target=wait, name=f"linden-mapreduce-remote-{job.name}", daemon=True)
    with _lock:
        _driven.add(job.name)
    thread.start()


def outcome(name: str) -> None:
    """Raise what the job has failed with.  Raises: that; KeyError."""
    with engine_connection.connect(_NAME) as client:
        MapReduce.attach(client, name).get()


def paths(name: str) -> list[str]:
    """The files that the job has written.  Raises: KeyError; what it has failed with."""
    with engine_connection.connect(_NAME) as client:
        return MapReduce.attach(client, name).paths


def purge(name: str) -> None:
    """Forget a job, whatever its state.  Raises: KeyError."""
    with _lock:
        for key in [key for key in _readings if key[0] == name]:
            _readings.pop(key).close()
    with engine_connection.connect(_NAME) as client:
        MapReduce.discard(client, name)


def _function(said: Sequence[Any]) -> Any:
    kind, *rest = said
    if kind == "native":
        return mapreduce.native(*rest)
    if kind != "python":
        return _BUILT_IN[kind]
    return function_at(*rest)


def _source(said: Sequence[Any]) -> Any:
    if said[0] == "text":
        return TextFiles(said[1], **dict(said[2]))
    return said[1]


# ---- Results


class _Reading:
    """Somebody who reads the results of a job, page by page, in order."""

    def __init__(self, name: str) -> None:
        self._client = engine_connection.connect(_NAME)
        try:
            self._pages = _pages_of(MapReduce.attach(self._client, name))
        except BaseException:
            self._client.close()
            raise
        self._number = -1
        self._page: list[Any] = []
        self._next: Future[list[Any]] | None = None

    def page(self, number: int) -> list[Any] | None:
        """That page, which is the last one again, or a later one: an engine before this one may have given others.

        None: it is not there yet.
        """
        deadline = time.monotonic() + _PAGE_S
        while self._number < number:
            self._next = self._next or self._begin()
            if not futures.wait([self._next], max(0.0, deadline - time.monotonic())).done:
                return None
            made, self._next = self._next, None
            self._page = made.result()
            self._number += 1
        return self._page

    def _begin(self) -> Future[list[Any]]:
        made: Future[list[Any]] = Future()

        def make() -> None:
            try:
                made.set_result(next(self._pages))
            except BaseException as error:  # noqa: BLE001  (told to who asks)
                made.set_exception(error)

        threading.Thread(target=make, name="linden-mapreduce-remote-page", daemon=True).start()
        return made

    def is_behind(self, number: int) -> bool:
        """Whether that page has been forgotten."""
        return number < self._number

    def close(self) -> None:
        """Leaves the farm."""
        self._client.close()


_readings: OrderedDict[tuple[str, str], _Reading] = OrderedDict()


def page(name: str, reader: str, number: int) -> list[Any] | None:
    """A page of a job's results, as ``[pairs, whether it is the last]``; None: not yet, so ask again after a while.

    Args: reader: whoever reads, by a name of its own. number: from 0, one after the other, or the same again.
    Raises: KeyError; ValueError: the results are in files; NotPlain, OverflowError: a key or value that is no plain value; what
        the job has failed with.
    """
    key = (name, reader)
    with _lock:
        reading = _readings.pop(key, None)
    if reading is not None and reading.is_behind(number):
        reading.close()
        reading = None
    reading = reading or _Reading(name)
    try:
        found = reading.page(number)
    except BaseException:
        reading.close()
        raise
    with _lock:
        _readings[key] = reading
        too_many = [_readings.popitem(last=False)[1] for _ in range(len(_readings) - _READINGS_MAX)]
    for each in too_many:
        each.close()
    return found


def end_reading(name: str, reader: str) -> None:
    """Nobody is going to ask this engine for another page."""
    with _lock:
        reading = _readings.pop((name, reader), None)
    if reading is not None:
        reading.close()


def _pages_of(job: MapReduceJob) -> Iterator[list[Any]]:
    pairs: list[Any] = []
    size = 0
    for key, value in job:
        if size >= _PAGE_BYTES or len(pairs) == _PAGE_PAIRS:
            yield [pairs, False]
            pairs, size = [], 0
        pairs.append([key, value])
        size += _size(key) + _size(value)
    yield [pairs, True]


def _size(value: Any) -> int:
    if isinstance(value, (list, tuple)):
        return 16 + sum(map(_size, value))
    return len(value) if isinstance(value, (str, bytes)) else int(getattr(value, "nbytes", 8))
