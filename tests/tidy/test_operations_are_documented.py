"""docs/reference/operations.md has an entry for everything that can be asked of a space, and names nothing that is not there."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import linden
import pytest
from linden import aio, errors

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/operations.md").read_text()
ROWS = ("Python", "asyncio", "C++", "space-admin", "wire", "promises")

# An entry is a heading, a sentence, and a table of names.
ENTRY = re.compile(
    r"^### (?P<title>.+)\n\n(?P<says>[^|#]+?)\n\n\| \| \|\n\|---\|---\|\n(?P<table>(?:\|.*\|\n)+)", re.MULTILINE
)
NAME = re.compile(r"`([^`]+)`")

# Python's, by the row in which they stand.
CLASSES = {
    "Python": (linden.Space, linden.Transaction, linden.Reservation, linden.Subscription),
    "asyncio": (aio.Space, aio.Transaction, aio.Reservation, aio.StreamedReservation, aio.Stream),
}
# Between modules of the package: nobody asks a space for these.
INTERNAL = {"submit", "finished_elsewhere", "end_thread"}


def entries() -> dict[str, dict[str, str]]:
    """The table of each entry, by its heading."""
    found = {}
    for entry in ENTRY.finditer(PAGE):
        cells = [line.strip("|\n").split("|", 1) for line in entry["table"].splitlines()]
        found[entry["title"]] = {name.strip(): text.strip() for name, text in cells}
    return found


def named(row: str) -> set[str]:
    """All names in the rows of that name."""
    return {name for table in entries().values() for name in NAME.findall(table[row])}


def methods(classes: tuple[type, ...]) -> Iterator[str]:
    for cls in classes:
        for name, _ in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_") and name not in INTERNAL:
                yield name


def alternatives(variant: str) -> list[str]:
    """The types that `using variant = std::variant<...>` of operation.h lists."""
    header = (ROOT / "api/include/linden/operation.h").read_text()
    listed = re.search(rf"using {variant} =\s*std::variant<([^>]*)>", header)
    assert listed is not None
    return re.findall(r"\w+", listed[1])


def test_every_heading_has_its_table() -> None:
    headings = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
    assert list(entries()) == headings
    assert {title: tuple(table) for title, table in entries().items()} == dict.fromkeys(headings, ROWS)


def test_every_operation_and_answer_of_the_protocol_is_named() -> None:
    said = named("wire")
    assert [name for name in alternatives("Operation") if name not in said] == [], "give it an entry in operations.md"
    assert [name for name in alternatives("Answer") if name not in said] == [], "say which operation it answers"
    assert [name for name in alternatives("Event") if name not in said] == [], "say which operation it comes of"


@pytest.mark.parametrize("row", CLASSES)
def test_every_method_is_named_where_it_belongs(row: str) -> None:
    there = set(methods(CLASSES[row]))
    said = named(row)
    assert sorted(there - said) == [], f"name it in the row {row} of its operation"
    words = {name for name in said if re.fullmatch(r"[a-z_]+", name)}
    known = there | set(methods((linden.Connection,)))
    # Results that are named beside the methods: `cancel` of a future.
    assert sorted(words - known - {"cancel", "with"}) == [], "there is no such method"


def test_every_method_of_cpp_is_named() -> None:
    header = (ROOT / "api/include/linden/space.h").read_text()
    body = header[header.index("class Space {") : header.index(" private:")]
    public = set(
        re.findall(r"^\s{2}(?:\[\[nodiscard\]\] )?[\w:<>&, ]+?[&\s](\w+)\(", re.sub(r"//.*", "", body), re.MULTILINE)
    )
    assert {"put", "take", "summarize"} <= public
    public = {name.removesuffix("_async") for name in public}  # "What holds for all" says what that is
    assert sorted(public - named("C++") - {"name", "number", "durability", "created", "client"}) == []


def test_every_command_of_the_shell_is_there() -> None:
    manual = (ROOT / "docs/reference/space-admin.1.md").read_text()
    assert [name for name in named("space-admin") if not re.search(rf"`{name}\b", manual)] == []


def test_every_error_is_explained() -> None:
    table = PAGE[PAGE.index("## Errors") :]
    rows = re.findall(r"^\| `(\w+)`[^|]*\| `k(\w+)` \| `([A-Z_]+)` \| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
    explained = {python: (cpp, wire) for python, cpp, wire, when, left in rows if len(when) > 10 and len(left) > 10}
    proto = (ROOT / "api/wire/proto/linden/wire/v1/error.proto").read_text()
    wire_of = {int(number): name for name, number in re.findall(r"^\s*([A-Z_]+) = (\d+);", proto, re.MULTILINE)}
    header = (ROOT / "api/include/linden/error.h").read_text()
    cpp_of = {int(number): name for name, number in re.findall(r"^\s*k(\w+) = (\d+),", header, re.MULTILINE)}
    wanted = {cls.__name__: (cpp_of[code], wire_of[code]) for code, cls in errors.CLASS_OF_CODE.items()}
    assert explained == wanted


def test_promises_are_cited() -> None:
    for title, table in entries().items():
        assert re.fullmatch(r"[PF]\d+(, [PF]\d+)*", table["promises"]), title
