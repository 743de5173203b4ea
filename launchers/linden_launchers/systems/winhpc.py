"""Windows HPC Pack: job submit /jobfile, job list, job cancel.

Follows the command reference (job submit, job list, job cancel) of HPC Pack 2012 to 2019, and its job schema: elements Job, Task and
EnvironmentVariables, types JobState and TaskType; environment variable CCP_JOBID.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.sax.saxutils import quoteattr

from ..batch_system import BatchSystem, Key, Script, Source, members_of, unknown_state
from ..command import Command, CommandFailed, Output
from ..engine_command import engine_argv
from ..engine_set import EngineSet
from ..job_options import ONE
from ..job_script import Directive, directives, job_name
from ..launcher import Job, JobState, LaunchError, MemberStatus

_STATES = {
    **dict.fromkeys(("Configuring", "Submitted", "Validating", "ExternalValidation", "Queued"), JobState.PENDING),
    **dict.fromkeys(("Running", "Finishing", "Canceling"), JobState.RUNNING),
    "Finished": JobState.DONE,
    "Failed": JobState.FAILED,
    "Canceled": JobState.CANCELLED,
}
_SCHEMA = "http://schemas.microsoft.com/HPCS2008R2/scheduler/"


@dataclass(frozen=True)
class WindowsHpc(BatchSystem):
    """Options: *scheduler*: the head node; "" is the one that the environment names."""

    scheduler: str = ""
    name: ClassVar[str] = "winhpc"

    def render(self, engine_set: EngineSet) -> Script:
        """A job of one task, which is a parametric sweep over the engines if there are several.

        Directives are attributes of <Job>, as "Priority=Highest"; prologue lines run before the engine in the same shell.
        """
        options = engine_set.job
        if options.shape == ONE or options.engines_per_job > 1 or options.template or options.epilogue:
            raise LaunchError(
                "Windows HPC: each engine is a task of its own, run by cmd; leave out shape, engines_per_job, epilogue and template"
            )
        made: list[Directive] = [
            _attribute("Name", job_name(engine_set)),
            _attribute("UnitType", "Core"),
            _attribute("MinCores", str(options.cores or 1)),
            _attribute("MaxCores", str((options.cores or 1) * engine_set.n)),
        ]
        if options.walltime_s:
            made += [_attribute("RuntimeSeconds", str(options.walltime_s))]
        if options.queue:
            made += [_attribute("JobTemplate", options.queue)]
        if options.account:
            made += [_attribute("Project", options.account)]
        attributes = [line.partition("=")[::2] for line in directives(made, options)]
        head = "".join(f" {name.strip()}={quoteattr(value.strip())}" for name, value in attributes)
        text = "\n".join(
            [
                '<?xml version="1.0" encoding="utf-8"?>',
                f'<Job xmlns="{_SCHEMA}"{head}>',
                "  <Tasks>",
                *_task(engine_set),
                "  </Tasks>",
                "</Job>",
            ]
        )
        return Script(f"job-{engine_set.name}.xml", text + "\n")

    def submit(self, scripts: Sequence[Path]) -> Command:
        return Command(("job", "submit", f"/jobfile:{scripts[0]}", *self._where()))

    def parse_submit(self, output: Output) -> tuple[str, ...]:
        found = re.findall(r"ID:\s*(\d+)", output.stdout)
        if not found:
            raise CommandFailed(output, 'printed no line such as "Job has been submitted. ID: 17."')
        return (found[-1],)

    @property
    def sources(self) -> Sequence[Source]:
        """Without an id it lists this user's jobs, with those that have ended; their state is that of all their tasks."""
        ask = Command(("job", "list", "/all", "/format:list", *self._where()))
        return (Source("job list", lambda _: ask, _parse),)

    def cancel(self, job: Job, members: Sequence[int] | None) -> Command:
        if members is not None and len(members) < job.members:
            raise LaunchError(
                f"members of {job} cannot be cancelled singly by Windows HPC; drain them by Client.shutdown(targets)"
            )
        return Command(("job", "cancel", job.ids[0], *self._where()))

    def _where(self) -> tuple[str, ...]:
        return (f"/scheduler:{self.scheduler}",) if self.scheduler else ()


def _attribute(name: str, value: str) -> Directive:
    return name, f"{name}={value}"


def _task(engine_set: EngineSet) -> list[str]:
    options = engine_set.job
    members = members_of(engine_set)
    index = "*" if members > 1 else "0"  # a sweep has its number in place of each asterisk
    argv = engine_argv(engine_set)
    if options.walltime_s:
        argv += ["--walltime", str(options.walltime_s), "--leave-before", str(options.leave_before_s)]
    steps = [
        "set LINDEN_JOB_ID=%CCP_JOBID%",
        f"set LINDEN_ARRAY_INDEX={index}",
        *options.prologue,
        subprocess.list2cmdline(argv),
    ]
    log = f"{engine_set.log_directory}/engine-{engine_set.name}-{index}.log"
    attributes = {
        "Name": "engine",
        "CommandLine": f'cmd /c "{"&& ".join(steps)}"',
        "StdOutFilePath": log,
        "StdErrFilePath": log,
        "MinCores": str(options.cores or 1),
        "MaxCores": str(options.cores or 1),
    }
    if engine_set.directory:
        attributes["WorkDirectory"] = str(engine_set.directory)
    if members > 1:
        attributes |= {
            "Type": "ParametricSweep",
            "StartValue": "0",
            "EndValue": str(members - 1),
            "IncrementValue": "1",
        }
    variables = {"LINDEN_CLUSTER_ID": engine_set.cluster_id, "LINDEN_ENGINE_SET": engine_set.name}
    if engine_set.python_path:
        variables["PYTHONPATH"] = ";".join(engine_set.python_path)
    variables |= engine_set.environment
    return [
        "    <Task" + "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items()) + ">",
        "      <EnvironmentVariables>",
        *(
            f"        <Variable><Name>{_text(k)}</Name><Value>{_text(v)}</Value></Variable>"
            for k, v in variables.items()
        ),
        "      </EnvironmentVariables>",
        "    </Task>",
    ]


def _text(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _parse(output: Output) -> Mapping[Key, MemberStatus]:
    """Blocks of "Name : value" lines."""
    found: dict[Key, MemberStatus] = {}
    for block in re.split(r"\n\s*\n", output.check().stdout.replace("\r", "")):
        fields = dict(re.findall(r"^\s*(\w[\w ]*?)\s*:\s*(.*?)\s*$", block, re.MULTILINE))
        id, word = fields.get("Id") or fields.get("Job ID") or fields.get("ID"), fields.get("State")
        if not id or not word:
            continue
        state = _STATES.get(word)
        reason = fields.get("Error Message") or fields.get("Pending Reason") or ""
        found[id, None] = MemberStatus(state, reason) if state else unknown_state("Windows HPC", word)
        if state is JobState.CANCELLED and "run time" in reason.lower():
            found[id, None] = MemberStatus(JobState.TIMEOUT, reason)
    return found
