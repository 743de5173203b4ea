"""ipyparallel with a load-balanced view.  It has no automatic chunks; 100 suit 50,000 cheap items well."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

import ipyparallel

from tests.bench.work import noop

BROADCASTS = True


class IpyparallelFarm:
    def __init__(self, workers: int) -> None:
        self._cluster = ipyparallel.Cluster(n=workers, log_level=logging.ERROR)
        self._client = self._cluster.start_and_connect_sync(activate=False)
        self._view = self._client.load_balanced_view()

    def call(self) -> None:
        self._view.apply_sync(noop)

    def map(self, function: Callable[[Any], Any], items: Iterable[Any], chunk: int | str) -> list[Any]:
        return list(self._view.map_sync(function, list(items), chunksize=100 if chunk == "auto" else int(chunk)))

    def broadcast(self) -> None:
        self._client[:].apply_sync(noop)

    def close(self) -> None:
        self._client.close()
        self._cluster.stop_cluster_sync()


class IpyparallelMover(IpyparallelFarm):
    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self._all = self._client[:]
        self._all.block = True
        self._all.execute("import numpy, os")

    def push(self, array: Any) -> None:
        self._all.push({"whole": array})

    def scatter(self, array: Any) -> None:
        self._all.scatter("part", array)

    def make_parts(self, size: int, seed: int) -> None:
        self._all.execute(f"made = numpy.arange({size} // 8) + {seed} * os.getpid()")

    def gather(self) -> Any:
        return self._all.gather("made")


def make_mover(workers: int) -> IpyparallelMover:
    return IpyparallelMover(workers)


def make_farm(workers: int) -> IpyparallelFarm:
    return IpyparallelFarm(workers)
