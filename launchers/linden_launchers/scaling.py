"""Giving an engine set another number of engines: more are started; those that are too many finish what they run, and leave."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from linden import farm

from .cluster_file import ClusterState
from .engine_set import check_count
from .farm_load import look_at_farm
from .job_sets import JobSets
from .launcher import LaunchError
from .leaving import choose_engines, choose_members, places_of

if TYPE_CHECKING:
    import linden

    from .running_cluster import RunningCluster

_LOOK_S = 0.05


def set_to_scale(state: ClusterState, name: str | None) -> str:
    """The set that is meant.  Raises: KeyError: no such set. LaunchError: there are several, and none is named."""
    if name is not None:
        if name not in state.engine_sets:
            raise KeyError(f"no engine set {name!r}; there are {', '.join(state.engine_sets) or 'none'}")
        return name
    alive = [each for each in state.engine_sets if each in state.systems or state.runs_set(each)]
    candidates = alive or list(state.engine_sets)[-1:]
    if len(candidates) != 1:
        raise LaunchError(
            f"cluster {state.cluster_id!r} has {len(candidates)} engine sets ({', '.join(candidates) or 'none'}); say which one"
        )
    return candidates[0]


def scale(
    cluster: RunningCluster,
    n: int,
    name: str | None = None,
    *,
    timeout_s: float,
    add: Callable[[str, int], None] | None = None,
) -> None:
    """Have *n* engines in a set.  Those that are drained are waited for, and ended after *timeout_s*.

    *add*: starts more engines of a set of this machine; None: as children of this process that nobody starts again.
    Raises: KeyError: no such set. LaunchError.
    """
    check_count(n)
    state = cluster.refresh()
    name = set_to_scale(state, name)
    with cluster.connect_client() as client:
        if name in state.systems:
            _scale_jobs(cluster.job_sets, client, name, n, timeout_s)
            return
        have = len(local_engines(state, name))
        if n > have:
            (add or cluster.add_engines)(name, n - have)
        elif n < have:
            _shrink_local(cluster, client, state, name, have - n, timeout_s)


def local_engines(state: ClusterState, name: str) -> list[int]:
    """Pids of the engines of a set of this machine that run and are to go on."""
    return [record.pid for record in state.running_engines() if record.engine_set == name and not record.stopping]


def _shrink_local(
    cluster: RunningCluster, client: linden.Client, state: ClusterState, name: str, count: int, timeout_s: float
) -> None:
    load = look_at_farm(client)
    pids = local_engines(state, name)
    serving = [engine for engine in load.engines if is_here(engine, state.host) and engine.info["pid"] in pids]
    starting = sorted(set(pids) - {engine.info["pid"] for engine in serving}, reverse=True)[:count]
    leaving = choose_engines(serving, load, count - len(starting))
    gone = [*starting, *(engine.info["pid"] for engine in leaving)]
    cluster.let_go(gone)  # before they are told, so that nobody starts them again
    drain(client, leaving, timeout_s)
    cluster.end_pids(gone)


def _scale_jobs(job_sets: JobSets, client: linden.Client, name: str, n: int, timeout_s: float) -> None:
    load = look_at_farm(client)
    have = job_sets.settle(name, places_of(load.engines, job_sets.records(name)))
    if n > have:
        job_sets.grow(name, n - have)
    elif n < have:
        statuses, _ = job_sets.status(name)
        leavers = choose_members(job_sets.records(name), statuses, load, have - n)
        have_left = bool(leavers.engines) and drain(client, leavers.engines, timeout_s)
        job_sets.stop_members(name, leavers.members, have_left=have_left and leavers.all_served)


def drain(client: linden.Client, engines: Sequence[farm.Engine], timeout_s: float) -> bool:
    """Ask engines to finish what they run, take nothing more and leave; whether they have within *timeout_s*."""
    if not engines:
        return True
    client.space.put_many([farm.control(engine.session, farm.DRAIN) for engine in engines])
    asked = {engine.id for engine in engines}
    return wait_until(lambda: not asked & set(client.ids), timeout_s)


def wait_until(is_so: Callable[[], bool], timeout_s: float) -> bool:
    """Looks now and then, since nobody tells of tuples that go."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_S)
    return True


def is_here(engine: farm.Engine, host: str) -> bool:
    """Whether it is a process of that host."""
    return bool(engine.info.get("host") == host)
