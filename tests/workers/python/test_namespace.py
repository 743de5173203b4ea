"""Names of an engine, and functions of a user's __main__ that see them."""

from types import FunctionType
from typing import Any

import pytest
from linden_engine.namespace import Namespace


def from_main(source: str, name: str = "f", **brought: Any) -> FunctionType:
    """A function as it arrives from somebody's __main__, with the globals that it brought along."""
    own: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__, **brought}
    exec(source, own)
    function: FunctionType = own.pop(name)
    own[name] = function
    return function


def test_a_function_sees_the_names_of_the_engine() -> None:
    namespace = Namespace()
    function = namespace.bridge(from_main("def f(x): return a + b + x"))
    namespace.set("a", 5)
    namespace.set("b", 10)
    assert function(27) == 42
    namespace.set("a", 6)
    assert function(27) == 43


def test_without_a_name_on_the_engine_it_uses_what_it_brought() -> None:
    namespace = Namespace()
    function = namespace.bridge(from_main("def f(): return a", a=1))
    assert function() == 1
    namespace.set("a", 2)
    assert function() == 2


def test_global_assignments_are_kept_for_other_functions() -> None:
    namespace = Namespace()
    namespace.bridge(from_main("def f():\n global data\n data = 7"))()
    assert namespace.bridge(from_main("def f(): return data"))() == 7
    assert namespace.evaluate("data + 1") == 8


def test_a_helper_that_travelled_along_sees_them_too() -> None:
    namespace = Namespace()
    namespace.set("a", 5)
    function = namespace.bridge(from_main("def g(): return a\ndef f(): return g()"))
    assert function() == 5


def test_an_inner_function_sees_them_too() -> None:
    namespace = Namespace()
    namespace.set("a", 5)
    assert namespace.bridge(from_main("def f(): return [(lambda: a)() for _ in range(2)]"))() == [5, 5]


def test_functions_of_modules_are_left_alone() -> None:
    import textwrap

    namespace = Namespace()
    assert namespace.bridge(textwrap.dedent) is textwrap.dedent
    assert namespace.bridge(len) is len


def test_a_function_without_globals_costs_nothing() -> None:
    function = from_main("def f(x): return x")
    assert Namespace().bridge(function) is function


def test_a_pushed_function_lives_in_the_namespace() -> None:
    namespace = Namespace()
    namespace.set("f", from_main("def f(): return a + b", b=1))
    namespace.set("a", 5)
    assert namespace.evaluate("f()") == 6


def test_dotted_names_are_attributes() -> None:
    namespace = Namespace()
    namespace.set("x", type("X", (), {})())
    namespace.set("x.y", 3)
    assert namespace.evaluate("x.y") == 3


def test_clear_forgets_users_names_only() -> None:
    namespace = Namespace()
    namespace.set("a", 1)
    namespace.clear()
    with pytest.raises(NameError):
        namespace.evaluate("a")
    assert namespace.evaluate("len([1])") == 1
