"""The script that would be submitted, without submitting it."""

from __future__ import annotations

import sys
from pathlib import Path

from linden.connection_file import CONNECTION_FILE

from .engine_command import script_directory
from .engine_options import EngineOptions
from .engine_set import check_count
from .job_sets import address_list
from .launcher import LaunchError
from .plugins import load_system


def render_job(options: EngineOptions, n: int, directory: Path, *, python_path: tuple[str, ...] | None = None) -> str:
    """The script, and the files that lie beside it, for *n* engines of the cluster of *directory*, which need not run.

    Raises: LaunchError: engines of this system are started without a script.
    """
    if options.is_local:
        raise LaunchError(
            "local engines are processes of this machine, which no script starts; name a system with --engines"
        )
    connection = directory / CONNECTION_FILE
    address = (
        address_list(directory) if connection.exists() else str(connection)
    )  # before it runs nobody knows its addresses
    path = tuple(script_directory(sys.path)) if python_path is None else python_path
    engine_set = options.job_set("1", check_count(n), address=address, cluster=directory, python_path=path)
    script = load_system(options.system, options.launcher).render(engine_set)
    beside = "".join(f"\n# ---- {each.name}\n{each.text}" for each in script.companions)
    return script.text + beside
