"""Ranges of a file have each record once, wherever they are cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from linden import file_range
from linden.file_range import FileRange, cut_file, load

TEXTS = [
    "",
    "a",
    "\n",
    "one\ntwo\nthree",
    "one\ntwo\nthree\n",
    "\n\n\nx\n\n",
    "long " * 50 + "\n" + "s\n" * 40,
    "ä\nöü\n€",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("count", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("chunk", [1, 3, 1 << 20])
def test_every_line_is_in_one_range(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, text: str, count: int, chunk: int
) -> None:
    monkeypatch.setattr(file_range, "_CHUNK_BYTES", chunk)
    path = scratch / "file"
    path.write_bytes(text.encode())
    lines = text.split("\n")
    expected = lines if lines[-1] else lines[:-1]
    blocks = cut_file(path, count)
    assert [line for part in blocks for line in part] == expected
    assert b"".join(part.read() for part in blocks) == text.encode()
    assert [list(part) for part in cut_file(path, count, "r")] == [expected[first::count] for first in range(count)]


@pytest.mark.parametrize("separator", [";;+", "ab", "\r\n", b"\x00"])
@pytest.mark.parametrize("chunk", [1, 2, 5, 1 << 20])
def test_records_may_end_otherwise(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, separator: str | bytes, chunk: int
) -> None:
    monkeypatch.setattr(file_range, "_CHUNK_BYTES", chunk)
    end = separator.encode() if isinstance(separator, str) else separator
    records = [b"one", b"", b"a;;b", b"three" * 9, b"\n", b"last"]
    path = scratch / "file"
    path.write_bytes(end.join(records))
    for count in range(1, 12):
        parts = cut_file(path, count, separator=separator, encoding=None)
        assert [record for part in parts for record in part] == records


def test_a_carriage_return_belongs_to_the_newline_of_a_text(scratch: Path) -> None:
    path = scratch / "file"
    path.write_bytes(b"one\r\ntwo\r\n")
    assert [line for part in cut_file(path, 2) for line in part] == ["one", "two"]
    assert [line for part in cut_file(path, 2, encoding=None) for line in part] == [b"one\r", b"two\r"]


def test_records_of_equal_length(scratch: Path) -> None:
    path = scratch / "file"
    path.write_bytes(bytes(range(30)))
    parts = cut_file(path, 4, record_bytes=5)
    assert [len(load(part, "bytes")) for part in parts] == [10, 10, 5, 5]
    assert [len(record) for part in cut_file(path, 2, record_bytes=5, encoding=None) for record in part] == [5] * 6
    for wrong in (0, 7, 2.5):
        with pytest.raises(ValueError, match="must divide the size of the file, which is 30"):
            cut_file(path, 2, record_bytes=wrong)  # type: ignore[arg-type]


def test_bytes_may_be_cut_anywhere(scratch: Path) -> None:
    path = scratch / "file"
    path.write_bytes(b"x" * 10)
    assert [len(part.read()) for part in cut_file(path, 4, separator=None)] == [3, 3, 2, 2]


@pytest.mark.parametrize("separator", ["", "aa", "\n\n", "abab"])
def test_separators_that_are_not_found_from_anywhere_are_refused(scratch: Path, separator: str) -> None:
    (scratch / "file").write_text("x")
    with pytest.raises(ValueError, match="a separator is one or more bytes"):
        cut_file(scratch / "file", 2, separator=separator)


def test_a_file_that_has_changed_is_noticed(scratch: Path) -> None:
    path = scratch / "file"
    path.write_text("one\ntwo\n")
    part = cut_file(path, 1)[0]
    path.write_text("one\ntwo\nthree\n")
    for read in (part.read, lambda: list(part)):
        with pytest.raises(ValueError, match=r"has 14 bytes on .*, and had 8"):
            read()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        part.read()


def test_what_is_no_file_is_refused(scratch: Path) -> None:
    with pytest.raises(IsADirectoryError):
        cut_file(scratch, 2)
    with pytest.raises(FileNotFoundError):
        cut_file(scratch / "none", 2)
    assert "bytes 3 to 5 of 9" in repr(FileRange("/x", 3, 5, 9))
