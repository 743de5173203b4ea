"""HTCondor: condor_submit, condor_q, condor_history, condor_rm.

Follows the "HTCondor Manual" 10 to 23: condor_submit (-terse, submit description), condor_q (-json, -attributes), condor_history,
condor_rm, and "Job ClassAd Attributes" (JobStatus, HoldReason, ExitBySignal, LastRejMatchReason).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ..batch_system import BatchSystem, Key, Script, Source, ids_of, members_of, size_of, unknown_state
from ..command import Command, CommandFailed, Output
from ..engine_set import EngineSet
from ..job_options import ONE
from ..job_script import Directive, Names, directives, fill, job_name, job_script
from ..launcher import Job, JobState, LaunchError, MemberStatus
from .answers import json_of, reading

# The submit description puts them into the environment.
_NAMES = Names(job_id="$LINDEN_JOB_ID", index="${LINDEN_ARRAY_INDEX:-0}")
_ATTRIBUTES = "ClusterId,ProcId,JobStatus,HoldReason,ExitCode,ExitBySignal,ExitSignal,RemoveReason,LastRejMatchReason,NumJobStarts"
_IDLE, _RUNNING, _REMOVED, _COMPLETED, _HELD, _TRANSFERRING, _SUSPENDED = range(1, 8)
_TEMPLATE = "{{directives}}\n{{body}}\n"


@dataclass(frozen=True)
class HTCondor(BatchSystem):
    """Options: *disk_mb*: what a job asks for (condor_submit must be told at some sites)."""

    disk_mb: int = 0
    name: ClassVar[str] = "htcondor"

    def render(self, engine_set: EngineSet) -> Script:
        options = engine_set.job
        if options.shape == ONE:
            raise LaunchError(
                'HTCondor starts each job on its own: leave out shape="one", or use the launcher "mpi" inside a job'
            )
        if options.queue:
            raise LaunchError('HTCondor has no queues; use directives such as "requirements = ..." in place of a queue')
        size = size_of(engine_set)
        log = engine_set.log_directory / f"engine-{engine_set.name}-$(ProcId).log"
        made: list[Directive] = [
            _line("universe", "vanilla"),
            _line("batch_name", job_name(engine_set)),
            _line("executable", f"{engine_set.log_directory}/job-{engine_set.name}.sh"),
            _line("environment", '"LINDEN_JOB_ID=$(ClusterId) LINDEN_ARRAY_INDEX=$(ProcId)"'),
            _line("output", str(log)),
            _line("error", str(log)),
            _line("stream_output", "true"),
            _line("stream_error", "true"),
            _line("log", f"{engine_set.log_directory}/job-{engine_set.name}.condor"),
            _line("should_transfer_files", "if_needed"),
            _line("request_cpus", str(size.cores)),
        ]
        if size.memory_mb:
            made += [_line("request_memory", f"{size.memory_mb}MB")]
        if self.disk_mb:
            made += [_line("request_disk", f"{self.disk_mb}MB")]
        if options.walltime_s:
            over = f"JobStatus == 2 && time() - JobCurrentStartDate > {options.walltime_s}"
            made += [_line("periodic_remove", over)]
        if options.account:
            made += [_line("accounting_group", options.account)]
        head = "\n".join(directives(made, options))
        text = fill(options.template or _TEMPLATE, {"directives": head, "body": f"queue {members_of(engine_set)}"})
        # The template is that of the description; the script is always ours.
        plain = replace(engine_set, job=replace(options, template="", directives=()))
        script = Script(f"job-{engine_set.name}.sh", job_script("#", (), _NAMES, plain))
        return Script(f"job-{engine_set.name}.sub", text, (script,))

    def submit(self, scripts: Sequence[Path]) -> Command:
        return Command(("condor_submit", "-terse", str(scripts[0])))

    def parse_submit(self, output: Output) -> tuple[str, ...]:
        """`-terse` prints "12.0 - 12.2", warnings before."""
        found = re.findall(r"^(\d+)\.\d+ - \d+\.\d+\s*$", output.stdout, re.MULTILINE)
        if not found:
            raise CommandFailed(output, 'printed no range of jobs such as "12.0 - 12.2"')
        return (found[-1],)

    @property
    def sources(self) -> Sequence[Source]:
        how = ("-json", "-attributes", _ATTRIBUTES)
        return (
            Source("condor_q", lambda ids: Command(("condor_q", *how, *ids)), _parse),
            Source("condor_history", lambda ids: Command(("condor_history", *how, *ids)), _parse),
        )

    def cancel(self, job: Job, members: Sequence[int] | None) -> Command:
        if members is None or job.members > 1:
            return Command(("condor_rm", *ids_of(job, members, lambda cluster, index: f"{cluster}.{index}")))
        return Command(("condor_rm", *(f"{id}.0" for id in job.ids)))


def _line(name: str, value: str) -> Directive:
    return name, f"{name} = {value}"


def _parse(output: Output) -> Mapping[Key, MemberStatus]:
    output.check()
    found: dict[Key, MemberStatus] = {}
    with reading(output, "the JSON of ClassAds"):
        for ad in json_of(output, "[") or ():  # nothing is printed when no job is listed
            found.setdefault(
                (str(ad["ClusterId"]), int(ad["ProcId"])), _state(ad)
            )  # the history begins with the latest
    return found


def _state(ad: Mapping[str, Any]) -> MemberStatus:
    status = ad["JobStatus"]
    if status == _IDLE:
        again = "evicted, it waits again" if ad.get("NumJobStarts") else ""
        return MemberStatus(JobState.PENDING, str(ad.get("LastRejMatchReason", again)))
    if status in (_RUNNING, _TRANSFERRING, _SUSPENDED):
        return MemberStatus(JobState.RUNNING, "suspended" if status == _SUSPENDED else "")
    if status == _HELD:
        return MemberStatus(JobState.HELD, str(ad.get("HoldReason", "")))
    if status == _REMOVED:
        reason = str(ad.get("RemoveReason", ""))
        return MemberStatus(JobState.TIMEOUT if "PeriodicRemove" in reason else JobState.CANCELLED, reason)
    if status == _COMPLETED:
        if ad.get("ExitBySignal"):
            return MemberStatus(JobState.FAILED, signal=int(ad.get("ExitSignal", 0)) or None)
        if "ExitCode" not in ad:
            return MemberStatus(JobState.FAILED, "no exit code is told")
        code = int(ad["ExitCode"])
        return MemberStatus(JobState.FAILED if code else JobState.DONE, exit_code=code)
    return unknown_state("HTCondor", str(status))
