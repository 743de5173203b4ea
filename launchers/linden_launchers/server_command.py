"""Finding Linden's programs, and the argument list of a server.  Nothing here runs anything."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .launcher import LaunchError

DURABILITIES = ("memory", "process", "sync")
# Where a server listens, besides its Unix socket, whose engines may be on other hosts.  None until clients are authenticated: until
# then space-server refuses every address that other hosts reach, and a port of loopback, which they do not, is open to all users of a
# shared login node.  "0.0.0.0:0" is what it is to be.
TCP_FOR_OTHER_HOSTS: str | None = None


@dataclass(frozen=True)
class ServerOptions:
    """What a server is started with."""

    program: str
    directory: Path
    unix_path: Path
    tcp: str | None = None  # "host:port"; port 0 lets the kernel choose
    durability: str = "process"
    parent_pid: int | None = None
    arguments: tuple[str, ...] = ()  # further options

    def with_tcp(self, tcp: str | None) -> ServerOptions:
        return replace(self, tcp=tcp)


def server_argv(options: ServerOptions, *, ready_fd: int | None = None) -> list[str]:
    """The command line of space-server; it writes a line of JSON to *ready_fd* once it listens."""
    argv = [options.program, "--directory", str(options.directory), "--unix", str(options.unix_path)]
    if options.tcp is not None:
        argv += ["--tcp", options.tcp]
    argv += ["--durability", options.durability]
    if options.parent_pid is not None:
        argv += ["--parent-pid", str(options.parent_pid)]
    if ready_fd is not None:
        argv += ["--ready-fd", str(ready_fd)]
    return [*argv, *options.arguments]


def find_program(name: str, environment: Mapping[str, str] | None = None) -> str:
    """The path of one of Linden's programs: in $LINDEN_BIN, beside this Python, then in $PATH.

    Raises: LaunchError: it is nowhere.
    """
    environment = os.environ if environment is None else environment
    places = [environment["LINDEN_BIN"]] if environment.get("LINDEN_BIN") else []
    # Not resolved: in a virtual environment the link to python lies beside the environment's own programs.
    places += [
        sysconfig.get_path("scripts"),
        str(Path(sys.executable).parent),
        *environment.get("PATH", "").split(os.pathsep),
    ]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise LaunchError(
            f"{name} was not found beside {sys.executable} nor in PATH; install linden, or set LINDEN_BIN to its directory"
        )
    return found
