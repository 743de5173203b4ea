"""One task in, status and payload out, whatever the task does."""

import sys
import threading
from typing import Any

import numpy
import pytest
from linden import _native, farm, plain, serialize
from linden.error import RemoteError
from linden.outcome import Failure, decode
from linden_engine.execution import NEVER, Shells
from linden_engine.interrupts import EngineStop
from linden_engine.namespace import Namespace
from linden_engine.output import TaskOutput
from linden_engine.run_task import TaskRunner, map_columns


def run(kind: str, function: Any, payload: Any, namespace: Namespace | None = None, digest: str = "digest") -> Any:
    """The outcome as the client decodes it."""
    namespace = namespace or Namespace()
    runner = TaskRunner(lambda _digest: function, namespace, shells=Shells(namespace, TaskOutput(), NEVER))
    fields = ("task", "any", "c" * 32, 1, "f", kind, digest, None, payload)
    status, result = runner.run(fields)
    put = farm.result("c" * 32, 1, status, [0, "e" * 32, 1.0, 2.0], result)
    return decode(put.fields, "f")


def arguments(*args: Any, **kwargs: Any) -> _native.Object:
    return serialize.pack((args, kwargs))


def test_apply() -> None:
    assert run(farm.APPLY, lambda a, b=0: a - b, arguments(5, b=3)) == 2


def test_an_exception_is_the_result() -> None:
    outcome = run(farm.APPLY, lambda: {}["key"], arguments())
    assert isinstance(outcome, Failure)
    assert isinstance(outcome.error, KeyError)
    assert isinstance(outcome.error, RemoteError)


def test_the_traceback_begins_with_the_users_code() -> None:
    def inner() -> None:
        raise ValueError("deep")

    outcome = run(farm.APPLY, lambda: inner(), arguments())
    lines = outcome.error.traceback.splitlines()
    assert "test_run_task.py" in lines[1]
    assert lines[-1] == "ValueError: deep"
    assert not any("linden_engine" in line for line in lines)


@pytest.mark.parametrize("leave", [sys.exit, lambda: (_ for _ in ()).throw(KeyboardInterrupt())])
def test_a_task_that_wants_to_leave_only_ends_itself(leave: Any) -> None:
    assert isinstance(run(farm.APPLY, lambda: leave(), arguments()), Failure)


def test_a_stopping_engine_leaves_no_result() -> None:
    def stop() -> None:
        raise EngineStop

    with pytest.raises(EngineStop):
        run(farm.APPLY, stop, arguments())


def test_a_result_that_cannot_be_pickled_is_an_error_that_says_so() -> None:
    outcome = run(farm.APPLY, threading.Lock, arguments())
    assert "the result cannot be pickled" in str(outcome.error)


class Ugly(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_error_without_text_is_still_a_result() -> None:
    def fail() -> None:
        raise Ugly

    outcome = run(farm.APPLY, fail, arguments())
    assert outcome.error.ename == "Ugly"


def test_a_chunk_gives_a_list() -> None:
    assert run(farm.MAP, pow, serialize.pack(([2, 3], [3, 2]))) == [8, 9]


def test_an_error_belongs_to_its_item_and_the_others_go_on() -> None:
    outcome = run(farm.MAP, lambda x: 10 // x, serialize.pack(([1, 0, 2, 0],)))
    assert outcome[0] == 10
    assert outcome[2] == 5
    assert isinstance(outcome[1].error, ZeroDivisionError)
    assert isinstance(outcome[3], Failure)


def test_an_item_that_raises_stop_iteration_is_an_error_too() -> None:
    def stop(x: int) -> int:
        if x == 1:
            raise StopIteration
        return x

    values, errors = map_columns(stop, [[0, 1, 2]])
    assert values == [0, None, 2]
    assert [error.item for error in errors] == [1]


def test_each_item_runs_once() -> None:
    seen: list[int] = []

    def note(x: int) -> None:
        seen.append(x)
        raise ValueError

    map_columns(note, [[1, 2, 3]])
    assert seen == [1, 2, 3]


def test_push_pull_and_clear() -> None:
    namespace = Namespace()
    run(farm.PUSH, None, serialize.pack({"a": 1, "b": [2]}), namespace)
    assert run(farm.PULL, None, "a", namespace) == 1
    assert run(farm.PULL, None, ["b", "a + 1"], namespace) == [[2], 2]
    run(farm.CLEAR, None, None, namespace)
    assert isinstance(run(farm.PULL, None, "a", namespace).error, NameError)


def test_an_unknown_kind_is_an_error() -> None:
    assert "no tasks of kind 'dance'" in str(run("dance", None, None).error)


# ---- Functions by module path, called from other languages


def call(path: str, *args: Any) -> Any:
    return run(farm.CALL, None, [plain.pack(value) for value in args], digest=path)


def test_a_function_is_called_by_its_module_path() -> None:
    assert call("math:hypot", 3, 4) == 5.0
    assert call("os.path:join", "a", "b") == "a/b"
    assert call("builtins:str.upper", "text") == "TEXT"
    assert call("builtins:sorted", [3, 1, 2]) == [1, 2, 3]


def test_arrays_go_in_and_come_out_of_a_call_by_module_path() -> None:
    assert call("numpy:cumsum", numpy.array([1.0, 2.0, 3.0])).tolist() == [1.0, 3.0, 6.0]


def test_a_map_by_module_path_keeps_what_went_well() -> None:
    assert run(farm.CALL_MAP, None, [[2, 3], [3, 2]], digest="builtins:pow") == [8, 9]
    outcome = run(farm.CALL_MAP, None, [[4.0], [-1.0], ["x"]], digest="math:sqrt")
    assert outcome[0] == 2.0
    assert isinstance(outcome[1].error, ValueError)
    assert isinstance(outcome[2].error, TypeError)


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("no_such_module:f", ModuleNotFoundError, "this engine has no module 'no_such_module'"),
        ("builtins:dict", TypeError, "what builtins:dict returned"),
    ],
)
def test_a_call_by_module_path_that_cannot_be_done_is_an_error_that_says_why(
    path: str, kind: type[Exception], text: str
) -> None:
    error = call(path).error
    assert isinstance(error, kind)
    assert text in str(error)
    assert "function_path.py" not in error.traceback
