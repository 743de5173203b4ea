"""Ranks of real MPI programs as engines: what they know, with mpi4py and without, and what goes wrong in a way that can be understood."""

import pytest
from linden_launchers.launcher import JobState
from linden_launchers.plugins import load_launcher

from tests.launchers.contract.conftest import Contract

pytestmark = [pytest.mark.needs("mpi"), pytest.mark.timeout(300)]


def sum_of_ranks() -> int:
    from mpi4py import MPI

    return int(MPI.COMM_WORLD.allreduce(MPI.COMM_WORLD.rank))


def test_engine_ids_follow_ranks_and_tasks_communicate_by_mpi(contract: Contract) -> None:
    contract.start_and_wait(4)
    rc = contract.client
    assert [engine.info["mpi_rank"] for engine in rc.engines()] == [0, 1, 2, 3]
    assert rc[:]["(mpi_rank, mpi_size, MPI.COMM_WORLD.rank)"] == [(rank, 4, rank) for rank in range(4)]
    assert rc[:].apply_sync(sum_of_ranks) == [6] * 4


def test_several_programs_are_one_system_with_a_view_for_each(contract: Contract) -> None:
    contract.start_and_wait(2)
    second = contract.start_and_wait(2)
    first_view, second_view = contract.client.mpi_views()
    assert [first_view.targets, second_view.targets] == [[0, 1], [2, 3]]
    assert first_view.apply_sync(sum_of_ranks) == [1, 1], "each program is a world of its own"
    assert contract.client.load_balanced_view().map_sync(abs, range(-8, 0)) == list(range(8, 0, -1))
    contract.launcher.stop(second)
    contract.wait_ids([0, 1])
    assert len(contract.client.mpi_views()) == 1


def test_without_mpi4py_ranks_know_what_mpiexec_has_told_them(contract: Contract) -> None:
    options = {**contract.system.launcher_options(), "mpi4py": "environment"}
    contract.launcher = load_launcher("mpi", options)
    contract.start_and_wait(3)
    rc = contract.client
    assert rc[:]["(mpi_rank, mpi_size)"] == [(0, 3), (1, 3), (2, 3)]
    assert rc[:]["'MPI' in globals()"] == [False] * 3
    assert [view.targets for view in rc.mpi_views()] == [[0, 1, 2]]


def test_mpi4py_of_another_mpi_is_noticed_and_said(contract: Contract) -> None:
    """It would say to each rank that it is alone."""
    environment = {**contract.system.engine_environment(), **contract.system.wrong_mpi()}
    job = contract.start(2, environment=environment)
    status = contract.wait_status(job, lambda status: status.is_over)
    assert status.state is JobState.FAILED
    assert "not the one that mpiexec or srun belongs to" in contract.launcher.log(job, lines=60)
