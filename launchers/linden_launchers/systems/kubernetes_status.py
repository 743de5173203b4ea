"""What `kubectl get jobs.batch,pods,events --output=json` says: states from pods, reasons from conditions, containers and events.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..batch_system import Key, unknown_state
from ..command import Output
from ..launcher import JobState, MemberStatus
from .answers import json_of, reading

_INDEX = "batch.kubernetes.io/job-completion-index"
_JOB = ("batch.kubernetes.io/job-name", "job-name")
_PREEMPTED = frozenset(
    {"Evicted", "Preempting", "Preempted", "PreemptionByScheduler", "Terminated", "NodeShutdown", "Shutdown"}
)


def parse_objects(output: Output) -> Mapping[Key, MemberStatus]:
    output.check()
    found: dict[Key, MemberStatus] = {}
    with reading(output, "a list of jobs, pods and events"):
        items = json_of(output)["items"]
        by_kind: dict[str, list[dict[str, Any]]] = {"Job": [], "Pod": [], "Event": []}
        for item in items:
            by_kind.get(item["kind"], []).append(item)
        warnings = _warnings(by_kind["Event"])
        for job in by_kind["Job"]:
            name = job["metadata"]["name"]
            found[name, None] = _job(job, warnings.get(("Job", name), ""))
        # Of several pods for one index the latest counts.
        for pod in sorted(by_kind["Pod"], key=lambda pod: str(pod["metadata"].get("creationTimestamp", ""))):
            if (key := _key(pod)) and (key[0], None) in found:
                found[key] = _pod(pod, warnings, found[key[0], None])
    return found


def _warnings(events: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """The last warning about each object."""
    found: dict[tuple[str, str], str] = {}
    for event in sorted(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or "")):
        about = event.get("involvedObject") or {}
        if event.get("type") == "Warning":
            found[about.get("kind", ""), about.get("name", "")] = _words(event)
    return found


def _words(thing: Mapping[str, Any]) -> str:
    return ": ".join(str(part).strip() for part in (thing.get("reason"), thing.get("message")) if part)


def _conditions(thing: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["type"]: one for one in (thing.get("status") or {}).get("conditions") or []}


def _job(job: Mapping[str, Any], warning: str) -> MemberStatus:
    conditions = _conditions(job)
    failed, complete = conditions.get("Failed", {}), conditions.get("Complete", {})
    if failed.get("status") == "True":
        timeout = failed.get("reason") == "DeadlineExceeded"
        return MemberStatus(JobState.TIMEOUT if timeout else JobState.FAILED, _words(failed))
    if complete.get("status") == "True":
        return MemberStatus(JobState.DONE, exit_code=0)
    if (job.get("spec") or {}).get("suspend"):
        return MemberStatus(JobState.HELD, "suspended")
    return MemberStatus(JobState.PENDING, warning)


def _key(pod: Mapping[str, Any]) -> Key | None:
    metadata = pod["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    name = next((labels[label] for label in _JOB if label in labels), None)
    index = annotations.get(_INDEX, labels.get(_INDEX, "0"))
    return (name, int(index)) if name and str(index).isdigit() else None


def _pod(pod: Mapping[str, Any], warnings: Mapping[tuple[str, str], str], job: MemberStatus) -> MemberStatus:
    status = pod.get("status") or {}
    phase, reason = status.get("phase", ""), str(status.get("reason") or "")
    containers = status.get("containerStatuses") or []
    state = (containers[0].get("state") or {}) if containers else {}
    if phase == "Succeeded":
        return MemberStatus(JobState.DONE, exit_code=0)
    if phase == "Failed":
        return _failed(pod, state.get("terminated") or {}, job)
    if phase == "Unknown" or reason == "NodeLost":
        return MemberStatus(JobState.LOST, _words(status) or "its node is not heard of")
    if pod["metadata"].get("deletionTimestamp"):
        return MemberStatus(JobState.RUNNING, "being deleted")
    if waiting := state.get("waiting"):  # ImagePullBackOff, CreateContainerConfigError
        said = _words(waiting)
        warning = warnings.get(("Pod", pod["metadata"]["name"]), "")
        return MemberStatus(JobState.PENDING, warning if said == "ContainerCreating" and warning else said)
    if phase == "Running":
        return MemberStatus(JobState.RUNNING)
    if phase != "Pending":
        return unknown_state("Kubernetes", phase)
    scheduled = _conditions(pod).get("PodScheduled", {})
    said = _words(scheduled) if scheduled.get("status") == "False" else ""
    return MemberStatus(JobState.PENDING, warnings.get(("Pod", pod["metadata"]["name"]), "") or said)


def _failed(pod: Mapping[str, Any], end: Mapping[str, Any], job: MemberStatus) -> MemberStatus:
    status = pod["status"]
    target = _conditions(pod).get("DisruptionTarget", {})
    if target.get("status") == "True":
        return MemberStatus(JobState.PREEMPTED, _words(target))
    if status.get("reason") in _PREEMPTED:
        return MemberStatus(JobState.PREEMPTED, _words(status))
    if status.get("reason") == "DeadlineExceeded" or job.state is JobState.TIMEOUT:
        return MemberStatus(JobState.TIMEOUT, _words(status) or job.reason)
    reason = str(end.get("reason") or status.get("reason") or "")
    code = end.get("exitCode")
    number = end.get("signal") or (code - 128 if isinstance(code, int) and code > 128 else None)
    return MemberStatus(JobState.FAILED, "" if reason == "Error" else reason, None if number else code, number)
