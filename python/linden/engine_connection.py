"""How code that runs in an engine opens a client of its own to the same farm."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import Client
    from .connection_file import ConnectionInfo

_info: ConnectionInfo | None = None


def set_engine_connection(info: ConnectionInfo) -> None:
    """This process is an engine, and reached its farm by this."""
    global _info
    _info = info


def connect(name: str) -> Client:
    """A client of the farm that this engine serves.

    Raises: RuntimeError: this process is no engine.
    """
    from .client import Client

    if _info is None:
        raise RuntimeError("this works in a task only: the process is no engine")
    return Client(_info, name=name)
