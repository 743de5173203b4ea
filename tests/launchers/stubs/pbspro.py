"""Stands for PBS Pro: qsub, qstat, qdel, qsig.

What it does is written in the PBS Professional Reference Guide 2021.1: qsub(1B) (directives, `-J`, the ids "17.server" and
"17[].server", no environment handed on), qstat(1B) (`-f -F json`, `-t`, `-x`, exit codes 153 and 35), qdel(1B), qsig(1B), "Job States",
"Job Exit Status Codes".
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from program import directives, main, seconds, user
from queue_of_jobs import ENDED, HELD, RUNNING, Member, Queue, Spec, clean_environment

SERVER = "stub"
UNKNOWN, FINISHED = 153, 35  # PBSE_UNKJOBID and PBSE_HISTJOBID, of which a byte is left


def qsub(queue: Queue, arguments: list[str]) -> int:
    options: dict[str, str] = {}
    script = Path(arguments[-1])
    for line in directives(script.read_text(), "#PBS"):
        option, _, value = line.partition(" ")
        if option == "-l":
            option, _, value = f"-l {value}".partition("=")
        options[option] = value.strip()
    if options.get("-q", "workq") not in ("workq", "long"):
        print("qsub: Unknown queue", file=sys.stderr)
        return 170
    array = re.fullmatch(r"(\d+)-(\d+)", options["-J"]) if "-J" in options else None
    if "-J" in options and (array is None or int(array[1]) >= int(array[2])):
        print("qsub: illegal -J value", file=sys.stderr)
        return 2
    count = int(array[2]) - int(array[1]) + 1 if array else 1
    output = options.get("-o", os.devnull)
    base = Spec(
        argv=[options.get("-S", "/bin/sh"), str(script)],
        environment={**clean_environment(), "PBS_ENVIRONMENT": "PBS_BATCH", "PBS_O_WORKDIR": os.getcwd()},
        directory=os.environ.get("HOME", "/"),
        output=f"{output}stub.OU" if output.endswith("/") else output,
        walltime_s=seconds(options["-l walltime"]) if "-l walltime" in options else None,
    )

    def named(job: int, place: int, spec: Spec) -> Spec:
        id = f"{job}[{place}].{SERVER}" if array else f"{job}.{SERVER}"
        more = {"PBS_JOBID": id}
        if array:
            more |= {"PBS_ARRAY_ID": f"{job}[].{SERVER}", "PBS_ARRAY_INDEX": str(place)}
        return replace(spec, environment={**spec.environment, **more}, name=id)

    job = queue.submit([base] * count, named)
    print(f"{job}{'[]' if array else ''}.{SERVER}")
    return 0


def qstat(queue: Queue, arguments: list[str]) -> int:
    if "--version" in arguments:
        print("pbs_version = 2021.1.0")
        return 0
    ids = [word for word in arguments if word[0].isdigit()]
    history = "-x" in arguments
    if history and not queue.switch("history", True):
        print("qstat: PBS is not configured to maintain job history", file=sys.stderr)
        return 2
    shown: dict[str, object] = {}
    code = 0
    for id in ids:
        members = queue.members(number(id))
        left = [one for one in members if one.state != ENDED]
        if not members or not belongs(id, members[0]):
            print(f"qstat: Unknown Job Id {id}", file=sys.stderr)
            code = UNKNOWN
        elif not left and not history:
            print(f"qstat: {id} Job has finished, use -x or -H to obtain historical job information", file=sys.stderr)
            code = FINISHED
        elif "[]" in id:
            begun = any(one.started for one in members)
            shown[id] = {"job_state": ("B" if begun else "Q") if left else "F", "array": True, "substate": 41}
            if "-t" in arguments:
                shown.update((one.spec.name, attributes(one, in_array=bool(left))) for one in members)
        else:
            shown[id] = attributes(members[0], in_array=False)
    print(json.dumps({"timestamp": 1, "pbs_version": "2021.1.0", "pbs_server": SERVER, "Jobs": shown}, indent=4))
    return code


def attributes(member: Member, *, in_array: bool) -> dict[str, object]:
    found: dict[str, object] = {"Job_Owner": f"{user()}@{SERVER}", "Job_Name": "stub"}
    if member.state == ENDED:
        # Subjobs are X while their array lives.
        found |= {"job_state": "X" if in_array else "F", "substate": 91 if member.why == "cancel" else 92}
        if member.why == "walltime":
            found |= {"Exit_status": -29, "comment": "Job exceeded resource walltime and was killed"}
        elif member.signal:
            found["Exit_status"] = 256 + member.signal
        elif member.exit_code is not None:
            found["Exit_status"] = member.exit_code
        return found
    if member.state == RUNNING:
        return found | {"job_state": "R", "substate": 42, "comment": f"Job run on ({SERVER}:ncpus=1)"}
    if member.state == HELD:
        return found | {"job_state": "H", "substate": 20, "comment": member.reason}
    return found | {"job_state": "Q", "substate": 10, "comment": f"Not Running: {member.reason or 'not looked at yet'}"}


def qdel(queue: Queue, arguments: list[str]) -> int:
    return each(queue, arguments, lambda job, place: queue.wish(job, place, "cancel"), "qdel")


def qsig(queue: Queue, arguments: list[str]) -> int:
    name = arguments[arguments.index("-s") + 1]
    sent = signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
    ids = [word for word in arguments if word[0].isdigit()]
    return each(queue, ids, lambda job, place: queue.send(job, place, int(sent)), "qsig")


def each(queue: Queue, ids: list[str], do: Callable[[int, int | None], bool], name: str) -> int:
    code = 0
    for id in ids:
        place = re.search(r"\[(\d+)\]", id)
        if not do(number(id), int(place[1]) if place else None):
            known = bool(queue.members(number(id)))
            print(f"{name}: {'Job has finished' if known else 'Unknown Job Id'} {id}", file=sys.stderr)
            code = FINISHED if known else UNKNOWN
    return code


def number(id: str) -> int:
    return int(re.match(r"\d+", id)[0])  # type: ignore[index]


def belongs(id: str, member: Member) -> bool:
    """An array is known by its brackets only."""
    return ("[" in id) == ("[" in member.spec.name)


if __name__ == "__main__":
    sys.exit(main({"qsub": qsub, "qstat": qstat, "qdel": qdel, "qsig": qsig}))
