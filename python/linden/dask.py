"""A dask cluster on the engines of a farm: its scheduler lives in the client's process, a worker in each engine.

The workers run in threads of the engines, which go on serving the farm meanwhile.  Dask's scheduler knows no secrets: who can
reach its port can run code in the engines, so it listens on loopback unless told otherwise.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .error import EngineError

if TYPE_CHECKING:
    from . import farm
    from .client import Client

_START_S = 60.0
_STOP_S = 10.0
_LOOPBACK = "127.0.0.1"
# There is an HTTP port in any case; this one is the kernel's choice, so that it clashes with nobody's.
_NO_DASHBOARD = {"dashboard": False, "dashboard_address": f"{_LOOPBACK}:0"}


class DaskFarm:
    """What `Client.become_dask` has started."""

    def __init__(self, client: Client, port: int, scheduler_args: dict[str, Any] | None) -> None:
        import dask.config
        from distributed import Scheduler, SpecCluster

        self._client = client
        options = {"host": _LOOPBACK, "port": port, **_NO_DASHBOARD, **(scheduler_args or {})}
        scheduler = {"cls": Scheduler, "options": options}
        self._directory = tempfile.mkdtemp(prefix="linden-dask-")
        try:
            with dask.config.set(temporary_directory=self._directory):
                self._cluster = SpecCluster(workers={}, scheduler=scheduler, silence_logs=logging.WARNING)
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        self._clients: list[Any] = []

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return str(self._cluster.scheduler_address)

    def add_workers(self, targets: Any, nanny: bool, worker_args: dict[str, Any]) -> Any:
        """A worker on each of `targets` that has none; a distributed.Client that sees them all."""
        from distributed import Client as DaskClient

        engines, _ = self._client.engines_of(targets)
        self._check_reach(engines)
        started = [
            self._client.direct_view(engine.id).apply_async(
                start_worker, self.address, nanny, {"name": f"engine-{engine.id}", **worker_args}
            )
            for engine in engines
        ]
        for result in started:
            result.get(_START_S)
        dask = DaskClient(self.address)
        self._clients.append(dask)
        dask.wait_for_workers(len(engines), timeout=_START_S)
        return dask

    def _check_reach(self, engines: Sequence[farm.Engine]) -> None:
        far = sorted({engine.info.get("host", "?") for engine in engines} - {os.uname().nodename})
        if far and _is_loopback(self.address):
            raise EngineError(
                f"engines on {', '.join(far)} cannot reach a dask scheduler on {self.address}; "
                "give become_dask(scheduler_args={'host': ...}) an address of this machine that they can reach"
            )

    def remove_workers(self, targets: Any) -> None:
        """End the workers on `targets`."""
        self._client.direct_view(targets).apply_async(stop_worker).get(_START_S)

    def close(self) -> None:
        """End the scheduler and the clients; workers that are left end when they notice."""
        for dask in self._clients:
            with suppress(Exception):  # a client of a scheduler that has died says so; there is nothing left to close
                dask.close(timeout=_STOP_S)
        self._cluster.close(timeout=_STOP_S)
        shutil.rmtree(self._directory, ignore_errors=True)


def _is_loopback(address: str) -> bool:
    return "://127." in address


# ---- In an engine --------------------------------------------------------------------------------------------------

# The worker of this process, the loop that it runs in, its directory, and the scheduler that it serves.
_running: tuple[Any, Any, str, str] | None = None


def start_worker(address: str, nanny: bool, options: dict[str, Any]) -> str:
    """Start a worker, or a nanny with one, that serves the scheduler at `address`; returns the worker's address."""
    global _running
    from distributed import Nanny, Worker
    from distributed.utils import LoopRunner

    if _running is not None:
        worker, _, _, served = _running
        if served == address and worker.status.name == "running":
            return str(worker.address)
        stop_worker()
    directory = tempfile.mkdtemp(prefix="linden-dask-")
    loop = LoopRunner(asynchronous=False)
    loop.start()

    async def start() -> Any:
        settings: dict[str, Any] = {"nthreads": 1, "death_timeout": _START_S, "local_directory": directory}
        if _is_loopback(address):  # otherwise it would listen on every address of this machine
            settings["host"] = _LOOPBACK
        kind = Nanny if nanny else Worker
        return await kind(address, **{**settings, **_NO_DASHBOARD, **options})

    try:
        worker = loop.run_sync(start)
    except BaseException:
        loop.stop()
        shutil.rmtree(directory, ignore_errors=True)
        raise
    _running = worker, loop, directory, address
    return str(worker.worker_address if nanny else worker.address)


def stop_worker() -> bool:
    """End the worker of this process; whether there was one."""
    global _running
    if _running is None:
        return False
    worker, loop, directory, _ = _running
    _running = None
    loop.run_sync(lambda: worker.close(timeout=_STOP_S, reason="stop_dask"))
    loop.stop()
    shutil.rmtree(directory, ignore_errors=True)
    return True
