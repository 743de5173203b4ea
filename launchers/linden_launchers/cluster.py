"""Cluster: what people hold in their hands.  Under ipyparallel's names, to be awaited, or with ``_sync`` to be waited for.

It owns a LocalCluster, or has joined a RunningCluster that another process owns; what it does itself is to offer both alike.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from linden.connection_file import DEFAULT_CLUSTER_ID

from . import cluster_file
from .async_first import awaitable
from .cluster_facts import ClusterFacts
from .engine_options import LOCAL, EngineOptions, chosen_options
from .launcher import LaunchError
from .local_cluster import LocalCluster
from .rendering import render_job
from .running_cluster import RunningCluster

if TYPE_CHECKING:
    import linden
    from linden.on_join import OnJoin

    from .adapting import Adaptation

_OF_LOCAL_CLUSTER = frozenset(inspect.signature(LocalCluster).parameters)


class Cluster(ClusterFacts):
    """A server and engines, started, watched over, looked at and stopped as one.

    ``with Cluster(4) as rc`` and ``async with Cluster(4) as rc`` give a client with all engines serving, and stop everything at
    the end.  Each method ``x`` is to be awaited and has a blocking form ``x_sync``.

    Args:
        n: engines; None is one per processor that this process may use.
        engines: how they are started: "local", as processes of this machine, "ssh", "mpi", "slurm" or another of
            `linden_launchers.launcher_names()`; None is as the site profile says, else "local". controller: "local".
        cluster_id: its name; with one, its data stay when it stops and are there when it is started again. Without, a name is
            made up, and all of its files are removed when it stops. profile: the same, as ipyparallel's programs say it.
        profile_dir: the directory below which its files are, in place of ``$LINDEN_HOME``.
        controller_ip: let the server listen on this address, too. controller_args: further options of space-server.
        engine_timeout: seconds within which engines have to serve, not counting those for which jobs wait in a queue: these may
            be queue_timeout, or for ever if that is None.
        wait_for: so many engines are enough for start_and_connect; None: all. The others come when there is room for them.
        shutdown_atexit: stop it when this process ends; otherwise it goes on, without a supervisor, until it is stopped.
        log_level: of the logger "linden.cluster", which tells what died and was started again.
        delay, controller_location, send_engines_connection_env, load_profile: have no effect; there is nothing to wait for, to
            copy, or to load.
        options: of LocalCluster, such as durability="sync", data_directory, tcp, restart_engines, engine_environment; and of
            how engines are started, which win over the site profile's: walltime="1:00:00", queue, account, cores, memory="8G",
            prologue, hosts and others, as the system knows them.
    Raises: ValueError: a launcher that there is not. TypeError, LaunchError: no such option, or a value that makes no sense.
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
        queue_timeout: float | None = None,
        wait_for: int | None = None,
        send_engines_connection_env: bool = True,  # noqa: ARG002
        shutdown_atexit: bool = True,
        load_profile: bool = True,  # noqa: ARG002
        log_level: int | None = None,
        **options: Any,
    ) -> None:
        if controller not in (None, LOCAL):
            raise ValueError(f"controller is {controller!r}; the launchers that there are: 'local'")
        if log_level is not None:
            logging.getLogger("linden.cluster").setLevel(log_level)
        own = {name: value for name, value in options.items() if name in _OF_LOCAL_CLUSTER}
        of_engines = {name: value for name, value in options.items() if name not in own}
        chosen = chosen_options(engines, of_engines)
        self.engine_timeout, self.queue_timeout, self.wait_for = engine_timeout, queue_timeout, wait_for
        if profile_dir is not None:
            own.setdefault("home", str(profile_dir))
        if controller_ip:
            own.setdefault("tcp", f"{controller_ip}:0")
        if not shutdown_atexit:
            own.setdefault("owner_kind", "detached")
        cluster_id = cluster_id or profile
        self._options = {
            "n": n,
            "cluster_id": cluster_id,
            "controller_args": list(controller_args),
            **own,
            **of_engines,
        }
        self._options |= {"engines": engines, "engine_timeout": engine_timeout}
        self._options |= {"queue_timeout": queue_timeout, "wait_for": wait_for}
        own |= {"server_arguments": tuple(controller_args), "engine_options": chosen}
        self._running = LocalCluster(n, cluster_id=cluster_id, **own)

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

    def start_engines_sync(
        self, n: int | None = None, engine_set_id: str | None = None, *, engines: str | None = None, **options: Any
    ) -> str:
        """Start *n* more engines; returns the id of their set.

        Args: engines: how, which may be another way than that of the cluster's first engines; None: as those, or if the
            cluster was joined as the site profile says. options: of that way, as Cluster takes them.
        Raises: LaunchError: the cluster does not run, or the system has refused them; the message has its own words.
        """
        return self._running.start_engines(n, engine_set_id, self._chosen(engines, options))

    def _chosen(self, engines: str | None, options: dict[str, Any]) -> EngineOptions | None:
        """None: as the first engines."""
        if engines is None and not options and isinstance(self._running, LocalCluster):
            return None
        return chosen_options(engines, options)

    def job_script_sync(self, n: int | None = None, *, engines: str | None = None, **options: Any) -> str:
        """The script that would be submitted for *n* engines.  Takes the options of `start_engines`.

        Raises: LaunchError: engines of this kind are started without a script.
        """
        chosen = self._chosen(engines, options) or self._ours("know the options of").options
        return render_job(chosen, self.n if n is None else n, self.directory)

    def scale_sync(self, n: int, engine_set_id: str | None = None) -> None:
        """Have *n* engines in a set (None: in the only one): start more, or let some finish what they run and leave.

        Those that still wait in a queue are given up first, then those that have nothing to do. Returns when those that are too many
        have left, or engine_timeout seconds after they were asked; then they are ended. Raises: KeyError: no such set. LaunchError.
        """
        self._running.scale(n, engine_set_id, timeout=self.engine_timeout)

    def adapt(
        self, minimum: int = 0, maximum: int | None = None, *, engine_set_id: str | None = None, **rules: Any
    ) -> Adaptation:
        """From now on have as many engines as there is work for, in a set (None: in the only one); `stop()` of what this returns ends it.

        Engines are added when tasks wait, at most doubling, and leave after they have finished what they run when fewer have been
        enough for `idle_s` seconds. It is this process that does so.
        Args: minimum, maximum: None is as many engines as the cluster was made with. rules: of AdaptRules: tasks_per_engine (1),
            wait_s (1), idle_s (30); and period_s (1), how often it looks.
        Raises: ValueError: the rules make no sense. LaunchError: the cluster does not run. KeyError: no such set.
        """
        from .adapting import Adaptation

        return Adaptation(
            self._running, minimum, self.n if maximum is None else maximum, engine_set_id, **rules
        ).start()

    def on_join_sync(
        self,
        what: Callable[..., Any] | str,
        *args: Any,
        name: str | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> OnJoin:
        """Have every engine run a function, or the text of code, before its first task; see `Client.on_join`.

        Raises: LaunchError: the cluster does not run; and as `Client.on_join`.
        """
        with self.connect_client_sync() as client:
            return client.on_join(what, *args, name=name, timeout=timeout, **kwargs)

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
            local.wait_for_engines(client, self.wait_for, timeout=self.engine_timeout, queue_timeout=self.queue_timeout)
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
    job_script = awaitable(job_script_sync)
    scale = awaitable(scale_sync)
    on_join = awaitable(on_join_sync)
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
        cluster.engine_timeout, cluster.queue_timeout, cluster.wait_for = 60.0, None, None
        cluster._options = {"n": running.n, "engine_timeout": cluster.engine_timeout}
        return cluster
