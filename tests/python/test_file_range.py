"""Ranges of a file have each record once, wherever they are cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


class CountedFile:
    """A file that counts what is read from it."""

    def __init__(self, path: str, _mode: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115  (closed by __exit__)

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        CountedFile.bytes_read += len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> CountedFile:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._file.close()

    bytes_read = 0


@pytest.mark.parametrize("separator", ["\n", "\r\n"])
def test_a_record_over_many_ranges_is_read_twice_at_most(
    scratch: Path, monkeypatch: pytest.MonkeyPatch, separator: str
) -> None:
    """Each range looked for its border up to the end of the record: 100 ranges read it a hundred times."""
    monkeypatch.setattr(file_range, "_CHUNK_BYTES", 64)
    monkeypatch.setattr(file_range, "open", CountedFile, raising=False)
    CountedFile.bytes_read = 0
    path = scratch / "file"
    path.write_bytes(b"x" * 100_000)
    parts = [list(part) for part in cut_file(path, 100, separator=separator)]
    assert parts == [["x" * 100_000], *[[]] * 99]
    assert CountedFile.bytes_read < 350_000  # for the border, for the record itself, and for the borders of the others


def test_a_long_record_is_put_together_once(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copied once for each of its 250,000 chunks, it would take an hour."""
    monkeypatch.setattr(file_range, "_CHUNK_BYTES", 64)
    path = scratch / "file"
    path.write_bytes(b"x" * 16_000_000 + b"\r\nlast")
    for options in ({"separator": "\r\n"}, {"separator": None}, {"record_bytes": 16_000_006}):
        records = list(cut_file(path, 1, encoding=None, **options)[0])  # type: ignore[arg-type]
        assert sum(map(len, records)) >= 16_000_000


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
