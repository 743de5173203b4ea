"""RunningCluster: a cluster that another process has started, known by its files.

Its owner watches over the processes and may start again what dies.  So who ends an engine from elsewhere marks it in the
cluster file first; and who starts engines adds them to that file, where everybody finds them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linden.connection_file import DEFAULT_CLUSTER_ID

from . import cluster_file
from .cluster_file import ClusterState, InDirectory, ProcessRecord
from .cluster_status import ClusterStatus, status_of
from .data_hold import DataHold
from .engine_options import EngineOptions
from .engine_set import EngineSet, check_count
from .job_sets import JobSets
from .launcher import LaunchError
from .local import index_of_log, spawn_engine
from .process import ExitWatcher, end_processes, signal_number, signal_process
from .serving import pid_of_engine, wait_until_gone, wait_until_serving

if TYPE_CHECKING:
    import linden

_GRACE_S = 5.0


class NoSuchCluster(LaunchError):
    """No cluster of that name runs."""


class RunningCluster(InDirectory):
    """Joins, describes, changes and stops a cluster of another process.  Every method blocks until done."""

    def __init__(self, directory: Path, state: ClusterState, job_sets: JobSets | None = None) -> None:
        self.directory = directory
        self.state = state
        self.job_sets = job_sets or JobSets(directory)
        self._watcher: ExitWatcher | None = None  # of engines that we have started

    @staticmethod
    def find(
        cluster: str | os.PathLike[str] = DEFAULT_CLUSTER_ID,
        home: Path | None = None,
        *,
        job_sets: JobSets | None = None,
    ) -> RunningCluster:
        """By id, or by the path of a cluster file.  Raises: NoSuchCluster. LaunchError: its file is damaged."""
        path = Path(cluster)
        is_file = path.suffix == ".json" and path.parent != Path()
        directory = path.parent if is_file else cluster_file.cluster_directory(str(cluster), home)
        state = cluster_file.read_cluster_file(directory)
        if state is None:
            raise NoSuchCluster(f"no cluster {str(cluster)!r} is running; 'space-cluster list' shows those that are")
        return RunningCluster(directory, state, job_sets)

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

    def status(self, *, ask_server_s: float | None = 2.0, ask_systems: bool = True) -> ClusterStatus:
        """What runs of it.  *ask_server_s*: how long to try to learn from the server who serves; None does not ask."""
        state = self.refresh()
        server_runs = state.alive(state.server)
        ids = self._engine_ids(ask_server_s) if server_runs and ask_server_s is not None else None
        return status_of(state, self.directory, ids, self.job_sets if ask_systems else None)

    # Engines

    def start_engines(
        self,
        n: int | None = None,
        engine_set_id: str | None = None,
        options: EngineOptions | None = None,
        *,
        python_path: tuple[str, ...] = (),
    ) -> str:
        """Start *n* more engines (None: as many as the cluster has); returns the id of their set.

        They end with the cluster, and with its owner where its other engines do.  *options*: how; None is as processes of this
        machine.  Raises: LaunchError.
        """
        self._must_be_here()
        if options is not None and not options.is_local:
            n = self.refresh().n if n is None else check_count(n)
            return self.job_sets.start(n, options, name=engine_set_id, python_path=python_path)
        with cluster_file.changing(self.directory) as state:
            n = state.n if n is None else check_count(n)
            name = engine_set_id or state.new_set_name()
            if name in state.engine_sets:
                raise LaunchError(f"engine set {name!r} has been started already")
            ours = [values for each, values in state.engine_sets.items() if each not in state.systems]
            likeness = ours[-1] if ours else None
            engine_set = self._engine_set(name, state, likeness, n)
            state.engine_sets[name] = engine_set.to_dict()
            state.n += n
            state.engines += [self._spawn(engine_set, index) for index in range(n)]
            self.state = state
        return name

    def stop_engines(self, engine_set_id: str | None = None) -> None:
        """End the engines of a set (None: of all).  Raises: KeyError: no such set."""
        records = self._records(engine_set_id)
        if records:
            self._stop(records)
        if self._has_jobs(engine_set_id):
            self.job_sets.stop(engine_set_id)

    def restart_engines(self, engine_set_id: str | None = None) -> None:
        """End the engines of a set (None: of all) and start as many anew, under new ids.  Raises: KeyError: no such set."""
        records = self._records(engine_set_id)
        if records:
            self._restart(records)
        if self._has_jobs(engine_set_id):
            self.job_sets.restart(engine_set_id)

    def signal_engines(self, signum: int | str, engine_set_id: str | None = None) -> None:
        """Send a signal, a number or a name, to the engines of a set (None: of all).

        Raises: KeyError: no such set. ValueError: no such signal.
        """
        number = signal_number(signum)
        for record in self._records(engine_set_id):
            signal_process(record.id, number)
        if self._has_jobs(engine_set_id):
            self.job_sets.signal(number, engine_set_id)

    def _has_jobs(self, engine_set_id: str | None) -> bool:
        """Whether that set (None: any) has engines that are jobs of other systems."""
        return any(engine_set_id in (None, name) for name in self.state.systems)

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

    # Other numbers of engines

    def scale(self, n: int, engine_set_id: str | None = None, *, timeout: float = 60.0) -> None:
        """Have *n* engines in a set (None: in the only one); those that are too many finish what they run, for *timeout* seconds.

        Raises: KeyError: no such set. LaunchError.
        """
        from .scaling import scale  # not needed to start a cluster, nor is what it imports

        self._must_be_here()
        scale(self, n, engine_set_id, timeout_s=timeout)

    def add_engines(self, name: str, n: int) -> None:
        """Start *n* more engines of a set of this machine."""
        with cluster_file.changing(self.directory) as state:
            first = 1 + max((index_of_log(each.log) for each in state.engines if each.engine_set == name), default=-1)
            engine_set = self._engine_set(name, state, state.engine_sets.get(name), 1)
            state.engines += [self._spawn(engine_set, index) for index in range(first, first + n)]
            state.n += n
            self.state = state

    def let_go(self, pids: Iterable[int]) -> None:
        """Mark engines that are about to leave, so that the owner does not start them again."""
        leaving = set(pids)
        with cluster_file.changing(self.directory) as state:
            state.engines = [replace(each, stopping=each.stopping or each.pid in leaving) for each in state.engines]

    def end_pids(self, pids: Iterable[int]) -> None:
        """End engines by their process ids, if they run still, and forget them.  Raises: LaunchError."""
        ending = set(pids)
        self._stop([record for record in self.refresh().engines if record.pid in ending])

    def _records(self, engine_set_id: str | None) -> list[ProcessRecord]:
        self._must_be_here()
        state = self.refresh()
        names = {record.engine_set for record in state.engines} | set(state.systems)
        if engine_set_id is not None and engine_set_id not in names:
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
                new.append(self._spawn(engine_set, index_of_log(record.log)))
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
        if not state.running_engines() and not state.jobs:
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
        jobs_left = self._stop_jobs(state)
        survivors += self._end([state.server] if state.server else [], grace_s=grace, first_signal=first_signal)
        if survivors:
            raise LaunchError(f"processes {survivors} of cluster {state.cluster_id!r} do not end, even by SIGKILL")
        if data_hold is not None:
            data_hold.end(keep=not state.temporary)
        if jobs_left is not None:
            raise jobs_left
        cluster_file.remove_files(self.directory, state)
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def _stop_jobs(self, state: ClusterState) -> LaunchError | None:
        """Why jobs are left, if any are: they stay in the cluster file, so that this can be tried again."""
        if state.jobs and cluster_file.has_cluster(self.directory):  # otherwise the supervisor has done it
            try:
                self.job_sets.stop()
            except LaunchError as error:
                return error
        return None

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

    def _engine_ids(self, timeout_s: float) -> list[int] | None:
        try:
            with self.connect_client(timeout=timeout_s) as client:
                return client.ids
        except Exception:  # noqa: BLE001  # a server that does not answer is a finding here, not an error
            return None
