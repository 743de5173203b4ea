"""Plain values: what languages have in common, there and back."""

from typing import Any

import numpy
import pytest
from linden import NotPlain, _native, plain, serialize


@pytest.mark.parametrize(
    "value", [None, True, 0, -(2**63), 2**63 - 1, 1.5, "text", b"bytes", [], [1, [2.0, ["x", None]], b"\0"]]
)
def test_values_come_back_as_they_were(value: Any) -> None:
    fields = _native.Put((plain.pack(value),)).fields
    back = plain.unpack(fields[0])
    assert back == value
    assert type(back) is type(value)


def test_a_tuple_is_a_list_and_other_bytes_are_bytes() -> None:
    assert plain.pack((1, (2, 3))) == [1, [2, 3]]
    assert plain.pack(bytearray(b"ab")) == b"ab"
    assert plain.pack(memoryview(b"ab")) == b"ab"


@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<i4", "|u1", "|b1", "<c16", "<U3", "|S4", "<M8[ns]"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 0, 3), (3, 2, 2)])
def test_arrays_come_back_with_dtype_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    array = numpy.arange(numpy.prod(shape, dtype=int)).reshape(shape).astype("i8").astype(dtype)
    (field,) = _native.Put((plain.pack(array),)).fields
    back = serialize.unpack_result(field)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert (back == array).all()


def test_an_array_that_is_a_view_travels_in_c_order() -> None:
    array = numpy.arange(12).reshape(3, 4).T[::2]
    (field,) = _native.Put((plain.pack([array]),)).fields
    assert plain.unpack(field)[0].tolist() == array.tolist()


def test_received_arrays_are_views_and_not_writable() -> None:
    (field,) = _native.Put((plain.pack(numpy.zeros(1000)),)).fields
    array = plain.unpack(field)
    assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_numbers_of_numpy_are_numbers() -> None:
    assert plain.pack([numpy.int32(3), numpy.float64(0.5), numpy.bool_(True)]) == [3, 0.5, True]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a": 1}, "a dict"),
        ([1, [object()]], "a object"),
        ({1, 2}, "a set"),
        (1j, "a complex"),
        (numpy.array([None]), "dtype object"),
        (numpy.zeros(2, dtype=[("x", "f8")]), "dtype"),
        ("\ud800", "UTF-8"),
    ],
)
def test_what_others_cannot_read_is_refused_by_name(value: Any, found: str) -> None:
    with pytest.raises(NotPlain, match=f"argument 2 .*{found}"):
        plain.pack(value, "argument 2")


def test_numbers_beyond_64_bits_and_lists_without_end_are_refused() -> None:
    with pytest.raises(OverflowError, match="64 bits"):
        plain.pack(2**63)
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(NotPlain, match="contains itself"):
        plain.pack(endless)


@pytest.mark.parametrize("parts", [[b"<f8 2"], [b"<f8 2", b"1234567"], [b"f8 x", b""], [b"nonsense 1", b"1"]])
def test_a_malformed_array_is_an_error(parts: list[bytes]) -> None:
    with pytest.raises(ValueError, match="malformed array"):
        plain.unpack(_native.Object(plain.NDARRAY, parts))


class _Store:
    """Takes what is large, or is full."""

    def __init__(self, *, full: bool) -> None:
        self._full = full

    def offload(self, codec: str, parts: list[Any]) -> tuple[str, list[Any]]:
        return (codec, parts) if self._full else (codec + serialize.BY_REFERENCE, [b"f00d\n"])


def test_large_bytes_go_by_reference_and_stay_bytes() -> None:
    large, store = b"x" * plain.LARGE_BYTES, _Store(full=False)
    for value in (large, bytearray(large), memoryview(large)):
        field = plain.pack([value, large[1:]], data=store)  # type: ignore[arg-type]
        assert field[0].codec == "bytes+data"
        assert field[1] == large[1:]
    assert plain.pack(large, data=_Store(full=True)) == large  # type: ignore[arg-type]
    # As it is once its part has come, a view of shared memory.
    assert plain.unpack([_native.Object(plain.BYTES, [memoryview(large)])]) == [large]
