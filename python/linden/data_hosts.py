"""Hosts, as large data see them: processes that share a memory directory, and so a store; and on which of them engines serve."""

from __future__ import annotations

import os
import time

from . import _native, farm

# The engines' hosts are asked for no more often than this.
_LOOK_S = 5.0
_PAGE = 1000


def host_id() -> str:
    """The same for all processes that share a memory directory, and for no others."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    try:
        found = os.stat(os.environ.get("LINDEN_DATA_DIRECTORY") or "/dev/shm")
    except OSError:
        return f"{boot}:none"
    return f"{boot}:{found.st_dev}:{found.st_ino}"


class EngineHosts:
    """On which hosts engines serve, as it was a few seconds ago."""

    def __init__(self, space: _native.Space) -> None:
        self._space = space
        self._looked = 0.0
        self._hosts: set[str] = set()
        self._own = ""

    @property
    def share(self) -> bool:
        """Whether one of them is this host."""
        self._look()
        return self._own in self._hosts

    @property
    def own(self) -> str:
        """This one's id, if engines share it and others do not, so that it matters where a task runs; else ""."""
        self._look()
        return self._own if len(self._hosts) > 1 and self._own in self._hosts else ""

    @property
    def are_several(self) -> bool:
        """Whether there are engines on more than one host."""
        self._look()
        return len(self._hosts) > 1

    def _look(self) -> None:
        if self._looked and time.monotonic() - self._looked < _LOOK_S:
            return
        form = farm.engines_form()
        rows = self._space.client.wait(self._space.send_list(form, limit=_PAGE, all_states=False))["tuples"]
        self._hosts = {farm.parse_engine(row["fields"]).info.get("host_id", "") for row in rows} - {""}
        self._own = host_id()
        self._looked = time.monotonic()
