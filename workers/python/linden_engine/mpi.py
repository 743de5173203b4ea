"""Engines that are ranks of an MPI program: ``mpiexec -n 4 space-engine --mpi``."""

from __future__ import annotations

from typing import Any, NamedTuple

from linden import _native

from .registration import set_aside


class MpiMissing(RuntimeError):
    """MPI was asked for and cannot be had."""


class Rank(NamedTuple):
    """This process's place in MPI's world."""

    rank: int
    size: int
    module: Any  # mpi4py.MPI

    def names(self) -> dict[str, Any]:
        """What user code finds in the namespace."""
        return {"MPI": self.module, "mpi_rank": self.rank, "mpi_size": self.size}

    def take_id(self, space: _native.Space) -> int:
        """The engine id of this rank: ranks have ids in a row, which begin with 0 if they are the farm's first engines.

        To be called by all ranks.
        """
        first = set_aside(space, self.size) if self.rank == 0 else None
        return int(self.module.COMM_WORLD.bcast(first, root=0)) + self.rank


def start() -> Rank:
    """Initialize MPI.

    Raises: MpiMissing.
    """
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py without any MPI library
        raise MpiMissing(
            f"--mpi needs mpi4py and an MPI library, and this Python cannot import it ({error}); "
            "`pip install mpi4py` beside linden, or start the engine without --mpi"
        ) from error
    world = MPI.COMM_WORLD
    return Rank(int(world.Get_rank()), int(world.Get_size()), MPI)
