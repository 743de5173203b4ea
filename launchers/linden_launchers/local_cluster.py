"""LocalCluster: a server and engines on this machine, started, watched over and stopped as one.

Whoever starts a cluster owns it and watches over it: a Python session (``linden.start``), or space-cluster in the foreground or as
a daemon.  The server is started again when it dies, on the same data and at the same address; clients and engines
reconnect by themselves.  What runs is written to files (cluster_file.py), so that every other process can join and stop it.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import cluster_file, data_hold
from .cluster_file import ClusterState, ProcessRecord
from .data_hold import DataHold
from .engine_command import script_directory
from .engine_set import EngineSet, check_count
from .launcher import Job, LaunchError
from .local import Janitor, LocalLauncher, LocalServer
from .process import Child, end_processes, process_id
from .running_cluster import RunningCluster
from .server_command import DURABILITIES, ServerOptions, find_program
from .serving import pid_of_engine, wait_until_gone, wait_until_serving
from .supervisor import SPACE, Supervisor

if TYPE_CHECKING:
    import linden


class LocalCluster(Supervisor):
    """A local cluster that this process owns.  Every method blocks until done; Cluster has the same to be awaited.

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
        engine_hold: float = EngineSet.hold_s,
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
        self._tcp = tcp
        self._engine_environment = dict(engine_environment or {})
        self._engine_hold_s, self._grace_s, self._start_timeout_s = engine_hold, grace, start_timeout
        self._owner_kind = owner_kind
        self._server_arguments = tuple(server_arguments)
        self._data_hold: DataHold | None = None

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
        data_hold.sweep()
        cluster_file.make_private_directory(self.directory)
        try:
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
            if self.n:
                self.start_engines(self.n)
            ready = self._server.wait_ready(self._start_timeout_s)
            self._server_started(server_child, ready.tcp)
            self._data_hold = DataHold(self.connection_file)
        except BaseException:
            self.stop_cluster()
            raise
        return self

    def start_engines(self, n: int | None = None, engine_set_id: str | None = None) -> str:
        """Start *n* more engines; returns the id of their set.  Raises: LaunchError."""
        n = self.n if n is None else check_count(n)
        with self._lock:
            launcher, state = self._running()
            engine_set = EngineSet(
                name=engine_set_id or self._written().new_set_name(),
                n=n,
                address=f"unix:{state.socket_file}",
                log_directory=self.directory / "log",
                space=SPACE,
                hold_s=self._engine_hold_s,
                parent_pid=self._parent_pid(),
                environment=self._engine_environment,
                python_path=self._python_path(),
            )
            state.engine_sets[engine_set.name] = engine_set.to_dict()
            state.n += n
            self._jobs.append(launcher.start(engine_set))
            self._record_engines()
        return engine_set.name

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

    def wait_for_engines(self, client: linden.Client, n: int | None = None, *, timeout: float = 60.0) -> None:
        """Wait until *n* engines (None: all that were started) serve.  Raises: LaunchError: one has ended, or too late."""
        n = self.n if n is None else n
        deadline = time.monotonic() + timeout
        while True:
            # The wait itself ends with the last registration; the slices are only there to notice engines that die.
            with suppress(TimeoutError):
                return client.wait_for_engines(n, timeout=min(0.25, max(0.0, deadline - time.monotonic())))
            self._raise_for_dead_engines()
            if time.monotonic() >= deadline:
                raise LaunchError(
                    f"{len(client.ids)} of {n} engines serve after {timeout:g} s; see {self.directory / 'log'}"
                )

    # Stop

    def stop_cluster(self) -> None:
        """End engines and server, and remove what is not to stay.  Idempotent.  Raises: LaunchError: a process does not end."""
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
        self._forget(state, remove=not survivors)
        if survivors:
            raise LaunchError(f"processes {[process.pid for process in survivors]} do not end, even by SIGKILL")

    def _jobs_of(self, engine_set_id: str | None) -> list[Job]:
        """Raises: KeyError: neither we nor another process has started such a set."""
        found = [job for job in self._jobs if engine_set_id in (None, job.engine_set)]
        if (
            found
            or engine_set_id is None
            or any(record.engine_set == engine_set_id for record in self._written().engines)
        ):
            return found
        raise KeyError(engine_set_id)

    def stop_engines(self, engine_set_id: str | None = None) -> None:
        """End the engines of a set (None: of all).  Raises: KeyError: no such set."""
        with self._lock:
            launcher, _ = self._running()
            jobs = self._jobs_of(engine_set_id)
            self._jobs = [job for job in self._jobs if job not in jobs]
            self._forget_wanted(sum(len(launcher.children(job)) for job in jobs))
        for job in jobs:
            launcher.stop(job)
        self._end_others(engine_set_id)

    def _end_others(self, engine_set_id: str | None) -> None:
        """Engines of this cluster that other processes have started."""
        others = [record for record in self._written().engines if record.id not in self._own]
        if any(engine_set_id in (None, record.engine_set) for record in others):
            self._attached().stop_engines(engine_set_id)

    def stop_controller(self) -> None:
        """End the server alone; if no engine runs either, the cluster with it.  Idempotent."""
        if self._owner_pid != os.getpid():
            return
        if not self._written().running_engines():
            self.stop_cluster()
        elif self._server is not None and self._server.child is not None:
            end_processes([self._server.child.id], grace_s=self._grace_s)

    def restart_engines(self, engine_set_id: str | None = None) -> None:
        """End the engines of a set (None: of all) and start as many anew, under new ids.  Raises: KeyError: no such set."""
        with self._lock:
            launcher, _ = self._running()
            for job in self._jobs_of(engine_set_id):
                children = launcher.children(job)
                end_processes([child.id for child in children], grace_s=self._grace_s)
                for child in children:
                    launcher.restart(child)
            self._record_engines()
        if any(
            record.id not in self._own and engine_set_id in (None, record.engine_set)
            for record in self._written().engines
        ):
            self._attached().restart_engines(engine_set_id)

    def signal_engines(self, signum: int | str, engine_set_id: str | None = None) -> None:
        """Send a signal, a number or a name, to the engines of a set (None: of all).  Raises: KeyError: no such set. ValueError."""
        self._running()
        self._attached().signal_engines(signum, engine_set_id)

    # One engine, by its id

    def stop_engine(self, engine_id: int) -> None:
        """End one engine; it does not serve any more when this returns.  Raises: KeyError: no such engine serves here."""
        child = self._child_of(engine_id)
        if child is None:
            self._attached().stop_engine(engine_id)
            return
        with self._lock:
            launcher, _ = self._running()
            launcher.forget(child)
            self._forget_wanted(1)
        end_processes([child.id], grace_s=self._grace_s)
        wait_until_gone(self.connection_file, engine_id)

    def restart_engine(self, engine_id: int, *, timeout: float = 60.0) -> int:
        """End one engine and start another in its place; waits until that one serves, and returns its id.

        Raises: KeyError: no such engine serves on this machine.  LaunchError.
        """
        child = self._child_of(engine_id)
        if child is None:
            return self._attached().restart_engine(engine_id, timeout=timeout)
        with self._lock:
            launcher, _ = self._running()
            end_processes([child.id], grace_s=self._grace_s)
            new = launcher.restart(child)
            assert new is not None
            self._record_engines()
        new_id = wait_until_serving(self.connection_file, [new.pid], timeout)[new.pid]
        wait_until_gone(self.connection_file, engine_id)
        return new_id

    def signal_engine(self, signum: int | str, engine_id: int) -> None:
        """Send a signal to one engine; SIGINT interrupts what it runs.  Raises: KeyError: no such engine serves here."""
        self._running()
        self._attached().signal_engine(signum, engine_id)

    def _child_of(self, engine_id: int) -> Child | None:
        """None if another process has started that engine."""
        self._running()
        pid = pid_of_engine(self.connection_file, engine_id)
        return next((child for child in self._children() if child.pid == pid), None)

    def _attached(self) -> RunningCluster:
        """This cluster as other processes see it."""
        return RunningCluster.find(self.cluster_file)

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
    def server_pid(self) -> int | None:
        """None while it does not run."""
        child = self._server.child if self._server else None
        return child.pid if child is not None and not child.has_ended() else None

    @property
    def engine_pids(self) -> list[int]:
        """Of the engines that this cluster started and that run, oldest set first."""
        if self._launcher is None:
            return []
        return [child.pid for job in self._jobs for child in self._launcher.children(job) if not child.has_ended()]

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
        if self._parent_pid() is not None:
            self._janitor = Janitor([self.directory, runtime] if runtime is not None else [])
        if self._owner_kind == "session":
            atexit.register(self._stop_at_exit)

    def _parent_pid(self) -> int | None:
        return None if self._owner_kind in ("daemon", "detached") else os.getpid()

    def _python_path(self) -> tuple[str, ...]:
        return tuple(script_directory(sys.path)) if self._owner_kind in ("session", "detached") else ()

    def _running(self) -> tuple[LocalLauncher, ClusterState]:
        if self._launcher is None or self._state is None or self._owner_pid != os.getpid() or self._stopping.is_set():
            raise LaunchError(f"cluster {self.cluster_id!r} does not run; start it with start_cluster()")
        return self._launcher, self._state

    def _stop_at_exit(self) -> None:
        if self._owner_pid == os.getpid():  # not in a forked child
            self.stop_cluster()
