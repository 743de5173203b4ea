"""What squeue, sacct and scontrol print: ids, and the states of jobs by both of their names (squeue(1), "JOB STATE CODES")."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..batch_system import Key, Unavailable, unknown_state
from ..command import Output
from ..launcher import JobState, MemberStatus

_STATES = {
    JobState.PENDING: "PENDING PD CONFIGURING CF REQUEUED RQ REQUEUE_FED RF RESV_DEL_HOLD RD SPECIAL_EXIT SE",
    # What completes has run, and its processes may still be there.
    JobState.RUNNING: "RUNNING R COMPLETING CG SIGNALING SI STAGE_OUT SO STOPPED ST SUSPENDED S RESIZING RS",
    JobState.HELD: "REQUEUE_HOLD RH",
    JobState.DONE: "COMPLETED CD",
    JobState.FAILED: "FAILED F BOOT_FAIL BF NODE_FAIL NF OUT_OF_MEMORY OOM LAUNCH_FAILED RECONFIG_FAIL",
    JobState.TIMEOUT: "TIMEOUT TO DEADLINE DL",
    JobState.PREEMPTED: "PREEMPTED PR",
    JobState.CANCELLED: "CANCELLED CA REVOKED RV",
}
_BY_NAME = {name: state for state, names in _STATES.items() for name in names.split()}
_HELD_REASONS = frozenset({"JobHeldUser", "JobHeldAdmin", "JobHoldMaxRequeue"})
_NO_REASON = frozenset({"", "None", "(null)"})


def state_of(name: str, reason: str = "", exit_code: str = "") -> MemberStatus:
    """Of "PENDING" or "PD", "Resources", "3:0" (exit code and signal).  sacct writes "CANCELLED by 1000" and "CANCELLED+"."""
    words = name.split()
    word = words[0].rstrip("+") if words else ""
    state = _BY_NAME.get(word)
    if state is None:
        return unknown_state("Slurm", name)
    if state is JobState.PENDING and reason.strip("()") in _HELD_REASONS:
        state = JobState.HELD
    code, _, number = exit_code.partition(":")
    said = "" if reason in _NO_REASON else reason
    if state is JobState.FAILED and word not in ("FAILED", "F"):
        said = word  # NODE_FAIL, OUT_OF_MEMORY: more than the code tells
    return MemberStatus(
        state,
        said,
        int(code) if code.isdigit() and state.is_over else None,
        int(number) if number.isdigit() and int(number) and state.is_over else None,
    )


def _keys(text: str) -> list[Key]:
    """ "17", "17_3", "17_[0-2,7,10-14:2%4]": a job, one of an array, those that are still together."""
    match = re.fullmatch(r"(\d+)(?:\+\d+)?(?:_(?:(\d+)|\[([^]]*)\]))?", text)
    if match is None:
        return []
    if match[2]:
        return [(match[1], int(match[2]))]
    if match[3] is None:
        return [(match[1], None)]
    keys: list[Key] = []
    for part in match[3].partition("%")[0].split(","):
        if one := re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part.strip()):
            keys += [(match[1], index) for index in range(int(one[1]), int(one[2] or one[1]) + 1, int(one[3] or 1))]
        else:  # squeue shortens long lists to "0-9,..." unless SLURM_BITSTR_LEN is 0
            keys.append((match[1], None))
    return keys


def parse_squeue(output: Output) -> Mapping[Key, MemberStatus]:
    # "Invalid job id specified" with code 1: all that were asked for have left the queue.
    if output.exit_code and "invalid job id" not in output.stderr.lower():
        output.check()
    found: dict[Key, MemberStatus] = {}
    for line in output.stdout.splitlines():
        if len(fields := line.strip().split("|")) == 3:
            for key in _keys(fields[0]):
                found[key] = state_of(fields[1], fields[2])
    return found


def parse_sacct(output: Output) -> Mapping[Key, MemberStatus]:
    if output.exit_code and "accounting storage is disabled" in output.stderr.lower():
        raise Unavailable(output, "keeps no accounting here")
    output.check()
    found: dict[Key, MemberStatus] = {}
    for line in output.stdout.splitlines():
        if len(fields := line.strip().split("|")) == 3:
            for key in _keys(fields[0]):
                found[key] = state_of(fields[1], exit_code=fields[2])
    return found


def parse_scontrol(output: Output) -> Mapping[Key, MemberStatus]:
    """Knows of what has ended for MinJobAge (5 minutes) only, and then says that the id is invalid."""
    if output.exit_code and "invalid job id" in (output.stderr + output.stdout).lower():
        return {}
    output.check()
    found: dict[Key, MemberStatus] = {}
    for line in output.stdout.splitlines():
        fields = dict(part.partition("=")[::2] for part in line.split() if "=" in part)
        if "JobState" not in fields:
            continue
        status = state_of(fields["JobState"], fields.get("Reason", ""), fields.get("ExitCode", ""))
        if "ArrayJobId" in fields:
            task = fields.get("ArrayTaskId", "")
            name = f"{fields['ArrayJobId']}_{task if task.isdigit() else f'[{task}]'}"
        else:
            name = fields.get("JobId", "")
        for key in _keys(name):
            found[key] = status
    return found
