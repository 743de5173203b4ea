"""Engines that are ranks of an MPI program: ``mpiexec -n 4 space-engine --mpi``.

With mpi4py the rank is that of its COMM_WORLD, which tasks may use.  Without, it is the one that mpiexec or srun has told this process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from linden import _native, farm

from .registration import set_aside

AUTO, WITH_MPI4PY, ENVIRONMENT = "auto", "mpi4py", "environment"
MODES = (AUTO, WITH_MPI4PY, ENVIRONMENT)

WORLD_VARIABLE = "LINDEN_MPI_WORLD"  # set by launchers; each start of a program has another value

# Who starts ranks, and which variables it gives them: Open MPI, MPICH and its kin, Slurm's srun.
_RANK_AND_SIZE = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("PMIX_RANK", "SLURM_STEP_NUM_TASKS"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
)
# What is the same for all ranks of one start, and for no other program.
_WORLDS = ((WORLD_VARIABLE,), ("PMIX_NAMESPACE",), ("SLURM_JOB_ID", "SLURM_STEP_ID"))
_IDS_S = 60.0


class MpiMissing(RuntimeError):
    """MPI was asked for and cannot be had."""


class Rank(NamedTuple):
    """This process's place in MPI's world."""

    rank: int
    size: int
    module: Any = None  # mpi4py.MPI
    world: str = ""  # what its ranks have in common; empty: not known

    def names(self) -> dict[str, Any]:
        """What user code finds in the namespace."""
        module = {} if self.module is None else {"MPI": self.module}
        return {**module, "mpi_rank": self.rank, "mpi_size": self.size}

    def info(self) -> dict[str, Any]:
        """What the engine says of itself in its tuple."""
        return {"mpi_rank": self.rank, "mpi_size": self.size, "mpi_world": self.world}

    def take_id(self, space: _native.Space) -> int | None:
        """The engine id of this rank: ranks have ids in a row, which begin with 0 if they are the farm's first engines.

        To be called by all ranks.  None: the ranks do not know each other, so each takes the next id.
        """
        if self.module is not None:
            first = set_aside(space, self.size) if self.rank == 0 else None
            return int(self.module.COMM_WORLD.bcast(first, root=0)) + self.rank
        if not self.world:
            return None
        client = space.client
        if self.rank == 0:
            first = set_aside(space, self.size)
            client.wait(space.send_put([farm.first_rank(self.world, first, client.session)]))
            return first
        tuple_ = client.wait(space.send_take(_native.READ, [farm.first_rank_form(self.world)], timeout=_IDS_S))[0]
        return int(tuple_.fields[2]) + self.rank


def start(mode: str = AUTO, environment: Mapping[str, str] = os.environ) -> Rank:
    """Find out the rank; with mpi4py, initialize MPI.

    Raises: MpiMissing.
    """
    told = rank_in(environment)
    module = None if mode == ENVIRONMENT else _import_mpi4py(needed=mode == WITH_MPI4PY or told is None)
    if module is None:
        if told is None:
            raise MpiMissing(
                f"--mpi={ENVIRONMENT} finds no rank in the environment; start the engine by mpiexec or srun, or without --mpi"
            )
        return Rank(*told, None, world_in(environment))
    comm = module.COMM_WORLD
    rank, size = int(comm.Get_rank()), int(comm.Get_size())
    if told is not None and told != (rank, size):
        raise MpiMissing(
            f"this process was started as rank {told[0]} of {told[1]}, and mpi4py's MPI library says rank {rank} of {size}: it is "
            "not the one that mpiexec or srun belongs to; use that library's own mpiexec (srun: with --mpi=pmix or --mpi=pmi2), "
            f"or --mpi={ENVIRONMENT}"
        )
    return Rank(rank, size, module, str(comm.bcast(os.urandom(16).hex() if rank == 0 else None, root=0)))


def _import_mpi4py(*, needed: bool) -> Any:
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py without any MPI library
        if not needed:
            return None
        raise MpiMissing(
            f"--mpi needs mpi4py and an MPI library, and this Python cannot import it ({error}); "
            "`pip install mpi4py` beside linden, or start the engine by mpiexec or srun, or without --mpi"
        ) from error
    return MPI


def rank_in(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """Rank and size as mpiexec or srun says; None if neither has started this process."""
    for rank, size in _RANK_AND_SIZE:
        if environment.get(rank, "").isdigit() and environment.get(size, "").isdigit():
            return int(environment[rank]), int(environment[size])
    return None


def world_in(environment: Mapping[str, str]) -> str:
    """What all ranks of this start have in common; empty if nothing says."""
    for names in _WORLDS:
        if all(environment.get(name) for name in names):
            return ".".join(environment[name] for name in names)
    return ""
