"""Keeper and agent: what they start ends with them, however they end; what they say is true.  The channel is a pipe, without ssh."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from linden_launchers.engine_set import EngineSet
from linden_launchers.keeper_files import ChannelPlan, KeeperPlan
from linden_launchers.kept import KeptLauncher
from linden_launchers.launcher import Job, JobState, LaunchError
from linden_launchers.process import ProcessId, end_processes, process_id

AGENT = [sys.executable, "-m", "linden_launchers.agent"]
WAITS = ["sh", "-c", 'echo "$0 $LINDEN_CONNECTION $LINDEN_ARRAY_INDEX"; exec sleep 600', "waits"]


class Pipes(KeptLauncher):
    """Two agents of this machine, with one member each, which run *argv*."""

    name = "pipes"

    def __init__(self, argv: list[str], *, agent: list[str] = AGENT, **plan: Any) -> None:
        super().__init__({})
        self._argv, self._agent, self._plan = argv, agent, plan

    def plan(self, engine_set: EngineSet) -> KeeperPlan:
        start: dict[str, Any] = {"argv": self._argv, "environment": {"LINDEN_ARRAY_INDEX": "{member}"}}
        start |= {"directory": None, "python_path": []}
        channels = [ChannelPlan(f"host{i}", self._agent, [i], start, ["unix:/tmp/s"]) for i in range(2)]
        logs = [str(engine_set.log_of(index)) for index in range(2)]
        return KeeperPlan(engine_set.name, str(engine_set.log_directory), logs, channels, 30.0, **self._plan)

    def explain(self, failure: Mapping[str, Any]) -> str:
        return f"{failure['channel']}: {failure['why'] or failure['stderr']}"


@pytest.fixture
def start(scratch: Path) -> Iterator[Callable[..., tuple[Pipes, Job]]]:
    started: list[tuple[Pipes, Job]] = []

    def start_one(argv: list[str], **options: Any) -> tuple[Pipes, Job]:
        launcher = Pipes(argv, **options)
        job = launcher.start(EngineSet(f"set{len(started)}", 2, "unix:/tmp/s", scratch))
        started.append((launcher, job))
        return launcher, job

    yield start_one
    for launcher, job in started:
        launcher.stop(job)


def keeper_of(job: Job) -> ProcessId:
    pid, _, started = job.ids[0].partition("@")
    return ProcessId(int(pid), int(started))


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def pids_in_status(job: Job) -> list[ProcessId]:
    records = json.loads((Path(job.log).parent / f"{job.engine_set}.status").read_text())
    found = [process_id(record["pid"]) for record in records.values()]
    return [process for process in found if process is not None]


Start = Callable[..., tuple[Pipes, Job]]


def test_members_run_and_know_who_they_are_and_where_the_server_is(start: Start) -> None:
    launcher, job = start(WAITS)
    assert launcher.status([job])[job].count(JobState.RUNNING) == 2
    for index in range(2):
        expected = f"waits unix:/tmp/s {index}"
        wait_until(lambda index=index, expected=expected: expected in launcher.log(job, index), expected)  # type: ignore[misc]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_whoever_kills_the_keeper_ends_what_it_has_started(start: Start, number: int) -> None:
    launcher, job = start(WAITS)
    members = pids_in_status(job)
    assert len(members) == 2
    os.kill(keeper_of(job).pid, number)
    wait_until(lambda: not any(member.is_alive() for member in members), "the members end with the keeper")
    if number == signal.SIGKILL:
        assert launcher.status([job])[job].state is JobState.LOST
        with pytest.raises(LaunchError, match="has ended"):
            launcher.signal(job, signal.SIGUSR1)
    assert launcher.stop(job).is_over, "else its cluster could never be stopped"


def test_what_has_left_its_process_group_ends_too(start: Start, scratch: Path) -> None:
    """A task may start a daemon: it forks, makes a session of its own, and is nobody's child any more."""
    daemon = scratch / "daemon"
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork():\n"
        "        os._exit(0)\n"
        f"    open({str(daemon)!r} + os.environ['LINDEN_ARRAY_INDEX'], 'w').write(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    launcher, job = start([sys.executable, "-c", code])

    def pid_of_daemon(index: int) -> int | None:
        path = Path(f"{daemon}{index}")
        return int(path.read_text() or 0) or None if path.exists() else None

    wait_until(lambda: all(pid_of_daemon(index) for index in range(2)), "the daemons have begun")
    daemons = [process_id(pid_of_daemon(index) or 0) for index in range(2)]
    launcher.stop(job)
    wait_until(lambda: not any(one and one.is_alive() for one in daemons), "the daemons end with the job")


def test_the_keeper_ends_with_the_process_for_which_it_was_started(start: Start) -> None:
    parent = os.fork()
    if parent == 0:
        signal.pause()
        os._exit(0)
    _, job = start(WAITS, parent_pid=parent)
    members = pids_in_status(job)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    wait_until(lambda: not any(member.is_alive() for member in members), "the members end with the parent")


def test_for_a_process_that_has_ended_already_nothing_is_started(start: Start, scratch: Path) -> None:
    parent = os.fork()
    if parent == 0:
        os._exit(0)
    os.waitpid(parent, 0)
    with pytest.raises(LaunchError, match=f"process {parent}, for which the engines are, has ended"):
        start(["sh", "-c", f"echo >{scratch}/began"], parent_pid=parent)
    assert not (scratch / "began").exists()


def test_an_agent_that_says_nothing_any_more_is_out_of_reach(start: Start) -> None:
    """Its machine was switched off, or the network is cut: no end of the channel tells of it."""
    silent = (
        "import json, sys, time\nfrom linden_launchers.agent import PROTOCOL, place\n"
        "print(json.dumps({'agent': PROTOCOL, 'place': place()}), flush=True)\n"
        "start = json.loads(sys.stdin.readline())\n"
        "print(json.dumps({'started': start['members'][0], 'pid': 1}), flush=True)\ntime.sleep(600)"
    )
    launcher, job = start(WAITS, agent=[sys.executable, "-c", silent], silence_s=0.5)
    wait_until(lambda: launcher.status([job])[job].count(JobState.LOST) == 2, "both are lost")
    assert "the channel to host0 broke: no word for 0.5 s" in str(launcher.status([job])[job])


def test_a_log_that_cannot_be_written_ends_no_engine(start: Start, scratch: Path) -> None:
    for index in range(2):
        (scratch / f"engine-set0-{index}.log").symlink_to("/dev/full")
    launcher, job = start(["sh", "-c", f"echo lost; touch {scratch}/$LINDEN_ARRAY_INDEX; exec sleep 600"])
    wait_until(lambda: all((scratch / str(index)).exists() for index in range(2)), "both have written")
    keeper_log = scratch / "keeper-set0.log"
    wait_until(lambda: "output is lost: No space left on device" in keeper_log.read_text(), "it is told")
    assert launcher.status([job])[job].count(JobState.RUNNING) == 2


def test_an_agent_that_is_killed_takes_its_members_along_and_the_others_go_on(start: Start) -> None:
    """Engines watch their agent by --parent-pid; this member looks at its parent in the same way."""
    code = "import os, sys, time\nwhile os.getppid() == int(sys.argv[1]): time.sleep(0.02)"
    launcher, job = start([sys.executable, "-c", code, "{agent}"])
    first = pids_in_status(job)[0]
    agent = int(Path(f"/proc/{first.pid}/stat").read_text().rpartition(") ")[2].split()[1])
    os.kill(agent, signal.SIGKILL)
    wait_until(lambda: launcher.status([job])[job].members[0].state is JobState.LOST, "the member is lost")
    assert "host0 broke" in launcher.status([job])[job].members[0].reason
    assert launcher.status([job])[job].members[1].state is JobState.RUNNING
    wait_until(lambda: not first.is_alive(), "it has ended")


def test_stopping_is_confirmed_and_is_no_failure(start: Start) -> None:
    launcher, job = start(WAITS)
    assert launcher.stop(job, [1]).members[1].state is JobState.CANCELLED
    status = launcher.status([job])[job]
    assert [status.members[index].state for index in range(2)] == [JobState.RUNNING, JobState.CANCELLED]
    assert launcher.stop(job).is_over
    assert not keeper_of(job).is_alive()
    assert launcher.stop(job).is_over
    (Path(job.log).parent / f"{job.engine_set}.status").unlink()
    assert launcher.stop(job).is_over, "somebody has removed its files"


def test_what_does_not_end_by_itself_is_killed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linden_launchers.kept._GRACE_S", 0.2)
    launcher, job = start(["sh", "-c", 'trap "" TERM; echo deaf; while :; do sleep 1; done'])
    wait_until(lambda: "deaf" in launcher.log(job) + launcher.log(job, 1), "they are deaf")
    assert launcher.stop(job).is_over


def test_signals_and_ends_are_reported(start: Start) -> None:
    launcher, job = start(["sh", "-c", 'trap "exit 7" USR1; echo listens; while :; do sleep 0.02; done'])
    wait_until(lambda: all("listens" in launcher.log(job, index) for index in range(2)), "they listen")
    launcher.signal(job, signal.SIGUSR1, [0])
    wait_until(lambda: launcher.status([job])[job].members[0].state.is_over, "the first has ended")
    launcher.signal(job, signal.SIGKILL, [1])
    wait_until(lambda: launcher.status([job])[job].is_over, "both have ended")
    first, second = launcher.status([job])[job].members.values()
    assert (first.state, first.exit_code) == (JobState.FAILED, 7)
    assert (second.state, second.signal) == (JobState.FAILED, signal.SIGKILL)
    wait_until(lambda: not keeper_of(job).is_alive(), "a keeper with nothing to keep ends")


def test_more_output_than_a_channel_takes_holds_nobody_up(start: Start) -> None:
    launcher, job = start(["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end"])
    wait_until(lambda: launcher.status([job])[job].is_over, "they have ended")
    assert launcher.status([job])[job].state is JobState.DONE
    wait_until(lambda: "the end" in launcher.log(job), "the log has what came last")


def test_a_program_that_is_not_there_and_an_agent_that_does_not_answer_are_errors(start: Start) -> None:
    with pytest.raises(LaunchError, match="host0: cannot start /no/such/program: No such file"):
        start(["/no/such/program"])
    with pytest.raises(LaunchError, match="host1: out of order"):
        start(WAITS, agent=["sh", "-c", "echo out of order >&2; exit 3"])


def test_a_banner_before_the_agent_is_skipped(start: Start) -> None:
    banner = ["sh", "-c", 'echo "Welcome to node1"; echo {}; exec "$@"', "sh", *AGENT]
    launcher, job = start(WAITS, agent=banner)
    assert launcher.status([job])[job].state is JobState.RUNNING


def test_nothing_is_left_of_a_start_that_failed(start: Start, scratch: Path) -> None:
    """One host is well, the other is not: what runs on the first has ended when the error is raised."""
    began, turn = scratch / "began", scratch / "turn"
    # The first to come is the agent of one host; the other fails once that one's member runs, which ends as late as it may.
    fails = f"until test -e {began}; do sleep 0.02; done; echo no room here >&2; exit 1"
    agent = ["sh", "-c", f'if mkdir {turn} 2>/dev/null; then exec "$@"; else {fails}; fi', "sh", *AGENT]
    member = (
        f"trap 'sleep 0.3; exit 0' TERM; echo $$ >{began}.new; mv {began}.new {began}; while :; do sleep 0.02; done"
    )
    with pytest.raises(LaunchError, match="no room here"):
        start(["sh", "-c", member], agent=agent)
    pid = int(began.read_text())
    try:
        assert not Path("/proc", str(pid)).exists()
    finally:
        if (left := process_id(pid)) is not None:
            end_processes([left], grace_s=0)
