"""space-cluster doctor: can an engine here reach the farm, and if not, why?  To be run on a login node, or inside a job.

Each check gives findings: what was looked at, what was found, whether that is well, and what to do.
"""

from __future__ import annotations

import os
import platform
import socket
import stat
import statistics
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from linden.connection_file import (
    CONNECTION_VARIABLE,
    ConnectionInfo,
    cluster_directory,
    connection_file_path,
    find_connection,
)
from linden.errors import LindenError
from linden.reaching import probe

from .addresses import host_names, interface_addresses
from .cluster_file import read_cluster_file
from .job_sets import JobSets
from .launcher import JobState, LaunchError
from .server_command import find_program
from .waiting import end_of_logs, progress_of

if TYPE_CHECKING:
    import linden

GOOD, BAD, NOTE = "ok", "bad", "note"
_ROUND_TRIPS = 20
_SLOW_MS = 50.0
_CLOCK_S = 2.0  # clocks that are further apart are told
_CLOCK_WAIT_S = 3.0
_HOSTS_MAX = 8
# What batch systems and launchers say to those who run in a job.
_OF_JOBS = (
    *("LINDEN_CLUSTER_ID", "LINDEN_ENGINE_SET", "LINDEN_JOB", "LINDEN_ARRAY_INDEX", "LINDEN_RANK"),
    *("SLURM_JOB", "SLURM_ARRAY_TASK_ID", "PBS_", "LSB_JOB", "JOB_ID", "SGE_TASK_ID", "OAR_JOB", "_CONDOR_", "CCP_"),
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    verdict: str  # GOOD, BAD or NOTE
    found: str
    remedy: str = ""


def examine(
    where: str | None, cluster_id: str | None, *, timeout: float, environment: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """All findings, as they come.  *where*: a connection file or addresses; None: as an engine would look for it."""
    environment = os.environ if environment is None else environment
    yield from versions()
    yield from names()
    yield from job(environment)
    try:
        info = find_connection(where, cluster_id=cluster_id, timeout=0.0)
    except (TimeoutError, ValueError, OSError) as error:
        yield Finding("connection", BAD, str(error))
        return
    yield Finding(
        "connection", GOOD, f"{', '.join([info.address, *info.addresses])}{f' of {info.host}' if info.host else ''}"
    )
    if where is None or not where.startswith(("unix:", "tcp:")):
        yield from credentials(where, cluster_id)
    reachable = yield from addresses(info, timeout)
    if reachable:
        yield from server(info, timeout)
    yield from jobs(cluster_directory(cluster_id or info.cluster_id))


def versions() -> Iterator[Finding]:
    """Of Linden and Python; and whether the programs are there."""
    import linden

    yield Finding(
        "versions",
        GOOD,
        f"Linden {linden.__version__}, Python {platform.python_version()} at {sys.executable}, {platform.platform()}",
    )
    for program in ("space-server", "space-engine"):
        try:
            yield Finding(program, GOOD, find_program(program))
        except LaunchError as error:
            yield Finding(program, BAD if program == "space-engine" else NOTE, str(error))


def names() -> Iterator[Finding]:
    """What this host is called, and under which addresses others may see it."""
    name = os.uname().nodename
    yield Finding("host", GOOD, f"{name} with {', '.join(interface_addresses()) or 'no address'}")
    for each in host_names():
        try:
            found = sorted({str(row[4][0]) for row in socket.getaddrinfo(each, None, type=socket.SOCK_STREAM)})
        except socket.gaierror as error:
            yield Finding(
                "name",
                NOTE,
                f"{each} is not known here: {error.strerror}",
                "add it to /etc/hosts or DNS, if others use it",
            )
            continue
        is_own = all(address.startswith("127.") or address == "::1" for address in found)
        remedy = "others who use this name reach themselves; numeric addresses are published, too" if is_own else ""
        yield Finding("name", NOTE if is_own else GOOD, f"{each} is {', '.join(found)}", remedy)


def job(environment: Mapping[str, str]) -> Iterator[Finding]:
    """In which job this runs, and how long that lasts still."""
    found = {name: value for name, value in sorted(environment.items()) if name.startswith(_OF_JOBS)}
    if not found:
        yield Finding("job", NOTE, "this is no job that a launcher or batch system has started")
        return
    yield Finding("job", GOOD, ", ".join(f"{name}={value}" for name, value in found.items()))
    end = environment.get("LINDEN_JOB_END") or environment.get("SLURM_JOB_END_TIME") or ""
    if end.isdigit():
        left = int(end) - time.time()
        yield Finding("walltime", GOOD if left > 0 else BAD, f"{left:.0f} s are left")


def credentials(where: str | None, cluster_id: str | None) -> Iterator[Finding]:
    """Whether the connection file is ours alone."""
    named = where or (None if cluster_id else os.environ.get(CONNECTION_VARIABLE))
    path = Path(named).expanduser() if named else connection_file_path(cluster_id)
    if not path.exists():
        return
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.getuid():
        yield Finding("connection file", BAD, f"{path} belongs to user {status.st_uid}, not to us ({os.getuid()})")
    elif mode & 0o077:
        yield Finding("connection file", BAD, f"{path} has mode {mode:o}: others can read it", f"chmod 600 {path}")
    else:
        yield Finding("connection file", GOOD, f"{path}, mode {mode:o}, written {time.ctime(status.st_mtime)}")


def addresses(info: ConnectionInfo, timeout: float) -> Generator[Finding, None, bool]:
    """Which of the server's addresses can be reached from here; returns whether any."""
    all_of_them = list(dict.fromkeys([info.address, *((info.tcp,) if info.tcp else ()), *info.addresses]))
    tried = info.candidates()
    reasons = probe(all_of_them, timeout)
    is_reachable = any(reasons[address] is None for address in tried if address in reasons)
    for address, reason in reasons.items():
        if reason is None:
            yield Finding("address", GOOD, f"{address} answers")
        else:
            yield Finding("address", NOTE if is_reachable else BAD, f"{address}: {reason}")
    if not is_reachable:
        yield Finding("server", BAD, f"no address of it can be reached from {os.uname().nodename}", _remedy(info))
    return is_reachable


def _remedy(info: ConnectionInfo) -> str:
    if info.host not in (None, os.uname().nodename) and not info.addresses:
        return (
            f"the server on {info.host} listens there alone; engines elsewhere need --engines ssh, which makes a tunnel"
        )
    return "does it run (space-cluster status, on its host)?  Is a firewall between?"


def server(info: ConnectionInfo, timeout: float) -> Iterator[Finding]:
    """Whether it lets us in, of which version it is, how far away, and who serves."""
    import linden

    try:
        client = linden.Client(info, timeout=timeout, reconnect=timeout)
    except (LindenError, TimeoutError) as error:
        yield Finding("session", BAD, str(error))
        return
    with client:
        yield from _latency(client)
        status = client.connection.status()
        version = status.get("version")
        if version is not None:
            is_same = version == linden.__version__
            yield Finding(
                "server",
                GOOD if is_same else NOTE,
                f"version {version}{'' if is_same else f', ours is {linden.__version__}'}",
            )
        yield from _engines(client)


def _latency(client: linden.Client) -> Iterator[Finding]:
    times = []
    for _ in range(_ROUND_TRIPS):
        began = time.perf_counter()
        client.space.count(("engine_id", int))
        times.append((time.perf_counter() - began) * 1000)
    median = statistics.median(times)
    yield Finding(
        "latency",
        GOOD if median < _SLOW_MS else NOTE,
        f"{median:.2f} ms there and back, the slowest of {len(times)} {max(times):.2f} ms",
    )


def _engines(client: linden.Client) -> Iterator[Finding]:
    """Who serves, and whether their clocks agree with this one: walltimes and the times of results depend on that."""
    engines = client.engines()
    if not engines:
        yield Finding("engines", BAD, "none serves", "space-cluster status and space-cluster logs say why")
        return
    by_host = {str(engine.info.get("host")): engine.id for engine in engines if "pid" in engine.info}
    yield Finding("engines", GOOD, f"{len(engines)} serve, on {', '.join(sorted(by_host))}")
    for host, id_ in sorted(by_host.items())[:_HOSTS_MAX]:
        began = time.time()
        asked = client[[client.ids.index(id_)]].apply_async(time.time)
        try:
            (theirs,) = asked.get(_CLOCK_WAIT_S)
        except TimeoutError:
            asked.abort()
            yield Finding("time", NOTE, f"engine {id_} on {host} is busy, so its clock was not asked for")
            continue
        apart = max(began - theirs, theirs - time.time(), 0.0)
        remedy = "" if apart < _CLOCK_S else "let both hosts keep the time by NTP"
        yield Finding(
            "time", GOOD if not remedy else BAD, f"the clock of {host} is within {apart:.1f} s of this one", remedy
        )


def jobs(directory: Path) -> Iterator[Finding]:
    """What the systems say of the jobs of the cluster of this directory, and what those that have ended wrote last."""
    state = read_cluster_file(directory)
    if state is None or not state.jobs:
        return
    sets = JobSets(directory)
    progress = progress_of(sets, state.n_of_jobs, 0)
    for failure in progress.failures:
        yield Finding("jobs", BAD, failure)
    for record in state.jobs:
        if (status := progress.statuses.get(record.job)) is not None:
            is_well = status.state in (JobState.RUNNING, JobState.PENDING)
            yield Finding(
                "job of the cluster", GOOD if is_well else BAD, f"engine set {record.set_name}, {record.job}: {status}"
            )
    if text := end_of_logs(sets, progress):
        yield Finding("logs of jobs", BAD, text)
