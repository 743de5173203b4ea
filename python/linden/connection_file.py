"""Where the farm is: the connection file that ``space-cluster start`` writes and clients and engines read.

The file is JSON, readable by its owner only, and looks like this (``docs/reference/farm-schema.md``)::

    {"format": 1, "address": "unix:/home/me/.linden/clusters/default/space.sock", "tcp": "tcp:127.0.0.1:40123",
     "server_pid": 4711, "space": "farm", "cluster_id": "default", "host": "login1",
     "addresses": ["tcp:10.1.0.1:40123", "tcp:login1:40123"]}

Where several addresses are known, whoever connects tries them all (reaching.py).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # an engine that was given an address starts quicker without it
    from pathlib import Path

FORMAT = 1
CONNECTION_FILE = "connection.json"  # in the folder of a cluster
DEFAULT_CLUSTER_ID = "default"
DEFAULT_FARM_SPACE = "farm"
CONNECTION_VARIABLE = "LINDEN_CONNECTION"
HOME_VARIABLE = "LINDEN_HOME"

_ADDRESS_PREFIXES = ("unix:", "tcp:")
_POLL_S = 0.02


class ConnectionInfo(NamedTuple):
    """What is needed to reach a farm."""

    address: str
    tcp: str | None = None
    server_pid: int | None = None
    space: str = DEFAULT_FARM_SPACE
    cluster_id: str | None = None
    host: str | None = None  # that of the server
    addresses: tuple[str, ...] = ()  # by TCP, for other hosts; best first

    def candidates(self) -> list[str]:
        """The addresses to try from here, best first: on the server's host its Unix socket alone, elsewhere those by TCP."""
        if not self.address.startswith("unix:") or (self.host is None and self.addresses):  # a plain list
            return list(dict.fromkeys([self.address, *self.addresses]))
        # A home directory that hosts share shows them the file of a socket that only one of them can use.
        is_here = self.host in (None, os.uname().nodename) and os.path.exists(self.address.removeprefix("unix:"))
        others = self.addresses or ((self.tcp,) if self.tcp else ())
        return [self.address] if is_here or not others else list(others)

    def to_dict(self) -> dict[str, Any]:
        """The content of a connection file."""
        return {
            "format": FORMAT,
            "address": self.address,
            "tcp": self.tcp,
            "server_pid": self.server_pid,
            "space": self.space,
            "cluster_id": self.cluster_id,
            "host": self.host,
            "addresses": list(self.addresses),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "the connection information") -> ConnectionInfo:
        """Read what a connection file contains.

        Raises: ValueError: `values` has another format or no address; `source` names it in the message.
        """
        found = values.get("format", FORMAT)
        if found != FORMAT:
            raise ValueError(f"{source} has format {found!r}, this version of Linden reads {FORMAT}")
        address = values.get("address")
        if not isinstance(address, str) or not is_address(address):
            raise ValueError(f"{source} has no address such as unix:/path or tcp:host:port, but {address!r}")
        addresses = values.get("addresses") or []
        if not isinstance(addresses, list) or not all(isinstance(each, str) and is_address(each) for each in addresses):
            raise ValueError(f"{source} has as addresses {addresses!r}, not a list such as ['tcp:host:port']")
        return cls(
            address=address,
            tcp=values.get("tcp"),
            server_pid=values.get("server_pid"),
            space=values.get("space") or DEFAULT_FARM_SPACE,
            cluster_id=values.get("cluster_id"),
            host=values.get("host"),
            addresses=tuple(addresses),
        )


def is_address(text: str) -> bool:
    """Whether `text` is a server's address rather than the path of a file."""
    return text.startswith(_ADDRESS_PREFIXES)


def addresses_in(text: str) -> list[str] | None:
    """The addresses of a text such as ``unix:/path,tcp:a:1,tcp:b:1``; None if it is the path of a file.

    Raises: ValueError: what follows a comma is no address.
    """
    if not is_address(text):
        return None
    addresses: list[str] = []
    for part in text.split(","):
        if is_address(part):
            addresses.append(part)
        elif addresses[-1].startswith("unix:"):  # a path may hold commas
            addresses[-1] += f",{part}"
        else:
            raise ValueError(f"{part!r} in {text!r} is no address such as unix:/path or tcp:host:port")
    return addresses


def linden_home() -> Path:
    """The folder of all clusters of this user: ``$LINDEN_HOME``, else ``~/.linden``."""
    from pathlib import Path

    return Path(os.environ.get(HOME_VARIABLE) or "~/.linden").expanduser()


def cluster_directory(cluster_id: str | None = None) -> Path:
    """The folder that belongs to one cluster."""
    return linden_home() / "clusters" / (cluster_id or DEFAULT_CLUSTER_ID)


def connection_file_path(cluster_id: str | None = None) -> Path:
    """Where the connection file of a cluster lies."""
    return cluster_directory(cluster_id) / CONNECTION_FILE


def write_connection_file(path: Path, info: ConnectionInfo) -> None:
    """Write `info` to `path` in one step, readable by its owner only; nobody ever sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(info.to_dict(), file, indent=1)
        file.write("\n")
    os.replace(draft, path)


def read_connection_file(path: Path) -> ConnectionInfo:
    """Read the connection file at `path`.

    Raises: FileNotFoundError; ValueError: it is no connection file.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not a connection file: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not a connection file: it holds no JSON object")
    return ConnectionInfo.from_dict(values, source=str(path))


def find_connection(
    where: str | os.PathLike[str] | Mapping[str, Any] | ConnectionInfo | None = None,
    *,
    cluster_id: str | None = None,
    timeout: float = 10.0,
) -> ConnectionInfo:
    """Find out where the farm is.

    Args: where: an address, or several with commas between, the path of a connection file, its content, or None:
        ``$LINDEN_CONNECTION`` if it is set and no cluster is named, else the connection file of the cluster.
        cluster_id: which cluster. timeout: seconds to wait for the file to appear.
    Raises: TimeoutError: no file in time; the message says what to start. ValueError: it is no connection file.
    """
    if isinstance(where, ConnectionInfo):
        return where
    if isinstance(where, Mapping):
        return ConnectionInfo.from_dict(where)
    if where is None and cluster_id is None:
        where = os.environ.get(CONNECTION_VARIABLE) or None
    if isinstance(where, str) and (addresses := addresses_in(where)) is not None:
        return ConnectionInfo(address=addresses[0], addresses=tuple(addresses[1:]))
    if where is None:
        return _wait_for_file(connection_file_path(cluster_id), timeout, named=False)
    from pathlib import Path

    return _wait_for_file(Path(where).expanduser(), timeout, named=True)


def _wait_for_file(path: Path, timeout: float, *, named: bool) -> ConnectionInfo:
    deadline = time.monotonic() + timeout
    while True:
        try:
            return read_connection_file(path)
        except FileNotFoundError:
            if time.monotonic() >= deadline:
                remedy = (
                    "check the path"
                    if named
                    else "start a cluster with `space-cluster start -n 4`, or use linden.start(4)"
                )
                raise TimeoutError(f"no connection file {path} within {timeout:g} s; {remedy}") from None
        time.sleep(_POLL_S)
