"""What is known of a cluster at one moment: its processes, its jobs, and who serves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .cluster_file import ClusterState, JobRecord, ProcessRecord
from .job_sets import JobSets
from .launcher import JobStatus, LaunchError


@dataclass(frozen=True)
class ProcessStatus:
    """One process of a cluster, as people and ``--json`` see it."""

    pid: int
    running: bool
    log: str


@dataclass(frozen=True)
class JobSetStatus:
    """One job of a cluster, as people and ``--json`` see it."""

    engine_set: str
    system: str
    ids: list[str]
    engines: int
    state: str  # of launcher.JobState; "unknown": its system was not asked, or does not answer
    members: dict[str, int]  # how many are in each state
    text: str  # for people, with reasons
    log: str


@dataclass(frozen=True)
class ClusterStatus:
    """What is known of a cluster without asking its server, and which engines the server knows (None: not asked, or no answer)."""

    cluster_id: str
    state: str  # "running"; "degraded": something of it is missing; "dead": nothing runs any more
    host: str
    owner_kind: str
    owner: ProcessStatus
    server: ProcessStatus | None
    server_starts: int
    engines: list[ProcessStatus]
    engines_wanted: int
    jobs: list[JobSetStatus]
    engine_ids: list[int] | None
    address: str
    data_directory: str
    directory: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def status_of(
    state: ClusterState, directory: Path, engine_ids: list[int] | None, job_sets: JobSets | None
) -> ClusterStatus:
    """Of a cluster with this file.  *engine_ids*: who serves, None if nobody knows. *job_sets*: None does not ask other systems."""
    server = _process(state, state.server)
    engines = [status for record in state.engines if (status := _process(state, record))]
    owner = _process(state, state.owner)
    assert owner is not None
    running = [status.running for status in [server, *engines] if status]
    local = state.n - state.n_of_jobs
    complete = server is not None and all(running) and len(engines) >= local
    if state.n_of_jobs and engine_ids is not None:
        complete = complete and len(engine_ids) >= state.n
    return ClusterStatus(
        cluster_id=state.cluster_id,
        state="running" if complete else "degraded" if any(running) else "dead",
        host=state.host,
        owner_kind=state.owner_kind,
        owner=owner,
        server=server,
        server_starts=state.server_starts,
        engines=engines,
        engines_wanted=state.n,
        jobs=_jobs(state, job_sets),
        engine_ids=engine_ids,
        address=f"unix:{state.socket_file}",
        data_directory=state.data_directory,
        directory=str(directory),
    )


def _process(state: ClusterState, record: ProcessRecord | None) -> ProcessStatus | None:
    return ProcessStatus(record.pid, state.alive(record), record.log) if record else None


def _jobs(state: ClusterState, job_sets: JobSets | None) -> list[JobSetStatus]:
    if job_sets is None or not state.jobs:
        return [_job(record, None, "not asked") for record in state.jobs]
    try:
        statuses, failures = job_sets.status()
    except LaunchError as error:
        statuses, failures = {}, [str(error)]
    why = failures[0] if failures else "not known"
    return [_job(record, statuses.get(record.job), why) for record in state.jobs]


def _job(record: JobRecord, status: JobStatus | None, why_not: str) -> JobSetStatus:
    states = [member.state.value for member in status.members.values()] if status else []
    return JobSetStatus(
        engine_set=record.set_name,
        system=record.job.system,
        ids=list(record.job.ids),
        engines=record.n,
        state=status.state.value if status else "unknown",
        members={state: states.count(state) for state in dict.fromkeys(states)},
        text=str(status) if status else why_not,
        log=record.job.log,
    )
