"""RunningCluster: a cluster that another process has started, known by its files."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linden.connection_file import DEFAULT_CLUSTER_ID

from . import cluster_file
from .cluster_file import ClusterState, ProcessRecord
from .launcher import LaunchError
from .process import end_processes

if TYPE_CHECKING:
    import linden


@dataclass(frozen=True)
class ProcessStatus:
    """One process of a cluster, as people and ``--json`` see it."""

    pid: int
    running: bool
    log: str


@dataclass(frozen=True)
class ClusterStatus:
    """What is known of a cluster without asking its server, and which engines the server knows (None: not asked, or no answer)."""

    cluster_id: str
    state: str  # "running"; "degraded": something of it is missing; "dead": nothing runs any more
    host: str
    owner_kind: str
    owner: ProcessStatus
    server: ProcessStatus | None
    server_starts: int
    engines: list[ProcessStatus]
    engines_wanted: int
    engine_ids: list[int] | None
    address: str
    data_directory: str
    directory: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class RunningCluster:
    """Joins, describes and stops a cluster of another process."""

    def __init__(self, directory: Path, state: ClusterState) -> None:
        self.directory = directory
        self.state = state

    @staticmethod
    def find(cluster: str | os.PathLike[str] = DEFAULT_CLUSTER_ID) -> RunningCluster:
        """By id, or by the path of a cluster file.  Raises: LaunchError: there is none."""
        path = Path(cluster)
        is_file = path.suffix == ".json" and path.parent != Path()
        directory = path.parent if is_file else cluster_file.cluster_directory(str(cluster))
        state = cluster_file.read_cluster_file(directory)
        if state is None:
            raise LaunchError(f"no cluster {str(cluster)!r} is running; 'space-cluster list' shows those that are")
        return RunningCluster(directory, state)

    @property
    def cluster_id(self) -> str:
        return self.state.cluster_id

    @property
    def n(self) -> int:
        return self.state.n

    @property
    def connection_file(self) -> Path:
        return self.directory / "connection.json"

    def connect_client(self, **options: Any) -> linden.Client:
        """A client of this cluster.  Takes the options of linden.Client."""
        import linden

        return linden.Client(str(self.connection_file), cluster=self, **options)

    connect_client_sync = connect_client

    def status(self, *, ask_server_s: float | None = 2.0) -> ClusterStatus:
        """Which of its processes run.  *ask_server_s*: how long to try to learn from the server who serves; None does not ask."""
        state = self.state
        server = self._process_status(state.server)
        engines = [status for record in state.engines if (status := self._process_status(record))]
        owner = self._process_status(state.owner)
        assert owner is not None
        running = [status.running for status in [server, *engines] if status]
        complete = server is not None and all(running) and len(engines) >= state.n
        server_runs = server is not None and server.running
        return ClusterStatus(
            cluster_id=state.cluster_id,
            state="running" if complete else "degraded" if any(running) else "dead",
            host=state.host,
            owner_kind=state.owner_kind,
            owner=owner,
            server=server,
            server_starts=state.server_starts,
            engines=engines,
            engines_wanted=state.n,
            engine_ids=self._engine_ids(ask_server_s) if server_runs and ask_server_s is not None else None,
            address=f"unix:{state.socket_file}",
            data_directory=state.data_directory,
            directory=str(self.directory),
        )

    def stop_cluster(self, *, grace: float = 5.0) -> None:
        """End all of its processes (not the Python session that owns it, if one does) and remove what is not to stay.

        Raises: LaunchError: it runs on another host, or a process does not end.
        """
        state = self.state
        if not state.is_of_this_machine():
            raise LaunchError(f"cluster {state.cluster_id!r} runs on {state.host}; stop it there")
        (self.directory / "stopping").touch()  # the owner must not start again what ends now
        # A supervisor of its own stops everything in good order; whatever it leaves, or if it is gone, is ended here.
        if state.owner_kind != "session":
            self._end([state.owner], grace_s=3 * grace)
        state = (
            cluster_file.read_cluster_file(self.directory) or state
        )  # the supervisor may have started something meanwhile
        survivors = self._end(state.engines, grace_s=grace)
        survivors += self._end([state.server] if state.server else [], grace_s=grace)
        if survivors:
            raise LaunchError(f"processes {survivors} of cluster {state.cluster_id!r} do not end, even by SIGKILL")
        cluster_file.remove_files(self.directory, state)

    stop_cluster_sync = stop_cluster

    def __repr__(self) -> str:
        return f"<RunningCluster {self.cluster_id!r} of {self.state.owner_kind} {self.state.owner.pid}>"

    def _end(self, records: list[ProcessRecord], *, grace_s: float) -> list[int]:
        alive = [record.id for record in records if self.state.alive(record) and record.pid != os.getpid()]
        return [process.pid for process in end_processes(alive, grace_s=grace_s)]

    def _process_status(self, record: ProcessRecord | None) -> ProcessStatus | None:
        return ProcessStatus(record.pid, self.state.alive(record), record.log) if record else None

    def _engine_ids(self, timeout_s: float) -> list[int] | None:
        try:
            with self.connect_client(timeout=timeout_s) as client:
                return client.ids
        except Exception:  # noqa: BLE001  # a server that does not answer is a finding here, not an error
            return None
