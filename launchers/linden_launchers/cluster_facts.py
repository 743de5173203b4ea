"""ClusterFacts: what a Cluster is and what runs of it, looked up in its files; and how it is shown."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from . import cluster_file
from .cluster_file import ClusterState
from .local_cluster import LocalCluster
from .processes import ControllerProcess, EngineProcesses
from .running_cluster import RunningCluster

if TYPE_CHECKING:
    pass

if TYPE_CHECKING:
    from .cluster import Cluster


class ClusterFacts:
    """What Cluster is beneath: the part that changes nothing, but its files."""

    _running: LocalCluster | RunningCluster
    _options: dict[str, Any]

    # What it is

    @property
    def n(self) -> int:
        """Engines that it starts, or of one that was joined: that it should have."""
        return self._running.n

    @property
    def cluster_id(self) -> str:
        """Its name."""
        return self._running.cluster_id

    @property
    def restarts_engines(self) -> bool:
        """Whether an engine that dies is started again."""
        return self._running.restarts_engines

    @property
    def profile_dir(self) -> str:
        """The directory below which its files are: ``$LINDEN_HOME``, unless it was made with another."""
        return str(self.directory.parent.parent)

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return self._running.directory

    @property
    def connection_file(self) -> Path:
        """How to reach its server; what a Client or an engine is given."""
        return self._running.connection_file

    @property
    def cluster_file(self) -> Path:
        """What runs of it; what `from_file` reads."""
        return self._running.cluster_file

    @property
    def controller(self) -> ControllerProcess | None:
        """The server; None before it was started."""
        state = self._state()
        return ControllerProcess(self.directory, state) if state and state.server else None

    @property
    def engines(self) -> dict[str, EngineProcesses]:
        """The engine sets by their ids."""
        state = self._state()
        return (
            {name: EngineProcesses(cast("Cluster", self), name, state) for name in state.engine_sets} if state else {}
        )

    @property
    def engine_set(self) -> EngineProcesses | None:
        """The first engine set; None if there is none."""
        return next(iter(self.engines.values()), None)

    @property
    def engine_pids(self) -> list[int]:
        """Of the engines that run, oldest first."""
        state = self._state()
        return [record.pid for record in state.running_engines()] if state else []

    @property
    def server_pid(self) -> int | None:
        """None while it does not run."""
        state = self._state()
        return state.server.pid if state and state.server and state.alive(state.server) else None

    def _state(self) -> ClusterState | None:
        """What the cluster file says; None if nothing of it runs."""
        return cluster_file.read_cluster_file(self.directory)

    # As data, and as files

    def to_dict(self) -> dict[str, Any]:
        """How it was made and what runs of it; JSON can hold it, and `from_dict` of any process of this user reads it."""
        options = {name: value for name, value in self._options.items() if _is_plain(value)}
        state = self._state()
        return {
            "class": "linden.Cluster",
            "cluster": {**options, "cluster_id": self.cluster_id},
            "directory": str(self.directory),
            "state": cluster_file.state_as_dict(state) if state else None,
        }

    def write_cluster_file(self) -> None:
        """Write what runs of it, so that other processes find it.  Raises: LaunchError: nothing does."""
        with cluster_file.changing(self.directory):
            pass  # it is written back

    def update_cluster_file(self) -> None:
        """As `write_cluster_file`, or if nothing of it runs any more `remove_cluster_file`."""
        state = self._state()
        if state is None:
            return
        if state.alive(state.owner) or state.runs():
            self.write_cluster_file()
        else:
            self.remove_cluster_file()

    def remove_cluster_file(self) -> None:
        """Forget what runs of it: other processes do not find it any more.  Idempotent."""
        self.cluster_file.unlink(missing_ok=True)

    def __repr__(self) -> str:
        state = self._state()
        if state is None:
            return f"<Cluster {self.cluster_id!r}: stopped>"
        return f"<Cluster {self.cluster_id!r}: server {self.server_pid}, {len(self.engine_pids)} engines>"

    def _repr_html_(self) -> str:
        """What notebooks show."""
        state = self._state()
        rows = [("cluster", self.cluster_id), ("state", "running" if state and state.runs() else "stopped")]
        if state is not None:
            rows += [
                ("server", f"pid {self.server_pid}" if self.server_pid else "gone"),
                ("address", state.socket_file),
            ]
            rows += [
                (f"engines {name}", f"{len(engines.pids)} of {engines.n}") for name, engines in self.engines.items()
            ]
        cells = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(text))}</td></tr>" for name, text in rows
        )
        return f"<table>{cells}</table>"


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True
