"""The thread in which an engine's Jupyter kernel runs, if somebody asks for one by linden.bind_kernel.

A thread, so that a console can look into an engine while a task keeps the main thread, which also keeps the signals.  What
is printed and displayed in this thread goes to the front ends, and all else to the task that runs, as before.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import ipaddress
import logging
import os
import threading
import uuid
from typing import TYPE_CHECKING, Any

from linden.engine_kernel import BoundKernel

from .execution import Shells
from .output import TaskOutput

if TYPE_CHECKING:
    from .ipython_shell import IPythonShell
    from .kernel import KernelApp

_START_S = 30.0
# A cell that does not listen to its interrupt is waited for no longer than this; the process ends anyway.
_END_S = 2.0
_PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
_OPTIONS = ("connection_file", "transport", "ip", *_PORTS)


class KernelThread:
    """The kernel of an engine: none, until somebody asks for it.  `bind` and `close` are for the main thread."""

    def __init__(self, shells: Shells, output: TaskOutput, engine_name: str) -> None:
        self._shells = shells
        self._output = output
        self._engine_name = engine_name
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._app: KernelApp | None = None  # while it serves

    def bind(self, options: dict[str, Any]) -> BoundKernel:
        """Start the kernel if it does not run.  Raises what linden.bind_kernel says."""
        if self._is_there():
            bound = self._bound()
            print(f"this engine has a kernel already: {bound.command}")
            return bound
        checked = _checked(options)
        shell = self._shell()
        self._ready, self._failure = threading.Event(), None
        self._thread = threading.Thread(target=self._run, args=(shell, checked), name="linden-kernel", daemon=True)
        self._thread.start()
        return self._bound()

    def _is_there(self) -> bool:
        """Whether the kernel serves or is about to; one that is about to end is waited for."""
        thread = self._thread
        if thread is None:
            return False
        if self._ready.is_set() and self._app is None:
            thread.join(_END_S)
        return thread.is_alive()

    def _shell(self) -> IPythonShell:
        try:
            import ipykernel.kernelapp  # noqa: F401
        except ImportError as error:
            raise ImportError(
                f"bind_kernel needs ipykernel where the engine runs, and it cannot be imported there ({error}); "
                "pip install ipykernel"
            ) from error
        from .ipython_shell import IPythonShell

        shell = self._shells.get()
        if not isinstance(shell, IPythonShell):
            raise RuntimeError("bind_kernel needs IPython's shell, and this engine was started with --ipython never")
        shell.install_comms()  # importing ipykernel may have taken their place
        return shell

    def _bound(self) -> BoundKernel:
        if not self._ready.wait(_START_S):
            raise RuntimeError(f"the kernel of this engine has not started within {_START_S:g} s")
        if self._failure is not None:
            raise self._failure
        app = self._app
        if app is None:
            raise RuntimeError(
                "the kernel of this engine has just been shut down by a front end; call bind_kernel again"
            )
        return BoundKernel(app.abs_connection_file, os.uname().nodename, os.getpid(), app.transport, app.ip)

    # ---- in the thread

    def _run(self, shell: IPythonShell, options: dict[str, Any]) -> None:
        asyncio.set_event_loop(loop := asyncio.new_event_loop())
        try:
            self._serve(shell, options)
        except BaseException as error:  # noqa: BLE001  (for the main thread, if it waits for us)
            self._failure = error
        finally:
            self._app = None
            self._ready.set()
            loop.close()

    def _serve(self, shell: IPythonShell, options: dict[str, Any]) -> None:
        from .kernel import KernelApp

        # Warnings are for kernels that are processes.
        log = logging.getLogger("linden.kernel")
        log.setLevel(logging.ERROR)
        app = KernelApp(engine_shell=shell, engine_name=self._engine_name, log=log, **options)
        try:
            app.initialize([])
            with self._output.told(app.kernel.tell), _input_from(app.kernel):
                self._app = app
                self._ready.set()
                app.run()
        finally:
            self._app = None
            app.end()

    # ---- the end

    def remove_files(self) -> None:
        """Leave nothing on the disk: the process is about to end.  For any thread."""
        if (app := self._app) is not None:
            app.cleanup_connection_file()

    def close(self) -> None:
        """End the kernel, if there is one."""
        app, thread = self._app, self._thread
        if app is None or thread is None:
            return
        app.cleanup_connection_file()
        app.stop()
        thread.join(_END_S)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    """The options, with a name for the file."""
    if unknown := sorted(set(options) - set(_OPTIONS)):
        raise TypeError(f"bind_kernel has no argument {unknown[0]!r}; it has {', '.join(_OPTIONS)}")
    transport = options.get("transport", "tcp")
    if transport not in ("tcp", "ipc"):
        raise ValueError(f"transport is 'tcp' or 'ipc', and was given as {transport!r}")
    if transport == "tcp" and "ip" in options and not _is_loopback(options["ip"]):
        raise ValueError(
            f"the kernel of an engine listens on a loopback address only, and ip is {options['ip']!r}; "
            "from another machine, come by ssh (docs/howto/jupyter.md)"
        )
    for name in _PORTS:
        if not isinstance(options.get(name, 0), int) or not 0 <= options.get(name, 0) <= 65535:
            raise ValueError(f"{name} is a port, or 0 for any that is free, and was given as {options[name]!r}")
    file = options.get("connection_file") or f"kernel-linden-{os.getpid()}-{uuid.uuid4().hex[:8]}.json"
    return {**options, "connection_file": os.fspath(file)}


def _is_loopback(ip: Any) -> bool:
    try:
        return ip == "localhost" or ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def _input_from(kernel: Any) -> Any:
    """In this thread `input` asks the front end."""
    before, thread = builtins.input, threading.get_ident()

    def ask(prompt: object = "", /) -> str:
        if threading.get_ident() == thread:
            return str(kernel.raw_input(prompt))
        return before(prompt)

    builtins.input = ask
    try:
        yield
    finally:
        if builtins.input is ask:
            builtins.input = before
