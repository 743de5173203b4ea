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


def make_farm(workers: int) -> IpyparallelFarm:
    return IpyparallelFarm(workers)
