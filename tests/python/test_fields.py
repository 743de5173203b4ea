"""Values and templates on their way into a space: no coercion (P2), copies (P3), clear refusals."""

import threading
from enum import IntEnum
from typing import Any

import pytest
from linden import ANY, Between, NotPicklable, Prefix
from linden.errors import LimitExceeded
from linden.fields import check_timeout, make_form, make_put, to_python


class Colour(IntEnum):
    RED = 1


def round_trip(*fields: Any) -> tuple[Any, ...]:
    return to_python(make_put(fields).fields)


def test_plain_values_stay_what_they_are() -> None:
    fields = (None, True, 1, 1.0, "1", b"1", [1, "a", [2.5, None]])
    result = round_trip(*fields)
    assert result == fields
    assert [type(field) for field in result] == [type(field) for field in fields]


@pytest.mark.parametrize("value", [{"a": 1}, (1, 2), {1, 2}, 1 + 2j, bytearray(b"x"), Colour.RED, [{"a": (1,)}]])
def test_other_values_come_back_with_their_type(value: Any) -> None:
    _, result = round_trip("x", value)
    assert result == value
    assert type(result) is type(value)


def test_a_numpy_scalar_is_not_taken_for_a_float() -> None:
    numpy = pytest.importorskip("numpy")
    _, result = round_trip("x", numpy.float64(0.5))
    assert type(result) is numpy.float64


def test_an_array_comes_back_equal() -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(10_000).reshape(100, 100)
    _, result = round_trip("x", array)
    assert (result == array).all()


def test_what_was_put_is_a_copy() -> None:
    """P3"""
    value = {"a": 1}
    put = make_put(("x", value))
    value["a"] = 2
    assert to_python(put.fields) == ("x", {"a": 1})


def test_lists_of_a_template_may_hold_formals() -> None:
    form = make_form(("a", [1, int, [ANY, "x"]], [1, 2]))
    assert form[0] == "a"
    assert type(form[1][1]).__name__ == "Typed"
    assert form[2] == [1, 2]


def test_p38_a_list_of_a_template_that_has_no_end_is_refused() -> None:
    endless: list[Any] = []
    endless += [endless, endless, int]
    with pytest.raises(LimitExceeded, match="nested deeper than 64"):
        make_form((endless,))
    deep: list[Any] = [int]
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(LimitExceeded, match="field 1 of the template"):
        make_form(("a", deep))


def test_an_int_beyond_64_bits_is_refused_clearly() -> None:
    assert round_trip(2**63 - 1, -(2**63)) == (2**63 - 1, -(2**63))
    with pytest.raises(OverflowError, match="64 bits"):
        make_put(("x", 2**63))
    with pytest.raises(OverflowError, match="64 bits"):
        make_put(("x", [1, [2**100]]))
    with pytest.raises(OverflowError, match="64 bits"):
        make_form((-(2**63) - 1,)) and make_put((-(2**63) - 1,))


def test_an_unpicklable_value_is_named() -> None:
    with pytest.raises(NotPicklable, match=r"field 1 .*_thread\.lock"):
        make_put(("x", threading.Lock()))
    with pytest.raises(NotPicklable, match=r"field 1 .*item 'key'"):
        make_put(("x", {"key": threading.Lock()}))


def test_an_unpicklable_will_is_named() -> None:
    with pytest.raises(NotPicklable, match="field 2"):
        make_put(("x", {"a": 1}), max_attempts=1, will=("y", {"b": 1}, threading.Lock()))


def test_templates_take_types_and_formals() -> None:
    form = make_form(("a", int, str, float, bool, bytes, list, type(None), object, ANY, Between(1, 2), Prefix("x")))
    assert len(form) == 12
    assert form[0] == "a"


def test_a_template_refuses_what_cannot_be_matched() -> None:
    with pytest.raises(TypeError, match="field 1 of the template is a dict"):
        make_form(("a", {"b": 1}))
    with pytest.raises(TypeError, match="the type dict"):
        make_form((dict,))


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan")])
def test_a_negative_timeout_is_an_error(timeout: float) -> None:
    """P12"""
    with pytest.raises(ValueError, match="timeout"):
        check_timeout(timeout)


def test_zero_and_none_are_timeouts() -> None:
    check_timeout(0)
    check_timeout(None)
