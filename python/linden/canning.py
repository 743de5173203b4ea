"""Objects as bytes, under ipyparallel's names: can, serialize_object, pack_apply_message and their inverses, and PrePickled.

Linden needs none of these to be called: views pickle what they send (serialize.py).  They are for programs that keep or send bytes of
their own.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import FunctionType
from typing import Any

from . import serialize
from .dependency import provide


class CannedObject:
    """An object that has been turned into bytes; `get_object` gives it back, a function with `g` as its globals."""

    def __init__(self, obj: Any) -> None:
        self.codec, parts = serialize.dumps(obj)
        self.parts = [bytes(part) for part in parts]

    def get_object(self, g: dict[str, Any] | None = None) -> Any:
        """The object.  `g`: what functions that came by value see, beside what they brought along."""
        return _with_globals(serialize.loads(self.codec, list(self.parts)), g)

    def __repr__(self) -> str:
        return f"<CannedObject of {sum(map(len, self.parts))} bytes>"


def _with_globals(obj: Any, g: dict[str, Any] | None) -> Any:
    if g is None:
        return obj
    if isinstance(obj, FunctionType):
        for name, value in obj.__globals__.items():
            g.setdefault(name, value)
        copy = FunctionType(obj.__code__, g, obj.__name__, obj.__defaults__, obj.__closure__)
        copy.__kwdefaults__ = obj.__kwdefaults__
        copy.__dict__.update(obj.__dict__)
        return copy
    if hasattr(obj, "check_dependency"):
        obj.f = _with_globals(obj.f, g)
        if obj.df is provide:
            obj.dkwargs["into"] = g
    return obj


def can(obj: Any) -> Any:
    """`obj` such that any pickle can carry it: functions, classes and what lies in lists, tuples and dicts by value."""
    if isinstance(obj, (FunctionType, type, partial)) or hasattr(obj, "check_dependency"):
        return CannedObject(obj)
    return can_map(obj) if isinstance(obj, dict) else _each(can, obj)


def uncan(obj: Any, g: dict[str, Any] | None = None) -> Any:
    """The inverse of `can`.  `g`: the globals of functions."""
    if isinstance(obj, CannedObject):
        return obj.get_object(g)
    return uncan_map(obj, g) if isinstance(obj, dict) else _each(lambda item: uncan(item, g), obj)


def can_map(obj: Mapping[Any, Any]) -> dict[Any, Any]:
    """A dict with its values canned."""
    return {key: can(value) for key, value in obj.items()}


def uncan_map(obj: Mapping[Any, Any], g: dict[str, Any] | None = None) -> dict[Any, Any]:
    """The inverse of `can_map`."""
    return {key: uncan(value, g) for key, value in obj.items()}


def _each(change: Callable[[Any], Any], obj: Any) -> Any:
    if type(obj) not in (list, tuple, set):
        return obj
    changed = [change(item) for item in obj]
    return obj if all(map(_is, changed, obj)) else type(obj)(changed)


def _is(one: Any, other: Any) -> bool:
    return one is other


# ---- lists of buffers ----------------------------------------------------------------------------------------------


def serialize_object(obj: Any, buffer_threshold: int = 1024, item_threshold: int = 64) -> list[Any]:  # noqa: ARG001
    """`obj` as a list of buffers: a head, the pickle, and large buffers such as arrays by themselves, which are not copied.

    The thresholds are ipyparallel's: here it is the object's own pickling that says which buffers go by themselves.
    Raises: NotPicklable.
    """
    codec, parts = serialize.dumps(obj)
    return [pickle.dumps((codec, len(parts))), *parts]


def deserialize_object(bufs: Sequence[Any], g: dict[str, Any] | None = None) -> tuple[Any, list[Any]]:
    """The object at the beginning of `bufs`, and the buffers after it.  `g`: the globals of functions.

    Arrays are views of their buffers, and read-only if these are.
    Raises: ValueError: it is no list that `serialize_object` made.
    """
    codec, count = _head(bufs, 2)
    parts = list(bufs[1 : 1 + count])
    if len(parts) < count:
        raise ValueError(
            f"the object has {count} buffers, and {len(parts)} are there; pass all that serialize_object gave"
        )
    return _with_globals(serialize.loads(codec, parts), g), list(bufs[1 + count :])


def _head(bufs: Sequence[Any], length: int) -> tuple[Any, ...]:
    try:
        head = pickle.loads(bufs[0])
    except Exception as error:
        raise ValueError(f"wanted the buffers of serialize_object or pack_apply_message: {error}") from error
    if not isinstance(head, tuple) or len(head) != length:
        raise ValueError("wanted the buffers of serialize_object or pack_apply_message, whose first one is another")
    return head


def pack_apply_message(
    f: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    buffer_threshold: int = 1024,
    item_threshold: int = 64,
) -> list[Any]:
    """A call as a list of buffers: a head, the function, the arguments.

    Raises: NotPicklable.
    """
    call = serialize_object(f, buffer_threshold, item_threshold)
    call += serialize_object((tuple(args), dict(kwargs)), buffer_threshold, item_threshold)
    return [pickle.dumps(("call", len(args), list(kwargs))), *call]


def unpack_apply_message(
    bufs: Sequence[Any], g: dict[str, Any] | None = None, copy: bool = True
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """The function, its arguments and keyword arguments of a call that was packed.  `g`: the globals of the function.

    `copy`: whether arrays may be written to, since they are no views of the buffers.
    Raises: ValueError: it is no list that `pack_apply_message` made.
    """
    _head(bufs, 3)
    rest: list[Any] = [bytearray(buffer) for buffer in bufs[1:]] if copy else list(bufs[1:])
    function, rest = deserialize_object(rest, g)
    (args, kwargs), _ = deserialize_object(rest, g)
    return function, args, kwargs


# ---- PrePickled ----------------------------------------------------------------------------------------------------


class PrePickled:
    """An object that is pickled once and sent many times: an argument of many calls, where it arrives as the object.

    Raises: NotPicklable.
    """

    def __init__(self, obj: Any) -> None:
        self._codec, parts = serialize.dumps(obj)
        self._parts = [bytes(part) for part in parts]

    def __reduce_ex__(self, protocol: Any) -> Any:
        if int(protocol) < 5:
            return serialize.loads, (self._codec, self._parts)
        return serialize.loads, (self._codec, [pickle.PickleBuffer(part) for part in self._parts])

    def __repr__(self) -> str:
        return f"<PrePickled: {sum(map(len, self._parts))} bytes>"
