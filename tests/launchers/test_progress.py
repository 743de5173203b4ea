"""What is said of engines that are waited for."""

from linden_launchers.cluster_file import JobRecord
from linden_launchers.launcher import Job, JobState, JobStatus, MemberStatus
from linden_launchers.progress import Progress

JOB = Job("slurm", "1", ("17",), 64)


def members(*groups: tuple[int, JobState, str]) -> JobStatus:
    states = [MemberStatus(state, reason) for count, state, reason in groups for _ in range(count)]
    return JobStatus(dict(enumerate(states)))


def progress(serving: int, *groups: tuple[int, JobState, str], n: int = 64, job: Job = JOB) -> Progress:
    return Progress(n, serving, [JobRecord(job, n)], {job: members(*groups)})


def test_what_is_missing_is_told_with_the_systems_reason() -> None:
    running, pending = (7, JobState.RUNNING, ""), (57, JobState.PENDING, "Resources")
    assert str(progress(7, running, pending)) == "7 of 64 engines, 57 pending: Resources"
    assert progress(7, running, pending).on_their_way == 64


def test_the_commonest_reasons_come_first_and_held_before_pending() -> None:
    shown = progress(
        0, (2, JobState.PENDING, "Priority"), (60, JobState.PENDING, "Resources"), (2, JobState.HELD, "user hold")
    )
    assert str(shown) == "0 of 64 engines, 2 held: user hold, 62 pending: Resources; Priority"


def test_engines_whose_job_runs_and_that_do_not_serve_yet_are_starting() -> None:
    assert str(progress(1, (64, JobState.RUNNING, ""))) == "1 of 64 engines, 63 starting"


def test_what_has_ended_will_not_come_but_what_is_lost_may() -> None:
    shown = progress(10, (10, JobState.RUNNING, ""), (50, JobState.FAILED, "NonZeroExitCode"), (4, JobState.LOST, ""))
    assert str(shown) == "10 of 64 engines, 50 failed: NonZeroExitCode, 4 lost"
    assert shown.on_their_way == 14
    assert shown.ended()[0] == (JOB, 10)
    assert len(shown.ended()) == 50


def test_members_of_several_engines_count_as_many() -> None:
    job = Job("slurm", "1", ("17",), 3)
    shown = progress(4, (1, JobState.RUNNING, ""), (2, JobState.PENDING, "Resources"), n=10, job=job)
    assert str(shown) == "4 of 10 engines, 6 pending: Resources"


def test_a_system_that_does_not_answer_is_told_in_one_line() -> None:
    shown = Progress(2, 0, [JobRecord(JOB, 2)], {}, ["squeue ended with code 1\n  slurm_load_jobs error"])
    assert str(shown) == "0 of 2 engines, squeue ended with code 1"
    assert str(Progress(1, 1)) == "1 of 1 engine"


def test_of_what_has_ended_failures_come_first_since_their_logs_say_why() -> None:
    job = Job("slurm", "1", ("17",), 2)
    shown = progress(0, (1, JobState.CANCELLED, ""), (1, JobState.FAILED, ""), n=2, job=job)
    assert [index for _, index in shown.ended()] == [1, 0]
