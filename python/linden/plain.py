"""Plain values: what functions take and return that are called across languages, in tasks of kind "call".

None, bool, int (64 bits), float, str, bytes and lists of these travel as they are, and numpy arrays as objects of the codec
"ndarray", which C++ reads where they lie (`linden::Array`): parts[0] is the dtype and the shape as text (``<f8 2 3``), parts[1] the
elements in C order.  Large bytes that go by reference (data.py) are objects of the codec "bytes" with one part.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from . import _native

if TYPE_CHECKING:
    from .data import FarmData

NDARRAY = "ndarray"
BYTES = "bytes"
# What has this size and more goes by reference (data.py).  Below it a copy over the socket costs less than a file.
LARGE_BYTES = 1 << 20
_AS_THEY_ARE = frozenset({type(None), bool, float})
_DEPTH_MAX = 60  # fewer than the lists that may lie in each other in a tuple
_WANTED = "None, bool, int, float, str, bytes, lists of these and numpy arrays"


class NotPlain(TypeError):
    """A value that another language cannot be given."""


def pack(value: Any, what: str = "the value", data: FarmData | None = None) -> Any:
    """`value` as a field, with `data` large arrays and bytes by reference.

    Raises: NotPlain: it is of another type; the message begins with `what`. OverflowError: an int of more than 64 bits.
    """
    return _pack(value, what, 0, data)


def _pack(value: Any, what: str, depth: int, data: FarmData | None) -> Any:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is bytes:
        return value if data is None or len(value) < LARGE_BYTES else _pack_bytes(value, data)
    if kind is int:
        if not -(2**63) <= value < 2**63:
            raise OverflowError(f"{what} is an int of more than 64 bits: {value}")
        return value
    if kind is str:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise NotPlain(f"{what} is a str that UTF-8 cannot say: {error}") from None
        return value
    if kind in (list, tuple):
        if depth >= _DEPTH_MAX:
            raise NotPlain(f"{what} has more than {_DEPTH_MAX} lists in each other, or contains itself")
        return [_pack(item, what, depth + 1, data) for item in value]
    if kind in (bytearray, memoryview):
        return _pack(bytes(value), what, depth, data)
    return _pack_other(value, what, depth, data)


def _pack_other(value: Any, what: str, depth: int, data: FarmData | None) -> Any:
    numpy: Any = sys.modules.get("numpy")  # whoever has an array has imported it
    if numpy is not None:
        if isinstance(value, numpy.ndarray):
            return _pack_array(value, what, data)
        if isinstance(value, numpy.generic):
            item = value.item()
            if type(item) is not type(value):
                return _pack(item, what, depth, data)
    hint = "; get() it first" if type(value).__name__ in ("AsyncResult", "AsyncMapResult") else ""
    raise NotPlain(f"{what} is or contains a {type(value).__qualname__}; other languages take {_WANTED}{hint}")


def _pack_bytes(value: bytes, data: FarmData) -> Any:
    codec, parts = data.offload(BYTES, [value])
    return value if codec == BYTES else _native.Object(codec, parts)


def _pack_array(array: Any, what: str, data: FarmData | None) -> _native.Object:
    import numpy

    if array.dtype.hasobject or array.dtype.kind == "V":
        raise NotPlain(
            f"{what} is an array of dtype {array.dtype}, which other languages cannot read; take plain numbers"
        )
    flat = numpy.ascontiguousarray(array)
    head = " ".join([flat.dtype.str, *map(str, array.shape)])
    codec, parts = NDARRAY, [head.encode(), flat.reshape(-1).view(numpy.uint8).data]
    if data is not None:
        codec, parts = data.offload(codec, parts)
    return _native.Object(codec, parts)


def unpack(field: Any) -> Any:
    """The inverse of `pack`.  Arrays are views of what has arrived, and not writable: ``copy()`` one to change it.

    Raises: ImportError: it is an array, and there is no numpy. ValueError: it is no valid array.
    """
    kind = type(field)
    if kind is list:
        return [unpack(item) for item in field]
    if kind is _native.Object:
        if field.codec != NDARRAY:
            from . import serialize

            return serialize.unpack(field)
        return array_of(field.parts)
    return field


def array_of(parts: list[Any]) -> Any:
    """The array of an object of codec NDARRAY."""
    try:
        import numpy
    except ImportError:
        raise ImportError("this value is an array, and numpy is not installed here: pip install numpy") from None
    try:
        head, data = parts
        dtype, *shape = bytes(head).decode().split(" ")
        return numpy.frombuffer(data, numpy.dtype(dtype)).reshape([int(extent) for extent in shape])
    except (ValueError, TypeError) as error:
        raise ValueError(f"a malformed array: {error}") from None
