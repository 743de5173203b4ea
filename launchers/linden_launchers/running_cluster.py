"""RunningCluster: a cluster that another process has started, known by its files.

Its owner watches over the processes and may start again what dies.  So who ends an engine from elsewhere marks it in the
cluster file first; and who starts engines adds them to that file, where everybody finds them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linden.connection_file import DEFAULT_CLUSTER_ID

from . import cluster_file
from .cluster_file import ClusterState, InDirectory, ProcessRecord
from .data_hold import DataHold
from .engine_set import EngineSet, check_count
from .launcher import LaunchError
from .local import spawn_engine
from .process import ExitWatcher, end_processes, signal_number, signal_process
from .serving import pid_of_engine, wait_until_gone, wait_until_serving

if TYPE_CHECKING:
    import linden

_GRACE_S = 5.0


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


class RunningCluster(InDirectory):
    """Joins, describes, changes and stops a cluster of another process.  Every method blocks until done."""

    def __init__(self, directory: Path, state: ClusterState) -> None:
        self.directory = directory
        self.state = state
        self._watcher: ExitWatcher | None = None  # of engines that we have started

    @staticmethod
    def find(cluster: str | os.PathLike[str] = DEFAULT_CLUSTER_ID, home: Path | None = None) -> RunningCluster:
        """By id, or by the path of a cluster file.  Raises: LaunchError: there is none."""
        path = Path(cluster)
        is_file = path.suffix == ".json" and path.parent != Path()
        directory = path.parent if is_file else cluster_file.cluster_directory(str(cluster), home)
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
    def restarts_engines(self) -> bool:
        """Whether its owner starts an engine again when it dies."""
        return self.state.restarts_engines

    def refresh(self) -> ClusterState:
        """What the cluster file says now; what it said last if it has gone."""
        self.state = cluster_file.read_cluster_file(self.directory) or self.state
        return self.state

    def connect_client(self, **options: Any) -> linden.Client:
        """A client of this cluster.  Takes the options of linden.Client."""
        import linden

        return linden.Client(str(self.connection_file), cluster=self, **options)

    def status(self, *, ask_server_s: float | None = 2.0) -> ClusterStatus:
        """Which of its processes run.  *ask_server_s*: how long to try to learn from the server who serves; None does not ask."""
        state = self.refresh()
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

    # Engines

    def start_engines(self, n: int | None = None, engine_set_id: str | None = None) -> str:
        """Start *n* more engines (None: as many as the cluster has); returns the id of their set.

        They end with the cluster, and with its owner where its other engines do.  Raises: LaunchError.
        """
        self._must_be_here()
        with cluster_file.changing(self.directory) as state:
            n = state.n if n is None else check_count(n)
            name = engine_set_id or state.new_set_name()
            if name in state.engine_sets:
                raise LaunchError(f"engine set {name!r} has been started already")
            likeness = next(reversed(state.engine_sets.values()), None)
            engine_set = self._engine_set(name, state, likeness, n)
            state.engine_sets[name] = engine_set.to_dict()
            state.n += n
            state.engines += [self._spawn(engine_set, index) for index in range(n)]
            self.state = state
        return name

    def stop_engines(self, engine_set_id: str | None = None) -> None:
        """End the engines of a set (None: of all).  Raises: KeyError: no such set."""
        records = self._records(engine_set_id)
        self._stop(records)

    def restart_engines(self, engine_set_id: str | None = None) -> None:
        """End the engines of a set (None: of all) and start as many anew, under new ids.  Raises: KeyError: no such set."""
        self._restart(self._records(engine_set_id))

    def signal_engines(self, signum: int | str, engine_set_id: str | None = None) -> None:
        """Send a signal, a number or a name, to the engines of a set (None: of all).

        Raises: KeyError: no such set. ValueError: no such signal.
        """
        number = signal_number(signum)
        for record in self._records(engine_set_id):
            signal_process(record.id, number)

    def stop_engine(self, engine_id: int) -> None:
        """End one engine.  Raises: KeyError: no such engine of this cluster serves on this machine."""
        self._stop([self._record_of(engine_id)])
        wait_until_gone(self.connection_file, engine_id)

    def restart_engine(self, engine_id: int, *, timeout: float = 60.0) -> int:
        """End one engine and start another in its place; waits until that one serves, and returns its id.

        Raises: KeyError: no such engine of this cluster serves on this machine.  LaunchError.
        """
        new = self._restart([self._record_of(engine_id)])[0]
        new_id = wait_until_serving(self.connection_file, [new.pid], timeout)[new.pid]
        wait_until_gone(self.connection_file, engine_id)
        return new_id

    def signal_engine(self, signum: int | str, engine_id: int) -> None:
        """Send a signal to one engine; SIGINT interrupts what it runs.

        Raises: KeyError: no such engine of this cluster serves on this machine.
        """
        number = signal_number(signum)
        signal_process(self._record_of(engine_id).id, number)

    def _records(self, engine_set_id: str | None) -> list[ProcessRecord]:
        self._must_be_here()
        state = self.refresh()
        if engine_set_id is not None and all(record.engine_set != engine_set_id for record in state.engines):
            raise KeyError(engine_set_id)
        return [record for record in state.running_engines() if engine_set_id in (None, record.engine_set)]

    def _record_of(self, engine_id: int) -> ProcessRecord:
        pid = pid_of_engine(self.connection_file, engine_id)
        for record in self._records(None):
            if record.pid == pid:
                return record
        raise KeyError(f"engine {engine_id} was not started by cluster {self.cluster_id!r}, so whoever did so ends it")

    def _stop(self, records: Sequence[ProcessRecord]) -> None:
        ids = {record.id for record in records}
        with cluster_file.changing(self.directory) as state:  # the owner must not start again what ends now
            state.engines = [replace(record, stopping=record.stopping or record.id in ids) for record in state.engines]
        survivors = end_processes(ids, grace_s=_GRACE_S)
        with cluster_file.changing(self.directory) as state:
            # Those that the owner has started it removes itself: until it has noted their end it must find the mark.
            owner_lives = state.alive(state.owner)
            kept = [record for record in state.engines if record.id not in ids or (record.owned and owner_lives)]
            state.n = max(0, state.n - (len(state.engines) - len(kept)))
            state.engines = kept
            self.state = state
        if survivors:
            raise LaunchError(f"engines {[process.pid for process in survivors]} do not end, even by SIGKILL")

    def _restart(self, records: Sequence[ProcessRecord]) -> list[ProcessRecord]:
        self._stop(records)
        with cluster_file.changing(self.directory) as state:
            new = []
            for record in records:
                engine_set = self._engine_set(record.engine_set, state, state.engine_sets.get(record.engine_set), 1)
                new.append(self._spawn(engine_set, _index_of(record)))
            state.engines += new
            state.n += len(new)
            self.state = state
        return new

    def _engine_set(self, name: str, state: ClusterState, likeness: dict[str, Any] | None, n: int) -> EngineSet:
        place: dict[str, Any] = {
            "name": name,
            "address": f"unix:{state.socket_file}",
            "log_directory": self.directory / "log",
            "parent_pid": state.parent_pid(),
        }
        return EngineSet.from_dict({**likeness, "n": n}, **place) if likeness else EngineSet(n=n, **place)

    def _spawn(self, engine_set: EngineSet, index: int) -> ProcessRecord:
        child = spawn_engine(engine_set, index)
        if self._watcher is None:
            self._watcher = ExitWatcher(lambda _: None)  # it reaps them
        self._watcher.watch(child)
        return ProcessRecord(child.pid, child.id.started, log=str(child.log), engine_set=engine_set.name)

    # The end

    def stop_controller(self) -> None:
        """End the server alone, and the cluster with it if no engine runs.  Its owner does not start it again.  Idempotent."""
        self._must_be_here()
        state = self.refresh()
        if not state.running_engines():
            self.stop_cluster()
        elif state.server is not None:
            self._end([state.server], grace_s=_GRACE_S)

    def stop_cluster(self, *, grace: float = _GRACE_S, first_signal: signal.Signals = signal.SIGTERM) -> None:
        """End all of its processes (not the Python session that owns it, if one does) and remove what is not to stay.

        *first_signal* goes to all, and SIGKILL after *grace* seconds to those that are still there.
        Raises: LaunchError: it runs on another host, or a process does not end.
        """
        state = self.refresh()
        self._must_be_here()
        if self.directory.exists():
            (self.directory / "stopping").touch()  # the owner must not start again what ends now
        # A supervisor of its own stops everything in good order; whatever it leaves, or if it is gone, is ended here.
        if state.owner_kind not in ("session", "detached"):
            self._end([state.owner], grace_s=3 * grace, first_signal=first_signal)
        state = self.refresh()  # the supervisor may have started something meanwhile
        nobody_holds = state.owner_kind == "detached" or not state.alive(state.owner)
        data_hold = DataHold(self.connection_file) if nobody_holds and state.alive(state.server) else None
        if data_hold is not None:
            data_hold.wait()  # the server ends next
        survivors = self._end(state.engines, grace_s=grace, first_signal=first_signal)
        survivors += self._end([state.server] if state.server else [], grace_s=grace, first_signal=first_signal)
        if survivors:
            raise LaunchError(f"processes {survivors} of cluster {state.cluster_id!r} do not end, even by SIGKILL")
        if data_hold is not None:
            data_hold.end(keep=not state.temporary)
        cluster_file.remove_files(self.directory, state)
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def _must_be_here(self) -> None:
        if not self.state.is_of_this_machine():
            raise LaunchError(f"cluster {self.cluster_id!r} runs on {self.state.host}; change or stop it there")

    stop_cluster_sync = stop_cluster  # what a Client calls

    def __repr__(self) -> str:
        return f"<RunningCluster {self.cluster_id!r} of {self.state.owner_kind} {self.state.owner.pid}>"

    def _end(
        self, records: list[ProcessRecord], *, grace_s: float, first_signal: signal.Signals = signal.SIGTERM
    ) -> list[int]:
        alive = [record.id for record in records if self.state.alive(record) and record.pid != os.getpid()]
        return [process.pid for process in end_processes(alive, grace_s=grace_s, first_signal=first_signal)]

    def _process_status(self, record: ProcessRecord | None) -> ProcessStatus | None:
        return ProcessStatus(record.pid, self.state.alive(record), record.log) if record else None

    def _engine_ids(self, timeout_s: float) -> list[int] | None:
        try:
            with self.connect_client(timeout=timeout_s) as client:
                return client.ids
        except Exception:  # noqa: BLE001  # a server that does not answer is a finding here, not an error
            return None


def _index_of(record: ProcessRecord) -> int:
    """Of the engine in its set, as its log's name tells, so that the one in its place goes on writing there."""
    return int(Path(record.log).stem.rpartition("-")[2])
