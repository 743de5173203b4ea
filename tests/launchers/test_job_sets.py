"""Engine sets that are jobs of other systems, with a launcher of the test's own: what is written where, and who ends what."""

import json
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from linden.connection_file import ConnectionInfo, write_connection_file
from linden_launchers import LaunchError
from linden_launchers import cluster_file as files
from linden_launchers.cluster_file import ClusterState, JobRecord, ProcessRecord
from linden_launchers.engine_options import EngineOptions
from linden_launchers.engine_set import EngineSet
from linden_launchers.job_options import JobOptions
from linden_launchers.job_sets import JobSets
from linden_launchers.job_watch import JobWatch
from linden_launchers.launcher import Job, JobState, JobStatus, MemberStatus

SLURM = EngineOptions("slurm", JobOptions(queue="long"), {"directory": Path("/work")}, {"colour": "red"})


class Tape:
    """A launcher that notes what it is told; `states` is what it says of members."""

    def __init__(self) -> None:
        self.started: list[EngineSet] = []
        self.stopped: list[tuple[str, list[int] | None]] = []
        self.signals: list[int] = []
        self.questions = 0
        self.states: dict[tuple[str, int], MemberStatus] = {}
        self.refusal: str | None = None
        self.cannot_stop: set[str] = set()
        self.vanished: set[str] = set()
        self.meanwhile: Callable[[], None] = lambda: None

    def start(self, engine_set: EngineSet) -> Job:
        if self.refusal:
            raise LaunchError(self.refusal)
        self.meanwhile()
        self.started.append(engine_set)
        return Job("slurm", engine_set.name, (f"{16 + len(self.started)}",), engine_set.n, options={"colour": "red"})

    def status(self, jobs: Sequence[Job]) -> dict[Job, JobStatus]:
        self.questions += 1
        if self.refusal:
            raise LaunchError(self.refusal)
        return {job: JobStatus({i: self._member(job, i) for i in range(job.members)}) for job in jobs}

    def _member(self, job: Job, member: int) -> MemberStatus:
        return self.states.get((job.ids[0], member), MemberStatus(JobState.RUNNING))

    def signal(self, job: Job, number: int, members: Iterable[int] | None = None) -> None:
        self.signals.append(number)

    def stop(self, job: Job, members: Iterable[int] | None = None) -> JobStatus:
        if job.ids[0] in self.cannot_stop:
            raise LaunchError("scancel: error: the controller does not answer")
        self.stopped.append((job.ids[0], None if members is None else list(members)))
        if job.ids[0] in self.vanished:
            return JobStatus({0: MemberStatus(JobState.LOST, "squeue does not list it")})
        return JobStatus({0: MemberStatus(JobState.CANCELLED)})

    def log(self, job: Job, member: int = 0, lines: int = 8) -> str:
        return f"  last words of {job.ids[0]}, member {member}"


@pytest.fixture
def tape() -> Tape:
    return Tape()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """That of a cluster which runs and has no engines."""
    path = tmp_path / "c"
    path.mkdir()
    owner = ProcessRecord(1, 1, log="")
    files.write_cluster_file(path, ClusterState("c", owner, "session", 0, "/data", "/c/s"))
    write_connection_file(path / "connection.json", ConnectionInfo("unix:/c/s", host="here", addresses=("tcp:a:1",)))
    return path


@pytest.fixture
def sets(directory: Path, tape: Tape) -> JobSets:
    def load(system: str, options: Mapping[str, Any]) -> Tape:
        assert (system, dict(options)) == ("slurm", {"colour": "red"})
        return tape

    return JobSets(directory, load=load, poll_s=0.0)


def state_of(directory: Path) -> ClusterState:
    state = files.read_cluster_file(directory)
    assert state is not None
    return state


def test_a_job_is_started_and_written_down(sets: JobSets, directory: Path, tape: Tape) -> None:
    assert sets.start(4, SLURM, python_path=("/mine",)) == "1"
    (started,) = tape.started
    assert (started.n, started.address, started.hold_s) == (4, "unix:/c/s,tcp:a:1", 5.0)
    assert (started.cluster_id, started.directory, started.python_path) == ("c", Path("/work"), ("/mine",))
    assert started.job.queue == "long"
    assert started.parent_pid is None
    state = state_of(directory)
    (record,) = state.jobs
    assert (record.job.ids, record.n, record.set_name) == (("17",), 4, "1")
    assert (state.n, state.n_of_jobs, state.systems["1"]["system"]) == (4, 4, "slurm")


def test_what_the_file_says_is_all_that_another_process_needs(sets: JobSets, directory: Path, tape: Tape) -> None:
    sets.start(2, SLURM)
    other = JobSets(directory, load=lambda *_: tape)
    assert other.status()[0][other.records()[0].job].count(JobState.RUNNING) == 2
    other.signal(10, "1")
    other.stop()
    assert (tape.signals, tape.stopped) == ([10], [("17", None)])
    assert (state_of(directory).jobs, state_of(directory).n, state_of(directory).systems) == ([], 0, {})
    assert json.loads((directory / "cluster.json").read_text())["jobs"] == []


def test_a_refusal_has_the_systems_words_and_leaves_no_set(sets: JobSets, directory: Path, tape: Tape) -> None:
    tape.refusal = "sbatch: error: invalid account"
    with pytest.raises(LaunchError, match="invalid account"):
        sets.start(2, SLURM)
    assert (state_of(directory).engine_sets, state_of(directory).systems, state_of(directory).n) == ({}, {}, 0)


def test_a_cluster_that_is_stopped_while_a_job_is_submitted_gets_no_orphan(
    sets: JobSets, directory: Path, tape: Tape
) -> None:
    tape.meanwhile = (directory / "cluster.json").unlink
    with pytest.raises(LaunchError, match="has stopped"):
        sets.start(2, SLURM)
    assert tape.stopped == [("17", None)]


def test_ctrl_c_while_a_job_is_submitted_leaves_no_orphan(sets: JobSets, directory: Path, tape: Tape) -> None:
    """The system has the job, and nobody knows its id yet."""
    tape.meanwhile = lambda: os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        sets.start(2, SLURM)
    assert tape.stopped == [("17", None)]
    assert (state_of(directory).jobs, state_of(directory).systems) == ([], {})


def test_a_set_grows_by_further_jobs_and_is_stopped_as_one(sets: JobSets, directory: Path, tape: Tape) -> None:
    sets.start(2, SLURM, name="big")
    sets.grow("big", 3)
    sets.grow("big", 1)
    assert [each.name for each in tape.started] == ["big", "big+1", "big+2"]
    assert tape.started[1].job.queue == "long"
    assert {record.set_name for record in sets.records("big")} == {"big"}
    assert state_of(directory).n == 6
    sets.stop("big")
    assert {id_ for id_, _ in tape.stopped} == {"17", "18", "19"}
    assert state_of(directory).n == 0


def test_a_job_that_cannot_be_stopped_stays_in_the_file(sets: JobSets, directory: Path, tape: Tape) -> None:
    sets.start(2, SLURM)
    sets.start(1, SLURM)
    tape.cannot_stop = {"17"}
    with pytest.raises(LaunchError, match="cannot stop slurm job 17: scancel: error: the controller does not answer"):
        sets.stop()
    assert [record.job.ids for record in state_of(directory).jobs] == [("17",)]
    tape.cannot_stop = set()
    sets.stop()
    assert state_of(directory).jobs == []


def test_a_job_of_which_nobody_knows_is_forgotten_when_it_is_old_and_was_cancelled(
    sets: JobSets, directory: Path, tape: Tape
) -> None:
    """Else its cluster could never be stopped, nor its name be used again."""
    sets.start(1, SLURM)
    tape.vanished = {"17"}
    with pytest.raises(LaunchError, match=r"nobody says that it has ended: 1 lost .*; try again 120 s after"):
        sets.stop()
    assert state_of(directory).jobs, "it may not be listed yet"
    with files.changing(directory) as state:
        state.jobs = [replace(record, submitted=0.0) for record in state.jobs]
    sets.stop()
    assert state_of(directory).jobs == []


def test_whoever_looks_at_one_set_asks_for_all(directory: Path, tape: Tape) -> None:
    """Else whoever comes first would leave the others without an answer until the system may be asked again."""
    sets = JobSets(directory, load=lambda *_: tape, poll_s=3600.0)
    first, second = sets.start(1, SLURM), sets.start(1, SLURM)
    for name in (first, second):
        statuses, _ = sets.status(name)
        assert list(statuses) == [record.job for record in sets.records(name)]
    assert tape.questions == 1


def test_a_set_that_is_restarted_has_as_many_engines_in_a_new_job(sets: JobSets, directory: Path, tape: Tape) -> None:
    sets.start(3, SLURM)
    sets.restart()
    assert (tape.stopped, tape.started[-1].n) == ([("17", None)], 3)
    assert (state_of(directory).n, len(state_of(directory).jobs)) == (3, 1)


def test_what_has_ended_is_struck_off_for_good(sets: JobSets, directory: Path, tape: Tape) -> None:
    sets.start(4, SLURM)
    assert sets.settle("1", []) == 4
    tape.states = {("17", 1): MemberStatus(JobState.TIMEOUT), ("17", 2): MemberStatus(JobState.FAILED)}
    assert sets.settle("1", []) == 2
    assert state_of(directory).jobs[0].ended == (1, 2)
    tape.states = {("17", member): MemberStatus(JobState.LOST) for member in range(4)}  # the system has forgotten all
    assert JobSets(directory, load=lambda *_: tape).settle("1", []) == 2


def test_a_vanished_job_counts_as_ended_only_if_nobody_serves_from_it_and_it_is_old(
    sets: JobSets, directory: Path, tape: Tape
) -> None:
    sets.start(2, SLURM)
    job = sets.records()[0].job
    tape.states = {("17", 0): MemberStatus(JobState.LOST), ("17", 1): MemberStatus(JobState.LOST)}
    assert sets.settle("1", []) == 2  # it may not be listed yet
    with files.changing(directory) as state:
        state.jobs = [JobRecord(job, 2, submitted=0.0)]
    assert sets.settle("1", [(job, 1)]) == 1
    assert state_of(directory).jobs[0].open_members == [1]


def test_a_job_of_which_all_members_were_stopped_leaves_the_file(sets: JobSets, directory: Path, tape: Tape) -> None:
    sets.start(2, SLURM)
    sets.grow("1", 1)
    first, second = (record.job for record in sets.records())
    sets.stop_members("1", {first: [1], second: [0]})
    assert [(record.job, record.ended) for record in state_of(directory).jobs] == [(first, (1,))]
    assert state_of(directory).n == 1


def test_a_system_that_cannot_cancel_single_members_need_not_once_their_engines_have_left(
    sets: JobSets, directory: Path, tape: Tape
) -> None:
    sets.start(2, SLURM)
    (job,) = (record.job for record in sets.records())
    tape.cannot_stop = {"17"}
    with pytest.raises(LaunchError, match="cannot stop slurm job 17"):
        sets.stop_members("1", {job: [1]})
    assert state_of(directory).n == 2
    sets.stop_members("1", {job: [1]}, have_left=True)
    assert state_of(directory).n == 1


def test_a_system_that_does_not_answer_is_told(sets: JobSets, tape: Tape) -> None:
    sets.start(1, SLURM)
    tape.refusal = "slurm_load_jobs error"
    assert sets.status() == ({}, ["slurm_load_jobs error"])


def test_a_name_is_used_once(sets: JobSets) -> None:
    sets.start(1, SLURM, name="x")
    with pytest.raises(LaunchError, match="'x' has been started already"):
        sets.start(1, SLURM, name="x")
    with pytest.raises(LaunchError, match="no good name"):
        sets.start(1, SLURM, name="x+1")


# ---- the watch


def test_what_the_watch_has_seen_end_is_known_to_have_ended_when_its_system_has_forgotten_it(
    sets: JobSets, directory: Path, tape: Tape
) -> None:
    sets.start(2, SLURM)
    sets.start(1, SLURM)
    tape.states = {("17", 0): MemberStatus(JobState.DONE), ("17", 1): MemberStatus(JobState.FAILED)}
    JobWatch(sets, lambda _: None, 60.0).look()
    assert [record.over for record in state_of(directory).jobs] == [(0, 1), ()]
    assert state_of(directory).n == 3, "they are missing still"
    tape.vanished = {"17"}
    sets.stop()
    assert (tape.stopped, state_of(directory).jobs) == ([("18", None)], [])


def test_the_watch_tells_each_change_once_and_what_the_failed_wrote_last(sets: JobSets, tape: Tape) -> None:
    events: list[str] = []
    watch = JobWatch(sets, events.append, 60.0)
    watch.look()
    assert (events, tape.questions) == ([], 0)  # no jobs, no questions
    sets.start(2, SLURM)
    tape.states = {("17", 1): MemberStatus(JobState.PENDING, "Resources")}
    watch.look()
    watch.look()
    tape.states = {("17", 1): MemberStatus(JobState.FAILED, exit_code=1)}
    watch.look()
    assert events == [
        "engine set 1: slurm job 17: 1 running, 1 pending (Resources)",
        "engine set 1: slurm job 17: 1 running, 1 failed (exit code 1)\nmember 1:\n  last words of 17, member 1",
    ]


def test_the_watch_tells_once_that_a_system_does_not_answer(sets: JobSets, tape: Tape) -> None:
    events: list[str] = []
    watch = JobWatch(sets, events.append, 60.0)
    sets.start(1, SLURM)
    tape.refusal = "squeue: error"
    watch.look()
    watch.look()
    assert events == ["how jobs are is not known now: squeue: error"]
