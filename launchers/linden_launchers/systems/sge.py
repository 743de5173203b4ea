"""Grid Engine (Sun, Son of, Univa, Altair): qsub, qstat, qacct, qdel.

Follows the manual pages qsub(1), qstat(1), qacct(1), qdel(1), sge_status(5) and queue_conf(5) (s_rt, h_rt) of Grid Engine 8.1.9.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..batch_system import BatchSystem, Key, Script, Source, members_of, size_of, unknown_state
from ..command import Command, CommandFailed, Output
from ..engine_set import EngineSet
from ..job_options import ONE
from ..job_script import Directive, Names, job_name, job_script, quoted
from ..launcher import Job, JobState, MemberStatus
from .answers import last_line
from .clock import hours_minutes_seconds
from .sge_accounting import parse_qacct

# Arrays begin with 1; the variable of a job that is none says "undefined".
_INDEX = '$(case "$SGE_TASK_ID" in ""|undefined) echo 0 ;; *) echo $((SGE_TASK_ID - 1)) ;; esac)'
_NAMES = Names(job_id="$JOB_ID", index=_INDEX, redirects=True)
# qstat tells of all users otherwise, which on a large site is much.
_QSTAT = 'exec qstat -xml -u "$(id -un)"'


@dataclass(frozen=True)
class Sge(BatchSystem):
    """Options: *pe*: parallel environment for several cores of one host. *pe_one*: the one for one allocation over several.
    *memory_resource*: what is asked for, as "h_vmem" or "mem_free", per slot.
    """

    pe: str = "smp"
    pe_one: str = "mpi"
    memory_resource: str = "h_vmem"
    name: ClassVar[str] = "sge"

    def render(self, engine_set: EngineSet) -> Script:
        options = engine_set.job
        one = options.shape == ONE
        made: list[Directive] = [
            ("-N", f"-N {re.sub('^[^A-Za-z]', 'j', job_name(engine_set))}"),  # must not begin with a digit
            ("-S", "-S /bin/sh"),
            ("-j", "-j y"),
            ("-o", f"-o {quoted(engine_set.log_directory)}"),
        ]
        if (members := members_of(engine_set)) > 1:
            made += [("-t", f"-t 1-{members}")]
        slots = size_of(engine_set).cores * (engine_set.n if one else 1)
        if one or slots > 1:
            made += [("-pe", f"-pe {self.pe_one if one else self.pe} {slots}")]
        if options.memory_mb:
            per_slot = -(-options.memory_mb // (options.cores or 1))
            made += [(f"-l {self.memory_resource}", f"-l {self.memory_resource}={per_slot}M")]
        if options.walltime_s:
            made += [("-l h_rt", f"-l h_rt={hours_minutes_seconds(options.walltime_s)}")]
            soft = options.walltime_s - options.leave_before_s
            if options.leave_before_s and soft > 0:  # SIGUSR1 then
                made += [("-l s_rt", f"-l s_rt={hours_minutes_seconds(soft)}")]
        if options.queue:
            made += [("-q", f"-q {options.queue}")]
        if options.account:
            made += [("-P", f"-P {options.account}")]
        return Script(f"job-{engine_set.name}.sh", job_script("#$", made, _NAMES, engine_set, "mpiexec -n {n}"))

    def submit(self, scripts: Sequence[Path]) -> Command:
        return Command(("qsub", "-terse", str(scripts[0])))

    def parse_submit(self, output: Output) -> tuple[str, ...]:
        """`-terse` prints "17" or "17.1-3:1"; a job verifier of the site may print lines before."""
        return (last_line(output, r"(\d+)(\.\d+-\d+:\d+)?")[1],)

    @property
    def sources(self) -> Sequence[Source]:
        return (
            Source("qstat", lambda _: Command(("/bin/sh", "-c", _QSTAT)), _parse_qstat),
            Source("qacct", lambda ids: Command(("qacct", "-j", ids[0])), parse_qacct, one_by_one=True),
        )

    def cancel(self, job: Job, members: Sequence[int] | None) -> Command:
        if members is None or job.members == 1:
            return Command(("qdel", *job.ids))
        return Command(("qdel", job.ids[0], "-t", ",".join(str(index + 1) for index in members)))


def _parse_qstat(output: Output) -> Mapping[Key, MemberStatus]:
    output.check()
    start = output.stdout.find("<?xml")
    try:
        root = ElementTree.fromstring(output.stdout[max(start, 0) :])
    except ElementTree.ParseError as error:
        raise CommandFailed(output, f"printed what is not the XML of qstat ({error})") from error
    found: dict[Key, MemberStatus] = {}
    for element in root.iter("job_list"):
        status = state_of(element.findtext("state", ""))
        for key in _keys(element.findtext("JB_job_number", ""), element.findtext("tasks", "")):
            found[key] = status
    return found


def _keys(id: str, tasks: str) -> list[Key]:
    """Of "3", "1-3:1", "2,5": those of an array that are in the same state; none: no array."""
    keys: list[Key] = []
    for part in filter(None, tasks.split(",")):
        if match := re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part.strip()):
            first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
            keys += [(id, number - 1) for number in range(first, last + 1, step)]
    return keys or [(id, None)]


def state_of(letters: str) -> MemberStatus:
    """Of "qw", "hqw", "Eqw", "t", "r", "Rr", "dr", "S" and the like, sge_status(5)."""
    if not letters or not set(letters) <= set("dEhrRsStTNqwzP"):
        return unknown_state("Grid Engine", letters)
    if "E" in letters:
        return MemberStatus(JobState.HELD, f"{letters}: an error; `qstat -j` says which, `qmod -cj` tries again")
    if "d" in letters:
        return MemberStatus(JobState.RUNNING, f"{letters}: being deleted")
    if "h" in letters:
        return MemberStatus(JobState.HELD, letters)
    if "q" in letters or "w" in letters:
        return MemberStatus(JobState.PENDING, f"{letters}; `qstat -j` says more")
    return MemberStatus(JobState.RUNNING, "suspended" if set(letters) & set("sSTNP") else "")
