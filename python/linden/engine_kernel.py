"""Opening an engine to Jupyter's front ends: a console, a notebook or a debugger of one's own looks into it while it works.

linden_engine.kernel_thread does it; this is what a user calls, and what comes back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

_binder: Callable[[dict[str, Any]], BoundKernel] | None = None


class BoundKernel(NamedTuple):
    """Where a front end finds the kernel of an engine.  The key to it is in the file only, which only this user can read.

    connection_file: its path, on `host`.  host, pid: of the engine.  transport: "tcp" or "ipc".  ip: what the kernel listens on.
    """

    connection_file: str
    host: str
    pid: int
    transport: str
    ip: str

    @property
    def command(self) -> str:
        """What opens a console; to be typed on `host`."""
        import shlex

        return f"jupyter console --existing {shlex.quote(self.connection_file)}"


def bind_kernel(**kwargs: Any) -> BoundKernel:
    """Open the engine that runs this to Jupyter's front ends, as ``%px import linden; linden.bind_kernel()`` does.

        kernel = rc[0].apply_sync(linden.bind_kernel)
        print(kernel.command)      # jupyter console --existing /home/me/.local/share/jupyter/runtime/kernel-linden-....json

    What is typed there runs in the engine's namespace and IPython shell, in a thread of its own, so tasks go on meanwhile.  The
    kernel listens on the engine's own machine only, and ends with the engine.  Another call says that it is there already, and
    returns the same.

    Args: kwargs: connection_file (a path that does not exist yet; a bare name is in Jupyter's runtime folder), transport ("tcp"
        or "ipc"), ip (a loopback address; with "ipc" the beginning of a path), and shell_port, iopub_port, stdin_port,
        control_port, hb_port (0: any that is free).
    Raises: RuntimeError: this is no engine, or one without IPython's shell.  ImportError: ipykernel is not installed there.
        TypeError, ValueError: an argument.  FileExistsError.
    """
    if _binder is None:
        raise RuntimeError(
            "bind_kernel opens the engine that runs it, and this process is none; send it there: "
            "rc[0].apply_sync(linden.bind_kernel)"
        )
    return _binder(kwargs)


def set_binder(binder: Callable[[dict[str, Any]], BoundKernel] | None) -> None:
    """For engines: how to do it."""
    global _binder
    _binder = binder
