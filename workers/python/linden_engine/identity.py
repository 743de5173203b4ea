"""Which engine this is of those that a launcher has started: cluster, set, job, index in the job's array, rank.  Pure.

The registration tuple carries it, so the space can tell which members of a job serve, and the batch system is asked about the others
only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TEXTS = {"cluster": "LINDEN_CLUSTER_ID", "set": "LINDEN_ENGINE_SET", "job": "LINDEN_JOB_ID"}
# What starters of parallel programs call it, in case that one started us: OpenMPI, MPICH and Intel MPI, Slurm.
_RANKS = ("LINDEN_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")


def identity(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the launcher has said in the environment; empty for an engine that was started by hand."""
    found: dict[str, Any] = {
        name: environment[variable] for name, variable in _TEXTS.items() if environment.get(variable)
    }
    if "set" not in found:
        return {}
    for name, variables in (("index", ("LINDEN_ARRAY_INDEX",)), ("rank", _RANKS)):
        numbers = (environment.get(variable, "") for variable in variables)
        if number := next((number for number in numbers if number.isdigit()), None):
            found[name] = int(number)
    return found
