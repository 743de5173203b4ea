"""From Python values to fields of tuples and back, and templates.

A field is None, a bool, int (64 bits), float, str, bytes or a list of fields.  Whatever else a tuple holds is pickled into
an object, which a space stores and returns but cannot match by value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

from . import _native, serialize
from .errors import LimitExceeded

Tuple = tuple[Any, ...]
Template = tuple[Any, ...]

ANY = _native.AnyField()
Between = _native.Between
Prefix = _native.Prefix
OneOf = _native.OneOf

_LIST_DEPTH_MAX = 64  # as in api/include/linden/value.h

_FORMALS: dict[Any, Any] = {
    type(None): _native.Typed("nil"),
    bool: _native.Typed("bool"),
    int: _native.Typed("int"),
    float: _native.Typed("float"),
    str: _native.Typed("text"),
    bytes: _native.Typed("bytes"),
    list: _native.Typed("list"),
    object: _native.Typed("object"),
}


class Var:
    """A variable of a guarded put (P24): bound by a template of ``when=``, it fills fields of the guarded tuple.

    ``Var("x", int)`` in a template matches what ``int`` matches (without a type: what ``ANY`` matches), and ``Var("x")`` in the
    tuple stands for what was matched there.
    """

    def __init__(self, name: str, formal: Any = ANY) -> None:
        self.name = name
        self.formal = formal

    def __repr__(self) -> str:
        return f"Var({self.name!r})"

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} stands for a whole field of a guarded tuple, bound by a template of when=")


class PutAttributes(TypedDict, total=False):
    """What `linden.Space.put` takes beside the fields, for those who pass it on."""

    priority: int
    ttl: float | None
    max_attempts: int
    will: Sequence[Any] | None
    session: bool
    key: str | None
    key_window: float | None
    delay: float | None
    group: str | None
    when: Sequence[Template] | None


def make_put(
    fields: Sequence[Any],
    *,
    priority: int = 0,
    ttl: float | None = None,
    max_attempts: int = 0,
    will: Sequence[Any] | None = None,
    lives_with: str | None = None,
    key: str | None = None,
    key_window: float | None = None,
    delay: float | None = None,
    group: str | None = None,
    when: Sequence[Template] | None = None,
) -> _native.Put:
    """Encode one tuple with its attributes; what is no field is pickled.

    Raises: OverflowError: an int beyond 64 bits. serialize.NotPicklable (a TypeError): names the field.
    """
    check_duration("ttl", ttl)
    rare: dict[str, Any] = {}
    if key is not None or delay is not None or group is not None:
        check_duration("key_window", key_window)
        check_duration("delay", delay)
        rare = {"key": key, "key_window": key_window, "delay": delay, "group": group}
    packed = tuple(fields)
    if when is not None:
        packed, rare["when"] = _guarded(packed, when)
    packed_will = None if will is None else tuple(will)
    while True:
        try:
            return _native.Put(
                packed,
                priority=priority,
                ttl=ttl,
                max_attempts=max_attempts,
                will=packed_will,
                lives_with=lives_with,
                **rare,
            )
        except _native.NotEncodable as error:
            # The native side names the first field that it cannot encode, so that plain tuples are never scanned here.
            index = error.args[1]
            if _is_refused(packed, index):
                packed = _pack_field(packed, index)
            elif packed_will is not None and _is_refused(packed_will, index):
                packed_will = _pack_field(packed_will, index)
            else:
                raise


def make_puts(
    tuples: Iterable[Sequence[Any] | _native.Put], *, priority: int = 0, ttl: float | None = None
) -> list[_native.Put]:
    """`make_put` for each row of fields; what `with_attributes` made stays as it is."""
    return [
        fields if isinstance(fields, _native.Put) else make_put(fields, priority=priority, ttl=ttl) for fields in tuples
    ]


def with_attributes(
    fields: Sequence[Any],
    *,
    priority: int = 0,
    ttl: float | None = None,
    max_attempts: int = 0,
    will: Sequence[Any] | None = None,
    key: str | None = None,
    key_window: float | None = None,
    delay: float | None = None,
    group: str | None = None,
    when: Sequence[Template] | None = None,
) -> _native.Put:
    """A tuple with attributes of its own, for ``put_many`` and ``finish``.  They mean what they mean in `Space.put`."""
    return make_put(
        fields,
        priority=priority,
        ttl=ttl,
        max_attempts=max_attempts,
        will=will,
        key=key,
        key_window=key_window,
        delay=delay,
        group=group,
        when=when,
    )


_Guards = list[tuple[Tuple, list[tuple[int, int]]]]


def _guarded(fields: Tuple, when: Sequence[Template]) -> tuple[Tuple, _Guards]:
    """The tuple with None where variables stand, and its guards: each a form and which of its fields fills which."""
    bound: dict[str, tuple[int, int]] = {}
    guards: _Guards = []
    for number, template in enumerate(when):
        for index, field in enumerate(template):
            if not isinstance(field, Var):
                continue
            if field.name in bound:
                raise ValueError(f"{field!r} is bound twice in when=; give each variable a name of its own")
            bound[field.name] = number, index
        form = [field.formal if isinstance(field, Var) else field for field in template]
        guards.append((make_form(form), []))
    for index, field in enumerate(fields):
        if not isinstance(field, Var):
            continue
        if field.name not in bound:
            raise ValueError(f"field {index} of the tuple is {field!r}, which no template of when= binds")
        number, from_ = bound[field.name]
        guards[number][1].append((from_, index))
    return tuple(None if isinstance(field, Var) else field for field in fields), guards


def _is_refused(fields: Tuple, index: int) -> bool:
    if index >= len(fields):
        return False
    try:
        _native.Put((fields[index],))
    except _native.NotEncodable:
        return True
    return False


def _pack_field(fields: Tuple, index: int) -> Tuple:
    packed = serialize.pack(fields[index], what=f"field {index} of the tuple")
    return (*fields[:index], packed, *fields[index + 1 :])


def make_form(template: Sequence[Any]) -> Tuple:
    """A template as the native side takes it: types become formals.

    Raises: TypeError: a value that can be stored but not matched.
    """
    return tuple(_form_field(field, index) for index, field in enumerate(template))


def _form_field(field: Any, index: int, depth: int = 0) -> Any:
    if type(field) is list:
        if depth == _LIST_DEPTH_MAX:  # a list that contains itself ends here, too
            raise LimitExceeded(
                f"field {index} of the template has lists nested deeper than {_LIST_DEPTH_MAX}; use list or ANY for it"
            )
        return [_form_field(element, index, depth + 1) for element in field]
    if isinstance(field, type):
        formal = _FORMALS.get(field)
        if formal is None:
            raise TypeError(
                f"field {index} of the template is the type {field.__name__}; a formal is one of "
                "int, float, str, bytes, bool, list, type(None), object, ANY, Between, Prefix, OneOf"
            )
        return formal
    kind = type(field)
    if (
        field is None
        or kind in _FORMALS
        or isinstance(field, (_native.AnyField, Between, Prefix, OneOf, _native.Typed))
    ):
        return field
    raise TypeError(
        f"field {index} of the template is a {kind.__name__}, which a space stores but cannot match by value; "
        "use ANY or object for that field"
    )


def to_python(fields: Tuple) -> Tuple:
    """The fields of a tuple that was read, with its objects unpickled."""
    for field in fields:
        if type(field) is _native.Object or type(field) is list:
            return tuple(_value(field) for field in fields)
    return fields


def _value(field: Any) -> Any:
    if type(field) is _native.Object:
        return serialize.unpack(field)
    if type(field) is list:
        return [_value(item) for item in field]
    return field


def check_timeout(timeout: float | None) -> None:
    """Refuse a negative timeout (P12)."""
    if timeout is not None and not timeout >= 0:
        raise ValueError(f"timeout is {timeout!r}; 0 does not wait, None waits for ever, a negative one is an error")


def check_duration(name: str, seconds: float | None) -> None:
    """Refuse what is no duration."""
    if seconds is not None and not seconds > 0:
        raise ValueError(f"{name} is {seconds!r}; it must be a positive number of seconds, or None")
