"""Stands for Windows HPC Pack: job submit, job list, job cancel.

What it does is written in the command reference of HPC Pack 2019 (job submit /jobfile, job list /all /format:list, job cancel) and its
job schema (Task, ParametricSweep, EnvironmentVariables). Its shell is not cmd: `set NAME=VALUE&&` and %NAME% are read as cmd would,
then the program is run here. Environment variables: CCP_JOBID, CCP_TASKID, CCP_TASKINSTANCEID.
"""

from __future__ import annotations

import re
import shlex
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

from program import main
from queue_of_jobs import ENDED, HELD, RUNNING, Member, Queue, Spec, clean_environment

NAMESPACE = "{http://schemas.microsoft.com/HPCS2008R2/scheduler/}"


def job(queue: Queue, arguments: list[str]) -> int:
    options = dict(word[1:].partition(":")[::2] for word in arguments if word.startswith("/") and ":" in word)
    verbs = {"submit": _submit, "list": _list, "cancel": _cancel}
    return verbs[arguments[0]](queue, arguments, options)


def _submit(queue: Queue, _arguments: list[str], options: dict[str, str]) -> int:
    root = ElementTree.parse(options["jobfile"]).getroot()
    if root.tag != f"{NAMESPACE}Job":
        print(f"The job file is not valid: {root.tag}", file=sys.stderr)
        return 1
    if (template := root.get("JobTemplate", "Default")) not in ("Default", "long"):
        print(f"The job template '{template}' does not exist; there is no such queue.", file=sys.stderr)
        return 1
    (task,) = root.findall(f"{NAMESPACE}Tasks/{NAMESPACE}Task")
    sweep = task.get("Type") == "ParametricSweep"
    places = range(int(task.get("StartValue", "0")), int(task.get("EndValue", "0")) + 1) if sweep else range(1)
    variables = {
        one.findtext(f"{NAMESPACE}Name", ""): one.findtext(f"{NAMESPACE}Value", "")
        for one in task.iter(f"{NAMESPACE}Variable")
    }
    runtime = root.get("RuntimeSeconds")

    def named(number: int, place: int, spec: Spec) -> Spec:
        own = {"CCP_JOBID": str(number), "CCP_TASKID": "1", "CCP_TASKINSTANCEID": str(place if sweep else 0)}

        def filled(text: str) -> str:
            return text.replace("*", str(places[place])) if sweep else text

        argv, own = _as_cmd(filled(task.get("CommandLine", "")), {**spec.environment, **own})
        return replace(
            spec, argv=argv, environment=own, output=filled(task.get("StdOutFilePath", "")), name=str(number)
        )

    base = Spec(
        argv=[],
        environment={**clean_environment(), **variables},
        directory=task.get("WorkDirectory", "/"),
        walltime_s=float(runtime) if runtime else None,
    )
    number = queue.submit([base] * len(places), named)
    print(f"Job has been submitted. ID: {number}.\r")
    return 0


def _as_cmd(line: str, environment: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """What cmd would make of it: variables are read and set, and the last command is run."""
    match = re.fullmatch(r'cmd /c "(.*)"', line)
    assert match is not None, line
    own = dict(environment)
    argv: list[str] = []
    for step in match[1].split("&&"):
        text = re.sub(r"%(\w+)%", lambda found: own.get(found[1], ""), step.strip())
        if text.startswith("set "):
            name, _, value = text[4:].partition("=")
            own[name] = value
        else:
            argv = shlex.split(text)
    return argv, own


def _list(queue: Queue, arguments: list[str], _options: dict[str, str]) -> int:
    jobs: dict[int, list[Member]] = {}
    for member in queue.members():
        jobs.setdefault(member.job, []).append(member)
    shown = 0
    for number, members in jobs.items():
        state, why = _state(members)
        if "/all" in arguments or state in ("Queued", "Running"):
            shown += 1
            print(f"Id : {number}\r\nOwner : HPC\\ada\r\nState : {state}\r\n{why}\r")
    print(f"{shown} matching jobs for HPC\\ada\r")
    return 0


def _state(members: list[Member]) -> tuple[str, str]:
    """Of a job, by its tasks; and a line that says why."""
    states = {one.state for one in members}
    if RUNNING in states:
        return "Running", ""
    if HELD in states:
        return "Configuring", f"Pending Reason : {members[0].reason}\r\n"
    if states != {ENDED}:
        return "Queued", f"Pending Reason : {members[-1].reason or 'not validated yet'}\r\n"
    if any(one.why == "walltime" for one in members):
        return "Canceled", "Error Message : The job exceeded its run time.\r\n"
    if any(one.why == "cancel" for one in members):
        return "Canceled", ""
    bad = [one for one in members if one.exit_code != 0]
    if bad:
        said = f"was ended by {bad[0].signal}" if bad[0].signal else f"ended with exit code {bad[0].exit_code}"
        return "Failed", f"Error Message : Task 1.{bad[0].place} {said}\r\n"
    return "Finished", ""


def _cancel(queue: Queue, arguments: list[str], _options: dict[str, str]) -> int:
    if queue.wish(int(arguments[1]), None, "cancel"):
        print(f"Job {arguments[1]} has been canceled.\r")
        return 0
    print(f"Job {arguments[1]} cannot be canceled in its state.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main({"job": job}))
