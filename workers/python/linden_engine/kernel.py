"""A Jupyter kernel on an engine: requests of front ends in, cells in the engine's shell, outputs to the front ends.

Imported only where somebody asks for a kernel (kernel_thread.py), since it needs ipykernel.  It is built on ipykernel's kernel
for wrappers, kernelbase.Kernel, and not on IPythonKernel, which would make a second shell, take sys.stdout, SIGINT and `input`
from the tasks, answer an interrupt with a signal to the whole process, and end the children of tasks when it is shut down.

Runs in the kernel's thread, but for what the docstrings say.
"""

from __future__ import annotations

import atexit
import ctypes
import fnmatch
import json
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
from IPython.core import release
from linden import farm
from traitlets import Any as AnyTrait

from . import forks
from .ipython_shell import IPythonShell

_TOLD = (farm.DISPLAY, farm.UPDATE, farm.CLEAR_OUTPUT)


class EngineKernel(Kernel):
    """Runs what front ends send in the engine's shell."""

    implementation = "linden"
    implementation_version = release.version
    language_info = {  # noqa: RUF012  (traitlets would take a ClassVar for a trait)
        "name": "python",
        "version": sys.version.split()[0],
        "mimetype": "text/x-python",
        "codemirror_mode": {"name": "ipython", "version": 3},
        "pygments_lexer": "ipython3",
        "nbconvert_exporter": "python",
        "file_extension": ".py",
    }
    # What IPKernelApp passes to any kernel.
    debugpy_stream = AnyTrait()
    user_ns = AnyTrait()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        app: Any = self.parent
        self._engine_shell: IPythonShell = app.engine_shell
        self._engine_name: str = app.engine_name
        self._thread = threading.get_ident()
        self._guard = threading.Lock()
        self._in_cell = False
        self._error: dict[str, Any] = {}  # the last one that was shown

    @property
    def banner(self) -> str:  # type: ignore[override]
        """What a console begins with."""
        return f"Python {sys.version.split()[0]}, IPython {release.version}, in {self._engine_name}\n"

    @property
    def kernel_info(self) -> dict[str, Any]:
        """As of any kernel, without what needs IPythonKernel."""
        return {**super().kernel_info, "supported_features": []}

    @property
    def execution_count(self) -> int:
        """The shell's."""
        return self._engine_shell.execution_count

    @execution_count.setter
    def execution_count(self, value: int) -> None:
        """The shell counts."""

    # ---- requests

    async def do_execute(
        self,
        code: str,
        silent: bool,
        store_history: bool = True,
        user_expressions: dict[str, str] | None = None,
        allow_stdin: bool = False,
        **_: Any,
    ) -> dict[str, Any]:
        """Run a cell; what it prints and displays comes by `tell`."""
        self._allow_stdin = allow_stdin
        self._error = {}
        shell = self._engine_shell
        self._begin_cell()
        try:
            end = await shell.run_for_front_end(code, silent=silent, store_history=store_history)
        finally:
            self._end_cell()
        if forks.is_copy():  # the cell has forked, and this is not the engine
            forks.end_copy(end.error)
        count = end.execution_count or max(1, shell.execution_count - 1)
        if end.error is not None:
            said = self._error or {"ename": type(end.error).__name__, "evalue": str(end.error), "traceback": []}
            return {"status": "error", "execution_count": count, **said, "user_expressions": {}, "payload": []}
        if end.data and not silent:
            content = {"execution_count": count, "data": end.data, "metadata": end.metadata}
            self.send_response(self.iopub_socket, "execute_result", content)
        return {
            "status": "ok",
            "execution_count": count,
            "user_expressions": shell.evaluate_all(user_expressions or {}),
            "payload": shell.take_payload(),
        }

    async def do_complete(self, code: str, cursor_pos: int) -> dict[str, Any]:
        """As for clients of the farm."""
        return {"status": "ok", **self._engine_shell.complete(code, cursor_pos)}

    async def do_inspect(
        self, code: str, cursor_pos: int, detail_level: int = 0, _omit_sections: Any = ()
    ) -> dict[str, Any]:
        """As for clients of the farm."""
        return {"status": "ok", **self._engine_shell.inspect(code, cursor_pos, detail_level)}

    async def do_is_complete(self, code: str) -> dict[str, Any]:
        """Whether a console should run this or ask for more."""
        return self._engine_shell.check_complete(code)

    async def do_history(  # type: ignore[override]
        self,
        hist_access_type: str,
        output: bool,
        start: int = 1,
        stop: int | None = None,
        n: int | None = None,
        pattern: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """The cells of this engine, whoever sent them; there is no other session."""
        lines = list(enumerate(self._engine_shell.history))[1:]
        if hist_access_type == "range":
            lines = [line for line in lines if start <= line[0] and (stop is None or line[0] < stop)]
        elif hist_access_type == "search":
            lines = [line for line in lines if fnmatch.fnmatch(line[1], pattern or "*")]
        if hist_access_type != "range" and n is not None:
            lines = lines[-n:] if n > 0 else []
        return {"status": "ok", "history": [(0, number, (text, None) if output else text) for number, text in lines]}

    async def do_debug_request(self, _msg: Any) -> dict[str, Any]:
        """Not offered."""
        return {"success": False, "message": "the kernel of an engine has no debugger"}

    async def interrupt_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Interrupt the cell, and no task.  Called in the control thread."""
        session: Any = self.session
        self.interrupt()
        session.send(stream, "interrupt_reply", {"status": "ok"}, parent, ident=ident)

    async def shutdown_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """End the kernel; the engine goes on.  Called in the control thread."""
        session: Any = self.session
        content = {"status": "ok", "restart": False}
        session.send(stream, "shutdown_reply", content, parent, ident=ident)
        session.send(self.iopub_socket, "shutdown_reply", content, parent, ident=self._topic("shutdown"))
        app: Any = self.parent
        app.stop()

    def pre_handler_hook(self) -> None:
        """Signals are the main thread's."""

    def post_handler_hook(self) -> None:
        """Signals are the main thread's."""

    # ---- cells

    def _begin_cell(self) -> None:
        with self._guard:
            self._in_cell = True

    def _end_cell(self) -> None:
        with self._guard:
            self._in_cell = False

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the cell that runs, if any, as soon as it is back in Python.  For other threads."""
        with self._guard:
            if self._in_cell:
                thread, error = ctypes.c_ulong(self._thread), ctypes.py_object(KeyboardInterrupt)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, error)

    def tell(self, stream: str, payload: Any) -> None:
        """What the cell prints and displays, as TaskOutput has it."""
        if stream in (farm.STDOUT, farm.STDERR):
            self.send_response(self.iopub_socket, "stream", {"name": stream, "text": payload})
        elif stream in _TOLD:
            self.send_response(self.iopub_socket, stream, json.loads(payload))
        elif stream == farm.TRACEBACK:
            self._error = json.loads(payload)
            self.send_response(self.iopub_socket, "error", self._error)


class KernelApp(IPKernelApp):
    """Sockets, threads and connection file of the kernel.

    Reads no configuration files, which are for kernels that are processes, and might open it to other machines; and leaves
    everything that belongs to the process as it is.
    """

    engine_shell = AnyTrait()
    engine_name = AnyTrait("")
    kernel_class = EngineKernel
    _owns_file = False

    def initialize(self, argv: Any = None) -> None:  # noqa: ARG002
        """Listen, and write the connection file."""
        self.init_connection_file()
        self.init_sockets()
        self.init_heartbeat()
        self.displayhook = SimpleNamespace()  # init_kernel wants to tell one the execution count
        self.init_kernel()
        self.kernel.start()
        self.write_connection_file()

    def init_connection_file(self) -> None:
        """Choose where it will be: a bare name is in Jupyter's runtime folder."""
        path = Path(self.abs_connection_file).expanduser().absolute()
        if path.exists():
            raise FileExistsError(f"connection_file {path} exists already; name one that does not, or none")
        self.connection_file = str(path)
        self._owns_file = True
        super().init_connection_file()

    def cleanup_connection_file(self) -> None:
        """Remove it, if it is ours.  For any thread."""
        if self._owns_file:
            super().cleanup_connection_file()

    def init_control(self, context: Any) -> None:
        """Without subshells, whose threads would be strangers to the engine's output."""
        super().init_control(context)
        channel = getattr(self, "shell_channel_thread", None)  # ipykernel 7 has it
        if channel is not None:
            channel.io_loop.close()
            self.shell_channel_thread = None

    def configure_tornado_logger(self) -> None:
        """Logging is the user's."""

    def reset_io(self) -> None:
        """It was not changed."""

    def run(self) -> None:
        """Serve until somebody stops the loop."""
        stopped = False
        while not stopped:
            try:
                self.kernel.io_loop.start()
                stopped = True
            except KeyboardInterrupt:  # it came just after the cell's end
                continue

    def stop(self) -> None:
        """Make `run` return, and interrupt the cell that keeps it from that.  For other threads."""
        self.kernel.interrupt()
        self.kernel.io_loop.add_callback(self.kernel.io_loop.stop)

    def end(self) -> None:
        """Close everything, also if `initialize` has failed; another kernel may come later."""
        self.cleanup_connection_file()
        for function in (self.close, self.cleanup_connection_file):  # ipykernel has registered them
            atexit.unregister(function)
        self.close()
        EngineKernel.clear_instance()
