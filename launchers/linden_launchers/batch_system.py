"""BatchSystem: what one batch system is to us.  Text in, text out: no method runs, reads or writes anything.

A module below systems/ says how a job script looks, which commands submit, list, signal and cancel jobs, and what their answers
mean; batch.py runs them.  So all of a system is tested by comparing texts, without the system.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from .command import Command, CommandFailed, Output
from .engine_set import EngineSet
from .job_options import ONE
from .launcher import Job, JobState, MemberStatus

# The system's id of a job, and the index in its array, from 0; None is the job as a whole: what is true of its members that are
# not listed singly.
Key = tuple[str, int | None]


class Unavailable(CommandFailed):
    """A source cannot be asked here at all, as sacct where no accounting is kept."""


@dataclass(frozen=True)
class Source:
    """One place to ask how jobs are: a queue, or the accounting of what has ended."""

    name: str
    command: Callable[[Sequence[str]], Command]  # for these ids
    parse: Callable[[Output], Mapping[Key, MemberStatus]]  # raises CommandFailed, Unavailable
    one_by_one: bool = False  # it answers for one id at a time


@dataclass(frozen=True)
class Script:
    """A file to be submitted, and others that have to lie beside it."""

    name: str
    text: str
    companions: tuple[Script, ...] = ()


class BatchSystem(Protocol):
    """A batch system as text.  To be inherited from: what a system cannot do it leaves out."""

    name: ClassVar[str]  # under which it is loaded

    def render(self, engine_set: EngineSet) -> Script:
        """The job of an engine set.  Raises: LaunchError: this system cannot do what the set asks for."""

    def submit(self, scripts: Sequence[Path]) -> Command:
        """Submits what `render` gave, which is in these files: the script, then its companions.  It is run in their directory."""

    def parse_submit(self, output: Output) -> tuple[str, ...]:
        """The ids of what was submitted; also looked for if the exit code is not 0.  Raises: CommandFailed: there is none."""

    @property
    def sources(self) -> Sequence[Source]:
        """Where to ask for the status, in this order; the next ones for what those before it do not list."""

    def cancel(self, job: Job, members: Sequence[int] | None) -> Command:
        """Cancels a job or (not None) some of its members."""

    def signal(self, job: Job, number: int, members: Sequence[int] | None) -> Command | None:  # noqa: ARG002
        """Sends a signal to the processes of a job; None: this system cannot."""
        return None

    def log(self, job: Job, member: int) -> Command | None:  # noqa: ARG002
        """Prints what a member has written; None: it is in the file `job.log`."""
        return None


def members_of(engine_set: EngineSet) -> int:
    """How many members the job of an engine set has."""
    return 1 if engine_set.job.shape == ONE else max(1, -(-engine_set.n // engine_set.job.engines_per_job))


class Size(NamedTuple):
    """What a member of an array needs, or each engine in one allocation."""

    cores: int
    memory_mb: int | None


def size_of(engine_set: EngineSet) -> Size:
    """What the user has asked for, as many times as there are engines in a member."""
    options = engine_set.job
    count = 1 if options.shape == ONE else options.engines_per_job
    return Size((options.cores or 1) * count, options.memory_mb * count if options.memory_mb else None)


def ids_of(job: Job, members: Sequence[int] | None, form: Callable[[str, int], str]) -> list[str]:
    """The system's names of *members* (None: of all).  *form* makes that of one index of an array, as "17_3"."""
    if members is None:
        return list(job.ids)
    if len(job.ids) == 1 and job.members > 1:
        return [form(job.ids[0], member) for member in members]
    return [job.ids[member] for member in members]


def unknown_state(system: str, word: str) -> MemberStatus:
    """A job is listed with a state that we do not know.  It is there, so it counts as alive."""
    return MemberStatus(JobState.RUNNING, f"{system} says {word!r}, which Linden does not know")
