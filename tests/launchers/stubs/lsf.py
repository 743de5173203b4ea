"""Stands for IBM Spectrum LSF: bsub, bjobs, bhist, bkill.

What it does is written in the IBM Spectrum LSF 10.1 Command Reference: bsub (a script on standard input is read for #BSUB lines; `-J
"name[1-3]"`; `-wa`, `-wt`; the environment is handed on), bjobs (`-json -o`, states, termination reasons; "Job <17> is not found" with
code 255), bhist (`-l`), bkill (`-s`); LSB_JOBID and LSB_JOBINDEX in the Configuration Reference.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
from dataclasses import replace

from program import directives, main
from queue_of_jobs import ENDED, HELD, RUNNING, Member, Queue, Spec

RUNLIMIT = "TERM_RUNLIMIT: job killed after reaching LSF run time limit"
OWNER = "TERM_OWNER: job killed by owner"
PREEMPT = "TERM_PREEMPT: job killed after preemption"


def bsub(queue: Queue, _arguments: list[str]) -> int:
    script = sys.stdin.read()
    options: dict[str, str] = {}
    for line in directives(script, "#BSUB"):
        option, _, value = line.partition(" ")
        options[option] = " ".join(shlex.split(value))
    if options.get("-q", "normal") not in ("normal", "long"):
        print(f"{options['-q']}: No such queue. Job not submitted.", file=sys.stderr)
        return 255
    array = re.search(r"\[1-(\d+)\]$", options.get("-J", ""))
    first = script.splitlines()[0] if script.startswith("#!") else "#!/bin/sh"
    base = Spec(
        argv=[*shlex.split(first[2:]), "-c", script],
        environment={**os.environ, "LSB_QUEUE": options.get("-q", "normal"), "LS_SUBCWD": os.getcwd()},
        directory=os.getcwd(),
        output=options.get("-o", os.devnull),
        walltime_s=_minutes(queue, options["-W"]) if "-W" in options else None,
        warn_signal=signal.Signals[f"SIG{options['-wa']}"] if "-wa" in options else 0,
        warn_before_s=_minutes(queue, options.get("-wt", "0")),
    )

    def named(job: int, place: int, spec: Spec) -> Spec:
        more = {"LSB_JOBID": str(job), "LSB_JOBINDEX": str(place + 1 if array else 0)}
        return replace(
            spec, environment={**spec.environment, **more}, name=f"{job}[{place + 1}]" if array else str(job)
        )

    job = queue.submit([base] * (int(array[1]) if array else 1), named)
    default = "" if "-q" in options else "default "
    print(f"Job <{job}> is submitted to {default}queue <{options.get('-q', 'normal')}>.")
    return 0


def _minutes(queue: Queue, text: str) -> float:
    """Tests have no time for whole minutes."""
    total = 0
    for part in text.split(":"):
        total = total * 60 + int(part)
    return total * float(queue.switch("minute_s", 60.0))


def bjobs(queue: Queue, arguments: list[str]) -> int:
    fields = arguments[arguments.index("-o") + 1].upper().split()
    records: list[dict[str, str]] = []
    code = 0
    for id in (word for word in arguments if word[0].isdigit()):
        members = [] if queue.switch("forgets") else queue.members(int(id))
        if not members:
            records.append({"JOBID": id, "ERROR": f"Job <{id}> is not found"})
            code = 255
        for member in members:
            known = _record(member)
            records.append({name: known.get(name, "") for name in fields})
    print(json.dumps({"COMMAND": "bjobs", "JOBS": len(records), "RECORDS": records}, indent=2))
    return code


def _record(member: Member) -> dict[str, str]:
    index = member.spec.environment["LSB_JOBINDEX"]
    found = {"JOBID": str(member.job), "JOBINDEX": index}
    if member.state == RUNNING:
        return found | {"STAT": "RUN"}
    if member.state == HELD:
        return found | {"STAT": "PSUSP", "PEND_REASON": f"{member.reason};"}
    if member.state != ENDED:
        return found | {"STAT": "PEND", "PEND_REASON": f"{member.reason or 'New job is waiting for scheduling'};"}
    why = {"walltime": RUNLIMIT, "cancel": OWNER, "preempt": PREEMPT}.get(member.why, "")
    if not why and member.exit_code == 0:
        return found | {"STAT": "DONE"}
    code = 128 + member.signal if member.signal else member.exit_code
    return found | {"STAT": "EXIT", "EXIT_CODE": "" if code is None else str(code), "EXIT_REASON": why}


def bhist(queue: Queue, arguments: list[str]) -> int:
    parts = []
    for id in (word for word in arguments if word[0].isdigit() and word != "0"):
        for member in queue.members(int(id)):
            record = _record(member)
            lines = [f"Job <{member.spec.name}>, User <ada>, Project <default>, Command <#!/bin/sh>"]
            if record["STAT"] == "DONE":
                lines.append("Sun Nov 29 22:00:00: Done successfully. The CPU time used is 1.0 seconds;")
            elif record["STAT"] == "EXIT":
                code = record["EXIT_CODE"]
                lines.append("Sun Nov 29 22:00:00: Exited" + (f" with exit code {code}." if code else "."))
                if record["EXIT_REASON"]:
                    lines.append(f"Sun Nov 29 22:00:00: Completed <exit>; {record['EXIT_REASON']};")
            parts.append("\n".join(_broken(line) for line in lines))
    if not parts:
        print("No matching job found", file=sys.stderr)
        return 255
    print(f"\n{'-' * 78}\n\n".join(parts))
    return 0


def _broken(line: str) -> str:
    """As bhist prints it: 79 characters, then 21 blanks."""
    rest, made = line[79:], [line[:79]]
    while rest:
        made.append(" " * 21 + rest[:58])
        rest = rest[58:]
    return "\n".join(made)


def bkill(queue: Queue, arguments: list[str]) -> int:
    sent = arguments[arguments.index("-s") + 1] if "-s" in arguments else None
    code = 0
    for id in (word for word in arguments if word[0].isdigit()):
        match = re.fullmatch(r"(\d+)(?:\[(\d+)\])?", id)
        assert match is not None
        job, place = int(match[1]), int(match[2]) - 1 if match[2] else None
        if sent is not None:
            done = queue.send(job, place, int(signal.Signals[f"SIG{sent}"]))
        else:
            done = queue.wish(job, place, "cancel")
        if done:
            print(f"Job <{id}> is being {'signaled' if sent else 'terminated'}")
        else:
            known = bool(queue.members(job))
            print(f"Job <{id}>: {'Job has already finished' if known else 'No matching job found'}", file=sys.stderr)
            code = 255
    return code


if __name__ == "__main__":
    sys.exit(main({"bsub": bsub, "bjobs": bjobs, "bhist": bhist, "bkill": bkill}))
