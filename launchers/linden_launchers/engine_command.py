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


def script_directory(sys_path: Sequence[str]) -> list[str]:
    """Where the running script's own modules lie (the first entry of sys.path), as a list of none or one absolute path."""
    if not sys_path:
        return []
    first = Path(sys_path[0] or os.curdir).resolve()
    return [str(first)] if first.is_dir() else []
