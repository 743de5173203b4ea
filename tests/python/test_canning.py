"""Objects as bytes under ipyparallel's names, and what is pickled once."""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any

import linden
import pytest
from linden import can, can_map, deserialize_object, serialize_object, uncan, uncan_map
from linden.serialize import NotPicklable

pytest_plugins = ["live"]


def by_way_of_pickle(obj: Any) -> Any:
    return pickle.loads(pickle.dumps(obj))


def test_functions_closures_and_classes_are_canned_by_value() -> None:
    factor = 3

    class Box:
        def __init__(self, value: int) -> None:
            self.value = value

    def times(x: int, *, plus: int = 1) -> int:
        return factor * x + plus

    for shape in (times, [times], (times, 1), {"f": times}):
        again = uncan(by_way_of_pickle(can(shape)))
        found = again if callable(again) else again["f"] if isinstance(again, dict) else again[0]
        assert found(2, plus=4) == 10
    assert uncan(by_way_of_pickle(can(Box)))(7).value == 7
    assert uncan(by_way_of_pickle(can(partial(times, plus=5))))(1) == 8


def test_what_needs_no_can_stays_as_it_is() -> None:
    for plain in (1, "text", b"bytes", [1, [2]], (None,), {"a": 1}):
        assert can(plain) == plain
        assert uncan(plain) == plain


def test_dicts_are_canned_value_by_value() -> None:
    canned = can_map({"f": lambda x: x + 1, "n": 5})
    assert canned["n"] == 5
    assert uncan_map(by_way_of_pickle(canned))["f"](1) == 2


def test_globals_of_what_is_uncanned_can_be_given() -> None:
    names: dict[str, Any] = {"__builtins__": __builtins__}
    wanted = linden.require("base64", prefix=b">")
    encode = uncan(by_way_of_pickle(can(wanted(lambda b: prefix + base64.b64encode(b)))), names)  # type: ignore[name-defined]  # noqa: F821
    assert encode(b"foo") == b">Zm9v"
    assert "base64" in names


def test_objects_as_buffers_and_back() -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(10_000.0)
    buffers = serialize_object({"array": array, "f": lambda: 1})
    assert len(bytes(buffers[2])) == array.nbytes  # out of band
    frozen = [bytes(buffer) for buffer in buffers]
    found, rest = deserialize_object([*frozen, b"next", b"one"])
    assert (found["array"] == array).all()
    assert not found["array"].flags.writeable
    assert found["f"]() == 1
    assert rest == [b"next", b"one"]
    for wrong in ([], [b"x"], frozen[:-1], [pickle.dumps(3)]):
        with pytest.raises(ValueError, match="serialize_object"):
            deserialize_object(wrong)
    with pytest.raises(NotPicklable):
        serialize_object(x for x in ())


def test_calls_as_buffers_and_back() -> None:
    message = [bytes(part) for part in linden.pack_apply_message(lambda a, b=0: a + b, (1,), {"b": 2})]
    function, args, kwargs = linden.unpack_apply_message(message)
    assert function(*args, **kwargs) == 3
    names: dict[str, Any] = {"shift": 10}
    message = linden.pack_apply_message(lambda a: a + shift, [1], {})  # type: ignore[name-defined]  # noqa: F821
    function, args, _ = linden.unpack_apply_message(message, names)
    assert function(*args) == 11
    with pytest.raises(ValueError, match="pack_apply_message"):
        linden.unpack_apply_message(serialize_object(1))


def test_what_is_unpacked_as_a_copy_can_be_written_to() -> None:
    numpy = pytest.importorskip("numpy")
    message = [bytes(part) for part in linden.pack_apply_message(len, (numpy.zeros(1000),), {})]
    for copy in (True, False):
        _, (array,), _ = linden.unpack_apply_message(message, copy=copy)
        assert array.flags.writeable is copy


class Counted:
    pickled = 0

    def __init__(self, text: str) -> None:
        self.text = text

    def __reduce__(self) -> Any:
        Counted.pickled += 1
        return str, (self.text,)


def test_what_is_pre_pickled_is_pickled_once(rc: linden.Client) -> None:
    Counted.pickled = 0
    argument = linden.PrePickled(Counted("large"))
    assert rc.load_balanced_view().map_sync(lambda part, n: part * n, [argument] * 4, range(4)) == [
        "large" * n for n in range(4)
    ]
    assert rc[:].apply_sync(len, argument) == [5, 5]
    assert Counted.pickled == 1
    numpy = pytest.importorskip("numpy")
    assert rc[:].apply_sync(lambda a: float(a.sum()), linden.PrePickled(numpy.ones(5000))) == [5000.0] * 2
    for protocol in range(2, 6):
        assert pickle.loads(pickle.dumps(argument, protocol)) == "large"
    with pytest.raises(NotPicklable):
        linden.PrePickled(x for x in ())
