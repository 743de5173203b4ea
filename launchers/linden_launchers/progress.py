"""How far a cluster is whose engines come from elsewhere: "7 of 64 engines, 57 pending: Resources".  Pure.

Who serves the space tells; why the others do not, their systems tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .cluster_file import JobRecord
from .launcher import Job, JobState, JobStatus, MemberStatus

_REASONS_MAX = 2
# What is told of those that do not serve, in this order, and whether their reasons are.
_TOLD = (
    (JobState.HELD, "held"),
    (JobState.PENDING, "pending"),
    (JobState.FAILED, "failed"),
    (JobState.TIMEOUT, "timed out"),
    (JobState.PREEMPTED, "preempted"),
    (JobState.CANCELLED, "cancelled"),
    (JobState.LOST, "lost"),
    (JobState.DONE, "ended"),
)


@dataclass(frozen=True)
class Progress:
    """What is known at one moment of engines that are waited for."""

    wanted: int
    serving: int
    records: Sequence[JobRecord] = ()
    statuses: Mapping[Job, JobStatus] = field(default_factory=dict)
    failures: Sequence[str] = ()  # why systems do not answer

    def count(self, *states: JobState) -> int:
        """Engines whose members are in one of these states."""
        return sum(record.engines_of(member) for record, member, status in self._open() if status.state in states)

    def _open(self) -> Iterator[tuple[JobRecord, int, MemberStatus]]:
        """Members that were not known to have ended before, as far as their systems have answered."""
        for record in self.records:
            if status := self.statuses.get(record.job):
                for member in record.open_members:
                    yield record, member, status.members[member]

    @property
    def on_their_way(self) -> int:
        """Engines that may still come, or serve already: all but those whose members are known to have ended."""
        over = self.count(*(state for state in JobState if state.is_over))
        return sum(record.open_engines for record in self.records) - over

    @property
    def is_queued(self) -> bool:
        """Whether engines are missing whose jobs wait until there is room, or until somebody releases them.

        A job of which a system that does not answer has said nothing yet may wait, too.
        """
        unknown = any(record.open_members and record.job not in self.statuses for record in self.records)
        return self.count(JobState.PENDING, JobState.HELD) > 0 or (unknown and bool(self.failures))

    def __str__(self) -> str:
        """ "7 of 64 engines, 57 pending: Resources"."""
        parts = [f"{self.serving} of {self.wanted} engine{'' if self.wanted == 1 else 's'}"]
        for state, word in _TOLD:
            if count := self.count(state):
                reasons = "; ".join(why for why, _ in self._reasons(state)[:_REASONS_MAX])
                parts.append(f"{count} {word}" + (f": {reasons}" if reasons else ""))
        starting = self.count(JobState.RUNNING) - self.serving
        if starting > 0:
            parts.append(f"{starting} starting")
        parts += [failure.partition("\n")[0] for failure in self.failures]
        return ", ".join(parts)

    def _reasons(self, state: JobState) -> list[tuple[str, int]]:
        return Counter(
            why for _, _, status in self._open() if status.state is state and (why := status.why())
        ).most_common()

    def ended(self) -> list[tuple[Job, int]]:
        """Members that are known to have ended, those first whose log will say why."""
        found = [
            (status.state is not JobState.FAILED, record.job, member)
            for record, member, status in self._open()
            if status.state.is_over
        ]
        return [(job, member) for _, job, member in sorted(found, key=lambda item: item[0])]
