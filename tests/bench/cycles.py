"""Cycles a second: put, take under a lease, end, each of 100 bytes; and how long a put takes to reach a take that waits for it.

The load comes from one lean program for all (tests/bench/load), and every figure has a server of its own.  It checks that what was
put is what was taken and what was ended, and fails otherwise.

A queue without leases or acknowledgements (redis-list) takes its messages for good.  What each durability is, by contestant:

=========  ==================  ==================  ================  ==============
           linden              redis               beanstalkd        nats-jetstream
=========  ==================  ==================  ================  ==============
memory     memory              no log              no log            -
process    process             appendfsync         log, fsync every  file
                               everysec            50 ms
sync       sync                appendfsync always  log, fsync each   -
=========  ==================  ==================  ================  ==============
"""

import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.bench.peers.daemon import Daemon

LOAD = Path(__file__).resolve().parents[2] / "build" / "tests" / "bench" / "bench_load"
SECONDS = 1.0


@dataclass(frozen=True)
class Load:
    durability: str
    clients: int = 1
    window: int = 1  # requests of a kind that a client says at once
    bulk: int = 1  # messages in one of them
    hand_over: bool = False

    def words(self) -> list[str]:
        if self.hand_over:
            return ["--hand-over"]
        return ["--clients", str(self.clients), "--window", str(self.window), "--bulk", str(self.bulk)]


FIGURES = (
    {
        f"cycle_{durability}_p{window}{'_c50' if clients == 50 else ''}": Load(durability, clients, window)
        for durability in ("memory", "process", "sync")
        for clients in (1, 50)
        for window in (1, 16, 100)
    }
    | {"cycle_bulk100": Load("process", 1, 8, 100), "cycle_bulk100_c50": Load("process", 50, 1, 100)}
    | {"handover": Load("memory", hand_over=True), "handover_process": Load("process", hand_over=True)}
)
UNITS = {name: "us" if load.hand_over else "cycles/s" for name, load in FIGURES.items()}
# What is measured unless asked otherwise; `--only cycle` asks for all.
USUAL = ["cycle_process_p100", "cycle_process_p100_c50", "cycle_sync_p100_c50", "cycle_bulk100", "handover"]


def linden_argv(folder: Path, durability: str) -> list[str]:
    return [
        *("space-server", "--directory", str(folder / "data"), "--unix", str(folder / "s")),
        *("--durability", durability, "--log-level", "warn"),
    ]


def redis_argv(folder: Path, durability: str) -> list[str]:
    log = {
        "memory": ["--appendonly", "no"],
        "process": ["--appendonly", "yes", "--appendfsync", "everysec"],
        "sync": ["--appendonly", "yes", "--appendfsync", "always"],
    }
    common = ["--port", "0", "--unixsocket", str(folder / "s"), "--dir", str(folder), "--save", ""]
    return ["redis-server", *common, *log[durability]]


def beanstalkd_argv(folder: Path, durability: str) -> list[str]:
    log = {"memory": [], "process": ["-b", str(folder), "-f50"], "sync": ["-b", str(folder), "-f0"]}
    return ["beanstalkd", "-l", f"unix:{folder / 's'}", *log[durability]]


def nats_argv(folder: Path, port: int) -> list[str]:
    return ["nats-server", "-js", "-sd", str(folder / "data"), "-a", "127.0.0.1", "-p", str(port)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def start(who: str, durability: str, folder: Path) -> tuple[Daemon, str]:
    """A server of its own, and the address under which the load finds it."""
    if who == "nats-jetstream":
        port = free_port()
        return Daemon(nats_argv(folder, port), port, folder), f"tcp:{port}"
    argv = {
        "linden": linden_argv,
        "redis-list": redis_argv,
        "redis-stream": redis_argv,
        "beanstalkd": beanstalkd_argv,
    }[who](folder, durability)
    return Daemon(argv, folder / "s", folder), f"unix:{folder / 's'}"


def has(who: str, what: str) -> bool:
    """Whether *who* has such a figure."""
    if what not in FIGURES:
        return False
    return who != "nats-jetstream" or FIGURES[what].durability == "process"


def measure(who: str, what: str) -> float:
    load = FIGURES[what]
    with tempfile.TemporaryDirectory(prefix="ld-bench-", dir="/tmp") as name:
        daemon, address = start(who, load.durability, Path(name))
        try:
            ran = subprocess.run(
                [LOAD, who, address, "--seconds", str(SECONDS), *load.words()],
                capture_output=True,
                text=True,
                timeout=60,
            )
        finally:
            daemon.close()
    if ran.returncode != 0:
        raise RuntimeError(f"{what} of {who}: {ran.stderr.strip()}")
    return float(ran.stdout)
