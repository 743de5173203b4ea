"""space-cluster logs: what server, supervisor and engines have written, wherever that is."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .cluster_file import cluster_directory, read_cluster_file
from .exit_codes import EXIT_FAILED, EXIT_NO_CLUSTER, EXIT_OK
from .job_sets import JobSets
from .launcher import LaunchError


class Log(NamedTuple):
    """The end of what one process has written."""

    name: str  # "server", "supervisor", "engine 1-0"
    path: str
    lines: list[str]


def logs(options: argparse.Namespace) -> int:
    """Prints the last lines of logs."""
    directory = cluster_directory(options.cluster_id)
    if not directory.is_dir():
        print(f"space-cluster: there is no cluster {options.cluster_id!r}, nor anything left of one", file=sys.stderr)
        return EXIT_NO_CLUSTER
    found = [log for log in find_logs(directory, options.lines) if _is_wanted(log.name, options.which)]
    if options.json:
        print(json.dumps([log._asdict() for log in found], indent=1))
    else:
        for log in found:
            print(f"==> {log.name}: {log.path} <==")
            print("\n".join(log.lines) or "(empty)")
    if not found:
        print(
            f"space-cluster: no log of {', '.join(options.which) or 'anything'} in {directory / 'log'}", file=sys.stderr
        )
        return EXIT_FAILED
    return EXIT_OK


def find_logs(directory: Path, lines: int) -> Iterator[Log]:
    """Of a cluster that runs or has run: the files in its folder, and what its jobs have written elsewhere."""
    files = sorted((directory / "log").glob("*.log"), key=_order)
    for path in files:
        yield Log(_name(path), str(path), _tail(path, lines))
    state = read_cluster_file(directory)
    if state is None:
        return
    sets = JobSets(directory)
    for record in state.jobs:
        for member in range(record.job.members):
            path = Path(record.job.log.replace("{index}", str(member)))
            if path in files or (record.job.log and path.exists()):
                continue
            try:
                text = sets.log(record.job, member, lines)
            except LaunchError as error:
                text = f"(no log: {error})"
            yield Log(f"engine {record.job.engine_set}-{member}", str(record.job), text.splitlines())


def _is_wanted(name: str, which: list[str]) -> bool:
    """By name ("server"), by engine set ("1"), or by engine ("1-0"); nothing named is all."""
    word = name.removeprefix("engine ")
    return not which or any(word == each or word.startswith((f"{each}-", f"{each}+")) for each in which)


def _name(path: Path) -> str:
    return path.stem.replace("engine-", "engine ", 1)


def _order(path: Path) -> tuple[bool, str]:
    return path.stem.startswith("engine-"), path.stem


def _tail(path: Path, lines: int) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:] if lines > 0 else []
