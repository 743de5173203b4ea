"""What it costs to ask about tasks that have ended: a page of 100 over 100,000 of them, and what the server's memory makes of it."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import linden

from tests.bench.work import increment

FINISHED = 100_000
PAGE = 100
CALLS = 20
_KIB = 1024


def samples(wanted: list[str]) -> Iterator[tuple[str, float]]:
    """The figures of `wanted`, over tasks that two engines have done."""
    with linden.start(2) as client:
        client.load_balanced_view().map_sync(increment, range(FINISHED), chunksize=1)
        middle = client.hub_history(limit=FINISHED // 2)[-1]
        calls: dict[str, Callable[[], Any]] = {
            "hub_queue_status": client.queue_status,
            "hub_db_query": lambda: client.db_query({"error": None}, limit=PAGE, after=middle),
            "hub_history": lambda: client.hub_history(limit=PAGE, after=middle),
        }
        check(client, calls)
        before = resident_bytes(client)
        for what, call in calls.items():
            milliseconds = statistics.median(seconds_of(call) for _ in range(CALLS)) * 1e3
            if what in wanted:
                yield what, milliseconds
        if "hub_server_growth" in wanted:
            yield "hub_server_growth", resident_bytes(client) - before


def check(client: linden.Client, calls: dict[str, Callable[[], Any]]) -> None:
    """Each call says what it should; afterwards all indexes are learned."""
    status = calls["hub_queue_status"]()
    assert sum(status[id_]["completed"] for id_ in client.ids) == FINISHED
    assert len(calls["hub_db_query"]()) == PAGE
    assert len(calls["hub_history"]()) == PAGE


def seconds_of(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def resident_bytes(client: linden.Client) -> int:
    """Of the server."""
    with open(f"/proc/{client.cluster.server_pid}/status") as file:
        return next(int(line.split()[1]) * _KIB for line in file if line.startswith("VmRSS:"))
