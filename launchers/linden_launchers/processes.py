"""The processes of a cluster as `Cluster.controller` and `Cluster.engines` show them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .cluster_file import GROWN, ClusterState, ProcessRecord
from .process import signal_number, signal_process

if TYPE_CHECKING:
    from .cluster import Cluster


class EngineProcesses:
    """One engine set of a cluster, as it was when it was looked up."""

    def __init__(self, cluster: Cluster, engine_set_id: str, state: ClusterState) -> None:
        self.engine_set_id = engine_set_id
        self._cluster = cluster
        self._records = [record for record in state.running_engines() if record.engine_set == engine_set_id]
        self._wanted = int(state.engine_sets[engine_set_id]["n"])
        self.jobs = [record.job for record in state.jobs_of(engine_set_id)] if engine_set_id in state.systems else []

    @property
    def n(self) -> int:
        """How many engines were started."""
        return self._wanted

    @property
    def pids(self) -> list[int]:
        """Of those that run as processes of this cluster's machine; those of other systems have `jobs`."""
        return [record.pid for record in self._records]

    def get_output(self, remove: bool = False) -> str:
        """What the engines have written that belongs to no task, one after the other; `remove`: and forget it."""
        logs = self._cluster.directory / "log"
        patterns = [f"engine-{self.engine_set_id}-*.log", f"engine-{self.engine_set_id}{GROWN}*-*.log"]
        return _content(sorted(log for pattern in patterns for log in logs.glob(pattern)), remove)

    def signal(self, signum: int | str) -> None:
        """Send a signal to each."""
        self._cluster.signal_engines_sync(signum, self.engine_set_id)

    def stop(self) -> None:
        """End them."""
        self._cluster.stop_engines_sync(self.engine_set_id)

    def __repr__(self) -> str:
        if self.jobs:
            return f"<EngineProcesses {self.engine_set_id!r}: {self.n} of {', '.join(map(str, self.jobs))}>"
        return f"<EngineProcesses {self.engine_set_id!r}: {len(self.pids)} of {self.n} run>"


class ControllerProcess:
    """The server of a cluster, as it was when it was looked up."""

    def __init__(self, directory: Path, state: ClusterState) -> None:
        assert state.server is not None
        self._record: ProcessRecord = state.server
        self._state = state
        self._directory = directory

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._record.pid

    @property
    def running(self) -> bool:
        """Whether it is alive."""
        return self._state.alive(self._record)

    def get_output(self, remove: bool = False) -> str:
        """What the server has written; `remove`: and forget it."""
        return _content([self._directory / "log" / "server.log"], remove)

    def signal(self, signum: int | str) -> None:
        """Send it a signal."""
        signal_process(self._record.id, signal_number(signum))

    def __repr__(self) -> str:
        return f"<ControllerProcess {self.pid}: {'running' if self.running else 'gone'}>"


def _content(logs: list[Path], remove: bool) -> str:
    found = [log for log in logs if log.exists()]
    text = "".join(log.read_text(encoding="utf-8", errors="replace") for log in found)
    if remove:
        for log in found:
            log.write_text("")  # its process goes on writing at the end of the file
    return text
