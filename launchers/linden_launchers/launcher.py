"""What every launcher can do: start an engine set, say how its job is, signal it, stop it, show its log.

A launcher only starts and stops.  Who serves is told by the space (the engine tuples, which carry the job they came from), and a
launcher is asked only where the space disagrees with what was started.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .engine_set import EngineSet


class LaunchError(RuntimeError):
    """Something could not be started, or not be stopped.  The message says what was wanted, what was found, and the remedy."""


class JobState(Enum):
    """Of a job, or of one member of it.  What no source knows of is LOST, never DONE."""

    PENDING = "pending"
    RUNNING = "running"
    HELD = "held"  # it waits until somebody releases it
    DONE = "done"
    FAILED = "failed"
    TIMEOUT = "timeout"  # its walltime was over
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    LOST = "lost"  # not listed, and no accounting has said how it ended; it may still run

    @property
    def is_over(self) -> bool:
        """Whether it is known to have ended."""
        return self in _OVER


_OVER = frozenset({JobState.DONE, JobState.FAILED, JobState.TIMEOUT, JobState.PREEMPTED, JobState.CANCELLED})
# A job is said to be what the first of these is that any of its members is.
_ORDER = (
    *(JobState.RUNNING, JobState.HELD, JobState.PENDING, JobState.LOST),
    *(JobState.FAILED, JobState.TIMEOUT, JobState.PREEMPTED, JobState.CANCELLED, JobState.DONE),
)


@dataclass(frozen=True)
class MemberStatus:
    """How one member of a job is."""

    state: JobState
    reason: str = ""  # the system's own words, such as "Resources"
    exit_code: int | None = None
    signal: int | None = None  # by which it was ended

    def why(self) -> str:
        """Reason, exit code or signal; empty if there is nothing to say."""
        end = f"signal {self.signal}" if self.signal else f"exit code {self.exit_code}" if self.exit_code else ""
        return ", ".join(part for part in (self.reason, end) if part)

    def __str__(self) -> str:
        why = self.why()
        return f"{self.state.value} ({why})" if why else self.state.value


LOST = MemberStatus(JobState.LOST)


@dataclass(frozen=True)
class JobStatus:
    """How a job is: a status for each of its members, by index from 0."""

    members: Mapping[int, MemberStatus]

    @property
    def state(self) -> JobState:
        """The most lively state that any member has; DONE only if all are."""
        found = {member.state for member in self.members.values()}
        return next((state for state in _ORDER if state in found), JobState.DONE)

    def count(self, *states: JobState) -> int:
        """How many members are in one of these states."""
        return sum(member.state in states for member in self.members.values())

    @property
    def is_over(self) -> bool:
        """Whether every member is known to have ended."""
        return all(member.state.is_over for member in self.members.values())

    def reasons(self, *states: JobState) -> list[tuple[str, int]]:
        """Why members are in these states (none given: in any), and how many for each reason; the commonest first."""
        chosen = (member for member in self.members.values() if not states or member.state in states)
        return Counter(why for member in chosen if (why := member.why())).most_common()

    def __str__(self) -> str:
        """ "7 running, 57 pending (Resources)" for people."""
        parts = []
        for state in _ORDER:
            if count := self.count(state):
                reasons = "; ".join(why for why, _ in self.reasons(state)[:3])
                parts.append(f"{count} {state.value}" + (f" ({reasons})" if reasons else ""))
        return ", ".join(parts) or "no members"


@dataclass(frozen=True)
class Job:
    """What has been started for one engine set.  A value that any process of the user can store, and stop the job by.

    Members are counted from 0.  One id for several members is an array; otherwise each member has an id of its own.
    """

    system: str  # by which name its launcher is loaded
    engine_set: str
    ids: tuple[str, ...]  # as the system calls it
    members: int = 1
    log: str = ""  # path of a member's log, with {index}
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)  # of the launcher, to load it again

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ids": list(self.ids), "options": dict(self.options)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Job:
        """The inverse of `to_dict`.  Raises: LaunchError: these values come from another version."""
        try:
            return cls(**{**values, "ids": tuple(values["ids"])})
        except (KeyError, TypeError) as error:
            raise LaunchError(f"job {values!r} was written by another version of Linden: {error}") from error

    def __str__(self) -> str:
        return f"{self.system} {'job' if len(self.ids) == 1 else 'jobs'} {', '.join(self.ids)}"


class Launcher(Protocol):
    """Starts engine sets in one way (processes of this machine, ssh, a batch system)."""

    def start(self, engine_set: EngineSet) -> Job:
        """Start its engines, or ask somebody to; does not wait until they serve.  Raises: LaunchError, with the system's own words."""

    def status(self, jobs: Sequence[Job]) -> Mapping[Job, JobStatus]:
        """How these jobs are, all in one question to the system.  Raises: LaunchError: it does not answer."""

    def signal(self, job: Job, number: int, members: Iterable[int] | None = None) -> None:
        """Send a signal to the engines of a job (None: of all members).  Raises: LaunchError."""

    def stop(self, job: Job, members: Iterable[int] | None = None) -> JobStatus:
        """End its engines and see that they have ended.  Nothing happens if they have already.  Raises: LaunchError."""

    def log(self, job: Job, member: int = 0, lines: int = 8) -> str:
        """The last lines that a member has written, for a message."""
