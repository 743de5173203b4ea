"""How often a system is asked: rarely, not by all at once, and less while it does not answer."""

from collections.abc import Sequence

import pytest
from linden_launchers.launcher import Job, JobState, JobStatus, LaunchError, MemberStatus
from linden_launchers.poll import Schedule, StatusBoard

JOB, OTHER = Job("slurm", "1", ("17",)), Job("slurm", "2", ("18",))


class Queue:
    """A launcher that is only asked."""

    def __init__(self) -> None:
        self.asked: list[Sequence[Job]] = []
        self.state = JobState.PENDING
        self.away = False

    def status(self, jobs: Sequence[Job]) -> dict[Job, JobStatus]:
        self.asked.append(list(jobs))
        if self.away:
            raise LaunchError("no answer")
        return {job: JobStatus({0: MemberStatus(self.state)}) for job in jobs}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def board(queue: Queue, clock: Clock) -> StatusBoard:
    return StatusBoard(queue, clock=clock, chance=lambda: 0.5)  # type: ignore[arg-type]


def test_it_is_asked_at_most_every_half_minute(board: StatusBoard, queue: Queue, clock: Clock) -> None:
    for moment in (0, 1, 29, 32.9):
        clock.now = moment
        assert board.look([JOB])[JOB].state is JobState.PENDING
    assert len(queue.asked) == 1
    clock.now = 33
    queue.state = JobState.RUNNING
    assert board.look([JOB])[JOB].state is JobState.RUNNING


def test_jobs_that_have_ended_are_not_asked_for_again(board: StatusBoard, queue: Queue, clock: Clock) -> None:
    queue.state = JobState.DONE
    board.look([JOB])
    clock.now = 100
    assert board.look([JOB, OTHER])[JOB].state is JobState.DONE
    assert queue.asked == [[JOB], [OTHER]]


def test_while_it_does_not_answer_it_is_asked_less_and_less(board: StatusBoard, queue: Queue, clock: Clock) -> None:
    board.look([JOB])
    queue.away = True
    pauses = []
    for _ in range(7):
        clock.now = board.due
        assert board.look([JOB])[JOB].state is JobState.PENDING, "what was known stands"
        assert str(board.failure) == "no answer"
        pauses.append(board.due - clock.now)
    assert pauses == sorted(pauses)
    assert pauses[0] > 60
    assert pauses[-1] == pauses[-2] == 660
    queue.away = False
    clock.now = board.due
    board.look([JOB])
    assert board.failure is None
    assert board.due - clock.now == 33


def test_not_all_clusters_of_a_site_ask_at_the_same_moment() -> None:
    schedule = Schedule()
    assert schedule.pause_s(0, 0.0) == 30
    assert schedule.pause_s(0, 1.0) == 36
