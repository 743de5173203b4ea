"""IPython's shell on an engine: magics, ``!commands``, rich values and displays, history, introspection, startup files.

Imported only where IPython is wanted (execution.py).
"""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from linden import farm
from linden.execute_reply import ExecuteReply
from traitlets import Any as AnyTrait
from traitlets import Type
from traitlets.config import Config

from .comms import install as install_comms
from .namespace import Namespace
from .output import TaskOutput
from .remote_traceback import drop_own_end

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class _OfCell(threading.local):
    """What the last cell of a thread left: a front end's cell may run while a task's does."""

    kept: tuple[dict[str, Any], dict[str, Any]] = ({}, {})  # the data of its value, and their metadata
    shown: tuple[BaseException, str] | None = None  # its error, and the traceback in plain text
    count: int | None = None  # the shell's execution_count as that cell sees it; None when no cell runs

    def forget(self) -> None:
        """Before the next cell."""
        self.kept, self.shown = ({}, {}), None


class EndOfCell(NamedTuple):
    """How a cell of a front end ended."""

    execution_count: int | None
    error: BaseException | None
    data: dict[str, Any]
    metadata: dict[str, Any]


class EngineDisplayHook(DisplayHook):
    """Keeps the value of a cell for its reply instead of printing it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.of_cell = _OfCell()

    def write_output_prompt(self) -> None:
        """None."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        """Keep it."""
        self.of_cell.kept = (format_dict, md_dict or {})


class EngineDisplayPublisher(DisplayPublisher):
    """Makes displays output of the task that runs."""

    output: TaskOutput | None = None  # set by IPythonShell

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *_source: Any,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        """One display, or with `update` another one in its place."""
        self._validate_data(data, metadata)
        content = {"data": clean(data), "metadata": metadata or {}, "transient": transient or {}}
        stream = farm.UPDATE if update else farm.DISPLAY
        if not self._send(stream, content) and "text/plain" in data:
            print(data["text/plain"])

    def clear_output(self, wait: bool = False) -> None:
        """Forget the displays so far; with `wait`, when the next one comes."""
        self._send(farm.CLEAR_OUTPUT, {"wait": wait})

    def _send(self, stream: str, content: dict[str, Any]) -> bool:
        text = json.dumps(content, default=str)
        return self.output is not None and self.output.publish(stream, text, len(text))


class EngineShell(InteractiveShell):
    """An InteractiveShell whose outputs travel."""

    displayhook_class = Type(EngineDisplayHook)
    display_pub_class = Type(EngineDisplayPublisher)
    output = AnyTrait()
    _next_number = 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._counting = threading.Lock()
        super().__init__(*args, **kwargs)

    @property
    def execution_count(self) -> int:
        """As IPython counts cells; but a cell sees those only that began before it.

        For a front end's cells may begin and end while a task's runs.  IPython counts when a cell begins, or in older versions
        when it ends.
        """
        return self._of_cell.count or self._next_number

    @execution_count.setter
    def execution_count(self, value: int) -> None:
        of_cell = self._of_cell
        if of_cell.count is None or value <= of_cell.count:  # a new session; else that this cell counts, which is known
            self._next_number = value
        if of_cell.count is not None:
            of_cell.count = value

    @property
    def _of_cell(self) -> _OfCell:
        of_cell: _OfCell = self.displayhook.of_cell  # type: ignore[attr-defined]
        return of_cell

    async def run_cell_async(self, raw_cell: str, store_history: bool = False, *args: Any, **kwargs: Any) -> Any:
        """Number the cell if it is kept, and run it."""
        of_cell = self._of_cell
        if not store_history or of_cell.count is not None:
            return await super().run_cell_async(raw_cell, store_history, *args, **kwargs)
        with self._counting:
            of_cell.count = self._next_number
            self._next_number += 1
        try:
            return await super().run_cell_async(raw_cell, store_history, *args, **kwargs)
        finally:
            of_cell.count = None

    def _get_exc_info(self, exc_tuple: Any = None) -> Any:
        etype, value, _ = super()._get_exc_info(exc_tuple)
        drop_own_end(value)
        return etype, value, value.__traceback__

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        lines = "\n".join(stb).splitlines()
        self._of_cell.shown = (evalue, "\n".join(_ANSI.sub("", line) for line in lines))
        content = {"ename": etype.__name__, "evalue": _text(evalue), "traceback": lines}
        text = json.dumps(content)
        if self.output is None or not self.output.publish(farm.TRACEBACK, text, len(text)):
            print("\n".join(lines), file=sys.stderr)

    def show_usage_error(self, exc: BaseException) -> None:
        """As any error."""
        self._showtraceback(type(exc), exc, [f"UsageError: {exc}"])

    def enable_gui(self, gui: str | None = None) -> None:
        """Engines have no event loop of a user interface; ``%matplotlib inline`` needs none."""
        if gui not in (None, "inline"):
            raise ValueError(f"an engine has no user interface, so no {gui!r}; use %matplotlib inline")

    def ask_exit(self) -> None:
        """What ``exit`` calls."""
        if self.output is not None and self.output.is_told:
            payloads: Any = self.payload_manager
            payloads.write_payload({"source": "ask_exit", "keepkernel": True})
            return
        raise SystemExit("a cell cannot end its engine; use client.shutdown(targets) or restart_engines")


class IPythonShell:
    """IPython's shell in the engine's namespace."""

    def __init__(self, namespace: Namespace, output: TaskOutput) -> None:
        config = Config()
        config.HistoryManager.enabled = False  # no file; In and Out are kept all the same
        config.InteractiveShell.autocall = 0
        config.Completer.use_jedi = False  # it knows sources, and these are live objects
        before = set(namespace.names)
        shell: Any = EngineShell.instance(config=config, user_module=namespace.module, user_ns=namespace.names)
        shell.output = output
        shell.display_pub.output = output
        self._output = output
        self.install_comms()
        self._shell = shell
        self._namespace = namespace
        namespace.keep(set(namespace.names) - before)
        self._run_startup_files()

    def install_comms(self) -> None:
        """Make what widgets say output."""
        install_comms(self._output)

    def _run_startup_files(self) -> None:
        directory = Path(self._shell.profile_dir.startup_dir)
        for path in sorted([*directory.glob("*.py"), *directory.glob("*.ipy")]):
            if path.suffix == ".ipy":
                self._shell.safe_execfile_ipy(str(path))
            else:
                self._shell.safe_execfile(str(path), self._shell.user_ns)

    def run(self, source: str, silent: bool) -> ExecuteReply | None:
        """Run the cell; unless `silent`, reply with the value of its last expression."""
        shell = self._shell
        shell.displayhook.of_cell.forget()
        result = shell.run_cell(source, store_history=not silent, silent=silent)
        result.raise_error()
        if silent:
            return None
        data, metadata = shell.displayhook.of_cell.kept
        return ExecuteReply(source, result.execution_count or 0, clean(data), json_ready(metadata))

    def complete(self, code: str, cursor: int) -> dict[str, Any]:
        """IPython's completions, magics included."""
        from IPython.utils.tokenutil import line_at_cursor

        line, offset = line_at_cursor(code, cursor)
        text, matches = self._shell.complete("", line, cursor - offset)
        return {"matches": list(matches), "cursor_start": cursor - len(text), "cursor_end": cursor, "metadata": {}}

    def inspect(self, code: str, cursor: int, detail_level: int) -> dict[str, Any]:
        """What ``name?`` shows, and with `detail_level` 1 what ``name??`` shows."""
        from IPython.utils.tokenutil import token_at_cursor

        try:
            data = self._shell.object_inspect_mime(token_at_cursor(code, cursor), detail_level=detail_level)
        except KeyError:
            return {"found": False, "data": {}, "metadata": {}}
        data = {mime: _ANSI.sub("", text) if mime == "text/plain" else text for mime, text in clean(data).items()}
        return {"found": True, "data": data, "metadata": {}}

    # ---- for front ends (kernel.py)

    @property
    def execution_count(self) -> int:
        """The number of the next cell."""
        return int(self._shell.execution_count)

    @property
    def history(self) -> list[str]:
        """The cells so far, each at its number; there is none of number 0."""
        return list(self._shell.history_manager.input_hist_raw)

    async def run_for_front_end(self, source: str, *, silent: bool, store_history: bool) -> EndOfCell:
        """Run a cell in a thread whose event loop runs: one that awaits does it there."""
        shell = self._shell
        shell.displayhook.of_cell.forget()
        transformed, failed = source, None
        try:
            transformed = shell.transform_cell(source)
        except Exception:  # noqa: BLE001  (run_cell reports it)
            failed = sys.exc_info()
        keys: dict[str, Any] = {"transformed_cell": transformed, "preprocessing_exc_tuple": failed}
        if shell.should_run_async(source, **keys):
            result = await shell.run_cell_async(source, store_history=store_history, silent=silent, **keys)
            shell.events.trigger("post_execute")
            if not silent:
                shell.events.trigger("post_run_cell", result)
        else:
            result = shell.run_cell(source, store_history=store_history, silent=silent)
        data, metadata = shell.displayhook.of_cell.kept
        error = result.error_before_exec or result.error_in_exec
        return EndOfCell(result.execution_count, error, clean(data), json_ready(metadata))

    def evaluate_all(self, expressions: dict[str, str]) -> dict[str, Any]:
        """The values of a front end's expressions, as Jupyter wants them."""
        values = self._shell.user_expressions(expressions)
        return {
            name: {**value, "data": clean(value["data"])} if "data" in value else value
            for name, value in values.items()
        }

    def take_payload(self) -> list[dict[str, Any]]:
        """What magics want of the front end."""
        payload = list(self._shell.payload_manager.read_payload())
        self._shell.payload_manager.clear_payload()
        return payload

    def check_complete(self, source: str) -> dict[str, Any]:
        """Whether `source` is a whole cell, as Jupyter wants it."""
        status, spaces = self._shell.input_transformer_manager.check_complete(source)
        return {"status": status, "indent": " " * (spaces or 0)} if status == "incomplete" else {"status": status}

    def format_traceback(self, error: BaseException) -> str | None:
        """As IPython shows it."""
        shown = self._shell.displayhook.of_cell.shown
        return shown[1] if shown is not None and shown[0] is error else None

    def clear(self) -> None:
        """Forget names and history."""
        self._shell.reset(new_session=True)
        self._namespace.restore()


def clean(data: Mapping[str, Any]) -> dict[str, Any]:
    """Data by MIME type as JSON can say it: bytes in base 64."""
    return {
        mime: base64.b64encode(value).decode() if isinstance(value, bytes) else json_ready(value)
        for mime, value in data.items()
    }


def json_ready(value: Any) -> Any:
    """`value` if JSON can say it, else the nearest that it can."""
    return value if isinstance(value, str) else json.loads(json.dumps(value, default=str))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001  (__str__ is the user's)
        return f"<its text raises {type(second).__name__}>"
