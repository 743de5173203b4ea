"""Moving arrays: from the client to four workers, in whole and in parts, and back.  Megabytes a second, of 10^6 bytes, as delivered."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

UNITS = {
    "push_100MB_4": "MB/s",
    "scatter_400MB_4": "MB/s",
    "gather_400MB_4": "MB/s",
    "data_server_growth": "bytes",
}
WORKERS = 4
MB = 1_000_000
ROUNDS = 5


class Mover(Protocol):
    """A farm whose workers can be given arrays, and asked for theirs."""

    def push(self, array: Any) -> None:
        """The whole of it to every worker."""

    def scatter(self, array: Any) -> None:
        """A part of it to each worker."""

    def make_parts(self, size: int, seed: int) -> None:
        """Each worker makes an array of *size* bytes, consecutive numbers, that nobody has had.  Results of before are forgotten."""

    def gather(self) -> Any:
        """These arrays, in one."""

    def close(self) -> None: ...


def samples(mover: Mover, wanted: list[str], server_bytes: Callable[[], int] | None) -> Iterator[tuple[str, float]]:
    """The figures of `wanted`; medians of rounds with other bytes each, after one that does not count."""
    import numpy

    before = server_bytes() if server_bytes else 0
    whole = numpy.arange(400 * MB // 8, dtype=numpy.int64)
    part = whole[: 100 * MB // 8].copy()

    def push(seed: int) -> float:
        part[:] += seed
        return 4 * part.nbytes / seconds_of(lambda: mover.push(part))

    def scatter(seed: int) -> float:
        whole[:] += seed
        return whole.nbytes / seconds_of(lambda: mover.scatter(whole))

    def gather(seed: int) -> float:
        mover.make_parts(100 * MB, seed)
        begin = time.perf_counter()
        found = mover.gather()
        taken = time.perf_counter() - begin
        assert found.nbytes == 400 * MB
        assert found[1] - found[0] == 1
        return found.nbytes / taken

    for what, measure in (("push_100MB_4", push), ("scatter_400MB_4", scatter), ("gather_400MB_4", gather)):
        if what in wanted:
            rates = [measure(seed) for seed in range(1, ROUNDS + 2)][1:]
            yield what, statistics.median(rates) / MB
    if "data_server_growth" in wanted and server_bytes:
        yield "data_server_growth", server_bytes() - before


def seconds_of(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
