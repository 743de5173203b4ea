"""BatchLauncher: a launcher over any batch system.  It writes the script, runs the commands, and asks one source after another."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .batch_system import BatchSystem, Key, Script, Unavailable, members_of
from .command import CommandFailed, Output, Run, run
from .engine_set import EngineSet
from .launcher import LOST, Job, JobState, JobStatus, LaunchError, MemberStatus
from .local import log_tail

_IDS_PER_CALL = 200  # so that no command line is too long
# How soon, and then how often, it is looked whether what was cancelled has ended.
_CONFIRM_FIRST_S, _CONFIRM_MOST_S = 0.2, 5.0


class BatchLauncher:
    """Engine sets as jobs of a batch system.

    All that has to be known of a job is in the Job, so another process can go on with it.
    """

    def __init__(
        self,
        system: BatchSystem,
        *,
        run: Run = run,
        options: Mapping[str, Any] | None = None,
        stop_timeout_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.system = system
        self._run = run
        self._options = dict(options or {})
        self._stop_timeout_s = stop_timeout_s
        self._sleep, self._clock = sleep, clock
        self._cancelled: set[tuple[Job, int]] = set()  # members that we have seen leave

    def start(self, engine_set: EngineSet) -> Job:
        if engine_set.n < 1:
            raise LaunchError(f"engine set {engine_set.name!r} has {engine_set.n} engines; a job needs one at least")
        directory = engine_set.log_directory
        paths = _write(directory, self.system.render(engine_set))
        output = self._run(replace(self.system.submit(paths), directory=directory))
        try:
            ids = self.system.parse_submit(output)
        except CommandFailed:
            output.check()  # if it was refused, that says more than that there is no id
            raise
        members = members_of(engine_set)
        log = str(directory / f"engine-{engine_set.name}-{{index}}.log")
        job = Job(self.system.name, engine_set.name, ids, members, log, self._options)
        if output.exit_code or len(ids) not in (1, members):
            there = replace(job, members=len(ids)) if len(ids) > 1 else job  # of several jobs only some may be there
            with contextlib.suppress(LaunchError):  # what is told is why it is not wanted
                self.stop(there)
            what = (
                f"ended with code {output.exit_code}, but" if output.exit_code else f"was to start {members} jobs, and"
            )
            raise CommandFailed(output, f"{what} named {', '.join(ids)}, which we have cancelled")
        return job

    def status(self, jobs: Sequence[Job]) -> dict[Job, JobStatus]:
        found: dict[Key, MemberStatus] = {}
        doubts: list[str] = []
        for number, source in enumerate(self.system.sources):
            wanted = [id for job in jobs if _unknown(job, found) for id in job.ids]
            if not wanted:
                break
            size = 1 if source.one_by_one else _IDS_PER_CALL
            try:
                for begin in range(0, len(wanted), size):
                    listed = source.parse(self._run(source.command(wanted[begin : begin + size])))
                    found |= {key: status for key, status in listed.items() if key not in found}
            except CommandFailed as error:
                # Without the queue nothing is known, and whoever polls has to back off.  Accounting is often not there.
                if number == 0 and not isinstance(error, Unavailable):
                    raise
                doubts.append(f"{source.name}: {error.output.stderr.strip() or error}")
            else:
                doubts.append(f"{source.name} does not list it")
        lost = MemberStatus(JobState.LOST, "; ".join(doubts) or "nothing here tells how jobs are")
        gone = {key: MemberStatus(JobState.CANCELLED) for key in self._cancelled}
        return {
            job: JobStatus({i: _look_up(job, i, found) or gone.get((job, i), lost) for i in range(job.members)})
            for job in jobs
        }

    def signal(self, job: Job, number: int, members: Iterable[int] | None = None) -> None:
        command = self.system.signal(job, number, _list(members))
        if command is None:
            raise LaunchError(f"{self.system.name} cannot send signals to jobs; ask the engines by Client.send_signal")
        self._run(command).check()

    def stop(self, job: Job, members: Iterable[int] | None = None) -> JobStatus:
        chosen = range(job.members) if members is None else sorted(set(members))
        before = self._status_of(job, chosen)
        if before is not None and before.is_over:
            return before
        output = self._run(self.system.cancel(job, None if members is None else list(chosen)))
        deadline = self._clock() + self._stop_timeout_s
        pause_s = _CONFIRM_FIRST_S
        while True:
            after = self._status_of(job, chosen)
            if after is not None:
                ends = {i: _end(before.members[i] if before else None, after.members[i], output) for i in chosen}
                status = JobStatus({i: end for i, end in ends.items() if end is not None})
                if len(status.members) == len(chosen):
                    self._cancelled |= {
                        (job, i) for i, end in status.members.items() if end.state is JobState.CANCELLED
                    }
                    return status
            if self._clock() >= deadline:
                raise CommandFailed(output, f"did not end {job} within {self._stop_timeout_s:g} s; it is {after}")
            self._sleep(pause_s)
            pause_s = min(2 * pause_s, _CONFIRM_MOST_S)

    def log(self, job: Job, member: int = 0, lines: int = 8) -> str:
        command = self.system.log(job, member)
        if command is None:
            return log_tail(Path(job.log.replace("{index}", str(member))), lines)
        said = self._run(command).check().stdout.splitlines()[-lines:]
        return "\n".join(f"  {line}" for line in said) or "  (its log is empty)"

    def _status_of(self, job: Job, members: Sequence[int]) -> JobStatus | None:
        """None: the system does not answer."""
        try:
            found = self.status([job])[job].members
        except CommandFailed:
            return None
        return JobStatus({i: found.get(i, LOST) for i in members})


def _end(before: MemberStatus | None, after: MemberStatus, cancel: Output) -> MemberStatus | None:
    """How a member that was cancelled has ended; None while it has not.

    What was listed, was cancelled and is listed no more has ended, also where nothing keeps accounts.  What was not listed before
    stays LOST: nobody knows whether anything of it runs.
    """
    cancelled = cancel.exit_code == 0 and (
        before is None or not (before.state.is_over or before.state is JobState.LOST)
    )
    if after.state is JobState.LOST:
        return MemberStatus(JobState.CANCELLED) if cancelled else after
    if not after.state.is_over:
        return None
    # Some systems call it an error, or an end of which they say no more.
    ours = after.state in (JobState.DONE, JobState.FAILED) and (after.exit_code is None or _is_by_signal(after))
    return replace(after, state=JobState.CANCELLED) if cancelled and ours else after


def _is_by_signal(status: MemberStatus) -> bool:
    """SIGTERM or SIGKILL, as a signal or as shells tell it."""
    return status.signal in (15, 9) or status.exit_code in (128 + 15, 128 + 9)


def _write(directory: Path, script: Script) -> list[Path]:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / script.name
        path.write_text(script.text, encoding="utf-8")
        path.chmod(0o700)  # the environment that it sets is nobody else's business
    except OSError as error:
        raise LaunchError(f"cannot write {script.name} to {directory}: {error.strerror}") from error
    return [path, *(one for companion in script.companions for one in _write(directory, companion))]


def _list(members: Iterable[int] | None) -> list[int] | None:
    return None if members is None else sorted(set(members))


def _unknown(job: Job, found: Mapping[Key, MemberStatus]) -> bool:
    return any(_look_up(job, member, found) is None for member in range(job.members))


def _look_up(job: Job, member: int, found: Mapping[Key, MemberStatus]) -> MemberStatus | None:
    if len(job.ids) == 1 and job.members > 1:
        return found.get((job.ids[0], member)) or found.get((job.ids[0], None))
    id = job.ids[member]
    return found.get((id, 0)) or found.get((id, None))
