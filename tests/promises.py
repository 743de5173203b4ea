"""Which tests cite which promise: in their name, or in a comment or docstring above or in them.

`./dev test -k P17` asks here for the tests of P17, and docs/reference/promises.md is checked against it.

    python -m tests.promises P17    # the C++ ones, as a filter for GoogleTest

Python tests are picked by ``pytest --promise P17`` (tests/conftest.py).
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "promises.md"

PROMISES = (*(f"P{number}" for number in range(1, 41)), *(f"F{number}" for number in range(1, 7)))

_CITED = re.compile(r"\b[PF][0-9]+\b")
_CITED_IN_CPP_NAME = re.compile(r"(?<![A-Z])[PF][0-9]+")
_CITED_IN_PYTHON_NAME = re.compile(r"(?<=_)[pf][0-9]+(?=_|$)")
_CPP_TEST = re.compile(
    r"(?P<above>(?:^//[^\n]*\n)*)"
    r"^TEST(?P<kind>|_F|_P)\((?P<suite>\w+),\s*(?P<name>\w+)\)(?P<body>.*?)^\}",
    re.MULTILINE | re.DOTALL,
)
_CPP_COMMENT = re.compile(r"//.*")


@dataclass(frozen=True)
class CitingTest:
    """One test. `name` is how the page writes it: ``Suite.Name``, or ``tests/python/test_x.py::test_name``."""

    name: str
    promises: frozenset[str]
    gtest_filter: str = ""  # of a C++ test


def cpp_tests() -> Iterator[CitingTest]:
    """All of them, also those that cite nothing."""
    for path in sorted((ROOT / "tests").rglob("*.cpp")):
        yield from cpp_tests_in(path.read_text())


def cpp_tests_in(source: str) -> Iterator[CitingTest]:
    """The tests of one C++ source."""
    for test in _CPP_TEST.finditer(source):
        name = f"{test['suite']}.{test['name']}"
        comments = [test["above"], *_CPP_COMMENT.findall(test["body"])]
        cited = _known(_CITED_IN_CPP_NAME.findall(name), *map(_CITED.findall, comments))
        # Tests with parameters are called Maker/Suite.Name/0.
        yield CitingTest(name, cited, f"*/{name}/*" if test["kind"] == "_P" else name)


def python_tests() -> Iterator[CitingTest]:
    """All of them, also those that cite nothing."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        yield from python_tests_in(path.read_text(), path.relative_to(ROOT).as_posix())


def python_tests_in(source: str, path: str) -> Iterator[CitingTest]:
    """The tests of one Python module."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            comments = [line.partition("#")[2] for line in _lines_of(node, lines)]
            in_name = [number.upper() for number in _CITED_IN_PYTHON_NAME.findall(node.name)]
            cited = _known(in_name, *map(_CITED.findall, [ast.get_docstring(node) or "", *comments]))
            yield CitingTest(f"{path}::{node.name}", cited)


def _lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> list[str]:
    """Its source with the decorators, and with the comment directly above these."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return lines[first : node.end_lineno]


def _known(*found: list[str]) -> frozenset[str]:
    return frozenset(word for words in found for word in words if word in PROMISES)


def gtest_filter(promise: str) -> str:
    """What GTEST_FILTER must be, so that the C++ tests of `promise` run; ``-*``, which is none, if there is none."""
    return ":".join(test.gtest_filter for test in cpp_tests() if promise in test.promises) or "-*"


def check_promise(word: str) -> str:
    """The promise that `word` is.

    Raises: ValueError: there is no such promise.
    """
    if word not in PROMISES:
        raise ValueError(f"no promise {word}; there are P1 to P40 and F1 to F6, see {PAGE.relative_to(ROOT)}")
    return word


def main() -> int:
    try:
        print(gtest_filter(check_promise(sys.argv[1])))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
