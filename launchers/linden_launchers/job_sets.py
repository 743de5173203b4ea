"""Engine sets whose engines are jobs of another system: a batch system's, or processes on other hosts.

All that is known of them is in the cluster file, so whichever process asks, the one that has started a job or any other, does the same
with it.  What runs engines of this machine (LocalCluster) and what joins a cluster (RunningCluster) both hold one of these.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from linden.connection_file import CONNECTION_FILE, read_connection_file

from . import cluster_file
from .cluster_file import GROWN, ClusterState, JobRecord
from .engine_options import EngineOptions
from .engine_set import EngineSet
from .launcher import Job, JobState, JobStatus, Launcher, LaunchError, MemberStatus
from .plugins import load_launcher
from .poll import PERIOD_S, Schedule, StatusBoard
from .to_its_end import to_its_end

_STOPS_AT_ONCE = 8
# A system may need so long until it lists what was submitted.
_LOST_S = 120.0


class JobSets:
    """The jobs of one cluster."""

    def __init__(
        self, directory: Path, *, load: Callable[..., Launcher] = load_launcher, poll_s: float = PERIOD_S
    ) -> None:
        """*poll_s*: a system is asked how jobs are once in so many seconds, whoever looks."""
        self._directory = directory
        self._load = load
        self._poll_s = poll_s
        self._launchers: dict[str, Launcher] = {}
        self._boards: dict[str, StatusBoard] = {}
        self._asking = threading.Lock()  # one thread at a time asks, and the others have its answer

    @property
    def log_directory(self) -> Path:
        """Where scripts and logs of jobs are."""
        return self._directory / "log"

    # Start

    def start(
        self,
        n: int,
        options: EngineOptions,
        *,
        name: str | None = None,
        python_path: tuple[str, ...] = (),
        hold_s: float | None = None,
    ) -> str:
        """Submit the job of a new set; returns its id.

        Raises: LaunchError: refused, with the system's own words; or the cluster has stopped.
        """
        launcher = self._launcher(options.system, options.launcher)
        with cluster_file.changing(self._directory) as state:
            name = name or state.new_set_name()
            if name in state.engine_sets or GROWN in name:
                raise LaunchError(
                    f"engine set {name!r} has been started already, or is no good name: it has a {GROWN!r}"
                )
            engine_set = options.job_set(
                name, n, address=self._address(), cluster=self._directory, python_path=python_path, hold_s=hold_s
            )
            state.engine_sets[name] = {**engine_set.to_dict(), "n": 0}
            state.systems[name] = {"system": options.system, "options": dict(options.launcher)}
        try:
            self._submit(name, engine_set, launcher)
        except BaseException:
            with suppress(LaunchError):  # if its job cannot be cancelled now it stays in the file, and can be later
                self.stop(name)
            raise
        return name

    def _address(self) -> str:
        """All ways to the server: its Unix socket, since a batch system may run on this very host, then those by TCP."""
        return address_list(self._directory)

    def grow(self, name: str, n: int) -> None:
        """Submit one more job for a set, of *n* engines.  Raises: KeyError: no such set. LaunchError."""
        state = self._state()
        system = state.systems[name]
        engine_set = EngineSet.from_dict(
            {**state.engine_sets[name], "n": n},
            name=_grown_name(name, state.jobs_of(name)),
            address=self._address(),
            log_directory=self.log_directory,
            parent_pid=None,
        )
        self._submit(name, engine_set, self._launcher(system["system"], system["options"]))

    def _submit(self, name: str, engine_set: EngineSet, launcher: Launcher) -> None:
        with to_its_end():  # of a job that was submitted and is not written down nobody would know
            job = launcher.start(engine_set)
            try:
                with cluster_file.changing(self._directory) as state:
                    state.jobs.append(JobRecord(job, engine_set.n, time.time()))
                    _add_to(state, name, engine_set.n)
            except LaunchError:  # the cluster was stopped meanwhile, by somebody who could not know of this job
                launcher.stop(job)
                raise

    # Look

    def has(self, name: str) -> bool:
        """Whether the engines of this set are jobs."""
        return name in self._state().systems

    def records(self, name: str | None = None) -> list[JobRecord]:
        """The jobs of a set; None: all."""
        return self._state().jobs_of(name)

    def status(self, name: str | None = None) -> tuple[dict[Job, JobStatus], list[str]]:
        """How jobs are, as of the last time that their systems were asked, and why a system does not answer.

        A job that no answer has had yet is not in there.
        """
        found: dict[Job, JobStatus] = {}
        failures = []
        with self._asking:
            records = self.records()
            chosen = {record.job for record in records if name in (None, record.set_name)}
            # A question is for the jobs of all sets: the next one is a while away, whoever asks.
            for key, jobs in self._by_launcher(records).items():
                if chosen.isdisjoint(jobs):
                    continue
                board = self._boards.setdefault(key, StatusBoard(self._launchers[key], schedule=Schedule(self._poll_s)))
                found |= {job: status for job, status in board.look(jobs).items() if job in chosen}
                if board.failure is not None:
                    failures.append(str(board.failure))
        return found, failures

    def log(self, job: Job, member: int, lines: int = 8) -> str:
        """The last lines of a member's log."""
        return self._launcher(job.system, job.options).log(job, member, lines)

    # Change

    def signal(self, number: int, name: str | None = None) -> None:
        """Send a signal to the engines of a set; None: of all.  Raises: LaunchError."""
        for record in self.records(name):
            self._launcher(record.job.system, record.job.options).signal(record.job, number)

    def stop(self, name: str | None = None) -> None:
        """Cancel the jobs of a set (None: of all), see that they have ended, and forget the set.

        A job that was submitted a good while ago, was cancelled and is listed nowhere counts as ended: nobody will ever say more.
        Raises: LaunchError: a job does not end, or nobody can say that it has; it stays in the cluster file.
        """
        records = self.records(name)
        over = {record.job for record in records if record.is_over}
        old = {record.job for record in records if _is_old(record)}
        stopped, errors = self._stop_each([(record.job, None) for record in records if record.job not in over], old)
        stopped |= over
        with cluster_file.changing(self._directory) as state:
            state.jobs = [record for record in state.jobs if record.job not in stopped]
            left = {record.set_name for record in state.jobs}
            for each in [each for each in state.systems if name in (None, each) and each not in left]:
                _remove_set(state, each)
        if errors:
            raise LaunchError("\n".join(errors))

    def restart(self, name: str | None = None) -> None:
        """Cancel the jobs of a set (None: of all), and submit one of as many engines.  Raises: LaunchError."""
        before = self._state()
        for each in [each for each in before.systems if name in (None, each)]:
            n = int(before.engine_sets[each]["n"])
            self.stop_members(each, {record.job: None for record in before.jobs_of(each)})
            if n:
                self.grow(each, n)

    def stop_members(self, name: str, members: Mapping[Job, Iterable[int] | None], *, have_left: bool = False) -> None:
        """End some members of the jobs of a set (None: all).

        *have_left*: their engines have gone by themselves, so a system that cannot cancel single members need not. Raises:
            LaunchError.
        """
        stopped, errors = self._stop_each(list(members.items()))
        if have_left:
            stopped, errors = set(members), []
        self._note_ended(name, {job: each for job, each in members.items() if job in stopped})
        if errors:
            raise LaunchError("\n".join(errors))

    def settle(self, name: str, serving: Collection[tuple[Job, int]]) -> int:
        """How many engines a set has, or is to have; what is known to have ended is struck off the list, and does not come back.

        *serving*: members from which engines serve. One that its system does not know of, and from which nobody serves a good
        while after it was submitted, counts as ended, too. Raises: KeyError: no such set.
        """
        state = self._state()
        statuses, _ = self.status(name)
        ended: dict[Job, list[int]] = {}
        for record in state.jobs_of(name):
            known = statuses[record.job].members if record.job in statuses else {}
            is_old = _is_old(record)
            for member in record.open_members:
                status = known.get(member)
                is_lost = status is not None and status.state is JobState.LOST and is_old
                if member in record.over or (
                    status and (status.state.is_over or (is_lost and (record.job, member) not in serving))
                ):
                    ended.setdefault(record.job, []).append(member)
        if ended:
            self._note_ended(name, ended)
            state = self._state()
        return int(state.engine_sets[name]["n"])

    def remember_ends(self, statuses: Mapping[Job, JobStatus]) -> None:
        """Write down which members have ended, as their systems say now; later they may know nothing of them."""

        def after(record: JobRecord) -> JobRecord:
            members = statuses[record.job].members if record.job in statuses else {}
            over = {member for member, status in members.items() if status.state.is_over}
            return replace(record, over=tuple(sorted({*record.over, *over})))

        if all(after(record) == record for record in self.records()):
            return
        with cluster_file.changing(self._directory) as state:
            state.jobs = [after(record) for record in state.jobs]

    def _note_ended(self, name: str, members: Mapping[Job, Iterable[int] | None]) -> None:
        """These members have no engines any more; the set has so many fewer."""

        def after(record: JobRecord) -> JobRecord:
            if record.job not in members:
                return record
            gone = members[record.job]
            ended = range(record.job.members) if gone is None else {*record.ended, *gone}
            return replace(record, ended=tuple(sorted(ended)))

        with cluster_file.changing(self._directory) as state:
            before = sum(record.open_engines for record in state.jobs_of(name))
            state.jobs = [record for record in map(after, state.jobs) if record.open_members]
            _add_to(state, name, sum(record.open_engines for record in state.jobs_of(name)) - before)

    def _stop_each(
        self, wanted: list[tuple[Job, Iterable[int] | None]], old: Collection[Job] = ()
    ) -> tuple[set[Job], list[str]]:
        """Those that have ended, and what was said of the others.  *old*: these have ended if their system knows nothing of them."""

        def stop(item: tuple[Job, Iterable[int] | None]) -> str | None:
            job, members = item
            try:
                status = self._launcher(job.system, job.options).stop(job, members)
            except LaunchError as error:
                return f"cannot stop {job}: {error}"
            if status.is_over or (job in old and status.count(JobState.LOST) == len(_not_over(status))):
                return None
            return (
                f"{job} was cancelled, but nobody says that it has ended: {status}; "
                f"try again {_LOST_S:g} s after it was submitted, or forget it by 'space-cluster clean --force'"
            )

        if not wanted:
            return set(), []
        with ThreadPoolExecutor(min(len(wanted), _STOPS_AT_ONCE), "linden-stop-jobs") as pool:
            said = list(pool.map(stop, wanted))
        stopped = {job for (job, _), error in zip(wanted, said, strict=True) if error is None}
        return stopped, [error for error in said if error is not None]

    # Inside

    def _state(self) -> ClusterState:
        state = cluster_file.read_cluster_file(self._directory)
        if state is None:
            raise LaunchError(f"cluster {self._directory.name!r} has stopped")
        return state

    def _launcher(self, system: str, options: Mapping[str, Any]) -> Launcher:
        key = _key(system, options)
        if key not in self._launchers:
            self._launchers[key] = self._load(system, options)
        return self._launchers[key]

    def _by_launcher(self, records: Iterable[JobRecord]) -> dict[str, list[Job]]:
        found: dict[str, list[Job]] = {}
        for record in records:
            self._launcher(record.job.system, record.job.options)
            found.setdefault(_key(record.job.system, record.job.options), []).append(record.job)
        return found


def address_list(directory: Path) -> str:
    """What engines of the cluster of this directory connect to.  Raises: LaunchError: it does not run."""
    try:
        info = read_connection_file(directory / CONNECTION_FILE)
    except (FileNotFoundError, ValueError) as error:
        raise LaunchError(f"cluster {directory.name!r} does not run: {error}") from error
    return ",".join([info.address, *info.addresses])


def _is_old(record: JobRecord) -> bool:
    """Whether its system has had the time to list it."""
    return time.time() - record.submitted > _LOST_S


def _not_over(status: JobStatus) -> list[MemberStatus]:
    return [member for member in status.members.values() if not member.state.is_over]


def _key(system: str, options: Mapping[str, Any]) -> str:
    return f"{system} {json.dumps(dict(options), sort_keys=True)}"


def _grown_name(name: str, records: Iterable[JobRecord]) -> str:
    """Of one more job of this set, that none has had."""
    used = [record.job.engine_set.partition(GROWN)[2] for record in records]
    return f"{name}{GROWN}{max((int(part) for part in used if part), default=0) + 1}"


def _add_to(state: ClusterState, name: str, n: int) -> None:
    values = state.engine_sets[name]
    changed = max(-int(values["n"]), n)
    state.engine_sets[name] = {**values, "n": int(values["n"]) + changed}
    state.n += changed


def _remove_set(state: ClusterState, name: str) -> None:
    _add_to(state, name, -int(state.engine_sets[name]["n"]))
    del state.systems[name]
    del state.engine_sets[name]
