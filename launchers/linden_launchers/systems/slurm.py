"""Slurm: sbatch, squeue, sacct, scontrol, scancel.

Follows the manual pages sbatch(1), squeue(1), sacct(1), scontrol(1), scancel(1), and srun(1) for one allocation, of Slurm 22.05 to
24.05.
"""

from __future__ import annotations

import signal as signals
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..batch_system import BatchSystem, Script, Source, ids_of, members_of
from ..command import Command, Output
from ..engine_set import EngineSet
from ..job_options import ONE
from ..job_script import HANDED_ON, Directive, Names, job_name, job_script, quoted
from ..launcher import Job
from .answers import last_line
from .clock import hours_minutes_seconds
from .slurm_status import parse_sacct, parse_scontrol, parse_squeue

_NAMES = Names(
    job_id="${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}", index="${SLURM_ARRAY_TASK_ID:-0}", end="SLURM_JOB_END_TIME"
)


@dataclass(frozen=True)
class Slurm(BatchSystem):
    """Options: *cluster*: which of several (`--clusters`)."""

    cluster: str = ""
    name: ClassVar[str] = "slurm"

    def render(self, engine_set: EngineSet) -> Script:
        options = engine_set.job
        head: list[Directive] = [("--job-name", f"--job-name={job_name(engine_set)}")]
        log = f"{quoted(engine_set.log_directory)}/engine-{engine_set.name}-"
        if options.shape == ONE:
            head += [("--ntasks", f"--ntasks={engine_set.n}"), ("--output", f"--output={log}0.log")]
            tasks = 1
        else:
            members = members_of(engine_set)
            if members > 1:
                head += [("--array", f"--array=0-{members - 1}"), ("--output", f"--output={log}%a.log")]
            else:
                head += [("--output", f"--output={log}0.log")]
            tasks = options.engines_per_job
            head += [("--nodes", "--nodes=1"), ("--ntasks", "--ntasks=1")]
        head += [("--open-mode", "--open-mode=append")]
        cores = (options.cores or 1) * tasks
        if options.cores or tasks > 1:
            head += [("--cpus-per-task", f"--cpus-per-task={cores}")]
        if options.memory_mb:
            head += [("--mem-per-cpu", f"--mem-per-cpu={-(-options.memory_mb // (options.cores or 1))}M")]
        if options.walltime_s:
            head += [("--time", f"--time={hours_minutes_seconds(options.walltime_s)}")]
        if options.leave_before_s:
            head += [("--signal", f"--signal=B:USR1@{options.leave_before_s}")]
        if options.queue:
            head += [("--partition", f"--partition={options.queue}")]
        if options.account:
            head += [("--account", f"--account={options.account}")]
        return Script(f"job-{engine_set.name}.sh", job_script("#SBATCH", head, _NAMES, engine_set, "srun --ntasks={n}"))

    def submit(self, scripts: Sequence[Path]) -> Command:
        return Command((*self._program("sbatch"), "--parsable", str(scripts[0])))

    def parse_submit(self, output: Output) -> tuple[str, ...]:
        """`--parsable` prints "jobid" or "jobid;cluster"; a site's submit plugin may print lines of its own before."""
        return (last_line(output, r"(\d+)(;\S+)?")[1],)

    @property
    def sources(self) -> Sequence[Source]:
        return (
            Source("squeue", self._squeue, parse_squeue),
            Source("sacct", self._sacct, parse_sacct),
            Source("scontrol", self._scontrol, parse_scontrol, one_by_one=True),
        )

    def cancel(self, job: Job, members: Sequence[int] | None) -> Command:
        return Command((*self._program("scancel"), *ids_of(job, members, _element)))

    def signal(self, job: Job, number: int, members: Sequence[int] | None) -> Command:
        """`--batch`: to the shell alone, which hands it on once; `--full`: to all processes of the job, what it does not."""
        name = signals.Signals(number).name.removeprefix("SIG")
        whom = "--batch" if name in HANDED_ON else "--full"
        return Command((*self._program("scancel"), f"--signal={name}", whom, *ids_of(job, members, _element)))

    def _program(self, name: str) -> tuple[str, ...]:
        return (name, f"--clusters={self.cluster}") if self.cluster else (name,)

    def _squeue(self, ids: Sequence[str]) -> Command:
        fields = "%i|%T|%r"
        return Command((*self._program("squeue"), "--noheader", f"--format={fields}", f"--jobs={','.join(ids)}"))

    def _sacct(self, ids: Sequence[str]) -> Command:
        what = (
            "--allocations",
            "--noheader",
            "--parsable2",
            "--format=jobid,state%40,exitcode",
            f"--jobs={','.join(ids)}",
        )
        return Command((*self._program("sacct"), *what))

    def _scontrol(self, ids: Sequence[str]) -> Command:
        return Command((*self._program("scontrol"), "--oneliner", "show", "job", ids[0]))


def _element(id: str, index: int) -> str:
    return f"{id}_{index}"
