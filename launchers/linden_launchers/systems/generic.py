"""Any system that can be told in a few templates: how to submit, ask, cancel, and what an id looks like.

It is asked for no arrays: each member of a job is a job of its own.
"""

from __future__ import annotations

import re
import shlex
import signal as signals
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ..batch_system import BatchSystem, Key, Script, Source, ids_of, members_of, unknown_state
from ..command import Command, CommandFailed, Output
from ..engine_set import EngineSet
from ..job_script import Names, job_script
from ..launcher import Job, JobState, LaunchError, MemberStatus

_COMMON = {
    JobState.PENDING: "pending pend pd queued q qw waiting wait idle",
    JobState.RUNNING: "running run r active starting exiting completing",
    JobState.HELD: "held hold h",
    JobState.DONE: "done completed complete finished c cd f",
    JobState.FAILED: "failed fail error e exit",
    JobState.TIMEOUT: "timeout",
    JobState.PREEMPTED: "preempted",
    JobState.CANCELLED: "cancelled canceled ca deleted",
}


def generic(
    submit: str,
    *,
    id: str = r"(\d+)",
    status: str = "",
    line: str = r"^\s*(?P<id>\S+)\s+(?P<state>\S+)(?:\s+(?P<reason>\S.*?))?\s*$",
    states: Mapping[str, str] | None = None,
    cancel: str = "",
    signal: str = "",
    prefix: str = "#",
    job_id: str = "",
) -> Generic:
    """The system of these templates.

    Args: submit: command line with {script}. id: expression whose group 1 is the id in what `submit` prints. status: command line
        with {ids}; without, all jobs are LOST. line: expression with the groups id and state, perhaps reason and exit, for a line
        of what it prints. states: what its words mean, as {"PD": "pending"}, besides the usual ones. cancel: command line with
        {ids}. signal: with {signal} and {ids}. prefix: of directives in the script. job_id: how the shell of a job knows its id,
        as "$JOB_ID".
    """
    meanings = dict(states or {})
    if wrong := sorted(set(meanings.values()) - {state.value for state in JobState}):
        raise LaunchError(f"no such states: {', '.join(wrong)}; there are {', '.join(one.value for one in JobState)}")
    return Generic(submit, id, status, line, meanings, cancel, signal, prefix, job_id)


@dataclass(frozen=True)
class Generic(BatchSystem):
    """A batch system of templates."""

    _submit: str
    _id: str
    _status: str
    _line: str
    _states: Mapping[str, str] = field(hash=False)
    _cancel: str
    _signal: str
    _prefix: str
    _job_id: str
    name: ClassVar[str] = "generic"

    def render(self, engine_set: EngineSet) -> Script:
        if engine_set.job.shape == "one" and not engine_set.job.spawn:
            raise LaunchError('one allocation needs "spawn" with this launcher, as "mpiexec -n {n}"')
        scripts = [
            Script(_file(engine_set, index), self._script(engine_set, index)) for index in range(members_of(engine_set))
        ]
        return Script(scripts[0].name, scripts[0].text, tuple(scripts[1:]))

    def submit(self, scripts: Sequence[Path]) -> Command:
        lines = [_fill(self._submit, script=shlex.quote(str(path))) for path in scripts]
        return Command(("/bin/sh", "-ec", "\n".join(lines)))

    def parse_submit(self, output: Output) -> tuple[str, ...]:
        ids = tuple(match[1] for line in output.stdout.splitlines() if (match := re.search(self._id, line)))
        if not ids:
            raise CommandFailed(output, f"printed nothing in which {self._id!r} finds the id of a job")
        return ids

    @property
    def sources(self) -> Sequence[Source]:
        return (Source("status", self._ask, self._parse),) if self._status else ()

    def cancel(self, job: Job, members: Sequence[int] | None) -> Command:
        if not self._cancel:
            raise LaunchError(f"{job} cannot be cancelled: this launcher was given no command for it")
        return self._command(self._cancel, ids_of(job, members, lambda name, _: name))

    def signal(self, job: Job, number: int, members: Sequence[int] | None) -> Command | None:
        if not self._signal:
            return None
        name = signals.Signals(number).name.removeprefix("SIG")
        return self._command(self._signal, ids_of(job, members, lambda name, _: name), signal=name)

    def _script(self, engine_set: EngineSet, index: int) -> str:
        # No system that we do not know is told where its output goes.
        names = Names(self._job_id, index=str(index), redirects=True)
        return job_script(self._prefix, (), names, engine_set)

    def _ask(self, ids: Sequence[str]) -> Command:
        return self._command(self._status, ids)

    def _parse(self, output: Output) -> Mapping[Key, MemberStatus]:
        found: dict[Key, MemberStatus] = {}
        for line in output.check().stdout.splitlines():
            if (match := re.search(self._line, line)) is None:
                continue
            groups = match.groupdict()
            code = groups.get("exit") or ""
            found[groups["id"], None] = self._state(groups["state"], groups.get("reason") or "", code)
        return found

    def _state(self, word: str, reason: str, code: str) -> MemberStatus:
        if word in self._states:
            state = JobState(self._states[word])
        else:
            known = {name: state for state, names in _COMMON.items() for name in names.split()}
            if word.lower() not in known:
                return unknown_state("the system", word)
            state = known[word.lower()]
        return MemberStatus(state, reason, int(code) if code.isdigit() else None)

    def _command(self, line: str, ids: Sequence[str], **values: str) -> Command:
        return Command(("/bin/sh", "-c", _fill(line, ids=shlex.join(ids), **values)))


def _file(engine_set: EngineSet, index: int) -> str:
    return f"job-{engine_set.name}-{index}.sh"


def _fill(line: str, **values: str) -> str:
    for name, value in values.items():
        line = line.replace(f"{{{name}}}", value)
    return line
