"""Functions and objects on their way: by value where a name would mean something else elsewhere."""

import operator
import subprocess
import sys
import textwrap
import threading
from typing import Any

import pytest
from linden import serialize
from linden.serialize import NotPicklable, dumps, loads, pack_function, pack_result, unpack_result


def module_level(x: int) -> int:
    return x + 1


def restored(function: Any) -> Any:
    return serialize.unpack(pack_function(function).field)


def test_a_module_function_travels_by_name() -> None:
    packed = pack_function(module_level)
    assert packed.field.codec == "pickle"
    assert restored(module_level) is module_level
    assert restored(operator.mul)(2, 3) == 6


def test_a_lambda_travels_by_value() -> None:
    assert restored(lambda x: x * 2)(4) == 8


def test_an_unchanged_function_is_packed_once() -> None:
    factor = 3

    def times(x: int) -> int:
        return x * factor

    assert pack_function(times) is pack_function(times)


def test_a_changed_closure_is_packed_anew() -> None:
    factor = 3

    def times(x: int) -> int:
        return x * factor

    before = pack_function(times)
    factor = 4
    after = pack_function(times)
    assert before.digest != after.digest
    assert serialize.unpack(after.field)(1) == 4


def test_a_closure_over_something_mutable_is_always_packed_anew() -> None:
    seen: list[int] = []

    def count() -> int:
        return len(seen)

    before = pack_function(count)
    seen.append(1)
    assert serialize.unpack(pack_function(count).field)() == 1
    assert serialize.unpack(before.field)() == 0


def test_changed_defaults_are_noticed() -> None:
    def f(x: int = 1) -> int:
        return x

    before = pack_function(f)
    f.__defaults__ = (2,)
    assert pack_function(f).digest != before.digest


SCRIPT = textwrap.dedent(
    """
    from linden import serialize

    class Point:
        def __init__(self, x):
            self.x = x

    def helper(x):
        return Point(x * factor)

    def make(x):
        return helper(x)

    factor = 2
    codec, parts = serialize.dumps([Point(1), make])
    assert codec == serialize.CLOUDPICKLE, codec
    first = serialize.pack_function(make)
    factor = 5
    assert serialize.pack_function(make).digest != first.digest
    print(parts[0].hex())
    """
)


def test_definitions_of_main_travel_by_value(tmp_path: Any) -> None:
    """Another process has another __main__; names in it must not be looked up there."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    point, make = loads("cloudpickle", [bytes.fromhex(done.stdout)])
    assert point.x == 1
    assert make(3).x == 6


def test_large_buffers_stay_out_of_the_pickle() -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.zeros(100_000)
    codec, parts = dumps([array])
    assert len(parts) == 2
    assert len(parts[0]) < 1000
    (result,) = loads(codec, parts)
    assert (result == array).all()


def test_an_unpicklable_item_is_named() -> None:
    with pytest.raises(NotPicklable, match=r"the value cannot be pickled: item 1 is item 'k' is a _thread\.lock"):
        dumps((1, {"k": threading.Lock()}))


@pytest.mark.parametrize("value", [None, True, 7, 2.5, "text", 2**80, b"bytes", [1, 2], "\ud800"])
def test_results_come_back(value: Any) -> None:
    result = unpack_result(pack_result(value))
    assert result == value
    assert type(result) is type(value)


def test_numbers_need_no_pickle() -> None:
    assert pack_result(7) == 7
    assert pack_result(None) is None


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(ValueError, match="codec 'json'"):
        loads("json", [b"{}"])
