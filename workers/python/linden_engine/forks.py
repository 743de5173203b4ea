"""What becomes of the copy of an engine that a task makes by os.fork or multiprocessing.

The copy has one thread and none of the native ones, but the parent's connection.  So it must say nothing to the farm: what it
prints goes to the parent's descriptors, which makes it the task's; signals do what they usually do; and if it comes back from
the task's function, it ends there, since the result is the parent's to put.
"""

from __future__ import annotations

import os
import signal
import sys

from .streams import TaskStream

_forked = False
_server: str | None = None
_mask: set[int] | None = None  # of the thread that forks


def is_copy() -> bool:
    """Whether this process is such a copy."""
    return _forked


def prepare() -> None:
    """From now on copies of this process leave the farm alone."""
    os.register_at_fork(before=_hold_signals, after_in_parent=_let_signals_come, after_in_child=_become_copy)


def connected_to(address: str) -> None:
    """The address of the server that this engine talks to, as a connection file has it."""
    global _server
    _server = address


def _hold_signals() -> None:
    # A signal that reaches the copy before its handlers are changed would be lost: Python forgets it.
    global _mask
    _mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})


def _let_signals_come() -> None:
    if _mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _mask)


def _become_copy() -> None:
    global _forked
    _forked = True
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TaskStream):
            stream.become_plain()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if _server is not None:
        _let_go(_server)
    _let_signals_come()


def end_copy(error: BaseException | None) -> None:
    """End this copy as the interpreter would: it came back from the task's function, or raised `error` out of it."""
    status = 0
    if isinstance(error, SystemExit):
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if status and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
    elif error is not None:
        import traceback

        traceback.print_exception(error)
        status = 1
    os._exit(status & 0xFF)


def _let_go(server: str) -> None:
    """Put /dev/null in the place of connections to the server, so that nothing in this process can speak on them, and the
    server sees that they are broken when the engine dies, though we live."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for name in os.listdir("/proc/self/fd"):
        if _leads_to(int(name), server):
            os.dup2(nothing, int(name), inheritable=False)
    os.close(nothing)


def _leads_to(descriptor: int, server: str) -> bool:
    import _socket  # without what the module `socket` brings along

    try:
        copy = os.dup(descriptor)
    except OSError:
        return False
    try:
        connection = _socket.socket(fileno=copy)
    except OSError:  # no socket
        os.close(copy)
        return False
    try:
        peer = connection.getpeername()
    except OSError:
        return False
    finally:
        connection.close()
    if isinstance(peer, str):
        return server == f"unix:{peer}"
    return isinstance(peer, tuple) and server.startswith("tcp:") and server.endswith(f":{peer[1]}")
