"""EngineSet: how many engines, and what each of them needs to know.  A value; launchers turn it into processes."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path


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

    def log_of(self, index: int) -> Path:
        return self.log_directory / f"engine-{self.name}-{index}.log"
