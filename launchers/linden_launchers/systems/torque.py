"""Torque, and its commands on top of Slurm (slurm-wlm-torque): qsub, qstat, qdel, qsig.

Follows the "Torque Resource Manager Administrator Guide" 6.1, appendix A (qsub(1B), qstat(1B), qdel(1B), qsig(1B)); what Slurm's
commands do otherwise is in their sources, contribs/torque.
"""

from __future__ import annotations

import re
import shlex
import signal as signals
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..batch_system import BatchSystem, Key, Script, Source, ids_of, members_of, size_of
from ..command import Command, Output
from ..engine_set import EngineSet
from ..job_options import ONE
from ..job_script import Names, job_script
from ..launcher import Job, MemberStatus
from .pbs import element, head, key_of, only_missing, state_of, submitted

# Slurm's qsub sets no variable of PBS.
_ID = "${PBS_JOBID:-$SLURM_JOB_ID}"
_MEMBER_ID = f'$(echo "{_ID}" | sed "s/\\[[0-9]*\\]/[]/")'


@dataclass(frozen=True)
class Torque(BatchSystem):
    """Options: *arrays*: false where there are none, or their members cannot be told, as on Slurm: then each is a job of its own."""

    arrays: bool = True
    name: ClassVar[str] = "torque"

    def render(self, engine_set: EngineSet) -> Script:
        members = members_of(engine_set)
        if self.arrays or members == 1:
            return Script(f"job-{engine_set.name}.sh", self._script(engine_set, members, "${PBS_ARRAYID:-0}"))
        scripts = [
            Script(f"job-{engine_set.name}-{index}.sh", self._script(engine_set, 1, str(index)))
            for index in range(members)
        ]
        return Script(scripts[0].name, scripts[0].text, tuple(scripts[1:]))

    def submit(self, scripts: Sequence[Path]) -> Command:
        if len(scripts) == 1:
            return Command(("qsub", str(scripts[0])))
        return Command(("/bin/sh", "-ec", "\n".join(f"qsub {shlex.quote(str(path))}" for path in scripts)))

    def parse_submit(self, output: Output) -> tuple[str, ...]:
        if self.arrays:
            return (submitted(output),)
        lines = [line.strip() for line in output.stdout.splitlines()]
        return tuple(line for line in lines if re.fullmatch(r"\d+(\.[\w.-]+)?", line)) or (submitted(output),)

    @property
    def sources(self) -> Sequence[Source]:
        how = ("qstat", "-f", "-t") if self.arrays else ("qstat", "-f")
        return (Source("qstat", lambda ids: Command((*how, *ids)), _parse),)

    def cancel(self, job: Job, members: Sequence[int] | None) -> Command:
        return Command(("qdel", *ids_of(job, members, element)))

    def signal(self, job: Job, number: int, members: Sequence[int] | None) -> Command:
        return Command(("qsig", "-s", signals.Signals(number).name, *ids_of(job, members, element)))

    def _script(self, engine_set: EngineSet, members: int, index: str) -> str:
        options = engine_set.job
        one = options.shape == ONE
        size = size_of(engine_set)
        nodes = f"nodes={engine_set.n if one else 1}:ppn={size.cores}"
        made = [*head(engine_set), ("-l nodes", f"-l {nodes}")]
        if size.memory_mb:  # of the whole job
            made += [("-l mem", f"-l mem={size.memory_mb * (engine_set.n if one else 1)}mb")]
        if members > 1:
            made += [("-t", f"-t 0-{members - 1}")]
        names = Names(job_id=_MEMBER_ID if members > 1 else _ID, index=index, redirects=True)
        return job_script("#PBS", made, names, engine_set, "mpiexec -n {n}")


def _parse(output: Output) -> Mapping[Key, MemberStatus]:
    # 153: some of them, or all, are not there; Slurm's says so without a word.
    if output.exit_code not in (0, 153) or not only_missing(output):
        output.check()
    text = re.sub(
        r"\n\t(?=\S)(?!\w[\w.]* = )", "", output.stdout
    )  # a long value goes on in the next line, behind a tab
    found: dict[Key, MemberStatus] = {}
    for part in re.split(r"^Job Id:\s*", text, flags=re.MULTILINE)[1:]:
        id, _, rest = part.partition("\n")
        fields = dict(re.findall(r"^\s+(\w[\w.]*) = (.*?)\s*$", rest, re.MULTILINE))
        code = fields.get("exit_status", "")
        comment = fields.get("comment", "")
        found[key_of(id.strip())] = state_of(
            fields.get("job_state", ""),
            exit_status=int(code) if re.fullmatch(r"-?\d+", code) else None,
            comment=comment,
            deleted="deleted" in comment.lower(),
        )
    return found
