"""Kubernetes: an Indexed Job, by kubectl.

Follows the Kubernetes documentation 1.29 to 1.31: "Indexed Job for Parallel Processing", "Jobs" (completionMode, backoffLimitPerIndex,
activeDeadlineSeconds), "Downward API", and kubectl create, get, delete and logs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ..batch_system import BatchSystem, Script, Source, members_of, size_of
from ..command import Command, CommandFailed, Output
from ..engine_set import EngineSet
from ..job_options import ONE
from ..job_script import Names, body, job_name
from ..launcher import Job, LaunchError
from .kubernetes_status import parse_objects
from .overlay import overlaid
from .yaml_text import to_yaml

_NAMES = Names(job_id="$LINDEN_JOB_ID", index="${JOB_COMPLETION_INDEX:-0}")


@dataclass(frozen=True)
class Kubernetes(BatchSystem):
    """Options: *image*: has Python with linden; needed. *namespace*, *context*: as kubectl takes them. *service_account*."""

    image: str
    namespace: str = ""
    context: str = ""
    service_account: str = ""
    name: ClassVar[str] = "kubernetes"

    def render(self, engine_set: EngineSet) -> Script:
        """The manifest.  Directives are paths in it: "spec.template.spec.nodeSelector.disk=ssd"."""
        options = engine_set.job
        if options.shape == ONE or options.template:
            raise LaunchError(
                "Kubernetes: there is no allocation of several pods, and no template; leave out shape and template, and use directives"
            )
        manifest = overlaid(self._manifest(engine_set), options.directives, options.directive_skip)
        return Script(f"job-{engine_set.name}.yaml", to_yaml(manifest))

    def submit(self, scripts: Sequence[Path]) -> Command:
        return self._kubectl("create", f"--filename={scripts[0]}", "--output=name")

    def parse_submit(self, output: Output) -> tuple[str, ...]:
        found = re.findall(r"^job(?:\.batch)?/([a-z0-9.-]+)\s*$", output.stdout, re.MULTILINE)
        if not found:
            raise CommandFailed(output, 'printed no line such as "job.batch/linden-1-x7k2p"')
        return (found[-1],)

    @property
    def sources(self) -> Sequence[Source]:
        """One question: jobs, their pods, and the events that say why a pod waits."""
        ask = self._kubectl("get", "jobs.batch,pods,events", "--output=json")
        return (Source("kubectl get", lambda _: ask, parse_objects),)

    def cancel(self, job: Job, members: Sequence[int] | None) -> Command:
        if members is not None and len(members) < job.members:
            raise LaunchError(
                f"members of {job} cannot be deleted singly: the Job would make them anew; drain their engines instead"
            )
        return self._kubectl("delete", "job", *job.ids, "--ignore-not-found", "--wait=false")

    def log(self, job: Job, member: int) -> Command:
        """Of all pods, since only kubectl of 1.28 and later can name one by its index; each line says which it is."""
        del member
        return self._kubectl("logs", f"--selector=job-name={job.ids[0]}", "--prefix", "--tail=20")

    def _kubectl(self, *words: str) -> Command:
        where = [f"--namespace={self.namespace}"] if self.namespace else []
        where += [f"--context={self.context}"] if self.context else []
        return Command(("kubectl", *where, *words))

    def _manifest(self, engine_set: EngineSet) -> dict[str, Any]:
        options = engine_set.job
        members = members_of(engine_set)
        name = re.sub(r"[^a-z0-9-]", "-", job_name(engine_set).lower()).strip("-")[:50]
        labels = {"app.kubernetes.io/name": "linden", "app.kubernetes.io/instance": engine_set.cluster_id or "engines"}
        if options.queue:
            labels["kueue.x-k8s.io/queue-name"] = options.queue
        if options.account:
            labels["linden/account"] = options.account
        size = size_of(engine_set)
        wanted = {"cpu": str(size.cores)} | ({"memory": f"{size.memory_mb}M"} if size.memory_mb else {})
        downward = {"fieldRef": {"fieldPath": "metadata.labels['job-name']"}}
        container = {
            "name": "engine",
            "image": self.image,
            "command": ["/bin/sh", "-c", body(_NAMES, engine_set)],
            "env": [{"name": "LINDEN_JOB_ID", "valueFrom": downward}],
            "resources": {"requests": wanted, "limits": dict(wanted)},
        }
        pod: dict[str, Any] = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 30, "containers": [container]}
        if self.service_account:
            pod["serviceAccountName"] = self.service_account
        spec: dict[str, Any] = {
            "completionMode": "Indexed",
            "completions": members,
            "parallelism": members,
            "backoffLimitPerIndex": 0,  # with backoffLimit the first engine that fails would end all others
            "template": {"metadata": {"labels": dict(labels)}, "spec": pod},
        }
        if options.walltime_s:
            spec["activeDeadlineSeconds"] = options.walltime_s
        metadata: dict[str, Any] = {"generateName": f"{name}-", "labels": labels}
        if self.namespace:
            metadata["namespace"] = self.namespace
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
