"""Waiting until engines serve, wherever they are to come from; and saying meanwhile why they do not yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from linden.error import EngineError

from .job_sets import JobSets
from .launcher import LaunchError
from .leaving import place_of
from .progress import Progress

if TYPE_CHECKING:
    import linden

    from .running_cluster import RunningCluster

# The wait itself ends with the last registration; the slices are only there to notice what goes wrong meanwhile.
_SLICE_S = 0.25
_LOGS_MAX = 3


def await_engines(
    client: linden.Client,
    n: int,
    timeout: float,
    *,
    job_sets: JobSets,
    queue_timeout: float | None = None,
    check: Callable[[], None] = lambda: None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Wait until *n* engines serve in all; *say* is told how far it is whenever that has changed.

    *timeout* does not run while jobs wait in a queue; that may take *queue_timeout*, or for ever if that is None.
    Raises: LaunchError: so many will not come, with the end of the log of one that has ended; or not in time, with the reasons
        that their systems give. Whatever *check* raises, which is called now and then.
    """
    elsewhere = _Elsewhere(client, job_sets)

    def look() -> tuple[Progress, bool]:
        check()
        progress = progress_of(job_sets, n, len(client.ids))
        may_come = not progress.records or progress.on_their_way + elsewhere.count() >= n
        return progress, may_come

    def serve(slice_s: float) -> bool:
        with suppress(TimeoutError, EngineError):  # one that goes is no reason to give up: `look` knows better
            client.wait_for_engines(n, timeout=slice_s)
            return True
        return False

    _wait(serve, look, job_sets, timeout, queue_timeout, say)


def await_set(
    cluster: RunningCluster,
    name: str,
    n: int,
    timeout: float,
    *,
    queue_timeout: float | None = None,
    say: Callable[[str], None] | None = None,
) -> list[int]:
    """As `await_engines`, for *n* engines of a set of jobs; returns their ids."""
    with cluster.connect_client() as client:

        def serving() -> list[int]:
            records = cluster.job_sets.records(name)
            return [engine.id for engine in client.engines() if place_of(engine, records) is not None]

        def look() -> tuple[Progress, bool]:
            progress = progress_of(cluster.job_sets, n, len(serving()), name)
            return progress, progress.on_their_way >= n

        def serve(slice_s: float) -> bool:
            with suppress(TimeoutError, EngineError):  # whoever comes ends the wait, of whichever set
                client.wait_for_engines(len(client.ids) + 1, timeout=slice_s)
            return len(serving()) >= n

        _wait(serve, look, cluster.job_sets, timeout, queue_timeout, say)
        return sorted(serving())


def _wait(
    serve: Callable[[float], bool],
    look: Callable[[], tuple[Progress, bool]],
    job_sets: JobSets,
    timeout: float,
    queue_timeout: float | None,
    say: Callable[[str], None] | None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Until *serve*, which waits for a slice of time, says that all serve.

    *look* says how far it is, and whether so many may come still.
    """
    began = clock()
    deadline = began + timeout
    told = ""
    while not serve(min(_SLICE_S, max(0.0, deadline - clock()))):
        progress, may_come = look()
        if not may_come and progress.ended():
            raise LaunchError(f"{progress}; so many will not come any more\n{end_of_logs(job_sets, progress)}")
        now = clock()
        if progress.is_queued and (queue_timeout is None or now < began + queue_timeout):
            deadline = now + timeout
        elif progress.is_queued or now >= deadline:
            tail = end_of_logs(job_sets, progress)
            raise LaunchError(
                f"{progress} after {now - began:.0f} s; see {job_sets.log_directory}" + (f"\n{tail}" if tail else "")
            )
        if say is not None and str(progress) != told:
            told = str(progress)
            say(told)


def progress_of(job_sets: JobSets, wanted: int, serving: int, set_name: str | None = None) -> Progress:
    """How far the jobs of a set (None: of all) are."""
    records = job_sets.records(set_name)
    statuses, failures = job_sets.status(set_name) if records else ({}, [])
    return Progress(wanted, serving, records, statuses, failures)


def end_of_logs(job_sets: JobSets, progress: Progress) -> str:
    """What the first members that have ended have written last; empty if none has ended."""
    parts = []
    for job, member in progress.ended()[:_LOGS_MAX]:
        try:
            tail = job_sets.log(job, member)
        except LaunchError as error:
            tail = f"  (no log: {error})"
        parts.append(f"{job}, member {member}: {progress.statuses[job].members[member]}\n{tail}")
    return "\n".join(parts)


class _Elsewhere:
    """Engines that are none of any job."""

    def __init__(self, client: linden.Client, job_sets: JobSets) -> None:
        self._client = client
        self._job_sets = job_sets

    def count(self) -> int:
        """How many of them serve now."""
        records = self._job_sets.records()
        return sum(place_of(engine, records) is None for engine in self._client.engines())
