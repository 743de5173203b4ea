"""Figures of parts of the server alone, by programs that the build makes with -Dbench=true; and instructions, which no noise changes."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import cycles
from tests.bench.peers.daemon import Daemon

PROGRAMS = Path(__file__).resolve().parents[2] / "build" / "tests" / "bench"

# What each is about; `recovery` fills 10 million tuples first and takes minutes.
GROUPS = {"commit": "bench_commit", "match": "bench_match", "recovery": "bench_recovery"}

_WORKER_TASKS = 400_000

Sample = tuple[str, str, float]  # what, unit, value


def samples(group: str) -> Iterator[Sample]:
    if group == "instructions":
        yield from instructions()
        return
    if group == "crowd":
        yield from crowd()
        return
    if group == "worker":
        yield from worker()
        return
    ran = subprocess.run(
        [PROGRAMS / GROUPS[group], "--benchmark_format=json"], check=True, capture_output=True, text=True
    )
    for case in json.loads(ran.stdout)["benchmarks"]:
        if "bytes_per_tuple" in case:
            yield case["name"], "bytes", case["bytes_per_tuple"]
        elif "items_per_second" in case:
            yield case["name"], "items/s", case["items_per_second"]


def crowd() -> Iterator[Sample]:
    """A take and a put among 10^3, 10^5 and 10^7 tuples, by a field that all share and by one that none shares, through the server (P6)."""
    for field in (0, 1):
        for tuples in (1_000, 100_000, 10_000_000):
            with tempfile.TemporaryDirectory(prefix="ld-bench-", dir="/tmp") as name:
                folder = Path(name)
                daemon = Daemon(cycles.linden_argv(folder, "memory"), folder / "s", folder)
                try:
                    ran = subprocess.run(
                        [PROGRAMS / "bench_crowd", f"unix:{folder / 's'}", str(tuples), str(field)],
                        check=True,
                        capture_output=True,
                        text=True,
                        timeout=300,
                    )
                finally:
                    daemon.close()
            yield f"crowd_{tuples}_by_{'a_shared' if field == 0 else 'its_own'}_field", "us", float(ran.stdout)


def worker() -> Iterator[Sample]:
    """Tasks that do nothing, from a client in C++ to space-worker with 2 threads and back; results are taken, or read and left."""
    for name, mode in (("worker_noop", "take"), ("worker_noop_kept", "read")):
        yield name, "tasks/s", worker_rate(mode)


def worker_rate(mode: str) -> float:
    build = PROGRAMS.parents[1]
    functions = build / "tests" / "workers" / "cpp" / "plugins" / "test_functions.so"
    with tempfile.TemporaryDirectory(prefix="ld-bench-", dir="/tmp") as name:
        folder = Path(name)
        address = f"unix:{folder / 's'}"
        daemon = Daemon(cycles.linden_argv(folder, "process"), folder / "s", folder)
        command = [build / "workers" / "cpp" / "space-worker", "--connection", address, "--load", functions]
        engine = subprocess.Popen([*command, "--threads", "2", "--quiet"], stdin=subprocess.DEVNULL)
        try:
            ran = subprocess.run(
                [PROGRAMS / "bench_worker", address, str(_WORKER_TASKS), "nothing", mode],
                check=True,
                capture_output=True,
                text=True,
                timeout=120,
            )
        finally:
            engine.terminate()
            engine.wait(timeout=30)
            daemon.close()
    return float(ran.stdout)


def instructions() -> Iterator[Sample]:
    """Instructions that the server runs for one cycle, counted by callgrind, which is the way to notice a change on a noisy machine."""
    for what in ("cycle_process_p1", "cycle_process_p100", "cycle_process_p100_c50"):
        few, many = 10_000, 30_000
        difference = counted(what, many) - counted(what, few)
        yield f"instructions_{what}", "instructions", difference / (many - few)


def counted(what: str, count: int) -> int:
    """All instructions of a server that serves at least *count* cycles, start and end included."""
    load = cycles.FIGURES[what]
    with tempfile.TemporaryDirectory(prefix="ld-bench-", dir="/tmp") as name:
        folder = Path(name)
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'out'}"]
        argv = [*valgrind, *cycles.linden_argv(folder, load.durability)]
        daemon = Daemon(argv, folder / "s", folder, within_s=60)
        try:
            subprocess.run(
                [cycles.LOAD, "linden", f"unix:{folder / 's'}", "--cycles", str(count), *load.words()],
                check=True,
                capture_output=True,
                timeout=120,
            )
        finally:
            daemon.close()
        totals = [line.split()[1] for line in (folder / "out").read_text().splitlines() if line.startswith("totals:")]
    return int(totals[0])
