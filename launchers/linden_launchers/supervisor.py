"""Supervisor: watches over the processes of a cluster that this process owns, and starts again what dies.

What runs it writes to the cluster file, to which other processes add engines of theirs, or marks on ours.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from linden.connection_file import DEFAULT_FARM_SPACE, ConnectionInfo, write_connection_file

from . import cluster_file
from .addresses import published
from .cluster_file import ClusterState, InDirectory, ProcessRecord
from .launcher import Job, LaunchError
from .local import Janitor, LocalLauncher, LocalServer, log_tail
from .process import Child, ExitWatcher, ProcessId
from .restart_budget import RestartBudget

SPACE = DEFAULT_FARM_SPACE


class Supervisor(InDirectory):
    """What LocalCluster is beneath: the part that goes on while nobody calls a method."""

    def __init__(
        self,
        cluster_id: str,
        *,
        restart_server: bool,
        restart_engines: bool,
        restarts_per_minute: int,
        on_event: Callable[[str], None] | None,
        home: Path | None = None,
    ) -> None:
        self.cluster_id = cluster_id
        self.directory = cluster_file.cluster_directory(cluster_id, home)
        self.failure: str | None = None  # why the supervisor gave up
        self.ended = threading.Event()  # set when the cluster was stopped, or given up
        self._restart_server, self._restart_engines = restart_server, restart_engines
        self._server_budget = RestartBudget(restarts_per_minute)
        self._engine_budget = RestartBudget(restarts_per_minute)
        self._on_event = on_event or logging.getLogger("linden.cluster").warning
        self._lock = threading.RLock()  # the exit watcher's thread changes what runs, and so do callers
        self._stopping = threading.Event()
        self._owner_pid: int | None = None  # set while it runs; a forked copy of this object owns nothing
        self._server: LocalServer | None = None
        self._launcher: LocalLauncher | None = None
        self._watcher: ExitWatcher | None = None
        self._janitor: Janitor | None = None
        self._state: ClusterState | None = None
        self._jobs: list[Job] = []
        self._own: set[ProcessId] = set()  # engines that this process has started
        self._ended: set[ProcessId] = set()  # those of them whose end has been noted

    @property
    def restarts_engines(self) -> bool:
        """Whether an engine that dies is started again."""
        return self._restart_engines

    def _begin(self, server: LocalServer, grace_s: float) -> None:
        """From now on it runs."""
        self._stopping.clear()
        self.ended.clear()
        self.failure = None
        self._owner_pid = os.getpid()
        self._watcher = ExitWatcher(self._child_ended)
        self._server = server
        self._launcher = LocalLauncher(self._watch_engine, grace_s=grace_s)
        self._jobs = []
        self._own, self._ended = set(), set()

    def _forget(self, state: ClusterState, *, remove: bool) -> None:
        if remove:
            cluster_file.remove_files(self.directory, state)
        if self._janitor is not None:
            self._janitor.close()
            self._janitor = None
        self._owner_pid = None
        self._state = None
        self._launcher = self._server = self._watcher = None
        self.ended.set()

    def _children(self) -> list[Child]:
        children = [child for job in self._jobs for child in self._launcher.children(job)] if self._launcher else []
        return children + ([self._server.child] if self._server and self._server.child else [])

    def _server_started(self, child: Child, tcp: str | None) -> None:
        """Takes a server that listens into care: files first, so that nobody can find it before it may be stopped."""
        with self._lock:
            state = self._state
            if state is None or self._watcher is None:
                return
            state.server = ProcessRecord(child.pid, child.id.started, log=str(child.log))
            state.server_starts += 1
            self._write(state)
            connection = ConnectionInfo(
                address=f"unix:{state.socket_file}",
                tcp=f"tcp:{tcp}" if tcp else None,
                server_pid=child.pid,
                space=SPACE,
                cluster_id=self.cluster_id,
                host=state.host,
                addresses=published(tcp),
            )
            write_connection_file(self.connection_file, connection)
            self._watcher.watch(child)

    def _record_engines(self) -> None:
        if self._state is None or self._launcher is None:
            return
        self._state.engines = [
            ProcessRecord(child.pid, child.id.started, log=str(child.log), engine_set=job.engine_set, owned=True)
            for job in self._jobs
            for child in self._launcher.children(job)
            if child.id not in self._ended
        ]
        self._write(self._state)

    def _written(self) -> ClusterState:
        """The cluster file, to which other processes may have added engines, or marks on ours."""
        assert self._state is not None
        return cluster_file.read_cluster_file(self.directory) or self._state

    def _write(self, state: ClusterState) -> None:
        try:
            with cluster_file.changing(self.directory) as written:
                stopping = {record.id for record in written.engines if record.stopping}
                others = [record for record in written.engines if record.id not in self._own]
                written.engines = [replace(record, stopping=record.id in stopping) for record in state.engines] + others
                written.engine_sets |= state.engine_sets
                written.n = state.n + len(others) + written.n_of_jobs
                written.server, written.server_starts = state.server, state.server_starts
        except LaunchError:
            if self.cluster_file.exists():
                raise  # it is damaged; otherwise somebody else has just stopped the cluster

    def _raise_for_dead_engines(self) -> None:
        assert self._launcher is not None
        for job in self._jobs:
            for child in self._launcher.children(job):
                if child.has_ended() and not self._restart_engines:
                    child.reap()
                    raise LaunchError(f"an engine {child.describe_end()} while it started:\n{log_tail(child.log)}")

    def _care_for(self, child: Child) -> None:
        if self._janitor is not None:
            self._janitor.add(child.pid)

    def _watch_engine(self, child: Child) -> None:
        assert self._watcher is not None
        self._own.add(child.id)
        self._care_for(child)
        self._watcher.watch(child)

    def _child_ended(self, child: Child) -> None:
        """In the watcher's thread."""
        with self._lock:
            if self._janitor is not None:
                self._janitor.forget(child.pid)
            if self._stopping.is_set() or not self._is_wanted():
                return
            server = self._server
            if server is not None and child is server.child:
                self._server_ended(server, child)
            else:
                self._engine_ended(child)

    def _is_wanted(self) -> bool:
        """False once somebody else has stopped the cluster, or is about to."""
        return self.cluster_file.exists() and not (self.directory / "stopping").exists()

    def _server_ended(self, server: LocalServer, child: Child) -> None:
        if child.exit_code == 0:
            self._on_event(f"server {child.pid} was stopped; it is not started again")
            return
        if not self._restart_server:
            self._on_event(f"server {child.pid} {child.describe_end()}; it is not started again")
            return
        pause_s = self._server_budget.pause_s(time.monotonic())
        if pause_s is None:
            self._give_up(f"server {child.pid} {child.describe_end()}:\n{log_tail(child.log)}")
            return
        if self._stopping.wait(pause_s):
            return
        try:
            new = server.start()
        except LaunchError as error:
            self._give_up(str(error))
            return
        self._care_for(new)
        # Nobody waits for its first words: clients and engines try until it listens, and if it dies the watcher is told.
        self._server_started(new, server.options.tcp)
        self._on_event(f"server {child.pid} {child.describe_end()}; started again as {new.pid}")

    def _engine_ended(self, child: Child) -> None:
        assert self._launcher is not None
        self._ended.add(child.id)
        if child not in self._children():
            return  # it was stopped
        if any(record.id == child.id and record.stopping for record in self._written().engines):
            self._launcher.forget(child)  # by another process
            self._forget_wanted(1)
            return
        text = f"engine {child.pid} {child.describe_end()}"
        pause_s = self._engine_budget.pause_s(time.monotonic()) if self._restart_engines else None
        if pause_s is not None and not self._stopping.wait(pause_s):
            new = self._launcher.restart(child)
            text += f"; started again as {new.pid}" if new else ""
        self._record_engines()
        self._on_event(text)

    def _give_up(self, why: str) -> None:
        self.failure = why
        self._on_event(f"gives up: {why}")
        self.ended.set()

    def _forget_wanted(self, count: int) -> None:
        assert self._state is not None
        self._state.n -= count
        self._record_engines()
