"""Fields between Python and the space: what goes in comes out as what it was, and nothing is coerced (P2, P3).

``Put.fields`` decodes what ``Put`` encoded, so these tests need no server.
"""

import ast
import enum
import gc
import math
import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from linden import _native

STUB = Path(__file__).resolve().parents[2] / "python/linden/_native.pyi"
LARGE = 4096  # bytes of this size or more lie beside a tuple's head and are never copied on the way


def round_trip(*fields: Any) -> tuple[Any, ...]:
    return _native.Put(fields).fields


def address(buffer: Any) -> int:
    return int(np.frombuffer(buffer, np.uint8).ctypes.data)


# ---- What comes back


@pytest.mark.parametrize(
    "field",
    [
        None,
        True,
        False,
        0,
        -1,
        2**63 - 1,
        -(2**63),
        0.0,
        -0.0,
        math.inf,
        5e-324,
        "",
        "text",
        "nul \0, é, 漢, 😀",
        "x" * 100_000,
        b"",
        b"\xff\0bytes",
        b"y" * (LARGE - 1),
        b"y" * LARGE,
        [],
        [None, True, 1, 1.5, "a", b"b", [["deep"], b"z" * LARGE]],
    ],
    ids=lambda field: repr(field)[:30],
)
def test_a_field_comes_back_as_what_it_was(field: Any) -> None:
    (back,) = round_trip(field)
    assert type(back) is type(field)
    assert back == field


def test_a_nan_keeps_its_bits() -> None:
    (back,) = round_trip(math.nan)
    assert struct.pack("d", back) == struct.pack("d", math.nan)


def test_a_tuple_without_fields_is_a_tuple() -> None:
    assert round_trip() == ()


def test_p2_numbers_truth_and_text_stay_apart() -> None:
    back = round_trip(1, 1.0, True, "1", b"1", None)
    assert [type(field) for field in back] == [int, float, bool, str, bytes, type(None)]


fields = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(max_size=3 * LARGE),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=20,
)


def typed(value: Any) -> Any:
    """Equal only if values and types are equal, all the way down; -0.0 is not 0.0."""
    if isinstance(value, list | tuple):
        return [typed(item) for item in value]
    return type(value), repr(value)


@given(st.lists(fields, max_size=12))
def test_whatever_is_a_field_comes_back(row: list[Any]) -> None:
    assert typed(round_trip(*row)) == typed(row)


# ---- What is refused


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "field",
    [(), {}, set(), 1j, object(), Colour.RED, Text("a"), np.int64(1), np.float64(1), np.zeros(2), bytearray(b"x")],
    ids=lambda field: type(field).__name__,
)
def test_p2_what_is_no_field_is_not_made_into_one(field: Any) -> None:
    with pytest.raises(_native.NotEncodable, match=type(field).__name__) as caught:
        _native.Put(("a", 1, field))
    assert caught.value.args[1] == 2


def test_the_index_is_that_of_the_top_level_field() -> None:
    with pytest.raises(_native.NotEncodable) as caught:
        _native.Put(("a", [1, [2, {}]], {}))
    assert caught.value.args[1] == 1


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**70, -(10**5000)], ids=int.bit_length)
def test_an_int_beyond_64_bits_is_a_clear_error(number: int) -> None:
    with pytest.raises(OverflowError, match=f"{number.bit_length()} bits does not fit in 64 bits; put it as text"):
        _native.Put(("a", number))


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        _native.Put(("\ud800",))


def test_lists_that_contain_themselves_are_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(Exception, match="nested deeper than 64"):
        _native.Put((endless,))


def test_too_many_fields_are_refused() -> None:
    assert len(round_trip(*range(64))) == 64
    with pytest.raises(Exception, match="64"):
        _native.Put(tuple(range(65)))


@pytest.mark.parametrize("row", ["text", b"bytes", 1, None, {"a": 1}])
def test_a_row_is_a_tuple_and_nothing_that_merely_looks_like_one(row: Any) -> None:
    with pytest.raises(TypeError, match="wanted a tuple of fields"):
        _native.Put(row)


def test_after_a_refusal_the_next_put_is_whole() -> None:
    """The encoder's memory is used again; what a failed row left in it must not be seen."""
    for _ in range(3):
        with pytest.raises(_native.NotEncodable):
            _native.Put(("left over", [1, [2, {}]]))
        assert round_trip("whole") == ("whole",)


def test_encoding_within_the_garbage_collector_does_not_disturb_encoding() -> None:
    """Making an exception may collect garbage, whose finalizers may put tuples."""

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            seen.append(round_trip("finalizer", 1))

    seen: list[tuple[Any, ...]] = []
    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(50):
            Cycle()
            with pytest.raises(_native.NotEncodable):
                _native.Put(("a", [{}]))
            assert round_trip("b", [1]) == ("b", [1])
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert set(seen) == {("finalizer", 1)}


# ---- Put


def test_p3_later_changes_to_a_list_are_not_seen() -> None:
    inner = [1, 2]
    put = _native.Put((inner,))
    inner.append(3)
    assert put.fields == ([1, 2],)
    put.fields[0].append(4)
    assert put.fields == ([1, 2],)


def test_put_takes_attributes_by_name() -> None:
    put = _native.Put(
        fields=("a",), priority=-5, ttl=1.5, max_attempts=3, will=("w", 1), lives_with="0123456789abcdef" * 2
    )
    assert put.fields == ("a",)
    assert put.nbytes == 4
    assert repr(put) == '<Put ("a")>'
    _native.Put(("a",), ttl=None, will=None, lives_with=None)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"priority": 2**31}, ValueError),
        ({"priority": "high"}, TypeError),
        ({"max_attempts": -1}, ValueError),
        ({"ttl": -1}, ValueError),
        ({"ttl": math.nan}, ValueError),
        ({"ttl": "soon"}, TypeError),
        ({"will": "w"}, TypeError),
        ({"will": ({},)}, _native.NotEncodable),
        ({"lives_with": "12"}, ValueError),
        ({"lives_with": "g" * 32}, ValueError),
        ({"lives_with": 7}, ValueError),
        ({"unheard_of": 1}, TypeError),
        ({"fields": ("twice",)}, TypeError),
    ],
    ids=str,
)
def test_wrong_attributes_are_refused(arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        _native.Put(("a",), **arguments)


def test_put_says_which_arguments_it_wants() -> None:
    with pytest.raises(TypeError, match="missing 1 required argument: 'fields'"):
        _native.Put()
    with pytest.raises(TypeError, match="takes 1 positional argument"):
        _native.Put(("a",), 1)


# ---- Object


def test_an_object_comes_back_with_codec_and_parts() -> None:
    (back,) = round_trip(_native.Object("pickle", [b"payload", b"", b"z" * LARGE]))
    assert back.codec == "pickle"
    assert [bytes(part) for part in back.parts] == [b"payload", b"", b"z" * LARGE]
    assert back.nbytes == 7 + LARGE
    assert back == _native.Object("pickle", [b"payload", b"", b"z" * LARGE])
    assert back != _native.Object("cloudpickle", [b"payload", b"", b"z" * LARGE])
    assert all(part.readonly for part in back.parts)


def test_large_bytes_are_shared_all_the_way() -> None:
    payload = bytes(range(256)) * 1000
    first = _native.Object("raw", [payload])
    (second,) = round_trip(first)
    (third,) = round_trip(_native.Object("raw", [pickle.PickleBuffer(second.parts[0])]))
    assert address(first.parts[0]) == address(payload)
    assert address(second.parts[0]) == address(payload)
    assert address(third.parts[0]) == address(payload)


def test_a_part_of_received_bytes_is_shared() -> None:
    whole = _native.Object("raw", [b"0123456789" * LARGE])
    view = whole.parts[0]
    part = _native.Object("raw", [view[10:-10]])
    assert address(part.parts[0]) == address(view) + 10
    assert bytes(part.parts[0]) == b"0123456789" * (LARGE - 2)


def test_shared_bytes_outlive_whoever_made_them() -> None:
    payload = b"q" * (1 << 20)
    references = sys.getrefcount(payload)
    view = _native.Put((_native.Object("raw", [payload]),)).fields[0].parts[0]
    assert sys.getrefcount(payload) > references
    assert view[-1] == ord("q")
    del view
    _native.Put(())  # the next call drops what was let go of
    assert sys.getrefcount(payload) == references


@pytest.mark.parametrize("count", [10, 100_000, 3_000_000])
def test_p3_later_changes_to_a_buffer_are_not_seen(count: int) -> None:
    array = np.zeros(count, np.uint8)
    block = bytearray(count)
    frozen = memoryview(block).toreadonly()
    value = _native.Object("raw", [array, block, frozen, pickle.PickleBuffer(array)])
    array[:] = 1
    block[:] = b"\1" * count
    assert all(not np.frombuffer(part, np.uint8).any() for part in value.parts)


def test_arrays_in_either_order_are_taken_as_they_lie() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    for laid_out in (array, np.asfortranarray(array)):
        (part,) = _native.Object("raw", [laid_out]).parts
        assert bytes(part) == laid_out.tobytes("A")
    with pytest.raises((BufferError, ValueError)):
        _native.Object("raw", [array[:, ::2]])


def test_pickle_buffers_travel_beside_the_payload() -> None:
    array = np.arange(10_000.0)
    buffers: list[pickle.PickleBuffer] = []
    payload = pickle.dumps({"array": array}, protocol=5, buffer_callback=buffers.append)
    (back,) = round_trip(_native.Object("pickle", [payload, *buffers]))
    head, *rest = back.parts
    assert np.array_equal(pickle.loads(head, buffers=rest)["array"], array)


@pytest.mark.parametrize("parts", [b"bytes", 7, ["text"], [1]])
def test_parts_are_a_sequence_of_buffers(parts: Any) -> None:
    with pytest.raises(TypeError):
        _native.Object("raw", parts)


def test_an_object_may_lie_in_a_list() -> None:
    (back,) = round_trip([1, _native.Object("raw", [b"inner"])])
    assert bytes(back[1].parts[0]) == b"inner"


# ---- Formals


def test_formals_show_what_they_match() -> None:
    assert repr(_native.AnyField()) == "ANY"
    assert repr(_native.Typed("int")) == "Typed('int')"
    assert repr(_native.Between(1, 5)) == "Between(1, 5)"
    assert repr(_native.Prefix("a'b")) == 'Prefix("a\'b")'
    assert repr(_native.OneOf(["a", 1, None])) == "OneOf(['a', 1, None])"


def test_wrong_formals_are_refused() -> None:
    with pytest.raises(ValueError, match="nil, bool, int, float, text, bytes, list, object"):
        _native.Typed("str")
    with pytest.raises(TypeError):
        _native.Prefix(1)
    with pytest.raises(TypeError):
        _native.OneOf("abc")
    with pytest.raises(TypeError, match=r"OneOf: wanted None, a bool, .* found the dict \{\}"):
        _native.OneOf([{}])
    with pytest.raises(TypeError, match=r"Between: wanted None, a bool, .* found the dict \{\}"):
        _native.Between(1, {})


# ---- Errors


def test_error_classes_are_checked() -> None:
    with pytest.raises(TypeError, match="wanted exception classes"):
        _native.set_error_classes({1: int}, Exception)


def test_handouts_and_spaces_are_made_by_the_client_only() -> None:
    for made_elsewhere in (_native.Handout, _native.Space, _native.Stream, _native.Client):
        with pytest.raises(TypeError):
            made_elsewhere()


# ---- The contract


def test_the_stub_and_the_extension_name_the_same() -> None:
    """What the type checker believes is there, and nothing else."""
    stub = ast.parse(STUB.read_text())
    promised: dict[str, set[str]] = {"": set()}
    for node in stub.body:
        if isinstance(node, ast.ClassDef):
            members = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
            members |= {ast.unparse(item.target) for item in node.body if isinstance(item, ast.AnnAssign)}
            promised[node.name] = members - {"__init__"}
        elif isinstance(node, ast.FunctionDef):
            promised[""].add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            promised[""].add(node.target.id)
    promised[""] |= set(promised) - {""}
    for owner, names in promised.items():
        found = {name for name in vars(getattr(_native, owner) if owner else _native) if not name.startswith("_")}
        if owner != "NotEncodable":
            assert found == names, owner
