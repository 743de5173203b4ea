"""LocalCluster: a server and engines on this machine, started, watched over and stopped as one.

Whoever starts a cluster owns it and watches over it: a Python session (``linden.start``), or space-cluster in the foreground or as
a daemon.  The server is started again when it dies, on the same data and at the same address; clients and engines
reconnect by themselves.  What runs is written to files (cluster_file.py), so that every other process can join and stop it.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import cluster_file, data_hold
from .cluster_file import ClusterState, ProcessRecord
from .data_hold import DataHold
from .engine_options import EngineOptions
from .engine_set import check_count
from .job_sets import JobSets
from .job_watch import JobWatch
from .launcher import LaunchError
from .local import Janitor, LocalServer
from .local_engines import LocalEngines
from .poll import PERIOD_S
from .process import end_processes, process_id
from .server_command import DURABILITIES, TCP_FOR_OTHER_HOSTS, ServerOptions, find_program
from .waiting import await_engines

if TYPE_CHECKING:
    import linden


class LocalCluster(LocalEngines):
    """A cluster that this process owns, with its server on this machine.

    Every method blocks until done; Cluster has the same to be awaited.

    Args:
        n: engines; None is one per processor that this process may use.
        cluster_id: its name; with one, its data stay when it stops and are there when it is started again.  Without, the
            name is made up, and all of its files are removed when it stops.
        durability: "memory", "process" (survives kill -9 of the server) or "sync" (survives power loss).
        data_directory: where the server keeps its data; never removed if given.
        tcp: "127.0.0.1:0" or the like, to listen there as well; a Unix socket is always there.
        restart_server: start the server again when it dies (not when somebody stops it in an orderly way).
        restart_engines: start an engine again when it dies.
        restarts_per_minute: of the server or the engines, each; when they are used up, the supervisor gives up and says so.
        engine_environment: variables for the engines, besides those of this process.
        engine_hold: seconds for which the server keeps what an engine holds when its connection breaks; None is short on
            this machine, and longer where a network lies between.
        engine_options: how engines are started where start_engines does not say; None is as processes of this machine.
        job_poll: other systems are asked how their jobs are once in so many seconds.
        server_arguments: further options of space-server.
        home: the directory below which its files are, in place of $LINDEN_HOME.
        on_event: called with a line of text when a process dies or is started again; None writes them to the log of logging.
    """

    def __init__(
        self,
        n: int | None = None,
        *,
        cluster_id: str = "",
        durability: str = "process",
        data_directory: str | os.PathLike[str] | None = None,
        tcp: str | None = None,
        restart_server: bool = True,
        restart_engines: bool = False,
        restarts_per_minute: int = 5,
        engine_environment: dict[str, str] | None = None,
        engine_hold: float | None = None,
        engine_options: EngineOptions | None = None,
        job_poll: float = PERIOD_S,
        grace: float = 5.0,
        start_timeout: float = 30.0,
        owner_kind: str = "session",
        server_arguments: Sequence[str] = (),
        home: str | os.PathLike[str] | None = None,
        on_event: Callable[[str], None] | None = None,
    ) -> None:
        if durability not in DURABILITIES:
            raise ValueError(f"durability is {durability!r}; one of {', '.join(DURABILITIES)} is wanted")
        self.n = len(os.sched_getaffinity(0)) if n is None else check_count(n)
        super().__init__(
            cluster_id or f"session-{os.getpid()}-{secrets.token_hex(3)}",
            restart_server=restart_server,
            restart_engines=restart_engines,
            restarts_per_minute=restarts_per_minute,
            on_event=on_event,
            home=Path(home).absolute() if home is not None else None,
        )
        self._temporary = not cluster_id
        self._data_directory = Path(data_directory).absolute() if data_directory is not None else None
        self._durability = durability
        options = engine_options or EngineOptions()
        self._tcp = tcp or (None if options.is_local else TCP_FOR_OTHER_HOSTS)
        self._engine_environment = dict(engine_environment or {})
        self._engine_hold_s, self._grace_s, self._start_timeout_s = engine_hold, grace, start_timeout
        self._owner_kind = owner_kind
        self._server_arguments = tuple(server_arguments)
        self._data_hold: DataHold | None = None
        self._options = engine_options or EngineOptions()
        self._job_poll_s = job_poll
        self.job_sets = JobSets(self.directory, poll_s=job_poll)
        self._job_watch: JobWatch | None = None

    # Start

    def start_cluster(self, n: int | None = None) -> LocalCluster:
        """Start the server and *n* engines; returns when the server listens (the engines come by themselves).

        Raises: LaunchError: a cluster of this name runs already, or something could not be started; then nothing is left running.
        """
        if self._owner_pid is not None:
            raise LaunchError(f"cluster {self.cluster_id!r} is running already")
        self.n = self.n if n is None else check_count(n)
        program = find_program("space-server")
        cluster_file.sweep_temporary()
        cluster_file.make_private_directory(self.directory)
        try:
            self._cancel_jobs_of_dead_one()
            with cluster_file.exclusive(self.directory):
                self._refuse_if_running()
                self._prepare(program)
        except BaseException:
            if self._temporary:
                shutil.rmtree(self.directory, ignore_errors=True)
            raise
        try:
            assert self._server is not None
            # Engines are started before the server listens: they try until it does, and the slow part of their start is Python's.
            server_child = self._server.start()
            self._care_for(server_child)
            # Those of other systems have to be told its addresses.
            if self.n and self._options.is_local:
                self.start_engines(self.n)
            data_hold.sweep()  # while they start
            ready = self._server.wait_ready(self._start_timeout_s)
            self._server_started(server_child, ready.tcp)
            self._data_hold = DataHold(self.connection_file)
            if self.n and not self._options.is_local:
                self.start_engines(self.n)
        except BaseException:
            self.stop_cluster()
            raise
        return self

    def connect_client(self, **options: Any) -> linden.Client:
        """A new client of this cluster, with ``.cluster`` set.  Takes the options of linden.Client."""
        import linden

        return linden.Client(str(self.connection_file), cluster=self, **options)

    def start_and_connect(self, n: int | None = None, *, timeout: float = 60.0) -> linden.Client:
        """start_cluster, connect_client, and wait until all engines serve.  Raises: LaunchError."""
        self.start_cluster(n)
        try:
            client = self.connect_client()
            self.wait_for_engines(client, timeout=timeout)
        except BaseException:
            self.stop_cluster()
            raise
        return client

    def wait_for_engines(
        self,
        client: linden.Client,
        n: int | None = None,
        *,
        timeout: float = 60.0,
        queue_timeout: float | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Wait until *n* engines (None: all that were started) serve; *say* is told how far it is, whenever that has changed.

        Raises: LaunchError: so many will not come, since one has ended; or too late. The message says why, as far as known.
        """
        n = self.n if n is None else n

        def check() -> None:
            if self._launcher is not None:
                self._raise_for_dead_engines()

        tell = say or logging.getLogger("linden.cluster").info
        await_engines(client, n, timeout, queue_timeout=queue_timeout, job_sets=self.job_sets, check=check, say=tell)

    # Stop

    def stop_cluster(self) -> None:
        """End engines and server, and remove what is not to stay.  Idempotent.  Raises: LaunchError: a process does not end."""
        from linden import run_store

        if self._owner_pid != os.getpid():
            return
        self._stopping.set()  # before the lock, which the watcher holds while it pauses before a restart
        with self._lock:
            if self._state is None:
                return
            state = self._state
        atexit.unregister(self._stop_at_exit)
        children = self._children()
        # Engines first: they say goodbye to the server and give back what they hold.
        engines = [child.id for child in children if self._server is None or child is not self._server.child]
        engines += [record.id for record in self._written().running_engines() if record.id not in engines]
        survivors = end_processes(engines, grace_s=self._grace_s)
        if self._job_watch is not None:
            self._job_watch.stop()
        jobs_left = self._stop_jobs()
        if self._server is not None and self._server.child is not None:
            survivors += end_processes([self._server.child.id], grace_s=self._grace_s)
        if self._watcher is not None:
            self._watcher.close()
        for child in children:
            if child.has_ended():
                child.reap()
        if self._data_hold is not None:
            self._data_hold.end(keep=not self._temporary)
            self._data_hold = None
        run_store.sweep()  # what engines have left that were killed
        self._forget(state, remove=not survivors and jobs_left is None)
        if jobs_left is not None:
            raise jobs_left
        if survivors:
            raise LaunchError(f"processes {[process.pid for process in survivors]} do not end, even by SIGKILL")

    def _stop_jobs(self) -> LaunchError | None:
        """Why jobs of other systems are left, if any are: then the cluster file stays, and space-cluster stop tries again."""
        if not self._written().jobs:
            return None
        try:
            self.job_sets.stop()
        except LaunchError as error:
            return error
        return None

    def stop_controller(self) -> None:
        """End the server alone; if no engine runs either, the cluster with it.  Idempotent."""
        if self._owner_pid != os.getpid():
            return
        if not self._written().running_engines() and not self._written().jobs:
            self.stop_cluster()
        elif self._server is not None and self._server.child is not None:
            end_processes([self._server.child.id], grace_s=self._grace_s)

    # The server

    def restart_server(self) -> None:
        """Stop the server in an orderly way and start it again: same data, same address.  Waits until it listens.

        Also starts it if it has died.  Raises: LaunchError.
        """
        with self._lock:
            self._running()
            server = self._server
            assert server is not None
            if server.child is not None:
                end_processes([server.child.id], grace_s=self._grace_s)
            child = server.start()
            self._care_for(child)
        ready = server.wait_ready(self._start_timeout_s)
        self._server_started(child, ready.tcp)

    # What runs

    @property
    def options(self) -> EngineOptions:
        """How its engines are started where start_engines does not say."""
        return self._options

    @property
    def server_pid(self) -> int | None:
        """None while it does not run."""
        child = self._server.child if self._server else None
        return child.pid if child is not None and not child.has_ended() else None

    def __repr__(self) -> str:
        state = "stopped" if self._owner_pid is None else f"server {self.server_pid}, {len(self.engine_pids)} engines"
        return f"<LocalCluster {self.cluster_id!r}: {state}>"

    def __enter__(self) -> linden.Client:
        return self.start_and_connect()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_cluster()

    stop_cluster_sync = stop_cluster  # what a Client calls

    # Inside

    def _cancel_jobs_of_dead_one(self) -> None:
        """Jobs of a cluster of this name that has died.  Before the lock is taken: whoever cancels them takes it for each change.

        Raises: LaunchError: they cannot be cancelled.
        """
        state = cluster_file.read_cluster_file(self.directory)
        is_dead = state and state.is_of_this_machine() and not state.alive(state.owner) and not state.runs()
        if state and is_dead and state.jobs:
            self.job_sets.stop()

    def _refuse_if_running(self) -> None:
        state = cluster_file.read_cluster_file(self.directory)
        if state is None:
            return
        if not state.is_of_this_machine():
            raise LaunchError(
                f"cluster {self.cluster_id!r} runs on {state.host}; stop it there, or choose another cluster id"
            )
        if state.alive(state.owner) or state.runs():
            raise LaunchError(
                f"cluster {self.cluster_id!r} is running already (server {state.server.pid if state.server else 'not started'}); "
                f"stop it with 'space-cluster stop --cluster-id {self.cluster_id}', or choose another cluster id"
            )
        if state.jobs:  # that another process has added in this moment
            raise LaunchError(
                f"cluster {self.cluster_id!r} has died, but has jobs: {', '.join(str(each.job) for each in state.jobs)}"
            )
        cluster_file.remove_files(self.directory, state)  # it has died
        cluster_file.make_private_directory(self.directory)

    def _prepare(self, program: str) -> None:
        """Makes directories and objects, and writes the first cluster file; starts only the janitor and the watcher's thread."""
        log_directory = cluster_file.make_private_directory(self.directory / "log")
        runtime = Path(tempfile.mkdtemp(prefix="linden-")) if self._temporary else None
        data = self._data_directory or (runtime or self.directory) / "data"
        if self._data_directory is None:  # the server makes one that the caller has named
            cluster_file.make_private_directory(data)
        unix_path = cluster_file.socket_path(runtime or self.directory)
        options = ServerOptions(
            program=program,
            directory=data,
            unix_path=unix_path,
            tcp=self._tcp,
            durability=self._durability,
            parent_pid=self._parent_pid(),
            arguments=self._server_arguments,
        )
        me = process_id(os.getpid())
        assert me is not None
        self._state = ClusterState(
            cluster_id=self.cluster_id,
            owner=ProcessRecord(me.pid, me.started, log=""),
            owner_kind=self._owner_kind,
            n=0,  # start_engines counts
            data_directory=str(data),
            socket_file=str(unix_path),
            temporary=self._temporary,
            restarts_engines=self._restart_engines,
            runtime_directory=str(runtime) if runtime else None,
        )
        cluster_file.write_cluster_file(self.directory, self._state)
        self._begin(LocalServer(options, log_directory / "server.log"), self._grace_s)
        self._job_watch = JobWatch(self.job_sets, self._on_event, self._job_poll_s)
        self._job_watch.start()
        if self._parent_pid() is not None:
            self._janitor = Janitor(self.directory, [self.directory, runtime] if runtime is not None else [])
        if self._owner_kind == "session":
            atexit.register(self._stop_at_exit)

    def _stop_at_exit(self) -> None:
        if self._owner_pid == os.getpid():  # not in a forked child
            self.stop_cluster()
