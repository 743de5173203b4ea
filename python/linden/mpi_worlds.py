"""Client.mpi_views: which engines are the ranks of one MPI program."""

from __future__ import annotations

from collections.abc import Iterable

from . import farm


def worlds(engines: Iterable[farm.Engine]) -> list[list[int]]:
    """Engine ids of each MPI program, in the order of ranks; the program whose rank 0 came first is first.

    A program of which a rank does not serve is left out: its collective calls would wait for ever.
    """
    programs: dict[str, dict[int, farm.Engine]] = {}
    for engine in engines:
        if engine.info.get("mpi_world"):
            programs.setdefault(engine.info["mpi_world"], {})[engine.info["mpi_rank"]] = engine
    found = []
    for ranks in programs.values():
        size = next(iter(ranks.values())).info["mpi_size"]
        if sorted(ranks) == list(range(size)):
            found.append([ranks[rank].id for rank in range(size)])
    return sorted(found)
