"""KeptLauncher: what launchers have in common whose engines are held by a keeper (ssh, MPI).

It keeps nothing in memory: a Job names the keeper, and the keeper's files lie beside the logs.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from linden.connection_file import addresses_in, read_connection_file

from .engine_command import engine_argv
from .engine_set import EngineSet
from .keeper_files import (
    ENDED,
    LOST,
    PENDING,
    STOPPED,
    KeeperPlan,
    MemberRecord,
    command,
    command_file,
    read_status,
    status_file,
    tell,
)
from .launcher import Job, JobState, JobStatus, LaunchError, MemberStatus
from .local import log_tail
from .process import ProcessId, end_processes, spawn, wait_processes

_GRACE_S = 5.0
_END_S = 20.0  # a keeper ends within the grace, what an agent needs for the rest of the tree, and a little more
_START_S = 15.0  # for the keeper itself
_LOOK_S = 0.02


class KeptLauncher:
    """A launcher whose `plan` says which commands are the channels."""

    name = ""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)

    def plan(self, engine_set: EngineSet) -> KeeperPlan:
        """What the keeper is to do.  Raises: LaunchError."""
        raise NotImplementedError

    def explain(self, failure: Mapping[str, Any]) -> str:
        """What a channel that could not be opened means, for people."""
        raise NotImplementedError

    def start(self, engine_set: EngineSet) -> Job:
        """Returns once every engine is started; they register by themselves.  Raises: LaunchError."""
        if engine_set.n < 1:
            raise LaunchError(f"engine set {engine_set.name!r} has {engine_set.n} engines; a job needs one at least")
        plan = self.plan(engine_set)
        keeper = _start_keeper(plan, engine_set.log_directory)
        if "failed" in keeper:
            raise LaunchError("\n".join(self.explain(failure) for failure in keeper["failed"]))
        log = str(engine_set.log_directory / f"engine-{engine_set.name}-{{index}}.log")
        return Job(self.name, engine_set.name, (keeper["ready"],), len(plan.logs), log, self._options)

    def status(self, jobs: Sequence[Job]) -> dict[Job, JobStatus]:
        """As the keepers' files say.  Raises: LaunchError: one has been removed."""
        return {job: self._status(job) for job in jobs}

    def _status(self, job: Job) -> JobStatus:
        alive = _keeper(job).is_alive()
        records = read_status(status_file(_directory(job), job.engine_set))
        return JobStatus({number: member_status(record, kept=alive) for number, record in sorted(records.items())})

    def signal(self, job: Job, number: int, members: Iterable[int] | None = None) -> None:
        """Raises: LaunchError: there is no keeper any more."""
        if not tell(command_file(_directory(job), job.engine_set), command("signal", members, number=number)):
            raise LaunchError(f"{job} has ended, so there is nobody to get signal {number}")

    def stop(self, job: Job, members: Iterable[int] | None = None) -> JobStatus:
        """SIGTERM, and SIGKILL after five seconds.  Raises: LaunchError: they do not end."""
        chosen = None if members is None else sorted(set(members))
        tell(command_file(_directory(job), job.engine_set), command("stop", chosen, grace_s=_GRACE_S))
        if chosen is None:
            self._end_keeper(job)
            return self._status_at_end(job)
        deadline = time.monotonic() + _END_S
        while True:
            status = self._status(job)
            found = {number: status.members[number] for number in chosen}
            if all(one.state.is_over or one.state is JobState.LOST for one in found.values()):
                return JobStatus(found)
            if time.monotonic() > deadline:
                raise LaunchError(f"engines of {job} do not end within {_END_S:g} s: {status}")
            time.sleep(_LOOK_S)

    def _status_at_end(self, job: Job) -> JobStatus:
        """When there is no keeper any more: engines of which it has written no end have ended with it, or with their channel."""
        try:
            known = self._status(job).members
        except LaunchError as error:  # its file was removed
            known = {number: MemberStatus(JobState.LOST, str(error)) for number in range(job.members)}
        return JobStatus(
            {
                number: member if member.state.is_over else MemberStatus(JobState.CANCELLED, member.reason)
                for number, member in known.items()
            }
        )

    def _end_keeper(self, job: Job) -> None:
        """All that it holds ends with it; whatever happens, in the end there is no keeper."""
        keeper = _keeper(job)
        if not wait_processes([keeper], _END_S) and end_processes([keeper], grace_s=_END_S):
            raise LaunchError(f"the keeper of {job} does not end, even by SIGKILL")
        command_file(_directory(job), job.engine_set).unlink(missing_ok=True)

    def log(self, job: Job, member: int = 0, lines: int = 8) -> str:
        """The end of its log, which lies on this machine."""
        return log_tail(Path(job.log.replace("{index}", str(member))), lines)


def member_status(record: MemberRecord, *, kept: bool) -> MemberStatus:
    """What a keeper's record means; *kept*: the keeper lives."""
    if record.state == ENDED:
        if record.reason == STOPPED:
            return MemberStatus(JobState.CANCELLED, "", record.code, record.signal)
        state = JobState.DONE if record.code == 0 else JobState.FAILED
        return MemberStatus(state, record.reason, record.code, record.signal)
    if record.state == LOST:
        return MemberStatus(JobState.LOST, record.reason)
    if not kept:
        return MemberStatus(JobState.LOST, "its keeper was killed, and engines end without it")
    return MemberStatus(JobState.PENDING if record.state == PENDING else JobState.RUNNING)


def engine_words(engine_set: EngineSet) -> list[str]:
    """The command of an engine that learns from its environment where the server is."""
    argv = engine_argv(replace(engine_set, parent_pid=None))
    where = argv.index("--connection")
    return argv[:where] + argv[where + 2 :]


def identity(engine_set: EngineSet) -> dict[str, str]:
    """Variables by which an engine says where it belongs."""
    return {"LINDEN_CLUSTER_ID": engine_set.cluster_id, "LINDEN_ENGINE_SET": engine_set.name}


def addresses_of(engine_set: EngineSet) -> list[str]:
    """By which its engines may reach the server, best first.  Raises: LaunchError: the connection file cannot be read."""
    where = engine_set.address
    try:
        if (addresses := addresses_in(where)) is not None:
            return addresses
        info = read_connection_file(Path(where))
    except (OSError, ValueError) as error:
        raise LaunchError(
            f"the engines have to know where the server is, and {where!r} does not say: {error}"
        ) from error
    return list(dict.fromkeys(address for address in (info.address, *info.addresses, info.tcp) if address))


def _start_keeper(plan: KeeperPlan, directory: Path) -> dict[str, Any]:
    """Its answer.  Raises: LaunchError: there is none."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    plan_read, plan_write = os.pipe2(os.O_CLOEXEC)
    answer_read, answer_write = os.pipe2(os.O_CLOEXEC)
    log = directory / f"keeper-{plan.engine_set}.log"
    try:
        argv = [sys.executable, "-m", "linden_launchers.keeper", str(answer_write)]
        child = spawn(argv, log=log, stdin=plan_read, pass_fds=[answer_write])
    except BaseException:
        os.close(plan_write)
        os.close(answer_read)
        raise
    finally:
        os.close(plan_read)
        os.close(answer_write)
    with os.fdopen(plan_write, "w", encoding="utf-8") as pipe:
        pipe.write(plan.to_json())
    try:
        line = _read_line(answer_read, _START_S + 2 * plan.timeout_s)
    finally:
        os.close(answer_read)
    # It has left a copy of itself behind, which is the keeper: nobody here has to reap it.
    if not wait_processes([child.id], _START_S):
        end_processes([child.id], grace_s=1.0)
    child.reap()
    try:
        answer: dict[str, Any] = json.loads(line)
    except ValueError:
        raise LaunchError(f"the keeper of engine set {plan.engine_set!r} ended:\n{log_tail(log)}") from None
    return answer


def _read_line(descriptor: int, timeout_s: float) -> bytes:
    """As far as there is one in time."""
    deadline = time.monotonic() + timeout_s
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    line = b""
    while not line.endswith(b"\n") and poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
        part = os.read(descriptor, 65536)
        if not part:
            break
        line += part
    return line


def _directory(job: Job) -> Path:
    return Path(job.log).parent


def _keeper(job: Job) -> ProcessId:
    pid, _, started = job.ids[0].partition("@")
    return ProcessId(int(pid), int(started))
