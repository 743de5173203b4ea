"""What many engines cost: N real ones on this machine, and thousands of simulated ones, which answer at once.

    python -m tests.bench.engines simulate ADDRESS COUNT     sessions that register, take tasks and finish them, until stdin ends

A simulated engine is a session with a registration tuple and a stream of reservations, as a real one has; the result of every task
is 0.  So what is measured is the server with that many sessions, and the client, not Python functions.
"""

import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import linden
from linden import _native, farm, serialize
from linden.errors import LindenError
from linden_engine.registration import describe, register

Sample = tuple[str, str, float]  # what, unit, value

SIMULATED = 2000
SESSIONS_PER_PROCESS = 250
TASKS = 20_000
CALLS = 200
_START_S = 300.0
_TASKS_S = 300.0
_CALM_S = 3.0
_IDLE_S = 20.0


def nothing(_: int = 0) -> int:
    return 0


def samples(engines: int, simulated: int = SIMULATED) -> Iterator[Sample]:
    """Figures of so many real engines, of Python and of C++, then of simulated ones beside four of them."""
    yield from _real(engines)
    yield from _native_idle(engines)
    for count in (4, simulated):
        yield from _simulated(count)


def _real(count: int) -> Iterator[Sample]:
    begin = time.monotonic()
    cluster = linden.Cluster(count, engine_timeout=_START_S)
    with cluster as rc:
        yield f"engines_{count}_registered", "s", time.monotonic() - begin
        assert len(rc.ids) == count
        view = rc[:]
        view.apply_sync(nothing)
        yield f"engines_{count}_apply_sync", "ms", _median_ms(lambda: view.apply_sync(nothing), 20)
        yield f"engines_{count}_memory", "MB", statistics.mean(_pss_mb(pid) for pid in cluster.engine_pids)
        yield f"engines_{count}_map", "tasks/s", _rate(rc, 5000)
        yield from _idle(f"engines_{count}", cluster.engine_pids, cluster.server_pid)


def _native_idle(count: int) -> Iterator[Sample]:
    """Of engines in C++ with a thread per core."""
    build = Path(__file__).resolve().parents[2] / "build"
    functions = build / "tests" / "workers" / "cpp" / "plugins" / "test_functions.so"
    cluster = linden.Cluster(0)
    with cluster as rc:
        command = [build / "workers" / "cpp" / "space-worker", "--load", functions, "--quiet"]
        workers = [subprocess.Popen([*command, "--connection", rc.info.address]) for _ in range(count)]
        try:
            deadline = time.monotonic() + _START_S
            while len(rc.engines()) < count and time.monotonic() < deadline:
                time.sleep(0.1)
            assert len(rc.engines()) == count
            yield from _idle(f"workers_{count}", [worker.pid for worker in workers], cluster.server_pid)
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(60)


def _idle(what: str, engines: Sequence[int], server: int | None) -> Iterator[Sample]:
    """Processor time of each engine, and of the server for all of them, while nothing is to be done."""
    assert server is not None
    time.sleep(_CALM_S)
    before = [_cpu_s(pid) for pid in [server, *engines]]
    time.sleep(_IDLE_S)
    used = [(_cpu_s(pid) - was) / _IDLE_S * 1000 for pid, was in zip([server, *engines], before, strict=True)]
    yield f"{what}_idle", "ms/s", statistics.mean(used[1:])
    yield f"{what}_idle_server", "ms/s", used[0]


def _cpu_s(pid: int) -> float:
    """Of all its threads: the clock that clock_getcpuclockid(3) names, which Python lacks."""
    return time.clock_gettime(~pid << 3 | 2)


def _simulated(count: int) -> Iterator[Sample]:
    with ExitStack() as stack:
        rc = stack.enter_context(linden.start(0))
        begin = time.monotonic()
        for first in range(0, count, SESSIONS_PER_PROCESS):
            stack.enter_context(_Simulation(rc.info.address, min(SESSIONS_PER_PROCESS, count - first)))
        rc.wait_for_engines(count, timeout=_START_S)
        yield f"simulated_{count}_registered", "s", time.monotonic() - begin
        view = rc.load_balanced_view()
        view.apply_sync(nothing)
        yield f"simulated_{count}_apply_sync", "ms", _median_ms(lambda: view.apply_sync(nothing), CALLS)
        yield f"simulated_{count}_map", "tasks/s", _rate(rc, TASKS)


def _median_ms(call: Callable[[], object], times: int) -> float:
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        took.append(time.perf_counter() - begin)
    return statistics.median(took) * 1000


def _rate(rc: linden.Client, tasks: int) -> float:
    begin = time.perf_counter()
    result = rc.load_balanced_view().map_async(nothing, range(tasks), chunksize=1)
    assert result.get(timeout=_TASKS_S) == [0] * tasks
    return tasks / (time.perf_counter() - begin)


def _pss_mb(pid: int) -> float:
    """Its memory, with its share of what it has in common with others."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


class _Simulation:
    """A process with many sessions."""

    def __init__(self, address: str, count: int) -> None:
        command = [sys.executable, "-m", "tests.bench.engines", "simulate", address, str(count)]
        root = str(Path(__file__).resolve().parents[2])
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=root)

    def __enter__(self) -> "_Simulation":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _serve(address: str, number: int) -> None:
    """One simulated engine; ends with the process."""
    try:
        client = _native.Client.connect(address, name=f"simulated {os.getpid()}:{number}", timeout=60.0)
        space = client.open_space("farm", create=True, initial=farm.initial_tuples())
        id_ = register(space, describe(f"simulated:{os.getpid()}:{number}"))
        stream = space.open_stream(_native.RESERVE, farm.task_forms(id_), credit=1, lease=30.0)
        while True:
            task = stream.next()
            if task is None:
                continue
            now = time.time()
            fields = task.fields
            meta = farm.ran(id_, client.session, now, now, fields)
            done = farm.result(fields[farm.TASK_CLIENT], fields[farm.TASK_NUMBER], farm.OK, meta, _value(fields))
            stream.finish(task.id, task.attempt, [done])
    except LindenError as error:
        print(f"simulated engine {number}: {error}", file=sys.stderr, flush=True)


def _value(fields: Sequence[object]) -> object:
    return serialize.pack([0]) if fields[farm.TASK_KIND] == farm.MAP else 0


def simulate(address: str, count: int) -> None:
    """Until stdin ends."""
    threading.stack_size(256 * 1024)
    for number in range(count):
        threading.Thread(target=_serve, args=(address, number), daemon=True).start()
    sys.stdin.read()
    os._exit(0)  # two thousand goodbyes would be all that this is


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if sys.argv[1:2] == ["simulate"]:
        simulate(sys.argv[2], int(sys.argv[3]))
