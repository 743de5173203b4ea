"""Cells of source text, run in the engine's namespace: by IPython's shell where it is installed, else by exec.

IPython is imported when it is wanted: at the first cell, or when user code imports it (so that ``display`` in a function finds a
shell), or from the start if there are startup files.  Engines that only run functions stay small and start quickly.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from linden.execute_reply import ExecuteReply

from .namespace import Namespace
from .output import TaskOutput

if TYPE_CHECKING:
    from importlib.abc import Loader  # whose import costs a tenth of an engine's start

LAZILY = "lazily"
NOW = "now"
NEVER = "never"


class Shell(Protocol):
    """What runs cells in the namespace."""

    def run(self, source: str, silent: bool) -> ExecuteReply | None:
        """Run the cell; unless `silent`, reply with the value of its last expression.  Raises what the cell raises."""
        ...

    def complete(self, code: str, cursor: int) -> dict[str, Any]:
        """``{"matches", "cursor_start", "cursor_end", "metadata"}`` as in Jupyter."""
        ...

    def inspect(self, code: str, cursor: int, detail_level: int) -> dict[str, Any]:
        """``{"found", "data", "metadata"}`` as in Jupyter, data by MIME type."""
        ...

    def format_traceback(self, error: BaseException) -> str | None:
        """The traceback of what the last cell raised as the shell shows it, in plain text; None: as usual."""
        ...

    def clear(self) -> None:
        """Forget the names and the history of the user."""


class Shells:
    """The shell of an engine, made when it is wanted."""

    def __init__(self, namespace: Namespace, output: TaskOutput, mode: str = LAZILY) -> None:
        """`mode`: when IPython is imported if it is installed: LAZILY, NOW or NEVER."""
        self._namespace = namespace
        self._output = output
        self._mode = mode
        self._shell: Shell | None = None
        self._making = False

    def prepare(self) -> None:
        """Make the shell now if it is wanted already, else notice when it comes to be."""
        if self._mode == NOW or (self._mode == LAZILY and _has_startup_files()):
            self.get()
        elif self._mode == LAZILY:
            sys.meta_path.insert(0, _Noticing("IPython", self._make_once))

    @property
    def made(self) -> Shell | None:
        """The shell if there is one already."""
        return self._shell

    def get(self) -> Shell:
        """The shell."""
        if self._shell is None:
            self._make_once()
        assert self._shell is not None
        return self._shell

    def _make_once(self) -> None:
        if self._shell is not None or self._making:
            return
        self._making = True  # importing IPython calls us again
        try:
            self._shell = self._make()
        finally:
            self._making = False

    def _make(self) -> Shell:
        if self._mode != NEVER:
            try:
                from .ipython_shell import IPythonShell

                return IPythonShell(self._namespace, self._output)
            except ImportError:
                if self._mode == NOW:
                    raise
        return PlainShell(self._namespace)


def _has_startup_files() -> bool:
    import os

    directory = os.environ.get("IPYTHONDIR") or os.path.join(os.path.expanduser("~"), ".ipython")
    try:
        names = os.listdir(os.path.join(directory, "profile_default", "startup"))
    except OSError:
        return False
    return any(name.endswith((".py", ".ipy")) for name in names)


class _Noticing:
    """Calls back once the module `name` has been imported by somebody."""

    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self._name = name
        self._then = then

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _LoadingThen(spec.loader, self._then)  # type: ignore[assignment]  # it has what a loader has
        return spec


class _LoadingThen:
    def __init__(self, loader: Loader, then: Callable[[], None]) -> None:
        self._loader = loader
        self._then = then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._then()

    def __getattr__(self, name: str) -> Any:  # get_data, get_source and the like
        return getattr(self._loader, name)


class PlainShell:
    """Python without IPython's additions."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._names = namespace.names
        self._count = 0
        self._out: dict[int, Any] = {}
        self._in = [""]
        self._offer_history()

    def _offer_history(self) -> None:
        self._names.update(In=self._in, Out=self._out, _=None)
        self._namespace.keep(["In", "Out", "_"])

    def run(self, source: str, silent: bool) -> ExecuteReply | None:
        """Run the cell; unless `silent`, reply with the value of its last expression and keep both in In and Out."""
        import ast  # engines that never run a cell start quicker without it

        name = self._remember(source, silent)
        tree = ast.parse(source, name)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, name, "exec"), self._names)
        value = None
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), self._names)
        if silent:
            return None
        if value is None:
            return ExecuteReply(source, self._count, {})
        reply = ExecuteReply(source, self._count, {"text/plain": repr(value)})
        self._out[self._count] = self._names["_"] = self._names[f"_{self._count}"] = value
        return reply

    def _remember(self, source: str, silent: bool) -> str:
        """Count the cell and make its lines known to tracebacks and `inspect`; its file name."""
        if silent:
            name = f"<cell {hash(source) & 0xFFFFFFFF:08x}>"
        else:
            self._count += 1
            self._in.append(source)
            name = f"<cell {self._count}>"
        import linecache

        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        return name

    def complete(self, code: str, cursor: int) -> dict[str, Any]:
        """Completions by rlcompleter."""
        from .introspection import complete

        return complete(self._names, code, cursor)

    def inspect(self, code: str, cursor: int, detail_level: int) -> dict[str, Any]:
        """Signature, docstring and source by inspect."""
        from .introspection import inspect_name

        return inspect_name(self._namespace.evaluate, code, cursor, detail_level)

    def format_traceback(self, error: BaseException) -> str | None:  # noqa: ARG002
        """As usual."""
        return None

    def clear(self) -> None:
        """Forget names and history."""
        self._in[1:] = []
        self._out.clear()
        self._count = 0
        self._namespace.clear()
        self._offer_history()
