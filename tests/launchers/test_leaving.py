"""Who leaves when a set shrinks."""

import pytest
from linden import farm
from linden_launchers import LaunchError
from linden_launchers.cluster_file import JobRecord
from linden_launchers.farm_load import FarmLoad
from linden_launchers.launcher import Job, JobState, JobStatus, MemberStatus
from linden_launchers.leaving import choose_engines, choose_members, place_of

ARRAY = Job("slurm", "1", ("17",), 4)
SINGLE = Job("generic", "2", ("21", "22"), 2)
RUNNING, PENDING = MemberStatus(JobState.RUNNING), MemberStatus(JobState.PENDING, "Resources")


def engine(id_: int, index: int = 0, set_: str = "1", job: str = "17") -> farm.Engine:
    return farm.Engine(id_, f"session-{id_}", {"set": set_, "job": job, "index": index, "pid": id_})


def load(*engines: farm.Engine, held: dict[int, int] | None = None, own: dict[int, int] | None = None) -> FarmLoad:
    return FarmLoad(list(engines), 0, 0.0, held or {}, own or {})


def test_idle_engines_leave_before_busy_ones_and_the_youngest_first() -> None:
    engines = [engine(id_) for id_ in range(4)]
    seen = load(*engines, held={0: 1, 2: 3}, own={3: 1})
    assert [each.id for each in choose_engines(engines, seen, 4)] == [1, 3, 0, 2]
    assert [each.id for each in choose_engines(engines, load(*engines), 2)] == [3, 2]
    assert choose_engines(engines, seen, 0) == []


def test_an_engine_says_which_member_of_which_job_it_is() -> None:
    records = [JobRecord(ARRAY, 4), JobRecord(SINGLE, 2)]
    assert place_of(engine(0, index=3), records) == (ARRAY, 3)
    assert place_of(engine(0, set_="2", job="22"), records) == (SINGLE, 1)
    assert place_of(engine(0, set_="3"), records) is None
    assert place_of(farm.Engine(0, "s", {"pid": 1}), records) is None


def test_members_that_still_wait_are_given_up_first() -> None:
    statuses = {ARRAY: JobStatus({0: RUNNING, 1: RUNNING, 2: PENDING, 3: PENDING})}
    seen = load(engine(0, 0), engine(1, 1), held={0: 1})
    leavers = choose_members([JobRecord(ARRAY, 4)], statuses, seen, 3)
    assert leavers.members == {ARRAY: [3, 2, 1]}
    assert [each.id for each in leavers.engines] == [1]
    assert leavers.count == 3


def test_members_that_have_ended_are_not_counted() -> None:
    over = MemberStatus(JobState.FAILED)
    statuses = {ARRAY: JobStatus({0: RUNNING, 1: over, 2: RUNNING, 3: RUNNING})}
    leavers = choose_members([JobRecord(ARRAY, 4, ended=(3,))], statuses, load(engine(0, 0), engine(1, 2)), 1)
    assert leavers.members == {ARRAY: [2]}


def test_only_whole_members_leave() -> None:
    pair = Job("slurm", "1", ("17",), 3)
    record = JobRecord(pair, 6)
    engines = [engine(id_, index=id_ // 2) for id_ in range(6)]
    leavers = choose_members([record], {}, load(*engines, held={5: 1}), 3)
    assert leavers.members == {pair: [1]}
    assert sorted(each.id for each in leavers.engines) == [2, 3]


def test_what_is_one_program_cannot_lose_a_part() -> None:
    program = Job("mpi", "1", ("4711@1",), 1)
    with pytest.raises(LaunchError, match="4 engines start and end together"):
        choose_members([JobRecord(program, 4)], {}, load(*(engine(id_) for id_ in range(4))), 2)
