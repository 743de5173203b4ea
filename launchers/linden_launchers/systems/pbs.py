"""What PBS Pro and Torque have in common, and how to tell which of them is here."""

from __future__ import annotations

import re

from ..batch_system import Key, unknown_state
from ..command import Command, CommandFailed, Output
from ..engine_set import EngineSet
from ..job_script import Directive, job_name, quoted
from ..launcher import JobState, MemberStatus
from .answers import last_line
from .clock import hours_minutes_seconds

VERSION = Command(("qstat", "--version"))

_STATES = {
    "Q": JobState.PENDING,
    "W": JobState.PENDING,  # for its start time
    "T": JobState.PENDING,  # on its way to a queue
    "M": JobState.PENDING,  # moved to another server
    "B": JobState.PENDING,  # an array that has begun; its members say more
    "H": JobState.HELD,
    "R": JobState.RUNNING,
    "E": JobState.RUNNING,  # exiting
    "S": JobState.RUNNING,  # suspended; its processes are there
    "U": JobState.RUNNING,  # suspended because the machine's user is active
}
_OVER = frozenset("CFX")
_WALLTIME_CODES = frozenset({-29, -11})  # JOB_EXEC_KILL_WALLTIME of PBS Pro, JOB_EXEC_OVERLIMIT_WT of Torque
_SIGNALLED = 256  # PBS Pro and Torque: 256 and the signal


def flavour(output: Output) -> str:
    """Which system `qstat --version` is of: "pbspro", "torque", or "slurm": Torque's commands on top of Slurm."""
    said = f"{output.stdout}\n{output.stderr}".lower()
    if "pbs_version" in said or "pbspro" in said or "openpbs" in said:
        return "pbspro"
    if "version: " in said or "commit: " in said or "torque" in said:
        return "torque"
    if "unknown option: version" in said or "usage" in said:
        return "slurm"
    raise CommandFailed(output, 'does not say which system this is; use "pbspro" or "torque" in place of "pbs"')


def head(engine_set: EngineSet) -> list[Directive]:
    """Directives that both have."""
    options = engine_set.job
    found = [
        ("-N", f"-N {job_name(engine_set)[:15]}"),  # more is refused by Torque and by PBS Pro before 13
        ("-S", "-S /bin/sh"),
        ("-j", "-j oe"),
        ("-o", f"-o {quoted(engine_set.log_directory)}/"),  # what comes before the script's own log
    ]
    if options.walltime_s:
        found += [("-l walltime", f"-l walltime={hours_minutes_seconds(options.walltime_s)}")]
    if options.queue:
        found += [("-q", f"-q {options.queue}")]
    if options.account:
        found += [("-A", f"-A {options.account}")]
    return found


def submitted(output: Output) -> str:
    """qsub prints the id alone: "17.server", "17[].server"; a site's hooks may print lines before."""
    return last_line(output, r"\d+(\[\])?(\.[\w.-]+)?")[0]


def key_of(id: str) -> Key:
    """ "17[3].server" is member 3 of "17[].server"."""
    match = re.fullmatch(r"(\d+)\[(\d+)\](.*)", id)
    return (f"{match[1]}[]{match[3]}", int(match[2])) if match else (id, None)


def element(id: str, index: int) -> str:
    """The inverse of `key_of`."""
    return id.replace("[]", f"[{index}]", 1)


def state_of(letter: str, *, exit_status: int | None, comment: str = "", deleted: bool = False) -> MemberStatus:
    """Of a job's one-letter state; *deleted*: the system says that somebody has deleted it."""
    if letter not in _OVER:
        state = _STATES.get(letter)
        if state is None:
            return unknown_state("PBS", letter)
        reason = comment if state in (JobState.PENDING, JobState.HELD) else "suspended" if letter in "SU" else ""
        return MemberStatus(state, reason)
    said = comment if exit_status else ""
    if exit_status in _WALLTIME_CODES or ("walltime" in comment and "exceed" in comment):
        return MemberStatus(JobState.TIMEOUT, said)
    if deleted:
        return MemberStatus(JobState.CANCELLED, said)
    if exit_status is None:
        return MemberStatus(JobState.DONE, comment or "it has ended, and how is not told")
    if exit_status >= _SIGNALLED:
        return MemberStatus(JobState.FAILED, said, signal=exit_status - _SIGNALLED)
    if exit_status < 0:  # the system's own: it could not be started, or was killed for a limit
        return MemberStatus(JobState.FAILED, said or f"Exit_status {exit_status}", exit_code=exit_status)
    return MemberStatus(JobState.FAILED if exit_status else JobState.DONE, said, exit_code=exit_status)


def only_missing(output: Output) -> bool:
    """Whether qstat only complains of jobs that it does not list (any more)."""
    complaints = [line for line in output.stderr.splitlines() if line.strip()]
    return all(re.search(r"unknown job id|has finished", line, re.IGNORECASE) for line in complaints)
