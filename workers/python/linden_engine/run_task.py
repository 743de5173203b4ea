"""One task: its tuple in, status and payload out.  Runs user code, catches everything that it raises.

Nothing in here knows of connections; functions come from a callable that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from linden import _native, farm, plain, serialize
from linden.data import FarmData
from linden.error import UnmetDependency
from linden.function_path import function_at

from . import forks
from .execution import NEVER, Shells
from .interrupts import EngineStop
from .namespace import Namespace
from .output import TaskOutput
from .remote_traceback import item_error
from .unpickling import unpickle

Outcome = tuple[str, Any]
# Not a status of results: the task is to run on another engine.
UNMET = "unmet"
LoadFunction = Callable[[str], Callable[..., Any]]
LoadPayload = Callable[[str, int], Any]
# Of a task, its value, and whether that is a list of items: what stands for it in the result.
Keep = Callable[[tuple[str, int], Any, bool], Any]


class TaskRunner:
    """Runs tasks of all kinds in one namespace."""

    def __init__(
        self,
        load_function: LoadFunction,
        namespace: Namespace,
        load_payload: LoadPayload | None = None,
        shells: Shells | None = None,
        data: FarmData | None = None,
    ) -> None:
        """`load_payload`: of a client and a number, what several tasks share. `shells`: what runs cells; None: plain Python.
        `data`: where large parts of results go.
        """
        self.load_function = load_function
        self._load_payload = load_payload
        self._data = data
        self._namespace = namespace
        self._shells = shells or Shells(namespace, TaskOutput(), NEVER)
        self.raised: BaseException | None = None  # by the last task
        self.keep: Keep | None = None  # keeps the values of tasks that ask for it
        self._keeping: tuple[str, int] | None = None  # the task that does
        self._kinds: dict[str, Callable[[str, Any], Outcome]] = {
            farm.APPLY: self._apply,
            farm.MAP: self._map,
            farm.EXECUTE: self._execute,
            farm.PUSH: self._push,
            farm.PULL: self._pull,
            farm.CLEAR: self._clear,
            farm.COMPLETE: self._complete,
            farm.INSPECT: self._inspect,
            farm.CALL: self._call,
            farm.CALL_MAP: self._call_map,
        }

    def run(self, fields: Sequence[Any]) -> Outcome:
        """Status and payload of the task's result; the status UNMET: what it depends on is not on this engine.

        Raises: EngineStop only.
        """
        kind = fields[farm.TASK_KIND]
        self.raised = None
        self._keeping = (fields[farm.TASK_CLIENT], fields[farm.TASK_NUMBER]) if farm.is_kept(fields) else None
        try:
            run = self._kinds.get(kind)
            if run is None:
                raise ValueError(f"this engine knows no tasks of kind {kind!r}")
            payload = fields[farm.TASK_PAYLOAD]
            if type(payload) is int and self._load_payload is not None:
                payload = self._load_payload(fields[farm.TASK_CLIENT], payload)
            return run(fields[farm.TASK_FUNCTION], payload)
        except EngineStop:
            raise
        except UnmetDependency as error:
            return UNMET, farm.error_payload([item_error(0, error)], None)
        except BaseException as error:  # noqa: BLE001  (SystemExit and KeyboardInterrupt end the task, not the engine)
            if forks.is_copy():  # it ends at once, and tells nobody
                self.raised = error
                return farm.ERROR, None
            shell = self._shells.made if kind == farm.EXECUTE else None
            traceback = None if shell is None else shell.format_traceback(error)
            return farm.ERROR, farm.error_payload([item_error(0, error, traceback)], None)

    @staticmethod
    def interrupted() -> Outcome:
        """The outcome of a task that was interrupted before anything of it ran."""
        return farm.ERROR, farm.error_payload([item_error(0, KeyboardInterrupt("interrupted"))], None)

    def _apply(self, digest: str, payload: Any) -> Outcome:
        args, kwargs = _unpack(payload)
        value = self.load_function(digest)(*args, **kwargs)
        return farm.OK, serialize.pack_result(self._kept(value, items=False), self._data)

    def _map(self, digest: str, payload: Any) -> Outcome:
        columns = _unpack(payload)
        function: Any = self.load_function(digest)
        if hasattr(function, "check_dependency"):  # a linden.dependency.dependent: once, before any item runs
            function.check_dependency()
            function = function.f
        values, errors = map_columns(function, columns)
        values = self._kept(values, items=True)
        if errors:
            return farm.ERROR, farm.error_payload(errors, serialize.pack(values, "the results", self._data))
        return farm.OK, serialize.pack(values, "the results", self._data)

    def _kept(self, value: Any, *, items: bool) -> Any:
        """`value`, or what stands for it in the result of a task whose value stays here."""
        return value if self.keep is None or self._keeping is None else self.keep(self._keeping, value, items)

    def _call(self, path: str, payload: Any) -> Outcome:
        value = function_at(path)(*plain.unpack(payload))
        return farm.OK, plain.pack(value, f"what {path} returned", self._data)

    def _call_map(self, path: str, payload: Any) -> Outcome:
        function = function_at(path)

        def call(row: list[Any]) -> Any:
            return plain.pack(function(*plain.unpack(row)), f"what {path} returned", self._data)

        values, errors = map_columns(call, [payload])
        if errors:
            return farm.ERROR, farm.error_payload(errors, values)
        return farm.OK, values

    def _execute(self, _digest: str, payload: Any) -> Outcome:
        source, silent = payload
        return farm.OK, serialize.pack_result(self._shells.get().run(source, silent), self._data)

    def _complete(self, _digest: str, payload: Any) -> Outcome:
        return farm.OK, serialize.pack_result(self._shells.get().complete(*payload))

    def _inspect(self, _digest: str, payload: Any) -> Outcome:
        return farm.OK, serialize.pack_result(self._shells.get().inspect(*payload))

    def _push(self, _digest: str, payload: Any) -> Outcome:
        for name, value in _unpack(payload).items():
            self._namespace.set(name, value)
        return farm.OK, None

    def _pull(self, _digest: str, payload: Any) -> Outcome:
        if isinstance(payload, str):
            return farm.OK, serialize.pack_result(self._namespace.evaluate(payload), self._data)
        return farm.OK, serialize.pack([self._namespace.evaluate(name) for name in payload], "the values", self._data)

    def _clear(self, _digest: str, _payload: Any) -> Outcome:
        if self._shells.made is None:
            self._namespace.clear()
        else:
            self._shells.made.clear()
        return farm.OK, None


def _unpack(payload: Any) -> Any:
    return unpickle(payload, "the arguments") if type(payload) is _native.Object else payload


def map_columns(
    function: Callable[..., Any], columns: Sequence[Sequence[Any]]
) -> tuple[list[Any], list[farm.ItemError]]:
    """All values of ``map(function, *columns)``, with None in the place of those that raised, and what they raised."""
    count = min(len(column) for column in columns)
    values: list[Any] = []
    errors: list[farm.ItemError] = []
    results = map(function, *columns)
    while len(values) < count:
        try:
            # Runs in C until an item raises; what came before that item stays in the list.
            values.extend(results)
            if len(values) < count:
                raise RuntimeError(f"item {len(values)} raised StopIteration")
        except Exception as error:  # noqa: BLE001  (an item's error is its result, and the others go on)
            errors.append(item_error(len(values), error))
            values.append(None)
    return values, errors
