"""LocalEngines: the engines of a cluster that this process owns, beneath LocalCluster: start, change, stop, all or one.

Engines of this machine are children of this process; those of other systems are jobs (job_sets.py), which any process can stop.
"""

from __future__ import annotations

import os
import sys

from .cluster_file import ClusterState
from .engine_command import script_directory
from .engine_options import EngineOptions
from .engine_set import EngineSet, check_count
from .job_sets import JobSets
from .launcher import Job, LaunchError
from .local import LocalLauncher
from .process import Child, end_processes
from .running_cluster import RunningCluster
from .serving import pid_of_engine, wait_until_gone, wait_until_serving
from .supervisor import SPACE, Supervisor


class LocalEngines(Supervisor):
    """What LocalCluster does with engines."""

    n: int
    _engine_environment: dict[str, str]
    _engine_hold_s: float | None
    _grace_s: float
    _owner_kind: str
    _options: EngineOptions
    job_sets: JobSets

    def start_engines(
        self, n: int | None = None, engine_set_id: str | None = None, options: EngineOptions | None = None
    ) -> str:
        """Start *n* more engines (None: as many as the cluster was made with); returns the id of their set.

        *options*: how; None is as the cluster's.  Raises: LaunchError.
        """
        n = self.n if n is None else check_count(n)
        options = options or self._options
        if not options.is_local:
            self._running()
            return self._attached().start_engines(n, engine_set_id, options, python_path=self._python_path())
        with self._lock:
            launcher, state = self._running()
            engine_set = EngineSet(
                name=engine_set_id or self._written().new_set_name(),
                n=n,
                address=f"unix:{state.socket_file}",
                log_directory=self.directory / "log",
                space=SPACE,
                hold_s=EngineSet.hold_s if self._engine_hold_s is None else self._engine_hold_s,
                parent_pid=self._parent_pid(),
                cluster_id=self.cluster_id,
                **{
                    "python_path": self._python_path(),
                    **options.engines,
                    "environment": {**self._engine_environment, **options.engines.get("environment", {})},
                },
            )
            state.engine_sets[engine_set.name] = engine_set.to_dict()
            state.n += n
            self._jobs.append(launcher.start(engine_set))
            self._record_engines()
        return engine_set.name

    def _jobs_of(self, engine_set_id: str | None) -> list[Job]:
        """Raises: KeyError: neither we nor another process has started such a set."""
        found = [job for job in self._jobs if engine_set_id in (None, job.engine_set)]
        if found or engine_set_id is None or self._is_of_others(engine_set_id):
            return found
        raise KeyError(engine_set_id)

    def _is_of_others(self, engine_set_id: str | None) -> bool:
        """Whether engines of that set (None: of any) were started by other processes, or are jobs of other systems."""
        state = self._written()
        others = [record.engine_set for record in state.engines if record.id not in self._own]
        return any(engine_set_id in (None, name) for name in [*others, *state.systems])

    def stop_engines(self, engine_set_id: str | None = None) -> None:
        """End the engines of a set (None: of all).  Raises: KeyError: no such set."""
        with self._lock:
            launcher, _ = self._running()
            jobs = self._jobs_of(engine_set_id)
            self._jobs = [job for job in self._jobs if job not in jobs]
            self._forget_wanted(sum(len(launcher.children(job)) for job in jobs))
        for job in jobs:
            launcher.stop(job)
        if self._is_of_others(engine_set_id):
            self._attached().stop_engines(engine_set_id)

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
        if self._is_of_others(engine_set_id):
            self._attached().restart_engines(engine_set_id)

    def signal_engines(self, signum: int | str, engine_set_id: str | None = None) -> None:
        """Send a signal, a number or a name, to the engines of a set (None: of all).  Raises: KeyError: no such set. ValueError."""
        self._running()
        self._attached().signal_engines(signum, engine_set_id)

    def scale(self, n: int, engine_set_id: str | None = None, *, timeout: float = 60.0) -> None:
        """Have *n* engines in a set (None: in the only one); those that are too many finish what they run, for *timeout* seconds.

        Raises: KeyError: no such set. LaunchError.
        """
        from .scaling import scale  # not needed to start a cluster, nor is what it imports

        self._running()
        scale(self._attached(), n, engine_set_id, timeout_s=timeout, add=self._add_engines)

    def _add_engines(self, engine_set_id: str, n: int) -> None:
        with self._lock:
            launcher, state = self._running()
            for job in self._jobs_of(engine_set_id):
                launcher.grow(job, n)
                state.n += n
                self._record_engines()
                return
        self._attached().add_engines(engine_set_id, n)

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

    def refresh(self) -> ClusterState:
        """What the cluster file says now.  Raises: LaunchError: the cluster does not run."""
        self._running()
        return self._written()

    def _attached(self) -> RunningCluster:
        """This cluster as other processes see it."""
        return RunningCluster.find(self.cluster_file, job_sets=self.job_sets)

    @property
    def engine_pids(self) -> list[int]:
        """Of the engines that this cluster started and that run, oldest set first."""
        if self._launcher is None:
            return []
        return [child.pid for job in self._jobs for child in self._launcher.children(job) if not child.has_ended()]

    def _parent_pid(self) -> int | None:
        return None if self._owner_kind in ("daemon", "detached") else os.getpid()

    def _python_path(self) -> tuple[str, ...]:
        return tuple(script_directory(sys.path)) if self._owner_kind in ("session", "detached") else ()

    def _running(self) -> tuple[LocalLauncher, ClusterState]:
        if self._launcher is None or self._state is None or self._owner_pid != os.getpid() or self._stopping.is_set():
            raise LaunchError(f"cluster {self.cluster_id!r} does not run; start it with start_cluster()")
        return self._launcher, self._state
