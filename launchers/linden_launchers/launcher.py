"""What every launcher can do: start an engine set, say how its job is, stop it.

A launcher only starts and stops.  Who serves is told by the space (the engine tuples), never by a launcher.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NewType, Protocol

if TYPE_CHECKING:
    from .engine_set import EngineSet

JobId = NewType("JobId", str)


class LaunchError(RuntimeError):
    """Something could not be started, or not be stopped.  The message says what was wanted, what was found, and the remedy."""


class JobState(Enum):
    """Of the job that carries an engine set.  What no source knows of is LOST, never DONE."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True)
class JobStatus:
    state: JobState
    running: int  # processes of the job that run now
    detail: str = ""  # for people: a reason, an exit code


class Launcher(Protocol):
    """Starts engine sets in one way (processes of this machine, ssh, a batch system)."""

    def start(self, engine_set: EngineSet) -> JobId:
        """Start its engines, or ask somebody to; does not wait until they serve.  Raises: LaunchError."""

    def status(self, job: JobId) -> JobStatus:
        """Raises: KeyError: this launcher did not start *job*."""

    def stop(self, job: JobId) -> None:
        """End the job's engines: ask, wait a grace, then force.  Nothing happens if they have ended.  Raises: KeyError, LaunchError."""
