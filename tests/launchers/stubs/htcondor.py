"""Stands for HTCondor: condor_submit, condor_q, condor_history, condor_rm.

What it does is written in the HTCondor Manual 10.0: condor_submit (`-terse`; submit description: macros, `environment` in the new
syntax, periodic_remove), condor_q and condor_history (`-json -attributes`; nothing is printed without a job), condor_rm, "Job ClassAd
Attributes". _CONDOR_SCRATCH_DIR and _CONDOR_JOB_AD in "Services for Running Jobs".
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from program import main
from queue_of_jobs import ENDED, HELD, RUNNING, Member, Queue, Spec, clean_environment


def condor_submit(queue: Queue, arguments: list[str]) -> int:
    description = Path(arguments[-1])
    options: dict[str, str] = {}
    count = 1
    for line in filter(None, map(str.strip, description.read_text().splitlines())):
        if match := re.fullmatch(r"queue\s*(\d*)", line, re.IGNORECASE):
            count = int(match[1] or 1)
        else:
            name, _, value = line.partition("=")
            options[name.strip().lower()] = value.strip()
    executable = Path(os.getcwd(), options["executable"])
    if options.get("accounting_group") == "nowhere" or not executable.exists():
        why = (
            f"Executable file {executable} does not exist" if not executable.exists() else "no accounting group nowhere"
        )
        print(f"\nERROR: {why}", file=sys.stderr)
        return 1
    limit = re.search(r"JobCurrentStartDate > (\d+)", options.get("periodic_remove", ""))

    def named(job: int, place: int, spec: Spec) -> Spec:
        def filled(text: str) -> str:
            return text.replace("$(ClusterId)", str(job)).replace("$(ProcId)", str(place))

        pairs = [part.partition("=")[::2] for part in shlex.split(filled(options.get("environment", "").strip('"')))]
        own = {"_CONDOR_SCRATCH_DIR": spec.directory, "_CONDOR_SLOT": f"slot1_{place + 1}", **dict(pairs)}
        output = filled(options.get("output", os.devnull))
        return replace(spec, environment={**spec.environment, **own}, output=output, name=f"{job}.{place}")

    base = Spec(
        argv=[str(executable)],
        environment=clean_environment(),
        directory=os.getcwd(),
        walltime_s=float(limit[1]) if limit else None,
    )
    job = queue.submit([base] * count, named)
    print(f"{job}.0 - {job}.{count - 1}" if "-terse" in arguments else f"{count} job(s) submitted to cluster {job}.")
    return 0


def condor_q(queue: Queue, arguments: list[str]) -> int:
    return _print(_wanted(queue, arguments, ended=False), arguments)


def condor_history(queue: Queue, arguments: list[str]) -> int:
    return _print(_wanted(queue, arguments, ended=True)[::-1], arguments)


def _wanted(queue: Queue, arguments: list[str], *, ended: bool) -> list[Member]:
    ids = {word for word in arguments if word.isdigit()}
    return [one for one in queue.members() if str(one.job) in ids and (one.state == ENDED) == ended]


def _print(members: list[Member], arguments: list[str]) -> int:
    names = arguments[arguments.index("-attributes") + 1].split(",")
    ads = []
    for member in members:
        ad = _ad(member)
        ads.append({name: ad[name] for name in names if name in ad})
    if ads:
        print(json.dumps(ads, indent=1))
    return 0


def _ad(member: Member) -> dict[str, object]:
    found: dict[str, object] = {
        "ClusterId": member.job,
        "ProcId": member.place,
        "NumJobStarts": int(bool(member.started)),
    }
    if member.state == RUNNING:
        return found | {"JobStatus": 2}
    if member.state == HELD:
        return found | {"JobStatus": 5, "HoldReason": member.reason, "HoldReasonCode": 1}
    if member.state != ENDED:
        return found | {"JobStatus": 1} | ({"LastRejMatchReason": member.reason} if member.reason else {})
    if member.why == "cancel":
        return found | {"JobStatus": 3, "RemoveReason": "via condor_rm (by user ada)"}
    if member.why == "walltime":
        why = f"The job attribute PeriodicRemove expression 'JobStatus == 2 && ... > {member.spec.walltime_s:g}' evaluated to TRUE"
        return found | {"JobStatus": 3, "RemoveReason": why}
    if member.signal:
        return found | {"JobStatus": 4, "ExitBySignal": True, "ExitSignal": member.signal}
    return found | {"JobStatus": 4, "ExitBySignal": False, "ExitCode": member.exit_code}


def condor_rm(queue: Queue, arguments: list[str]) -> int:
    code = 0
    for id in arguments:
        job, _, place = id.partition(".")
        if queue.wish(int(job), int(place) if place else None, "cancel"):
            print(
                f"{'Job' if place else 'All jobs in cluster'} {id} {'marked' if place else 'have been marked'} for removal"
            )
        else:
            print(f"Couldn't find/remove all jobs matching constraint ({id})", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    commands = {one.__name__: one for one in (condor_submit, condor_q, condor_history, condor_rm)}
    sys.exit(main(commands))
