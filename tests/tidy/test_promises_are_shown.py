"""docs/reference/promises.md lists every promise, and the tests that it names exist and cite the promise that they are listed under."""

import re

import pytest

from tests import promises

_ENTRY = re.compile(r"^\*\*([PF]\d+)\*\* \S", re.MULTILINE)
_TEST = re.compile(r"^- `([^`]+)`$", re.MULTILINE)
_MISSING = re.compile(r"^- ([PF]\d+): \S", re.MULTILINE)


def page() -> tuple[dict[str, list[str]], list[str]]:
    """The tests listed under each promise, and the promises of which something is not shown yet."""
    entries, _, not_yet = promises.PAGE.read_text().partition("\n## Not yet\n")
    pieces = _ENTRY.split(entries)[1:]
    listed = dict(zip(pieces[::2], map(_TEST.findall, pieces[1::2]), strict=True))
    return listed, _MISSING.findall(not_yet)


def test_every_promise_has_its_entry_in_order() -> None:
    listed, _ = page()
    assert tuple(listed) == promises.PROMISES


def test_a_promise_without_a_test_says_so() -> None:
    listed, missing = page()
    assert [promise for promise, tests in listed.items() if not tests and promise not in missing] == []
    assert set(missing) <= set(promises.PROMISES)


def test_listed_tests_exist_and_cite_their_promise() -> None:
    cited = {test.name: test.promises for test in [*promises.cpp_tests(), *promises.python_tests()]}
    listed, _ = page()
    unknown = [name for tests in listed.values() for name in tests if name not in cited]
    assert unknown == []
    assert [f"{name} does not cite {p}" for p, tests in listed.items() for name in tests if p not in cited[name]] == []


# ---- how tests are found


CPP = """
// Not about P1, since a line lies between.

// P2: the comment
// goes on.
TEST(Suite, First) {
  // P3 in the body.
}

TEST_F(SuiteP4, Second) {
}
// P5.
TEST_P(Contract, Third) {
}
"""


def test_cpp_tests_cite_in_name_and_comments() -> None:
    found = list(promises.cpp_tests_in(CPP))
    assert [(test.name, set(test.promises), test.gtest_filter) for test in found] == [
        ("Suite.First", {"P2", "P3"}, "Suite.First"),
        ("SuiteP4.Second", {"P4"}, "SuiteP4.Second"),
        ("Contract.Third", {"P5"}, "*/Contract.Third/*"),
    ]


PYTHON = '''
"""P1: of the module, not of a test."""

# P2
@pytest.mark.slow
def test_first():
    """P3"""


async def test_p4_second():
    assert True  # F1


def helper_p5():
    """P6"""
'''


def test_python_tests_cite_in_name_docstring_and_comments() -> None:
    found = list(promises.python_tests_in(PYTHON, "tests/x.py"))
    assert [(test.name, set(test.promises)) for test in found] == [
        ("tests/x.py::test_first", {"P2", "P3"}),
        ("tests/x.py::test_p4_second", {"P4", "F1"}),
    ]


def test_words_that_only_look_like_promises_are_none() -> None:
    (test,) = promises.cpp_tests_in("// P0, P41, F16, UTF8\nTEST(Http2, KeepsUTF8) {\n}\n")
    assert test.promises == frozenset()


def test_the_filter_of_one_promise_leaves_out_others() -> None:
    assert "SpaceReserve.FinishesAndPutsInOneStep" in promises.gtest_filter("P17").split(":")
    assert "SpaceReserve.FinishesAndPutsInOneStep" not in promises.gtest_filter("P1").split(":")


def test_an_unknown_promise_is_refused() -> None:
    with pytest.raises(ValueError, match="no promise P41; there are P1 to P40"):
        promises.check_promise("P41")
