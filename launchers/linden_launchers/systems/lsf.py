"""IBM Spectrum LSF: bsub, bjobs, bhist, bkill.

Follows "IBM Spectrum LSF Command Reference" 10.1: bsub (-J, -n, -R, -M, -W, -wa, -wt), bjobs (-a, -json, -o), bhist (-l), bkill (-s),
and the environment variables LSB_JOBID and LSB_JOBINDEX of the "Configuration Reference".
"""

from __future__ import annotations

import re
import signal as signals
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..batch_system import BatchSystem, Key, Script, Source, ids_of, members_of, size_of, unknown_state
from ..command import Command, CommandFailed, Output
from ..engine_set import EngineSet
from ..job_options import ONE
from ..job_script import Directive, Names, job_name, job_script, quoted
from ..launcher import Job, JobState, MemberStatus
from .answers import json_of, reading
from .clock import hours_minutes

# Arrays of LSF begin with 1; a job that is none has LSB_JOBINDEX=0.
_NAMES = Names(job_id="$LSB_JOBID", index="$((${LSB_JOBINDEX:-0} > 0 ? LSB_JOBINDEX - 1 : 0))", redirects=True)
_FIELDS = "jobid jobindex stat exit_code exit_reason pend_reason"
_STATES = {
    **dict.fromkeys(("PEND", "WAIT"), JobState.PENDING),
    "PSUSP": JobState.HELD,
    **dict.fromkeys(("RUN", "USUSP", "SSUSP"), JobState.RUNNING),
    # Its host is not heard of; nobody knows what became of it.
    **dict.fromkeys(("UNKWN", "ZOMBI"), JobState.LOST),
}
_ENDS = {
    "TERM_RUNLIMIT": JobState.TIMEOUT,
    "TERM_DEADLINE": JobState.TIMEOUT,
    "TERM_WINDOW": JobState.TIMEOUT,
    "TERM_PREEMPT": JobState.PREEMPTED,
    **dict.fromkeys(
        ("TERM_OWNER", "TERM_FORCE_OWNER", "TERM_ADMIN", "TERM_FORCE_ADMIN", "TERM_REMOVE"), JobState.CANCELLED
    ),
}


@dataclass(frozen=True)
class Lsf(BatchSystem):
    """Options: *memory_unit*: of -M, "MB" or "KB"; with "" a plain number is written, in what LSF_UNIT_FOR_LIMITS of the site says."""

    memory_unit: str = "MB"
    name: ClassVar[str] = "lsf"

    def render(self, engine_set: EngineSet) -> Script:
        options = engine_set.job
        one = options.shape == ONE
        members = members_of(engine_set)
        name = job_name(engine_set) + (f"[1-{members}]" if members > 1 else "")
        size = size_of(engine_set)
        slots = size.cores * (engine_set.n if one else 1)
        made: list[Directive] = [
            ("-J", f'-J "{name}"'),
            ("-o", f"-o {quoted(engine_set.log_directory)}/job-{engine_set.name}.out"),  # else it is sent by mail
            ("-n", f"-n {slots}"),
        ]
        if not one:
            made += [("-R", '-R "span[hosts=1]"')]
        if size.memory_mb:
            memory = size.memory_mb * 1024 if self.memory_unit == "KB" else size.memory_mb
            made += [("-M", f"-M {memory}{self.memory_unit}")]
        if options.walltime_s:
            made += [("-W", f"-W {hours_minutes(options.walltime_s)}")]
            if options.leave_before_s:
                made += [("-wa", "-wa USR1"), ("-wt", f"-wt {-(-options.leave_before_s // 60)}")]
        if options.queue:
            made += [("-q", f"-q {options.queue}")]
        if options.account:
            made += [("-P", f"-P {options.account}")]
        return Script(f"job-{engine_set.name}.sh", job_script("#BSUB", made, _NAMES, engine_set, "mpiexec -n {n}"))

    def submit(self, scripts: Sequence[Path]) -> Command:
        """As standard input: of a script that is an argument bsub reads no #BSUB lines."""
        return Command(("/bin/sh", "-c", 'exec bsub <"$1"', "bsub", str(scripts[0])))

    def parse_submit(self, output: Output) -> tuple[str, ...]:
        found = re.findall(r"^Job <(\d+)> is submitted to ", output.stdout, re.MULTILINE)
        if not found:
            raise CommandFailed(output, 'printed no line such as "Job <17> is submitted to queue <normal>."')
        return (found[-1],)

    @property
    def sources(self) -> Sequence[Source]:
        return (
            Source("bjobs", lambda ids: Command(("bjobs", "-a", "-json", "-o", _FIELDS, *ids)), _parse_bjobs),
            Source("bhist", lambda ids: Command(("bhist", "-l", "-n", "0", *ids)), _parse_bhist),
        )

    def cancel(self, job: Job, members: Sequence[int] | None) -> Command:
        return Command(("bkill", *ids_of(job, members, _element)))

    def signal(self, job: Job, number: int, members: Sequence[int] | None) -> Command:
        name = signals.Signals(number).name.removeprefix("SIG")
        return Command(("bkill", "-s", name, *ids_of(job, members, _element)))


def _element(id: str, index: int) -> str:
    return f"{id}[{index + 1}]"


def _key(id: str, index: str) -> Key:
    return (id, int(index) - 1) if index.isdigit() and int(index) else (id, None)


def _parse_bjobs(output: Output) -> Mapping[Key, MemberStatus]:
    """Also says "Job <17> is not found" of single ones, with code 255 and those that it has found in the JSON."""
    text = output.stdout
    if "{" not in text:
        if (
            output.exit_code
            and "is not found" not in output.stderr + text
            and "No job found" not in output.stderr + text
        ):
            output.check()
        return {}
    with reading(output, "the JSON of bjobs"):
        found = [record for record in json_of(output)["RECORDS"] if record.get("STAT")]
        return {_key(record["JOBID"], record.get("JOBINDEX", "")): _state(record) for record in found}


def _state(record: Mapping[str, str]) -> MemberStatus:
    word = record["STAT"]
    reason, code = record.get("EXIT_REASON", ""), record.get("EXIT_CODE", "")
    if word == "DONE":
        return MemberStatus(JobState.DONE, exit_code=0)
    if word == "EXIT":
        return _end(reason, int(code) if code.isdigit() else None)
    state = _STATES.get(word)
    if state is None:
        return unknown_state("LSF", word)
    if state is JobState.RUNNING:
        return MemberStatus(state, "" if word == "RUN" else "suspended")
    return MemberStatus(state, record.get("PEND_REASON", "").strip("; ") or ("" if word == "PEND" else word))


def _end(reason: str, code: int | None) -> MemberStatus:
    state = _ENDS.get(reason.partition(":")[0].strip(), JobState.FAILED)
    if code is not None and code > 128:  # as shells tell it
        return MemberStatus(state, reason, signal=code - 128)
    return MemberStatus(state, reason, exit_code=code)


def _parse_bhist(output: Output) -> Mapping[Key, MemberStatus]:
    """Of what bjobs has forgotten (CLEAN_PERIOD) only the end counts."""
    if output.exit_code and "No matching job found" not in output.stderr + output.stdout:
        output.check()
    text = re.sub(r"\n {10,}", "", output.stdout)  # long lines are broken, also within words
    found: dict[Key, MemberStatus] = {}
    for part in re.split(r"^-{20,}$", text, flags=re.MULTILINE):
        if (match := re.search(r"^Job <(\d+)(?:\[(\d+)\])?>", part, re.MULTILINE)) is None:
            continue
        key = _key(match[1], match[2] or "")
        code = re.search(r"Exited with exit code (\d+)", part)
        by_signal = re.search(r"Exited by signal (\d+)", part)
        reason = re.search(r"TERM_\w+: [^.;]*", part)
        if "Done successfully" in part:
            found[key] = MemberStatus(JobState.DONE, exit_code=0)
        elif code or by_signal or re.search(r": Exited", part):
            number = int(code[1]) if code else 128 + int(by_signal[1]) if by_signal else None
            found[key] = _end(reason[0].strip() if reason else "", number)
    return found
