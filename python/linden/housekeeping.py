"""What a client does beside giving work: wait, look, abort, purge, shut down.  Functions over a Client."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_futures
from typing import TYPE_CHECKING, Any

from . import _native, farm
from .async_result import AsyncResult
from .completions import AwaitableFuture
from .error import EngineError
from .errors import LindenError, NoMatch
from .fields import ANY

if TYPE_CHECKING:
    from .client import Client

_ABORT_WAIT_S = 0.5
_ENGINES_GONE_S = 10.0
_SERVER_GONE_S = 10.0
_POLL_S = 0.02
_PAGE = 1000


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
        results.append(client._fetcher.fetch(ids, single=False))
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
    pending: list[str] = []
    completed: list[str] = []
    for id_ in ids:
        form = farm.results_form(*farm.parse_message_id(id_))
        (completed if _count(client, form) else pending).append(id_)
    status: dict[str, Any] = {"pending": pending, "completed": completed}
    if not status_only:
        status |= {id_: client.get_result(id_, block=False).get(return_exceptions=True) for id_ in completed}
    return status


def _count(client: Client, form: tuple[Any, ...]) -> int:
    return int(client.space.native.client.wait(client.space.native.send_count(form)))


# ---- queues --------------------------------------------------------------------------------------------------------


def queue_status(client: Client, targets: Any, verbose: bool) -> dict[Any, Any]:
    """Client.queue_status."""
    engines, single = client.engines_of(targets)
    rows: dict[int, dict[str, list[str]]] = {e.id: {"queue": [], "completed": [], "tasks": []} for e in engines}
    unassigned = _sort_tasks(client, {engine.session: engine.id for engine in engines}, rows)
    for found in _listed(client, farm.results_form()):
        engine_id = farm.engine_of(found["fields"])
        if engine_id in rows:
            rows[engine_id]["completed"].append(_id_of(found["fields"], farm.RESULT_CLIENT))
    status: dict[Any, Any] = {
        id_: row if verbose else {name: len(ids) for name, ids in row.items()} for id_, row in rows.items()
    }
    if single:
        return dict(status[engines[0].id])
    status["unassigned"] = unassigned if verbose else len(unassigned)
    return status


def _sort_tasks(client: Client, id_of_session: dict[str, int], rows: dict[int, dict[str, list[str]]]) -> list[str]:
    unassigned = []
    for found in _listed(client, farm.tasks_form(), all_states=True):
        fields = found["fields"]
        id_ = _id_of(fields, farm.TASK_CLIENT)
        holder = id_of_session.get(found["holder"] or "")
        queue = fields[farm.TASK_QUEUE]
        if holder is not None:
            rows[holder]["tasks"].append(id_)
        elif queue == farm.ANY_QUEUE:
            unassigned.append(id_)
        else:
            owner = int(queue.rpartition(":")[2])
            if owner in rows:
                rows[owner]["queue"].append(id_)
    return unassigned


def _id_of(fields: Sequence[Any], client_index: int) -> str:
    return farm.message_id(fields[client_index], fields[client_index + 1])


def _listed(client: Client, form: tuple[Any, ...], all_states: bool = False) -> Iterable[dict[str, Any]]:
    native = client.space.native
    after = 0
    more = True
    while more:
        page = native.client.wait(native.send_list(form, after=after, limit=_PAGE, all_states=all_states))
        yield from page["tuples"]
        more = page["more"] and bool(page["tuples"])
        if more:
            after = page["tuples"][-1]["id"]


# ---- abort and purge -----------------------------------------------------------------------------------------------


def abort(client: Client, jobs: Any) -> None:
    """Client.abort: reserves tasks that have not started and finishes them with the result "cancelled"."""
    if isinstance(jobs, AsyncResult) and jobs.on_abort is not None:
        jobs.on_abort()
    ids = sorted(client.outstanding) if jobs is None else message_ids(client, jobs)[0]
    keys = [farm.parse_message_id(id_) for id_ in ids]
    for session in {session for session, _ in keys}:
        numbers = sorted(number for owner, number in keys if owner == session)
        for first, last in _runs(numbers):
            _abort_run(client, session, first, last)


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Sorted numbers as contiguous ranges, both ends included."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _abort_run(client: Client, session: str, first: int, last: int) -> None:
    # What an engine has only prefetched is recalled by the space while we wait (F4); what has started stays away.
    form = farm.tasks_form(session, farm.number_range(first, last))
    results = farm.results_form(session, farm.number_range(first, last))
    left = last - first + 1 - _count(client, results)
    deadline = time.monotonic() + _ABORT_WAIT_S
    while left > 0:
        found = _reserve(client, form, min(left, _PAGE), max(0.0, deadline - time.monotonic()))
        if not found:
            return
        left -= len(found)
        items = [
            (
                (task.id, task.attempt),
                [farm.result(session, task.fields[farm.TASK_NUMBER], farm.CANCELLED, [], None)],
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


def purge_results(client: Client, jobs: Any, targets: Any) -> None:
    """Client.purge_results."""
    if not jobs and jobs != 0 and not targets and targets != 0:
        raise ValueError("name the jobs or the engines whose results are to be purged, or 'all'")
    if isinstance(jobs, str) and jobs == "all":
        _refuse_outstanding(client.outstanding)
        _drop(client, farm.results_form(client.session))
        _drop(client, farm.outputs_form(client.session))
        _drop(client, farm.shared_payload_form(client.session, ANY))
    elif jobs or jobs == 0:
        ids, _ = message_ids(client, jobs)
        _refuse_outstanding(client.outstanding & set(ids))
        for id_ in ids:
            key = farm.parse_message_id(id_)
            _drop(client, farm.results_form(*key))
            _drop(client, farm.outputs_form(*key))
            _drop(client, farm.shared_payload_form(*key))
    if targets or targets == 0:
        _drop_results_of(client, {engine.id for engine in client.engines_of(targets)[0]})


def _drop_results_of(client: Client, engines: set[int]) -> None:
    for found in _listed(client, farm.results_form()):
        if farm.engine_of(found["fields"]) in engines:
            key = found["fields"][farm.RESULT_CLIENT], found["fields"][farm.RESULT_NUMBER]
            _drop(client, farm.results_form(*key))
            _drop(client, farm.outputs_form(*key))


def _refuse_outstanding(ids: set[str]) -> None:
    if ids:
        raise RuntimeError(
            f"{len(ids)} of the tasks have no result yet, {min(ids)} for one; wait for them or abort them"
        )


def _drop(client: Client, form: tuple[Any, ...]) -> None:
    native = client.space.native
    while True:
        try:
            native.client.wait(native.send_take(_native.TAKE, [form], count=_PAGE, timeout=0.0))
        except NoMatch:
            return


# ---- engines -------------------------------------------------------------------------------------------------------


def wait_for_engines(client: Client, n: int | None, timeout: float, block: bool, interactive: bool | None) -> Any:
    """Client.wait_for_engines."""
    wanted = getattr(client.cluster, "n", None) if n is None else n
    if wanted is None:
        raise ValueError("say how many engines to wait for; this client knows no cluster")
    limit = None if timeout is None or timeout < 0 else timeout
    if block:
        _wait_for_engines(client, wanted, limit, bool(interactive))
        return None
    future = AwaitableFuture()

    def run() -> None:
        try:
            _wait_for_engines(client, wanted, limit, False)
        except Exception as error:  # noqa: BLE001  (the future carries it)
            future.set_exception(error)
        else:
            future.set_result(None)

    threading.Thread(target=run, name="linden-wait-for-engines", daemon=True).start()
    return future


def _wait_for_engines(client: Client, wanted: int, timeout: float | None, interactive: bool) -> None:
    deadline = None if timeout is None else time.monotonic() + timeout
    bar = None
    if interactive:
        from .interactive import progress_bar

        bar = progress_bar(wanted, "engines")
    # A standing read tells of every registration; the list tells who is still there.
    stream = client.space.native.open_stream(_native.READ, [farm.engines_form()], credit=_PAGE)
    shown = 0
    try:
        while True:
            serving = len(client.engines())
            if bar is not None:
                bar.update(min(serving, wanted) - shown)
                shown = min(serving, wanted)
            if serving >= wanted:
                return
            if not stream.next_batch(_remaining(deadline)) and _remaining(deadline) == 0.0:
                raise TimeoutError(f"{serving} of {wanted} engines serve after {timeout:g} s")
    finally:
        stream.close()
        if bar is not None:
            bar.close()


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
    if restart:
        raise NotImplementedError("engines are restarted by whoever started them; see Cluster")
    if hub and client.cluster is not None:
        # Whoever started the processes also waits for their end.
        client.close()
        client.cluster.stop_cluster()
        return
    engines = client.engines() if targets in (None, "all") or hub else client.engines_of(targets)[0]
    if engines:
        _control(client, engines, farm.SHUTDOWN)
        _wait_until_gone(client, {engine.id for engine in engines})
    if hub:
        _stop_server(client)


def _wait_until_gone(client: Client, ids: set[int]) -> None:
    deadline = time.monotonic() + _ENGINES_GONE_S
    while left := ids & set(client.ids):
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
