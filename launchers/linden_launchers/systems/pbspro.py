"""PBS Pro and OpenPBS: qsub, qstat, qdel, qsig.

Follows the "PBS Professional Reference Guide" 2020 to 2022: qsub, qstat, qdel, qsig, "Job States", "Job Exit Status Codes".
"""

from __future__ import annotations

import signal as signals
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..batch_system import BatchSystem, Key, Script, Source, Unavailable, ids_of, members_of, size_of
from ..command import Command, Output
from ..engine_set import EngineSet
from ..job_options import ONE
from ..job_script import Names, job_script
from ..launcher import Job, MemberStatus
from .answers import json_of, reading
from .pbs import element, head, key_of, only_missing, state_of, submitted

_NAMES = Names(job_id="${PBS_ARRAY_ID:-$PBS_JOBID}", index="${PBS_ARRAY_INDEX:-0}", redirects=True)
_TERMINATED = 91  # substate of a job that was deleted


@dataclass(frozen=True)
class PbsPro(BatchSystem):
    """Has no options."""

    name: ClassVar[str] = "pbspro"

    def render(self, engine_set: EngineSet) -> Script:
        options = engine_set.job
        one = options.shape == ONE
        size = size_of(engine_set)
        chunk = f"{engine_set.n if one else 1}:ncpus={size.cores}"
        if size.memory_mb:
            chunk += f":mem={size.memory_mb}mb"
        made = [*head(engine_set), ("-l select", f"-l select={chunk}")]
        if (members := members_of(engine_set)) > 1:
            made += [("-J", f"-J 0-{members - 1}")]
        return Script(f"job-{engine_set.name}.sh", job_script("#PBS", made, _NAMES, engine_set, "mpiexec -n {n}"))

    def submit(self, scripts: Sequence[Path]) -> Command:
        return Command(("qsub", str(scripts[0])))

    def parse_submit(self, output: Output) -> tuple[str, ...]:
        return (submitted(output),)

    @property
    def sources(self) -> Sequence[Source]:
        queue, history = ("qstat", "-t", "-f", "-F", "json"), ("qstat", "-x", "-t", "-f", "-F", "json")
        return (
            Source("qstat", lambda ids: Command((*queue, *ids)), _parse),
            Source("qstat -x", lambda ids: Command((*history, *ids)), _parse_history),
        )

    def cancel(self, job: Job, members: Sequence[int] | None) -> Command:
        return Command(("qdel", *ids_of(job, members, element)))

    def signal(self, job: Job, number: int, members: Sequence[int] | None) -> Command:
        return Command(("qsig", "-s", signals.Signals(number).name, *ids_of(job, members, element)))


def _parse(output: Output) -> Mapping[Key, MemberStatus]:
    # Some ids are unknown (153) or have finished (35): the others are listed all the same.
    if output.exit_code and not (output.stderr.strip() and only_missing(output)):
        output.check()
    with reading(output, "the JSON of qstat"):
        jobs = (json_of(output) or {}).get("Jobs") or {}
        return {key_of(id): _state(job) for id, job in jobs.items()}


def _parse_history(output: Output) -> Mapping[Key, MemberStatus]:
    if output.exit_code and "history" in output.stderr and not only_missing(output):
        raise Unavailable(output, "keeps no history here")
    return _parse(output)


def _state(job: Mapping[str, Any]) -> MemberStatus:
    comment = str(job.get("comment", ""))
    found = job.get("Exit_status")
    return state_of(
        str(job["job_state"]),
        exit_status=int(found) if found is not None else None,
        comment=comment,
        deleted=int(job.get("substate", 0)) == _TERMINATED or "deleted" in comment.lower(),
    )
