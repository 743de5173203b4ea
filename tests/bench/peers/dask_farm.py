"""dask.distributed with worker processes of one thread.  Chunks are made by hand, as its documentation advises for cheap tasks."""

import itertools
import logging
from collections.abc import Callable, Iterable
from typing import Any

import distributed

from tests.bench.work import noop

BROADCASTS = True


def map_chunk(function: Callable[[Any], Any], chunk: list[Any]) -> list[Any]:
    return [function(item) for item in chunk]


class DaskFarm:
    def __init__(self, workers: int) -> None:
        self._cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
        self._client = distributed.Client(self._cluster)

    def call(self) -> None:
        self._client.submit(noop, pure=False).result()

    def map(self, function: Callable[[Any], Any], items: Iterable[Any], chunk: int | str) -> list[Any]:
        size = 100 if chunk == "auto" else int(chunk)
        if size == 1:
            return list(self._client.gather(self._client.map(function, list(items), pure=False)))
        iterator = iter(items)
        chunks = list(iter(lambda: list(itertools.islice(iterator, size)), []))
        parts = self._client.gather(self._client.map(map_chunk, [function] * len(chunks), chunks, pure=False))
        return list(itertools.chain.from_iterable(parts))

    def broadcast(self) -> None:
        self._client.run(noop)

    def close(self) -> None:
        self._client.close()
        self._cluster.close()


def make_part(size: int, seed: int) -> Any:
    import os

    import numpy

    return numpy.arange(size // 8) + seed * os.getpid()


class DaskMover(DaskFarm):
    """Data live with workers as futures; what is scattered replaces what was before."""

    def push(self, array: Any) -> None:
        self._whole = self._client.scatter(array, broadcast=True, hash=False)

    def scatter(self, array: Any) -> None:
        import numpy

        parts = numpy.array_split(array, len(self._cluster.workers))
        self._parts = self._client.scatter(parts, hash=False)

    def make_parts(self, size: int, seed: int) -> None:
        workers = list(self._client.scheduler_info()["workers"])
        self._made = [self._client.submit(make_part, size, seed, workers=[worker], pure=False) for worker in workers]
        distributed.wait(self._made)

    def gather(self) -> Any:
        import numpy

        return numpy.concatenate(self._client.gather(self._made))


def make_mover(workers: int) -> DaskMover:
    return DaskMover(workers)


def make_farm(workers: int) -> DaskFarm:
    return DaskFarm(workers)
