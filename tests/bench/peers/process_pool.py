"""The standard library's process pool.  It has no automatic chunks; 100 suit 50,000 cheap items well."""

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.bench.work import noop


class ProcessPoolFarm:
    def __init__(self, workers: int) -> None:
        self._pool = ProcessPoolExecutor(workers)

    def call(self) -> None:
        self._pool.submit(noop).result()

    def map(self, function: Callable[[Any], Any], items: Iterable[Any], chunk: int | str) -> list[Any]:
        return list(self._pool.map(function, items, chunksize=100 if chunk == "auto" else int(chunk)))

    def close(self) -> None:
        self._pool.shutdown()


def make_farm(workers: int) -> ProcessPoolFarm:
    return ProcessPoolFarm(workers)
