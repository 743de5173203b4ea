"""Cluster: what people hold in their hands.  Under ipyparallel's names, to be awaited, or with ``_sync`` to be waited for.

It owns a LocalCluster, or has joined a RunningCluster that another process owns; what it does itself is to offer both alike.
"""

from __future__ import annotations

import html
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from linden.connection_file import DEFAULT_CLUSTER_ID

from . import cluster_file
from .async_first import awaitable
from .cluster_file import ClusterState
from .launcher import LaunchError
from .local_cluster import LocalCluster
from .processes import ControllerProcess, EngineProcesses
from .running_cluster import RunningCluster

if TYPE_CHECKING:
    import linden

_LAUNCHERS = (None, "local")


class Cluster:
    """A server and engines, started, watched over, looked at and stopped as one.

    ``with Cluster(4) as rc`` and ``async with Cluster(4) as rc`` give a client with all engines serving, and stop everything at
    the end.  Each method ``x`` is to be awaited and has a blocking form ``x_sync``.

    Args:
        n: engines; None is one per processor that this process may use.
        engines, controller: how they are started: "local", as processes of this machine.
        cluster_id: its name; with one, its data stay when it stops and are there when it is started again. Without, a name is
            made up, and all of its files are removed when it stops. profile: the same, as ipyparallel's programs say it.
        profile_dir: the directory below which its files are, in place of ``$LINDEN_HOME``.
        controller_ip: let the server listen on this address, too. controller_args: further options of space-server.
        engine_timeout: seconds within which engines have to serve.
        shutdown_atexit: stop it when this process ends; otherwise it goes on, without a supervisor, until it is stopped.
        log_level: of the logger "linden.cluster", which tells what died and was started again.
        delay, controller_location, send_engines_connection_env, load_profile: have no effect; there is nothing to wait for, to
            copy, or to load.
        options: of LocalCluster, such as durability="sync", data_directory, tcp, restart_engines, engine_environment.
    Raises: ValueError: a launcher that there is not.
    """

    def __init__(
        self,
        n: int | None = None,
        *,
        engines: str | None = None,
        controller: str | None = None,
        profile: str = "",
        profile_dir: str | os.PathLike[str] | None = None,
        cluster_id: str = "",
        controller_args: Sequence[str] = (),
        controller_ip: str = "",
        controller_location: str = "",  # noqa: ARG002
        delay: float = 0.0,  # noqa: ARG002
        engine_timeout: float = 60.0,
        send_engines_connection_env: bool = True,  # noqa: ARG002
        shutdown_atexit: bool = True,
        load_profile: bool = True,  # noqa: ARG002
        log_level: int | None = None,
        **options: Any,
    ) -> None:
        for name, launcher in (("engines", engines), ("controller", controller)):
            if launcher not in _LAUNCHERS:
                raise ValueError(f"{name} is {launcher!r}; the launchers that there are: 'local'")
        if log_level is not None:
            logging.getLogger("linden.cluster").setLevel(log_level)
        self.engine_timeout = engine_timeout
        if profile_dir is not None:
            options.setdefault("home", str(profile_dir))
        if controller_ip:
            options.setdefault("tcp", f"{controller_ip}:0")
        if not shutdown_atexit:
            options.setdefault("owner_kind", "detached")
        self._options: dict[str, Any] = {
            "n": n,
            "cluster_id": cluster_id or profile,
            "controller_args": list(controller_args),
        }
        self._options |= {"engine_timeout": engine_timeout} | options
        self._running: LocalCluster | RunningCluster = LocalCluster(
            n, cluster_id=cluster_id or profile, server_arguments=tuple(controller_args), **options
        )

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
        return {name: EngineProcesses(self, name, state) for name in state.engine_sets} if state else {}

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

    # Start

    def _ours(self, what: str) -> LocalCluster:
        if isinstance(self._running, LocalCluster):
            return self._running
        raise LaunchError(f"cannot {what} cluster {self.cluster_id!r}: it was started by another process, and runs")

    def start_cluster_sync(self, n: int | None = None) -> Cluster:
        """Start the server and *n* engines; returns this cluster when the server listens.  Engines come by themselves.

        Raises: LaunchError: a cluster of this name runs already, or something could not be started; then nothing is left.
        """
        self._ours("start").start_cluster(n)
        return self

    def start_controller_sync(self, **options: Any) -> None:
        """Start the server alone.  Raises: LaunchError. TypeError: it takes no options; those of Cluster are the server's, too."""
        if options:
            raise TypeError(f"start_controller takes no {next(iter(options))!r}; give options to Cluster")
        local = self._ours("start the server of")
        n = local.n
        local.start_cluster(0)
        local.n = n

    def start_engines_sync(self, n: int | None = None, engine_set_id: str | None = None) -> str:
        """Start *n* more engines; returns the id of their set.  Raises: LaunchError: the cluster does not run."""
        return self._running.start_engines(n, engine_set_id)

    def connect_client_sync(self, **options: Any) -> linden.Client:
        """A new client of this cluster, with ``.cluster`` set.  Takes the options of linden.Client.

        Raises: LaunchError: the cluster does not run.
        """
        import linden

        if not self.connection_file.exists():
            raise LaunchError(f"cluster {self.cluster_id!r} does not run; start it with start_cluster_sync()")
        return linden.Client(str(self.connection_file), cluster=self, **options)

    def start_and_connect_sync(self, n: int | None = None, activate: bool = False) -> linden.Client:
        """Start everything; a client, once all engines serve.  `activate`: its magics, too (``%px``).

        Raises: LaunchError: something did not start, or not within `engine_timeout`; then nothing is left running.
        """
        local = self._ours("start")
        local.start_cluster(n)
        try:
            client = self.connect_client_sync()
            local.wait_for_engines(client, timeout=self.engine_timeout)
            if activate:
                client.activate()
        except BaseException:
            local.stop_cluster()
            raise
        return client

    # Change

    def stop_engines_sync(self, engine_set_id: str | None = None) -> None:
        """End the engines of a set (None: of all).  Raises: KeyError: no such set."""
        self._running.stop_engines(engine_set_id)

    def restart_engines_sync(self, engine_set_id: str | None = None) -> None:
        """End the engines of a set (None: of all) and start as many anew, under new ids.  Raises: KeyError: no such set."""
        self._running.restart_engines(engine_set_id)

    def signal_engines_sync(self, signum: int | str, engine_set_id: str | None = None) -> None:
        """Send a signal, a number or a name, to the engines of a set (None: of all).  Raises: KeyError: no such set. ValueError."""
        self._running.signal_engines(signum, engine_set_id)

    def stop_engine_sync(self, engine_id: int) -> None:
        """End one engine, by the id under which it serves.  Raises: KeyError: there is none of that id here."""
        self._running.stop_engine(engine_id)

    def restart_engine_sync(self, engine_id: int) -> int:
        """End one engine and start another in its place; returns the id of that one, once it serves.

        Raises: KeyError: there is none of that id here. LaunchError.
        """
        return self._running.restart_engine(engine_id, timeout=self.engine_timeout)

    def signal_engine_sync(self, signum: int | str, engine_id: int) -> None:
        """Send a signal to one engine; SIGINT interrupts what it runs.  Raises: KeyError: there is none of that id here."""
        self._running.signal_engine(signum, engine_id)

    # Stop

    def stop_controller_sync(self) -> None:
        """End the server.  Engines wait for it for a minute; if none runs, the cluster has stopped.  Idempotent."""
        self._running.stop_controller()

    def stop_cluster_sync(self) -> None:
        """End engines and server, and remove what is not to stay.  Idempotent.  Raises: LaunchError: a process does not end."""
        if isinstance(self._running, LocalCluster) or self._state() is not None:
            self._running.stop_cluster()

    # To be awaited

    start_cluster = awaitable(start_cluster_sync)
    start_controller = awaitable(start_controller_sync)
    start_engines = awaitable(start_engines_sync)
    connect_client = awaitable(connect_client_sync)
    start_and_connect = awaitable(start_and_connect_sync)
    stop_engines = awaitable(stop_engines_sync)
    restart_engines = awaitable(restart_engines_sync)
    signal_engines = awaitable(signal_engines_sync)
    stop_engine = awaitable(stop_engine_sync)
    restart_engine = awaitable(restart_engine_sync)
    signal_engine = awaitable(signal_engine_sync)
    stop_controller = awaitable(stop_controller_sync)
    stop_cluster = awaitable(stop_cluster_sync)

    def __enter__(self) -> linden.Client:
        return self.start_and_connect_sync()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_cluster_sync()

    async def __aenter__(self) -> linden.Client:
        return await self.start_and_connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop_cluster()

    # As data, and as files

    def to_dict(self) -> dict[str, Any]:
        """How it was made and what runs of it; JSON can hold it, and `from_dict` of any process of this user reads it."""
        options = {name: value for name, value in self._options.items() if _is_plain(value)}
        state = self._state()
        return {
            "class": "linden.Cluster",
            "cluster": {**options, "cluster_id": self.cluster_id},
            "directory": str(self.directory),
            "state": asdict(state) if state else None,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Cluster:
        """The cluster that `to_dict` described: joined if it runs still, else one that may be started.

        Raises: ValueError: these are no such values.
        """
        if not isinstance(values, dict) or not {"cluster", "directory"} <= set(values):
            raise ValueError("from_dict wants what Cluster.to_dict gives: a dict with 'cluster' and 'directory'")
        directory = Path(values["directory"])
        state = cluster_file.read_cluster_file(directory)
        if state is not None:
            return cls._joined(RunningCluster(directory, state))
        return cls(**values["cluster"])

    @classmethod
    def from_file(
        cls,
        cluster_file: str | os.PathLike[str] | None = None,
        *,
        profile: str = "",
        profile_dir: str | os.PathLike[str] | None = None,
        cluster_id: str = "",
    ) -> Cluster:
        """The cluster that another process has started: by the path of its cluster file, or by its id.

        Args: cluster_file: a path, or an id. cluster_id, profile: an id; without any, "default". profile_dir: the directory below
            which its files are, in place of ``$LINDEN_HOME``.
        Raises: LaunchError: there is none.
        """
        wanted = cluster_file or cluster_id or profile or DEFAULT_CLUSTER_ID
        home = Path(profile_dir) if profile_dir is not None else None
        return cls._joined(RunningCluster.find(wanted, home))

    @classmethod
    def _joined(cls, running: RunningCluster) -> Cluster:
        cluster = cls.__new__(cls)
        cluster._running = running
        cluster.engine_timeout = 60.0
        cluster._options = {"n": running.n, "engine_timeout": cluster.engine_timeout}
        return cluster

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
