"""What a client does beside giving work: wait, look, abort, purge, shut down.  Functions over a Client."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_futures
from itertools import chain
from typing import TYPE_CHECKING, Any

from . import _native, farm, hub, hub_record
from .async_result import AsyncResult
from .error import EngineError
from .errors import LindenError, NoMatch
from .fields import number_range
from .task_graph import release_waiting
from .task_queues import NATIVE_QUEUE, engine_queue, is_engine_queue, tags_of_queue

if TYPE_CHECKING:
    from .client import Client

_ABORT_WAIT_S = 0.5
_ENGINES_GONE_S = 10.0
_ENGINES_BACK_S = 60.0
_SERVER_GONE_S = 10.0
_POLL_S = 0.02
_PAGE = 1000
_GROUPS_MAX = 100_000


# ---- jobs ----------------------------------------------------------------------------------------------------------


def message_ids(client: Client, jobs: Any) -> tuple[list[str], bool]:
    """The message ids that `jobs` means, and whether it is a single one."""
    if isinstance(jobs, str):
        return [jobs], True
    if isinstance(jobs, int):
        return [client.history[jobs]], True
    if isinstance(jobs, AsyncResult):
        return jobs.msg_ids, jobs._single
    if isinstance(jobs, slice):
        return client.history[jobs], False
    if not isinstance(jobs, Iterable):
        raise TypeError(f"jobs are message ids, indices of the history, AsyncResults or lists of these, not {jobs!r}")
    ids: list[str] = []
    for job in jobs:
        ids += message_ids(client, job)[0]
    return ids, False


def results_of(client: Client, jobs: Any) -> list[AsyncResult]:
    """AsyncResults for `jobs`; None: for all that is outstanding."""
    if jobs is None:
        jobs = sorted(client.outstanding)
    if isinstance(jobs, (str, int, AsyncResult)):
        jobs = [jobs]
    results = [job for job in jobs if isinstance(job, AsyncResult)]
    ids, _ = message_ids(client, [job for job in jobs if not isinstance(job, (AsyncResult, Future))])
    if ids:
        results.append(client.fetcher.fetch(ids, single=False))
    return results


def wait(client: Client, jobs: Any, timeout: float | None) -> bool:
    """Client.wait."""
    limit = None if timeout is None or timeout < 0 else timeout
    if jobs is None:
        return client.reader.wait_until(lambda: not client.reader.outstanding(), limit)
    if isinstance(jobs, Future):
        jobs = [jobs]
    deadline = None if limit is None else time.monotonic() + limit
    results = results_of(client, jobs)
    finished = True
    for result in results:
        finished = bool(result.wait(_remaining(deadline))) and finished
    if isinstance(jobs, Iterable):
        futures = [job for job in jobs if isinstance(job, Future) and not isinstance(job, AsyncResult)]
        finished = not wait_for_futures(futures, _remaining(deadline)).not_done and finished
    return finished


def _remaining(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def result_status(client: Client, msg_ids: Any, status_only: bool) -> dict[str, Any]:
    """Client.result_status."""
    ids, _ = message_ids(client, msg_ids)
    found = {hub_record.message_id(row.fields): row.fields[0] == "result" for row in hub.find(client, ids)}
    for id_ in ids:
        if id_ not in found:
            raise KeyError(f"no task or result {id_!r} in the farm; was it purged?")
    completed = [id_ for id_ in ids if found[id_]]
    status: dict[str, Any] = {"pending": [id_ for id_ in ids if not found[id_]], "completed": completed}
    if not status_only and completed:
        values = client.get_result(completed, block=False).get(return_exceptions=True)
        status |= dict(zip(completed, values, strict=True))
    return status


def _count(client: Client, form: tuple[Any, ...]) -> int:
    return int(client.space.native.client.wait(client.space.native.send_count(form)))


# ---- queues --------------------------------------------------------------------------------------------------------


def queue_status(client: Client, targets: Any, verbose: bool) -> dict[Any, Any]:
    """Client.queue_status."""
    engines, single = client.engines_of(targets, native=None)
    everybody = client.engines()
    status = (_queued_ids if verbose else _queued_counts)(client, engines, everybody)
    return dict(status[engines[0].id]) if single else status


def _queued_counts(client: Client, engines: Sequence[farm.Engine], everybody: Sequence[farm.Engine]) -> dict[Any, Any]:
    native = client.space.native
    finished = [[native.send_count(form) for form in farm.results_of_engine_forms(engine.id)] for engine in engines]
    sessions = native.send_sessions()
    waiting = _waiting_by_queue(native.client.wait(native.send_summarize(2, groups=_GROUPS_MAX)))
    held = {row["id"]: row["held"] for row in native.client.wait(sessions)}
    status: dict[Any, Any] = {
        engine.id: {
            "queue": waiting.get(engine_queue(engine.id), 0),
            "completed": sum(native.client.wait(request) for request in requests),
            "tasks": held.get(engine.session, 0),
        }
        for engine, requests in zip(engines, finished, strict=True)
    }
    status["unassigned"] = sum(count for queue, count in waiting.items() if not is_engine_queue(queue))
    starved = {queue: count for queue, count in waiting.items() if count and not is_served(queue, everybody)}
    if starved:
        status["unserved"] = starved
    return status


def is_served(queue: str, engines: Iterable[farm.Engine]) -> bool:
    """Whether one of the engines takes tasks of a queue that is not that of an engine."""
    if is_engine_queue(queue):
        return True
    native = queue.partition("+")[0] == NATIVE_QUEUE
    wanted = set(tags_of_queue(queue))
    return any(engine.is_native is native and wanted <= set(engine.tags) for engine in engines)


def _waiting_by_queue(summary: dict[str, Any]) -> dict[str, int]:
    """Tasks that no engine holds, by queue: free ones and those that wait for their time or for other tasks."""
    states = ("ready", "delayed", "behind", "guarded", "paused")
    groups = [row for row in summary["groups"] if row["first_fields"][0] == "task"]
    return {row["first_fields"][1]: sum(row[state] for state in states) for row in groups}


def _queued_ids(client: Client, engines: Sequence[farm.Engine], everybody: Sequence[farm.Engine]) -> dict[Any, Any]:
    status: dict[Any, Any] = {e.id: {"queue": [], "completed": [], "tasks": []} for e in engines}
    status["unassigned"] = []
    id_of_session = {engine.session: engine.id for engine in engines}
    id_of_queue = {engine_queue(engine.id): engine.id for engine in engines}
    for row in hub.listed(client, farm.tasks_form()):
        id_ = hub_record.message_id(row.fields)
        queue = row.fields[farm.TASK_QUEUE]
        if row.holder is not None:
            if row.holder in id_of_session:
                status[id_of_session[row.holder]]["tasks"].append(id_)
        elif queue in id_of_queue:
            status[id_of_queue[queue]]["queue"].append(id_)
        elif not is_engine_queue(queue):
            status["unassigned"].append(id_)
            if not is_served(queue, everybody):
                status.setdefault("unserved", {}).setdefault(queue, []).append(id_)
    for engine in engines:
        for form in farm.results_of_engine_forms(engine.id):
            status[engine.id]["completed"] += [hub_record.message_id(row.fields) for row in hub.listed(client, form)]
    return status


# ---- abort ---------------------------------------------------------------------------------------------------------


def abort(client: Client, jobs: Any, targets: Any = None) -> None:
    """Client.abort: reserves tasks that have not started and finishes them with the result "cancelled"."""
    submit_no_more(jobs)
    ids = sorted(client.outstanding) if jobs is None else message_ids(client, jobs)[0]
    if targets is not None:
        there = _tasks_at(client, targets, {farm.parse_message_id(id_)[0] for id_ in ids})
        ids = [id_ for id_ in ids if id_ in there]
    keys = [farm.parse_message_id(id_) for id_ in ids]
    recall_waiting(client, keys)


def submit_no_more(jobs: Any) -> None:
    """The results among `jobs` give the farm no further tasks."""
    for job in [jobs] if isinstance(jobs, AsyncResult) else jobs if isinstance(jobs, (list, tuple, set)) else ():
        if isinstance(job, AsyncResult) and job.on_abort is not None:
            job.on_abort()


def recall_waiting(client: Client, keys: Iterable[tuple[str, int]]) -> None:
    """Abort those of these tasks that have not started, also what engines hold ahead; waits for these a little."""
    _abort_keys(client, keys, _ABORT_WAIT_S)


def abort_waiting(client: Client, keys: Iterable[tuple[str, int]]) -> None:
    """Abort those of these tasks that no engine has now."""
    _abort_keys(client, keys, 0.0)


def _abort_keys(client: Client, keys: Iterable[tuple[str, int]], wait_s: float) -> None:
    for session, first, last in ranges(keys):
        _abort_run(client, session, first, last, wait_s)


def _tasks_at(client: Client, targets: Any, sessions: Iterable[str]) -> set[str]:
    """Tasks of these clients that wait for the engines `targets`, or that these have."""
    engines, _ = client.engines_of(targets)
    queues = {engine_queue(engine.id) for engine in engines}
    holders = {engine.session for engine in engines}
    rows = chain.from_iterable(hub.listed(client, farm.tasks_form(session)) for session in sessions)
    return {
        hub_record.message_id(row.fields)
        for row in rows
        if row.fields[farm.TASK_QUEUE] in queues or row.holder in holders
    }


def ranges(keys: Iterable[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """Tasks as contiguous ranges of the numbers of a client: (session, first, last)."""
    found: list[tuple[str, int, int]] = []
    for session, number in sorted(set(keys)):
        if found and found[-1][0] == session and found[-1][2] == number - 1:
            found[-1] = (session, found[-1][1], number)
        else:
            found.append((session, number, number))
    return found


def _abort_run(client: Client, session: str, first: int, last: int, wait_s: float) -> None:
    release_waiting(client.space.native, session, number_range(first, last))
    # What an engine has only prefetched is recalled by the space while we wait (F4); what has started stays away.
    form = farm.tasks_form(session, number_range(first, last))
    results = farm.results_form(session, number_range(first, last))
    left = last - first + 1 - _count(client, results)
    deadline = time.monotonic() + wait_s
    while left > 0:
        found = _reserve(client, form, min(left, _PAGE), max(0.0, deadline - time.monotonic()))
        if not found:
            return
        left -= len(found)
        items = [
            (
                (task.id, task.attempt),
                [farm.cancelled(task.fields)],
            )
            for task in found
        ]
        native = client.space.native
        native.client.wait(native.send_finish(items))


def _reserve(client: Client, form: tuple[Any, ...], count: int, timeout: float) -> list[_native.Handout]:
    native = client.space.native
    try:
        return list(native.client.wait(native.send_take(_native.RESERVE, [form], count=count, timeout=timeout)))
    except NoMatch:
        return []


# ---- engines -------------------------------------------------------------------------------------------------------


def send_signal(client: Client, sig: int | str, targets: Any) -> None:
    """Client.send_signal."""
    number = signal.Signals[sig].value if isinstance(sig, str) else int(sig)
    engines, _ = client.engines_of(targets)
    _control(client, engines, farm.SIGNAL, number)


def _control(client: Client, engines: Sequence[farm.Engine], verb: str, argument: Any = None) -> None:
    native = client.space.native
    puts = [farm.control(engine.session, verb, argument) for engine in engines]
    native.client.wait(native.send_put(puts))


def shutdown(client: Client, targets: Any, restart: bool, hub: bool) -> None:
    """Client.shutdown."""
    if restart and hub:
        raise ValueError("restart=True starts engines over, and hub=True stops the server; choose one of them")
    if hub and client.cluster is not None:
        # Whoever started the processes also waits for their end.
        client.close()
        client.cluster.stop_cluster_sync()
        return
    engines = client.engines() if targets in (None, "all") or hub else client.engines_of(targets)[0]
    if restart:
        _restart(client, engines)
    elif engines:
        _control(client, engines, farm.SHUTDOWN)
        _wait_until_gone(client, engines)
    if hub:
        _stop_server(client)


def _restart(client: Client, engines: Sequence[farm.Engine]) -> None:
    ranks = [engine.id for engine in engines if "mpi_rank" in engine.info]
    if ranks:
        raise ValueError(
            f"engines {ranks} are ranks of an MPI program, which are started together; restart the program"
        )
    _control(client, engines, farm.SHUTDOWN, farm.RESTART)
    _wait_until_gone(client, engines)
    # Engines start over in their place, so they are known by host and process id.
    wanted = {_process_of(engine) for engine in engines}
    deadline = time.monotonic() + _ENGINES_BACK_S
    while missing := wanted - {_process_of(engine) for engine in client.engines()}:
        if time.monotonic() > deadline:
            raise EngineError(
                f"engines of the processes {sorted(missing)} did not come back within {_ENGINES_BACK_S:g} s"
            )
        time.sleep(_POLL_S)


def _process_of(engine: farm.Engine) -> tuple[str, int]:
    return engine.info["host"], engine.info["pid"]


def _wait_until_gone(client: Client, engines: Sequence[farm.Engine]) -> None:
    ids = {engine.id for engine in engines}
    deadline = time.monotonic() + _ENGINES_GONE_S
    while left := ids & {engine.id for engine in client.engines()}:
        if time.monotonic() > deadline:
            raise EngineError(f"engines {sorted(left)} did not stop within {_ENGINES_GONE_S:g} s")
        time.sleep(_POLL_S)


def _stop_server(client: Client) -> None:
    pid = client.space.native.client.server_pid
    address = client.connection.address
    if not address.startswith(("unix:", "tcp:127.", "tcp:localhost:", "tcp:[::1]:")):
        raise LindenError(f"the server at {address} runs on another host; stop it there")
    client.close()
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _SERVER_GONE_S
    while _is_alive(pid):
        if time.monotonic() > deadline:
            raise LindenError(f"the server, pid {pid}, did not stop within {_SERVER_GONE_S:g} s")
        time.sleep(_POLL_S)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # a child that nobody has waited for is dead, too
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
