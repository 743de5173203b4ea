"""Cells of source text, run in the engine's namespace: by IPython's shell where it is installed, else by exec.

IPython is imported at the first cell, so that engines that only run functions stay small and start quickly.
"""

from __future__ import annotations

import ast
from typing import Any, Protocol

from linden.execute_reply import ExecuteReply

from .namespace import Namespace


class Shell(Protocol):
    """Runs a cell; raises what the cell raises."""

    def run(self, source: str, silent: bool) -> ExecuteReply | None: ...


def make_shell(namespace: Namespace) -> Shell:
    """The best shell that is installed."""
    try:
        return IPythonShell(namespace)
    except ImportError:
        return PlainShell(namespace)


class PlainShell:
    """Python without IPython's additions."""

    def __init__(self, namespace: Namespace) -> None:
        self._names = namespace.names
        self._count = 0

    def run(self, source: str, silent: bool) -> ExecuteReply | None:
        """Run the cell; unless `silent`, reply with the value of its last expression."""
        self._count += 1
        name = f"<cell {self._count}>"
        tree = ast.parse(source, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), self._names)
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), self._names)
        if silent:
            return None
        return ExecuteReply(source, self._count, {} if value is None else {"text/plain": repr(value)})


class IPythonShell:
    """IPython's InteractiveShell: magics, ``!commands``, rich values."""

    def __init__(self, namespace: Namespace) -> None:
        from traitlets.config import Config

        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.autocall = 0
        before = set(namespace.names)
        self._shell: Any = _shell_class().instance(config=config, user_module=namespace.module, user_ns=namespace.names)
        namespace.keep(set(namespace.names) - before)

    def run(self, source: str, silent: bool) -> ExecuteReply | None:
        """Run the cell; unless `silent`, reply with the value of its last expression."""
        result = self._shell.run_cell(source, store_history=not silent, silent=silent)
        result.raise_error()
        if silent:
            return None
        data: dict[str, Any] = {}
        if result.result is not None:
            data, _ = self._shell.display_formatter.format(result.result)
        return ExecuteReply(source, result.execution_count or 0, data)


def _shell_class() -> Any:
    from IPython.core.displayhook import DisplayHook
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Type

    class QuietDisplayHook(DisplayHook):
        # Values travel in the reply; they are not printed as well.
        def write_output_prompt(self) -> None: ...
        def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None: ...

    class EngineShell(InteractiveShell):
        displayhook_class = Type(QuietDisplayHook)

        # Errors travel in the result; they are not printed as well.
        def showtraceback(self, *_args: Any, **_kwargs: Any) -> None: ...
        def showsyntaxerror(self, *_args: Any, **_kwargs: Any) -> None: ...

    return EngineShell
