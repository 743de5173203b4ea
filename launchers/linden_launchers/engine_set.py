"""EngineSet: how many engines, and what each of them needs to know.  A value; launchers turn it into processes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .job_options import JobOptions
from .launcher import LaunchError


@dataclass(frozen=True)
class EngineSet:
    """*n* engines that are started and stopped together."""

    name: str
    n: int
    address: str  # "unix:/path" or "tcp:host:port", or the path of a connection file
    log_directory: Path
    space: str = "farm"
    # After its connection broke, the server keeps what an engine holds for this long (P18).  A Unix connection breaks only when a
    # process dies: the engine, and then its tasks should go to others at once, or the server, and then the engine is back
    # within milliseconds of the restart, when leases are re-armed in full (P20).  Over TCP a network may hang: use 5 s there.
    hold_s: float = 1.0
    parent_pid: int | None = None  # the engines end when this process does
    python: str = sys.executable
    directory: Path | None = None  # working directory; None is that of the caller
    environment: dict[str, str] = field(default_factory=dict)  # added to the caller's
    arguments: tuple[str, ...] = ()  # further options of space-engine

    python_path: tuple[str, ...] = ()  # comes first in the engines' PYTHONPATH
    cluster_id: str = ""  # the engines say so where they register
    job: JobOptions = field(default_factory=JobOptions)  # for launchers that ask a batch system

    def to_dict(self) -> dict[str, Any]:
        """What another process needs to start more engines like these, beside where the cluster is."""
        return {
            "n": self.n,
            "space": self.space,
            "hold_s": self.hold_s,
            "python": self.python,
            "directory": str(self.directory) if self.directory else None,
            "environment": dict(self.environment),
            "arguments": list(self.arguments),
            "python_path": list(self.python_path),
            "cluster_id": self.cluster_id,
            "job": self.job.to_dict(),
        }

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], *, name: str, address: str, log_directory: Path, parent_pid: int | None
    ) -> EngineSet:
        """The inverse of `to_dict`.  Raises: LaunchError: these values come from another version."""
        try:
            own = {
                **values,
                "directory": Path(values["directory"]) if values["directory"] else None,
                "arguments": tuple(values["arguments"]),
                "python_path": tuple(values["python_path"]),
                "job": JobOptions.from_dict(values["job"]),
            }
            return cls(name=name, address=address, log_directory=log_directory, parent_pid=parent_pid, **own)
        except (KeyError, TypeError) as error:
            raise LaunchError(f"engine set {name!r} was written by another version of Linden: {error}") from error

    def log_of(self, index: int) -> Path:
        return self.log_directory / f"engine-{self.name}-{index}.log"


def check_count(n: object) -> int:
    """Returns a number of engines.  Raises: TypeError, ValueError: it is none."""
    if type(n) is not int:
        raise TypeError(f"n is {n!r}; a number of engines is wanted, an int")
    if n < 0:
        raise ValueError(f"n is {n}; a number of engines, 0 or more, is wanted")
    return n
