"""Stands for kubectl in front of a cluster: create, get, delete, logs of Indexed Jobs.

What it does is written in the Kubernetes documentation 1.29: "Jobs" (completionMode Indexed, JOB_COMPLETION_INDEX,
activeDeadlineSeconds, conditions), "Pod Lifecycle" (phases, conditions, container states; SIGTERM, the grace period, SIGKILL), "Images"
(ImagePullBackOff), "Resource Quotas" (Forbidden), the reference of kubectl create, get, delete and logs. Containers are processes of
this machine.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import yaml
from program import main
from queue_of_jobs import ENDED, HELD, RUNNING, Member, Queue, Spec, clean_environment

INDEX = "batch.kubernetes.io/job-completion-index"


def kubectl(queue: Queue, arguments: list[str]) -> int:
    words = [word for word in arguments if not word.startswith(("--namespace", "--context"))]
    options = dict(word[2:].partition("=")[::2] for word in words if word.startswith("--"))
    names = [word for word in words if not word.startswith("--")]
    verbs = {"create": _create, "get": _get, "delete": _delete, "logs": _logs}
    return verbs[names[0]](queue, names[1:], options)


def _create(queue: Queue, _names: list[str], options: dict[str, str]) -> int:
    manifest = yaml.safe_load(Path(options["filename"]).read_text())
    spec, metadata = manifest["spec"], manifest["metadata"]
    if (manifest["apiVersion"], manifest["kind"], spec["completionMode"]) != ("batch/v1", "Job", "Indexed"):
        print("error: this stand-in makes Indexed Jobs only", file=sys.stderr)
        return 1
    if metadata["labels"].get("kueue.x-k8s.io/queue-name", "long") != "long":
        name = metadata["labels"]["kueue.x-k8s.io/queue-name"]
        print(
            f"Error from server (Forbidden): admission webhook denied the request: no LocalQueue {name}",
            file=sys.stderr,
        )
        return 1
    (container,) = spec["template"]["spec"]["containers"]
    if queue.switch("image"):  # the registry does not have it
        container = {**container, "image": queue.switch("image")}

    def named(job: int, place: int, one: Spec) -> Spec:
        name = f"{metadata['generateName']}{job:05x}"
        own = {"JOB_COMPLETION_INDEX": str(place), "HOSTNAME": f"{name}-{place}"}
        for variable in container.get("env", []):
            path = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            own[variable["name"]] = name if path == "metadata.labels['job-name']" else str(variable.get("value", ""))
        output = str(queue.folder / f"pod-{name}-{place}.log")
        return replace(one, environment={**one.environment, **own}, output=output, name=name)

    base = Spec(
        argv=list(container["command"]),
        environment=clean_environment(),
        directory="/",
        walltime_s=float(spec["activeDeadlineSeconds"]) if "activeDeadlineSeconds" in spec else None,
        term_grace_s=float(spec["template"]["spec"].get("terminationGracePeriodSeconds", 30)),
    )
    job = queue.submit([base] * int(spec["completions"]), named)
    print(f"job.batch/{metadata['generateName']}{job:05x}")
    return 0


def _get(queue: Queue, names: list[str], _options: dict[str, str]) -> int:
    """Of what was deleted nothing is left once its pods have ended."""
    assert names == ["jobs.batch,pods,events"], names
    jobs: dict[str, list[Member]] = {}
    for member in queue.members():
        jobs.setdefault(member.spec.name, []).append(member)
    items: list[dict[str, object]] = []
    for name, members in jobs.items():
        if members[0].wish == "cancel" and all(one.state == ENDED for one in members):
            continue
        items.append(
            {
                "kind": "Job",
                "metadata": {"name": name},
                "spec": {"suspend": members[0].state == HELD},
                "status": _job_status(members),
            }
        )
        for one in members:
            if one.state != HELD:
                items += _pod(one, queue)
    print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1))
    return 0


def _job_status(members: list[Member]) -> dict[str, object]:
    if any(one.state != ENDED for one in members):
        return {}
    if any(one.why == "walltime" for one in members):
        said = {"reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline"}
        return {"conditions": [{"type": "Failed", "status": "True", **said}]}
    if any(one.exit_code != 0 for one in members):
        return {
            "conditions": [
                {"type": "Failed", "status": "True", "reason": "FailedIndexes", "message": "Job has failed indexes"}
            ]
        }
    return {"conditions": [{"type": "Complete", "status": "True"}]}


def _pod(member: Member, queue: Queue) -> list[dict[str, object]]:
    name = f"{member.spec.name}-{member.place}-{member.job:04x}"
    metadata = {
        "name": name,
        "labels": {"job-name": member.spec.name, "batch.kubernetes.io/job-name": member.spec.name},
        "annotations": {INDEX: str(member.place)},
        "creationTimestamp": "2026-11-29T22:00:00Z",
    }
    pod: dict[str, object] = {"kind": "Pod", "metadata": metadata}
    if member.state == RUNNING:
        return [pod | {"status": {"phase": "Running", "containerStatuses": [{"state": {"running": {}}}]}}]
    if member.state == ENDED:
        return [pod | {"status": _end(member)}]
    if queue.switch("image"):
        waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{queue.switch("image")}"'}
        return [pod | {"status": {"phase": "Pending", "containerStatuses": [{"state": {"waiting": waiting}}]}}]
    if not member.reason:
        return [pod | {"status": {"phase": "Pending"}}]
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": member.reason}
    event = {
        "kind": "Event",
        "type": "Warning",
        "reason": "FailedScheduling",
        "message": member.reason,
        "lastTimestamp": "2026-11-29T22:00:01Z",
        "involvedObject": {"kind": "Pod", "name": name},
    }
    return [pod | {"status": {"phase": "Pending", "conditions": [condition]}}, event]


def _end(member: Member) -> dict[str, object]:
    if member.why == "preempt":
        said = {"reason": "PreemptionByScheduler", "message": "preempting to accommodate a higher priority pod"}
        return {"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True", **said}]}
    if member.why == "walltime":
        return {"phase": "Failed", "reason": "DeadlineExceeded"}
    if member.exit_code == 0:
        return {"phase": "Succeeded"}
    code = 128 + member.signal if member.signal else member.exit_code
    return {"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": code, "reason": "Error"}}}]}


def _delete(queue: Queue, names: list[str], options: dict[str, str]) -> int:
    for name in names[1:]:
        jobs = {one.job for one in queue.members() if one.spec.name == name}
        if not jobs and "ignore-not-found" not in options:
            print(f'Error from server (NotFound): jobs.batch "{name}" not found', file=sys.stderr)
            return 1
        for job in jobs:
            queue.withdraw(job)
            print(f'job.batch "{name}" deleted')
    return 0


def _logs(queue: Queue, _names: list[str], options: dict[str, str]) -> int:
    name = re.sub(r"^job-name=", "", options["selector"])
    for member in (one for one in queue.members() if one.spec.name == name):
        path = Path(member.spec.output)
        for line in path.read_text(errors="replace").splitlines()[-int(options["tail"]) :] if path.exists() else []:
            print(f"[pod/{name}-{member.place}/engine] {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main({"kubectl": kubectl}))
