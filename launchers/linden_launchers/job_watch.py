"""JobWatch: tells when the jobs of a cluster change, with the end of the log of what has failed; and writes down which have ended."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .job_sets import JobSets
from .launcher import Job, JobState, JobStatus, LaunchError

_TOLD_MAX = 3


class JobWatch:
    """A thread that looks once in *period_s* seconds; the system is asked only if the cluster has jobs."""

    def __init__(self, job_sets: JobSets, on_event: Callable[[str], None], period_s: float) -> None:
        self._job_sets = job_sets
        self._on_event = on_event
        self._period_s = period_s
        self._over = threading.Event()
        self._known: dict[Job, JobStatus] = {}
        self._failures: list[str] = []
        self._thread = threading.Thread(target=self._run, name="linden-job-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Idempotent; does not wait for a system that is just being asked."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(self._period_s):
            try:
                self.look()
            except LaunchError:  # the cluster has just stopped
                return

    def look(self) -> None:
        """Look once.  Raises: LaunchError: the cluster has stopped."""
        if not self._job_sets.records():
            return
        statuses, failures = self._job_sets.status()
        if failures != self._failures:
            self._failures = failures
            for failure in failures:
                self._on_event(f"how jobs are is not known now: {failure}")
        self._job_sets.remember_ends(statuses)
        for job, status in statuses.items():
            before = self._known.get(job)
            self._known[job] = status
            if before != status:
                self._on_event(f"engine set {job.engine_set}: {job}: {status}{self._why(job, before, status)}")

    def _why(self, job: Job, before: JobStatus | None, status: JobStatus) -> str:
        """The ends of the logs of members that have failed since the last look."""
        failed = [
            member
            for member, now in status.members.items()
            if now.state is JobState.FAILED and (before is None or before.members[member].state is not JobState.FAILED)
        ]
        parts = []
        for member in failed[:_TOLD_MAX]:
            try:
                parts.append(f"member {member}:\n{self._job_sets.log(job, member)}")
            except LaunchError as error:
                parts.append(f"member {member}: no log: {error}")
        return "".join(f"\n{part}" for part in parts)
