"""OAR: oarsub, oarstat, oardel.

Follows the manual pages oarsub(1) (-S, -l, --array, --checkpoint, --signal; environment), oarstat(1) (-f, -J, -j) and oardel(1) (-s)
of OAR 2.5.9, and its sources where they are silent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..batch_system import BatchSystem, Key, Script, Source, ids_of, members_of, size_of, unknown_state
from ..command import Command, CommandFailed, Output
from ..engine_set import EngineSet
from ..job_options import ONE
from ..job_script import Directive, Names, job_name, job_script, quoted
from ..launcher import Job, JobState, MemberStatus
from .answers import json_of, reading
from .clock import hours_minutes_seconds

# Each job of an array has an id of its own.
_NAMES = Names(
    job_id="$OAR_JOB_ID",
    index="$((${OAR_ARRAY_INDEX:-1} - 1))",
    left="${OAR_JOB_WALLTIME_SECONDS:-7200}",  # always there; two hours are OAR's default
    redirects=True,
)
_USR1 = 10
_STATES = {
    **dict.fromkeys(("Waiting", "toLaunch", "Launching", "toAckReservation"), JobState.PENDING),
    "Hold": JobState.HELD,
    **dict.fromkeys(("Running", "Finishing", "toError", "Suspended", "Resuming"), JobState.RUNNING),
}


@dataclass(frozen=True)
class Oar(BatchSystem):
    """Options: *memory_property*: the property of the site's resources that is compared with the memory wanted, in MB."""

    memory_property: str = "memnode"
    name: ClassVar[str] = "oar"

    def render(self, engine_set: EngineSet) -> Script:
        options = engine_set.job
        one = options.shape == ONE
        members = members_of(engine_set)
        size = size_of(engine_set)
        cores = size.cores * (engine_set.n if one else 1)
        where = f"/core={cores}" if one else f"/nodes=1/core={cores}"
        # One -l has both: of several only the last would count.
        wall = f",walltime={hours_minutes_seconds(options.walltime_s)}" if options.walltime_s else ""
        made: list[Directive] = [
            ("-n", f"-n {job_name(engine_set)}"),
            ("-l", f"-l {where}{wall}"),
            ("-O", f"-O {quoted(engine_set.log_directory)}/job-{engine_set.name}.%jobid%.out"),
            ("-E", f"-E {quoted(engine_set.log_directory)}/job-{engine_set.name}.%jobid%.out"),
        ]
        if members > 1:
            made += [("--array", f"--array {members}")]
        if size.memory_mb:
            made += [("-p", f'-p "{self.memory_property} >= {size.memory_mb}"')]
        if options.leave_before_s:
            made += [("--checkpoint", f"--checkpoint {options.leave_before_s}"), ("--signal", f"--signal {_USR1}")]
        if options.queue:
            made += [("-q", f"-q {options.queue}")]
        if options.account:
            made += [("--project", f"--project {options.account}")]
        return Script(f"job-{engine_set.name}.sh", job_script("#OAR", made, _NAMES, engine_set, "mpiexec -n {n}"))

    def submit(self, scripts: Sequence[Path]) -> Command:
        return Command(("oarsub", "-S", str(scripts[0])))

    def parse_submit(self, output: Output) -> tuple[str, ...]:
        """A line for each job; admission rules print others.  A refused job is "OAR_JOB_ID=-5"."""
        found = tuple(re.findall(r"^OAR_JOB_ID=(\d+)\s*$", output.stdout, re.MULTILINE))
        if not found:
            raise CommandFailed(output, "printed no line OAR_JOB_ID=<number>")
        return found

    @property
    def sources(self) -> Sequence[Source]:
        """One, which also knows what has ended."""

        def ask(ids: Sequence[str]) -> Command:
            return Command(("oarstat", "-f", "-J", *(word for id in ids for word in ("-j", id))))

        return (Source("oarstat", ask, _parse),)

    def cancel(self, job: Job, members: Sequence[int] | None) -> Command:
        return Command(("oardel", *ids_of(job, members, lambda name, _: name)))

    def signal(self, job: Job, number: int, members: Sequence[int] | None) -> Command:
        return Command(("oardel", "-s", str(number), *ids_of(job, members, lambda name, _: name)))


def _parse(output: Output) -> Mapping[Key, MemberStatus]:
    """Without any of the jobs it prints nothing."""
    output.check()
    with reading(output, "the JSON of oarstat"):
        return {(id, None): _state(job) for id, job in (json_of(output) or {}).items()}


def _state(job: Mapping[str, Any]) -> MemberStatus:
    word, message = str(job["state"]), str(job.get("message") or "")
    code = int(job["exit_code"]) if job.get("exit_code") not in (None, "") else None  # as wait(2) gives it
    if word in ("Terminated", "Error"):
        events = {str(one.get("type")): str(one.get("description")) for one in job.get("events") or []}
        if "Elapsed" in events.get("WALLTIME", ""):  # the type alone is also that of a walltime that was changed
            return MemberStatus(JobState.TIMEOUT, message)
        if "FRAG_JOB_REQUEST" in events:
            return MemberStatus(JobState.CANCELLED, message)
        number, exit_code = ((code & 127) or None, code >> 8) if code is not None else (None, None)
        bad = word == "Error" or number or exit_code
        return MemberStatus(JobState.FAILED if bad else JobState.DONE, message if bad else "", exit_code, number)
    state = _STATES.get(word)
    if state is None:
        return unknown_state("OAR", word)
    if state is JobState.RUNNING:
        return MemberStatus(state, "suspended" if word == "Suspended" else "")
    return MemberStatus(state, message)
