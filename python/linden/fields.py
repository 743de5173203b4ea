"""From Python values to fields of tuples and back, and templates.

A field is None, a bool, int (64 bits), float, str, bytes or a list of fields.  Whatever else a tuple holds is pickled into
an object, which a space stores and returns but cannot match by value.
"""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Iterable, Mapping, Sequence, Set
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
_COUNT_MAX = 2**32 - 1
_ID_MAX = 2**64 - 1

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


def number_range(first: int, last: int) -> Any:
    """Numbers from `first` to `last`, both included, as a field of a template."""
    return first if first == last else Between(first, last)


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
    if key is not None or delay is not None or group is not None or key_window is not None:
        check_duration("key_window", key_window)
        check_duration("delay", delay)
        rare = {"key": key, "key_window": key_window, "delay": delay, "group": group}
    packed = _row(fields, "tuple")
    if when is not None:
        packed, rare["when"] = _guarded(packed, when)
    packed_will = None if will is None else _row(will, "will")
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
        fields if isinstance(fields, _native.Put) else make_put(fields, priority=priority, ttl=ttl)
        for fields in _rows(tuples, "tuple")
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
    for number, template in enumerate(_rows(when, "guard")):
        for index, field in enumerate(_row(template, "guard")):
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

    Raises: TypeError: no row, or a value that can be stored but not matched.
    """
    return tuple(_form_field(field, index) for index, field in enumerate(_row(template, "template")))


def make_forms(templates: Sequence[Template]) -> list[Tuple]:
    """`make_form` for each of several templates."""
    return [make_form(template) for template in _rows(templates, "template")]


# Iterable all the same, but hardly ever meant as a row: put("task") would store four fields.
_NO_ROWS = (str, bytes, bytearray, memoryview, Mapping, Set)


def _row(fields: Any, what: str) -> Tuple:
    """The fields of one tuple or template."""
    if type(fields) is tuple:
        return fields
    if isinstance(fields, _NO_ROWS) or not isinstance(fields, Iterable):
        raise TypeError(
            f"{what}: wanted a row of fields such as ('task', 7), found {shown(fields)}; a single field is written (field,)"
        )
    return tuple(fields)


def _rows(rows: Any, what: str) -> Iterable[Any]:
    """Several tuples or templates; each is looked at by itself."""
    if isinstance(rows, _NO_ROWS) or not isinstance(rows, Iterable):
        raise TypeError(
            f"wanted a list of which each is a {what}, found {shown(rows)}; a single one is written [{what}]"
        )
    return rows


def several(items: Any, what: str) -> list[Any]:
    """`items` as a list, if there may be several."""
    return list(_rows(items, what))


def shown(value: Any) -> str:
    """`value` as messages write it: its type, and as much of it as is worth showing."""
    return f"the {type(value).__name__} {_written(value)}"


def _written(value: Any) -> str:
    if type(value) is int and value.bit_length() > 128:  # Python refuses to write out what is much longer
        return f"of {value.bit_length()} bits"
    return reprlib.repr(value)


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
    if timeout is not None and not _number("timeout", timeout) >= 0:
        raise ValueError(
            f"timeout is {_written(timeout)}; 0 does not wait, None waits for ever, a negative one is an error"
        )


def check_duration(name: str, seconds: float | None) -> None:
    """Refuse what is no duration."""
    if seconds is not None and not _number(name, seconds) > 0:
        raise ValueError(f"{name} is {_written(seconds)}; it must be a positive number of seconds, or None")


def _number(name: str, seconds: Any) -> Any:
    if type(seconds) is float or type(seconds) is int or hasattr(seconds, "__float__"):
        return seconds
    raise TypeError(f"{name} is {shown(seconds)}; it must be a number of seconds, or None")


def check_count(name: str, count: int, least: int = 1) -> int:
    """`count` as an int, if it is one of at least `least` and of no more than 32 bits."""
    number = _int(name, count)
    if number < least:
        raise ValueError(f"{name} is {_written(number)}; it must be at least {least}")
    if number > _COUNT_MAX:
        raise ValueError(f"{name} is {_written(number)}; it must be at most {_COUNT_MAX}")
    return number


def check_id(id: int) -> int:
    """`id` as an int, if a tuple may have it."""
    number = _int("the id of a tuple", id)
    if not 0 <= number <= _ID_MAX:
        raise ValueError(f"the id of a tuple is {_written(number)}; ids are from 1 to {_ID_MAX}, and put returns them")
    return number


def check_token(token: Any) -> tuple[int, int]:
    """`token` as a pair of ints, if it is what `Reservation.token` gives."""
    if not isinstance(token, (tuple, list)) or len(token) != 2:
        raise TypeError(f"wanted a Reservation or its token (tuple id, attempt), found {shown(token)}")
    return check_id(token[0]), check_count("the attempt of a token", token[1], least=0)


def check_name(what: str, name: str) -> str:
    """`name`, if it is text that UTF-8 can carry."""
    if not isinstance(name, str):
        raise TypeError(f"{what}: wanted a str, found {shown(name)}")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what}: wanted text that UTF-8 can carry, found {name!r}; choose another one") from None
    return name


def _int(name: str, number: Any) -> int:
    try:
        return operator.index(number)
    except TypeError:
        raise TypeError(f"{name} is {shown(number)}; it must be an int") from None
