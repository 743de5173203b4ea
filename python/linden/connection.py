"""One connection to a server, and the spaces that are used through it."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from . import _native
from .completions import Completions
from .connection_file import ConnectionInfo, find_connection
from .fields import check_name
from .reaching import connect_to_any
from .space import Space


def connect(
    address: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    name: str = "",
    cluster_id: str | None = None,
    timeout: float = 10.0,
    hold: float = 5.0,
    memory: float = 60.0,
    reconnect: float = 60.0,
) -> Connection:
    """Connect to a server.

    Args: address: ``unix:/path``, ``tcp:host:port`` or several of these with commas between, the path of a connection file,
        or None for the running cluster. name: what the server's lists call this client. timeout: seconds to wait for the
        connection file and the server. hold: how long reservations outlive a broken connection (P18). memory: how long the
        server remembers a client that is away (P36). reconnect: how long calls wait for a server that is away.
    Raises: TimeoutError: no connection file. Unreachable: no server there.
    """
    info = find_connection(address, cluster_id=cluster_id, timeout=timeout)
    return Connection(open_native(info, name, timeout, hold=hold, memory=memory, reconnect=reconnect), info)


def open_native(
    info: ConnectionInfo, name: str, timeout: float, *, hold: float = 5.0, memory: float = 60.0, reconnect: float = 60.0
) -> _native.Client:
    """A session with the server of `info`."""
    checked = check_name("client name", name)

    def connect_to(address: str, seconds: float) -> _native.Client:
        return _native.Client.connect(
            address, name=checked, timeout=seconds, hold=hold, memory=memory, reconnect=reconnect
        )

    return connect_to_any(info.candidates(), connect_to, timeout)[0]


class Connection:
    """One session with a server.  Reconnects by itself, and repeats what was not answered (P36)."""

    def __init__(self, native: _native.Client, info: ConnectionInfo) -> None:
        self._native = native
        self._completions = Completions(native)
        self.info = info
        _open_connections.add(self)

    @property
    def native(self) -> _native.Client:
        """The C++ client."""
        return self._native

    @property
    def completions(self) -> Completions:
        """Where the futures of this connection are resolved."""
        return self._completions

    @property
    def address(self) -> str:
        """Of the server."""
        return self._native.address

    @property
    def session(self) -> str:
        """The session's id, 32 hexadecimal digits."""
        return self._native.session

    @property
    def connected(self) -> bool:
        """Whether the server can be reached now."""
        return self._native.connected

    def space(
        self,
        name: str,
        create: bool = True,
        durability: str | None = None,
        *,
        initial: Sequence[_native.Put] = (),
        timeout: float | None = 10.0,
    ) -> Space:
        """The space of that name.

        Args: create: make it if there is none; durability: then "memory", "process" or "sync" (P31), None: the server's
            default; initial: tuples to put in the same step as making it.
        Raises: NoSuchSpace.
        """
        check_name("space name", name)
        native = self._native.open_space(name, create=create, durability=durability, initial=initial, timeout=timeout)
        return Space(native, self._completions)

    def drop_space(self, name: str) -> None:
        """Remove the space and all its tuples."""
        self._native.drop_space(check_name("space name", name))

    def spaces(self) -> list[dict[str, Any]]:
        """All spaces of the server with their counts."""
        return self._native.spaces()

    def status(self) -> dict[str, Any]:
        """What the server says of itself."""
        return self._native.status()

    def close(self) -> None:
        """Say goodbye: reservations are released, waiting calls end with Closed.  Idempotent."""
        self._completions.leases.stop()
        self._native.close()
        self._completions.join()
        _open_connections.discard(self)

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<linden.Connection {self.address}>"


_open_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    # A thread that is inside C++ when the interpreter ends would be torn down there; so all are asked to leave before.
    for connection in list(_open_connections):
        connection.close()
