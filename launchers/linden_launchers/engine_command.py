"""Argument list and environment of one engine.  Pure: a launcher for ssh or Slurm uses the same."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from .engine_set import EngineSet


def engine_argv(engine_set: EngineSet) -> list[str]:
    """The command line that starts one engine of *engine_set*."""
    argv = [engine_set.python, "-m", "linden_engine", "--connection", engine_set.address, "--space", engine_set.space]
    argv += ["--hold", f"{engine_set.hold_s:g}"]
    if engine_set.parent_pid is not None:
        argv += ["--parent-pid", str(engine_set.parent_pid)]
    return [*argv, *engine_set.arguments]


def engine_environment(
    engine_set: EngineSet, base: Mapping[str, str], *, python_path: Sequence[str] = ()
) -> dict[str, str]:
    """*base* with what the set asks for.  *python_path* comes first in PYTHONPATH, so that engines import what the caller imports."""
    environment = dict(base)
    if python_path:
        present = [part for part in environment.get("PYTHONPATH", "").split(os.pathsep) if part]
        added = [part for part in python_path if part not in present]
        environment["PYTHONPATH"] = os.pathsep.join([*added, *present])
    environment.update(engine_set.environment)
    return environment


# What a batch job says of itself to its shell; engines that are started from there are others.
_OF_A_JOB = ("LINDEN_JOB_ID", "LINDEN_ARRAY_INDEX", "LINDEN_RANK", "LINDEN_JOB_END")


def as_member(engine_set: EngineSet, environment: Mapping[str, str], index: int) -> dict[str, str]:
    """*environment* and which engine of which set it is for, which the engine's registration tells."""
    made = {name: value for name, value in environment.items() if name not in _OF_A_JOB}
    made |= {"LINDEN_ENGINE_SET": engine_set.name, "LINDEN_ARRAY_INDEX": str(index)}
    return made | ({"LINDEN_CLUSTER_ID": engine_set.cluster_id} if engine_set.cluster_id else {})


def script_directory(sys_path: Sequence[str]) -> list[str]:
    """Where the running script's own modules lie (the first entry of sys.path), as a list of none or one absolute path."""
    if not sys_path:
        return []
    first = Path(sys_path[0] or os.curdir).resolve()
    return [str(first)] if first.is_dir() else []
