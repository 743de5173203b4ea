"""Stands for OAR: oarsub, oarstat, oardel.

What it does is written in oarsub(1) (`-S`, #OAR lines, `--array`, `--checkpoint`, `--signal`, environment), oarstat(1) and oardel(1) of
OAR 2.5.9, and in its sources: OAR/Stat.pm (the JSON of `oarstat -f -J`), sarko (WALLTIME), OAR/IO.pm (FRAG_JOB_REQUEST). A job that is
deleted before its start ends as Error, as the real one does.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

from program import directives, main, seconds
from queue_of_jobs import ENDED, HELD, RUNNING, Member, Queue, Spec, clean_environment

DEFAULT_WALLTIME_S = 7200.0


def oarsub(queue: Queue, arguments: list[str]) -> int:
    script = Path(arguments[arguments.index("-S") + 1])
    if not os.access(script, os.X_OK):
        print(f"# ERROR: the script {script} is not executable.", file=sys.stderr)
        return 1
    options: dict[str, str] = {}
    for line in directives(script.read_text(), "#OAR"):
        option, _, value = line.partition(" ")
        options[option] = value.strip()
    print("[ADMISSION RULE] Modify resource description with type constraints")
    if options.get("-q", "default") not in ("default", "long"):
        print("OAR_JOB_ID=-8")
        print(f"# ERROR: queue {options['-q']} does not exist", file=sys.stderr)
        return 8
    count = int(options.get("--array", "1"))
    wall = re.search(r"walltime=([\d:]+)", options.get("-l", ""))
    walltime_s = seconds(wall[1]) if wall else DEFAULT_WALLTIME_S
    base = Spec(
        argv=[str(script)],
        environment={
            **clean_environment(),
            "OAR_JOB_WALLTIME_SECONDS": f"{walltime_s:.0f}",
            "OAR_WORKDIR": os.getcwd(),
        },
        directory=os.getcwd(),
        walltime_s=walltime_s,
        warn_signal=int(options.get("--signal", "12")) if "--checkpoint" in options else 0,
        warn_before_s=float(options.get("--checkpoint", "0")),
    )

    def named(job: int, _place: int, spec: Spec) -> Spec:
        """Each job of an array has an id of its own, and is a job of its own here."""
        first = array[0] if array else job
        array.append(job)
        own = {
            "OAR_JOB_ID": str(job),
            "OAR_JOBID": str(job),
            "OAR_ARRAY_ID": str(first),
            "OAR_ARRAY_INDEX": str(len(array)),
        }
        output = options.get("-O", os.devnull).replace("%jobid%", str(job))
        return replace(spec, environment={**spec.environment, **own}, output=output, name=str(job))

    array: list[int] = []
    for _ in range(count):
        print(f"OAR_JOB_ID={queue.submit([base], named)}")
    if count > 1:
        print(f"OAR_ARRAY_ID={array[0]}")
    return 0


def oarstat(queue: Queue, arguments: list[str]) -> int:
    ids = [arguments[place + 1] for place, word in enumerate(arguments) if word == "-j"]
    print(json.dumps({id: _job(one) for id in ids for one in queue.members(int(id))}, indent=3))
    return 0


def _job(member: Member) -> dict[str, object]:
    own = member.spec.environment
    found: dict[str, object] = {
        "Job_Id": str(member.job),
        "array_id": own["OAR_ARRAY_ID"],
        "array_index": own["OAR_ARRAY_INDEX"],
        "message": member.reason,
        "exit_code": None,
        "events": [],
    }
    if member.state != ENDED:
        return found | {"state": {RUNNING: "Running", HELD: "Hold"}.get(member.state, "Waiting")}
    events = []
    if member.why:
        who = "oar" if member.why == "walltime" else "ada"
        events.append({"type": "FRAG_JOB_REQUEST", "description": f"User {who} requested to frag the job {member.job}"})
    if member.why == "walltime":
        events.append(
            {"type": "WALLTIME", "description": f"[sarko] Job [{member.job}] from 1 with 2; current time=3 (Elapsed)"}
        )
    bad = bool(member.why) or member.started is None
    status = None if member.status is None else str(member.status)
    return found | {"state": "Error" if bad else "Terminated", "exit_code": status, "events": events}


def oardel(queue: Queue, arguments: list[str]) -> int:
    sent = int(arguments[arguments.index("-s") + 1]) if "-s" in arguments else None
    ids = arguments[2:] if sent is not None else arguments
    code = 0
    for id in ids:
        done = queue.send(int(id), None, sent) if sent is not None else queue.wish(int(id), None, "cancel")
        if done:
            print(f"{'Signaling' if sent is not None else 'Deleting'} the job = {id} ...REGISTERED.")
        else:
            print(
                f"Deleting the job = {id} ...ERROR: this job is already terminated or does not exist.", file=sys.stderr
            )
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main({"oarsub": oarsub, "oarstat": oarstat, "oardel": oardel}))
