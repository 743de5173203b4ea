"""linden.start: a farm on this machine in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .cluster import Cluster

if TYPE_CHECKING:
    import linden


def start(n: int | None = None, *, timeout: float = 60.0, **options: Any) -> linden.Client:
    """Start a server and *n* engines on this machine and connect to them; returns when all engines serve.

    Args: n: engines; None is one per processor that this process may use. timeout: seconds that this may take. options: of
        Cluster; without ``cluster_id`` all files are temporary.
    Returns: a client whose ``.cluster`` it owns: leaving its ``with`` block, ``shutdown(hub=True)`` or the end of this process,
        even by kill -9, ends server and engines.
    Raises: LaunchError: something did not start; the message has the last lines of its log.
    """
    return Cluster(n, engine_timeout=timeout, **{"engines": "local", **options}).start_and_connect_sync()
