"""One contestant in a process of its own: ``python -m tests.bench.contestant NAME FIGURE...`` prints a line of JSON per sample.

Every contestant is started afresh in every round and measured by the same code, and nothing of the others runs meanwhile.
"""

import importlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

from tests.bench import cycles, data
from tests.bench.work import burn, increment

Chunk = int | Literal["auto"]


class Farm(Protocol):
    """Workers that run functions.  Made with the number of workers; usable at once, though they may still be starting."""

    def call(self) -> None:
        """Runs work.noop on some worker and waits for its result."""

    def map(self, function: Callable[[Any], Any], items: Iterable[Any], chunk: Chunk) -> list[Any]: ...

    def close(self) -> None: ...


class Broadcaster(Farm, Protocol):
    """A farm that can run one thing everywhere."""

    def broadcast(self) -> None:
        """Runs work.noop on each worker and waits for all results."""


class Queue(Protocol):
    """A durable queue, talked to by one client.  Made with an empty folder for its files.  Durable: survives kill -9."""

    def put_take(self) -> None:
        """Puts 100 bytes, waits, takes them, waits."""

    def put_take_many(self, count: int) -> None:
        """Sends *count* puts and as many takes without waiting in between, then waits for all answers."""

    def close(self) -> None: ...


# Where to find them.  Modules are imported only when asked for: their packages may be in different environments.
CONTESTANTS = {
    "linden": "tests.bench.linden_contestant",
    "ProcessPoolExecutor": "tests.bench.peers.process_pool",
    "ipyparallel": "tests.bench.peers.ipyparallel_farm",
    "dask.distributed": "tests.bench.peers.dask_farm",
    "redis-list": "tests.bench.peers.redis_queue",
    "redis-stream": "tests.bench.peers.redis_queue",
    "beanstalkd": "tests.bench.peers.beanstalkd_queue",
    "nats-jetstream": "tests.bench.cycles",
}

# Those that a load of many cycles is put on.
CYCLERS = {"linden", "redis-list", "redis-stream", "beanstalkd", "nats-jetstream"}


def seconds_of(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def apply_sync_noop(farm: Farm) -> float:
    """Microseconds of one call, the median of many."""
    for _ in range(50):
        farm.call()
    end = time.perf_counter() + 1.5
    samples = []
    while time.perf_counter() < end or len(samples) < 50:
        samples.append(seconds_of(farm.call))
    return statistics.median(samples) * 1e6


def map_rate(farm: Farm, count: int, chunk: Chunk) -> float:
    """Items a second, all results back."""
    items = range(count)
    start = time.perf_counter()
    results = farm.map(increment, items, chunk)
    rate = count / (time.perf_counter() - start)
    assert results == list(range(1, count + 1))
    return rate


def efficiency(farm: Farm, tasks: int = 1000, milliseconds: float = 1.0, workers: int = 2) -> float:
    """The part of the workers' time that went into tasks."""
    wall = seconds_of(lambda: farm.map(burn, [milliseconds] * tasks, 1))
    return tasks * milliseconds / 1000 / (workers * wall)


def broadcast(farm: Broadcaster) -> float:
    """Milliseconds of a no-op on every worker, the median of many."""
    for _ in range(10):
        farm.broadcast()
    end = time.perf_counter() + 1.5
    samples = []
    while time.perf_counter() < end or len(samples) < 20:
        samples.append(seconds_of(farm.broadcast))
    return statistics.median(samples) * 1e3


def put_take_1(queue: Queue) -> float:
    """Microseconds of a put and a take, one after the other, the median of many."""
    for _ in range(100):
        queue.put_take()
    return statistics.median(seconds_of(queue.put_take) for _ in range(2000)) * 1e6


def put_take_pipelined(queue: Queue, total: int = 10_000, at_once: int = 100) -> float:
    """Pairs of put and take a second."""
    queue.put_take_many(at_once)
    return total / seconds_of(lambda: [queue.put_take_many(at_once) for _ in range(total // at_once)])


GRAPH_UNITS = {"graph_chain_2k": "tasks/s", "graph_10k": "tasks/s", "graph_100k": "tasks/s"}
HUB_UNITS = {"hub_queue_status": "ms", "hub_db_query": "ms", "hub_history": "ms", "hub_server_growth": "bytes"}
UNITS = (
    {
        "apply_sync_noop": "us",
        "map_chunk1_10k": "tasks/s",
        "map_auto_50k": "items/s",
        "eff_1ms": "of the workers' time",
        "put_take_1": "us",
        "put_take_pipelined": "pairs/s",
        "startup_4": "s",
        "broadcast_16": "ms",
        "broadcast_64": "ms",
    }
    | data.UNITS
    | HUB_UNITS
    | GRAPH_UNITS
    | cycles.UNITS
)
# Those with a load of many cycles in all combinations are measured when asked for.
USUAL = [what for what in UNITS if what not in cycles.UNITS or what in cycles.USUAL]

# Two workers: a machine with two cores is what the figures are compared on.
FARM_FIGURES: dict[str, Callable[[Farm], float]] = {
    "apply_sync_noop": apply_sync_noop,
    "map_chunk1_10k": lambda farm: map_rate(farm, 10_000, 1),
    "map_auto_50k": lambda farm: map_rate(farm, 50_000, "auto"),
    "eff_1ms": efficiency,
}
BROADCAST_WORKERS = {"broadcast_16": 16, "broadcast_64": 64}
QUEUE_FIGURES: dict[str, Callable[[Queue], float]] = {
    "put_take_1": put_take_1,
    "put_take_pipelined": put_take_pipelined,
}


def startup(module: Any, workers: int = 4) -> float:
    """Seconds from nothing (but imports) to the first result, with *workers* workers asked for."""
    start = time.perf_counter()
    farm = module.make_farm(workers)
    farm.call()
    taken = time.perf_counter() - start
    farm.close()
    return taken


def twice_if_quick(names: list[str], quick_s: float = 20) -> Iterator[str]:
    start = time.perf_counter()
    yield from names
    if time.perf_counter() - start < quick_s:
        yield from names


def samples(name: str, wanted: list[str]) -> Iterator[tuple[str, float]]:
    """Measures the figures that this contestant has, of those wanted; twice where that is quick, since a start costs more."""
    module = importlib.import_module(CONTESTANTS[name])
    if hasattr(module, "make_farm"):
        if "startup_4" in wanted:
            yield "startup_4", startup(module)
        if chosen := [what for what in wanted if what in FARM_FIGURES]:
            farm = module.make_farm(2)
            farm.map(increment, range(100), 1)  # both workers are up and know the function
            for what in twice_if_quick(chosen):
                yield what, FARM_FIGURES[what](farm)
            farm.close()
    for what, workers in BROADCAST_WORKERS.items():
        if what in wanted and getattr(module, "BROADCASTS", False):
            farm = module.make_farm(workers)
            yield what, broadcast(farm)
            farm.close()
    if hasattr(module, "make_mover") and any(what in wanted for what in data.UNITS):
        mover = module.make_mover(data.WORKERS)
        yield from data.samples(mover, wanted, getattr(mover, "server_bytes", None))
        mover.close()
    if getattr(module, "HAS_HUB", False) and any(what in wanted for what in HUB_UNITS):
        from tests.bench import hub  # needs linden, which not every contestant's environment has

        yield from hub.samples(wanted)
    if getattr(module, "HAS_GRAPHS", False) and any(what in wanted for what in GRAPH_UNITS):
        from tests.bench import graphs

        yield from graphs.samples(wanted)
    if hasattr(module, "make_queue") and (chosen := [what for what in wanted if what in QUEUE_FIGURES]):
        with tempfile.TemporaryDirectory(prefix="ld-bench-", dir="/tmp") as folder:
            queue = module.make_queue(name, Path(folder))
            for what in twice_if_quick(chosen):
                yield what, QUEUE_FIGURES[what](queue)
            queue.close()
    if name in CYCLERS:
        for what in wanted:
            if cycles.has(name, what):
                yield what, cycles.measure(name, what)


def main() -> None:
    name, *wanted = sys.argv[1:]
    for what, value in samples(name, wanted):
        print(json.dumps([what, value]), flush=True)


if __name__ == "__main__":
    main()
