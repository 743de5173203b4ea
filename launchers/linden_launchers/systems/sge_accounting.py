"""What qacct prints of jobs that have ended (accounting(5), "failed" and "exit_status").  Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..batch_system import Key, Unavailable
from ..command import Output
from ..launcher import JobState, MemberStatus

_BY_SIGNAL = 100  # "assumedly after job": a signal ended it
_OVER_TIME = frozenset({37, 44})  # h_rt was over, by qmaster or execd
_RESCHEDULED = frozenset({24, 25})


def parse_qacct(output: Output) -> Mapping[Key, MemberStatus]:
    """Records of one job, for each task of an array.  It is written some seconds after the end."""
    said = output.stdout + output.stderr
    if output.exit_code and re.search(r"job id \S+ not found", said):
        return {}
    if output.exit_code and "accounting" in said and re.search(r"No such file|Permission denied", said):
        raise Unavailable(output, "keeps no accounts that we can read")
    output.check()
    found: dict[Key, MemberStatus] = {}
    for part in re.split(r"^={20,}$", output.stdout, flags=re.MULTILINE):
        fields = dict(re.findall(r"^(\w+)\s+(.*?)\s*$", part, re.MULTILINE))
        if "jobnumber" not in fields:
            continue
        task = fields.get("taskid", "")
        key = (fields["jobnumber"], int(task) - 1 if task.isdigit() else None)
        status = _end(fields)
        if status is not None:
            found[key] = status
        else:
            found.pop(key, None)  # it ran again
    return found


def _end(fields: Mapping[str, str]) -> MemberStatus | None:
    """None: this was an attempt after which the job was put back into the queue."""
    failed, _, words = fields.get("failed", "0").partition(":")
    failure = int(failed.split()[0]) if failed.split() and failed.split()[0].isdigit() else 0
    said = fields.get("exit_status", "").split()  # "137                  (Killed)"
    code = int(said[0]) if said and said[0].isdigit() else None
    reason = words.strip()
    if failure in _RESCHEDULED:
        return None
    limit = re.search(r"\bh_rt=(\d+)", fields.get("category", ""))
    ran = re.match(r"\d+", fields.get("ru_wallclock", ""))
    if failure in _OVER_TIME or (failure == _BY_SIGNAL and limit and ran and int(ran[0]) >= int(limit[1])):
        return MemberStatus(JobState.TIMEOUT, reason)
    if fields.get("deleted_by", "NONE") not in ("NONE", ""):  # Univa's
        return MemberStatus(JobState.CANCELLED, f"deleted by {fields['deleted_by']}")
    if failure == _BY_SIGNAL and code is not None and code > 128:
        return MemberStatus(JobState.FAILED, signal=code - 128)
    if failure:
        return MemberStatus(JobState.FAILED, reason or f"failed {failure}", exit_code=code)
    if code is not None and code > 128:
        return MemberStatus(JobState.FAILED, signal=code - 128)
    if code is None:
        return MemberStatus(JobState.FAILED, f"exit_status is {fields.get('exit_status', 'not told')!r}")
    return MemberStatus(JobState.FAILED if code else JobState.DONE, exit_code=code)
