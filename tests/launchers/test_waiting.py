"""Waiting for engines, with a farm and jobs of the test's own: when it goes on, when it gives up, and what it says."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from linden_launchers import LaunchError
from linden_launchers.cluster_file import JobRecord
from linden_launchers.job_sets import JobSets
from linden_launchers.launcher import Job, JobState, JobStatus, MemberStatus
from linden_launchers.progress import Progress
from linden_launchers.waiting import _wait

JOB = Job("slurm", "1", ("17",), 2)


class Logs(JobSets):
    """Jobs whose logs are known."""

    def __init__(self) -> None:
        super().__init__(Path("/c"))

    def log(self, job: Job, member: int, lines: int = 8) -> str:
        return f"  last words of member {member}"


def at(serving: int, *states: MemberStatus) -> Progress:
    return Progress(2, serving, [JobRecord(JOB, 2)], {JOB: JobStatus(dict(enumerate(states)))})


PENDING, RUNNING = MemberStatus(JobState.PENDING, "Resources"), MemberStatus(JobState.RUNNING)
FAILED = MemberStatus(JobState.FAILED, exit_code=1)


def wait(
    looks: list[Progress], *, timeout: float = 60.0, queue_timeout: float | None = None, clock: Callable[[], float]
) -> list[str]:
    """Plays `looks`; all serve after the last one."""
    told: list[str] = []
    left: Iterator[Progress] = iter(looks)
    now: list[Progress | None] = []

    def serve(_slice_s: float) -> bool:
        now[:] = [next(left, None)]
        return now[0] is None

    def look() -> tuple[Progress, bool]:
        assert now[0] is not None
        return now[0], now[0].on_their_way >= 2

    _wait(serve, look, Logs(), timeout, queue_timeout, told.append, clock)
    return told


class Clock:
    """Goes on by a step at each look at it."""

    def __init__(self, step_s: float = 1.0) -> None:
        self.now = 0.0
        self.step_s = step_s

    def __call__(self) -> float:
        self.now += self.step_s
        return self.now


def test_each_change_is_told_once() -> None:
    looks = [at(0, PENDING, PENDING)] * 3 + [at(0, RUNNING, PENDING), at(1, RUNNING, PENDING)]
    assert wait(looks, clock=Clock()) == [
        "0 of 2 engines, 2 pending: Resources",
        "0 of 2 engines, 1 pending: Resources, 1 starting",
        "1 of 2 engines, 1 pending: Resources",
    ]


def test_time_in_the_queue_does_not_count() -> None:
    assert wait([at(0, PENDING, PENDING)] * 1000, timeout=5.0, clock=Clock())
    with pytest.raises(LaunchError, match=r"0 of 2 engines, 2 starting after \d+ s; see /c/log"):
        wait([at(0, RUNNING, RUNNING)] * 1000, timeout=5.0, clock=Clock())


def test_a_system_that_does_not_answer_yet_cancels_nothing() -> None:
    """It is asked again a minute later, by when it may say that the job waits in its queue."""
    unanswered = Progress(2, 0, [JobRecord(JOB, 2)], {}, ["squeue ended with code 1"])
    told = wait([unanswered] * 100 + [at(0, PENDING, PENDING)] * 100, timeout=5.0, clock=Clock())
    assert told == ["0 of 2 engines, squeue ended with code 1", "0 of 2 engines, 2 pending: Resources"]


def test_the_queue_has_a_time_of_its_own_and_the_reason_is_in_the_error() -> None:
    with pytest.raises(LaunchError, match=r"0 of 2 engines, 2 pending: Resources after \d+ s"):
        wait([at(0, PENDING, PENDING)] * 1000, queue_timeout=10.0, clock=Clock())


def test_what_will_not_come_is_not_waited_for() -> None:
    with pytest.raises(LaunchError) as raised:
        wait([at(1, RUNNING, FAILED)] * 1000, clock=Clock())
    assert str(raised.value) == (
        "1 of 2 engines, 1 failed: exit code 1; so many will not come any more\n"
        "slurm job 17, member 1: failed (exit code 1)\n  last words of member 1"
    )
