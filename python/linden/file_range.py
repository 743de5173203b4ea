"""Parts of a file, cut at the borders of its records, so that several engines read it side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

from .chunking import even_parts
from .gather import BLOCKS, check_dist
from .reference import define

_CHUNK_BYTES = 1 << 20
LINES, BYTES, RANGE = FORMS = ("lines", "bytes", "range")


class FileRange:
    """The records of a file that begin at one of the bytes from `start` to `stop` (excluded).

    So ranges that follow each other have every record once, wherever they are cut.  Iterate over it for the records: texts, or bytes if
    `encoding` is None; `read` gives all of it as bytes.  Nothing is read before that, and no more than a piece at a time.

    Args: path, size: the file, and how large it was when it was cut. separator: ends a record (a carriage return before a newline
        belongs to it); None: the whole range is one. record_bytes: records are that long instead. first, step: only every `step`-th
        record, from number `first`.
    Raises, when it is read: FileNotFoundError; ValueError: the file has another size here.
    """

    def __init__(
        self,
        path: str,
        start: int,
        stop: int,
        size: int,
        *,
        separator: bytes | None = b"\n",
        record_bytes: int | None = None,
        encoding: str | None = "utf-8",
        first: int = 0,
        step: int = 1,
    ) -> None:
        self.path = path
        self.start = start
        self.stop = stop
        self.size = size
        self._separator = separator
        self._record_bytes = record_bytes
        self._encoding = encoding
        self._first = first
        self._step = step

    def read(self) -> bytes:
        """All of its bytes, separators included."""
        with self._open() as file:
            start, stop = self._span(file)
            file.seek(start)
            return file.read(stop - start)

    def __iter__(self) -> Iterator[Any]:
        return islice(map(self._decode, self._records()), self._first, None, self._step)

    def _records(self) -> Iterator[bytes]:
        with self._open() as file:
            start, stop = self._span(file)
            file.seek(start)
            if self._record_bytes is not None:
                for _ in range(start, stop, self._record_bytes):
                    yield file.read(self._record_bytes)
            elif self._separator is not None:
                yield from _split(file, stop - start, self._separator)
            elif start < stop:
                yield file.read(stop - start)

    def _decode(self, record: bytes) -> Any:
        if self._encoding is None:
            return record
        if self._separator == b"\n" and record.endswith(b"\r"):
            record = record[:-1]
        return record.decode(self._encoding)

    def _open(self) -> BinaryIO:
        file = open(self.path, "rb")  # noqa: SIM115  (the caller closes it)
        size = os.fstat(file.fileno()).st_size
        if size != self.size:
            file.close()
            raise ValueError(
                f"{self.path} has {size} bytes on {os.uname().nodename}, and had {self.size} when it was cut into ranges; "
                "is it another file here, or does somebody write to it?"
            )
        return file

    def _span(self, file: BinaryIO) -> tuple[int, int]:
        """Where its records begin and end.  The end is looked for only if there are any: they may be all in one long record of another."""
        start = self._border(file, self.start, self.stop)
        if start >= self.stop:
            return self.stop, self.stop
        return start, self._border(file, self.stop, self.size)

    def _border(self, file: BinaryIO, at: int, limit: int) -> int:
        """Where the first record begins that does not begin before `at`; if that is not before `limit`, `limit` or more."""
        if at <= 0 or at >= self.size:
            return max(0, min(at, self.size))
        if self._record_bytes is not None:
            return min(-(-at // self._record_bytes) * self._record_bytes, self.size)
        if self._separator is None:
            return at
        found = max(0, at - len(self._separator))
        file.seek(found)
        rest = b""
        while found + len(rest) < limit and (piece := file.read(_CHUNK_BYTES)):
            rest += piece
            place = rest.find(self._separator)
            if place >= 0:
                return found + place + len(self._separator)
            kept = min(len(self._separator) - 1, len(rest))
            found += len(rest) - kept
            rest = rest[len(rest) - kept :]
        return limit

    def __repr__(self) -> str:
        return f"<linden FileRange {self.path!r}: bytes {self.start} to {self.stop} of {self.size}>"


def _split(file: BinaryIO, size: int, separator: bytes) -> Iterator[bytes]:
    """The records in the next `size` bytes; of one that is longer than a chunk, no byte is copied more than twice."""
    most = len(separator) - 1  # what of a separator may be at the end of a chunk
    begun: list[bytes] = []  # of the record that has not ended, all but
    rest = b""
    while size > 0 and (piece := file.read(min(_CHUNK_BYTES, size))):
        size -= len(piece)
        *whole, rest = (rest + piece).split(separator)
        if whole:
            yield b"".join([*begun, whole[0]])
            yield from whole[1:]
            begun = []
        cut = max(0, len(rest) - most)
        begun.append(rest[:cut])
        rest = rest[cut:]
    if last := b"".join([*begun, rest]):
        yield last


def cut_file(
    path: str | os.PathLike[str],
    count: int,
    dist: str = BLOCKS,
    *,
    separator: str | bytes | None = "\n",
    record_bytes: int | None = None,
    encoding: str | None = "utf-8",
) -> list[FileRange]:
    """`count` ranges of the file, of about the same size; dealt round robin, each is the whole file and has its records only.

    Raises: OSError: it cannot be looked at. ValueError: nothing by which to cut.
    """
    check_dist(dist)
    full = os.path.abspath(os.path.expanduser(os.fspath(path)))
    size = os.stat(full).st_size
    if os.path.isdir(full):
        raise IsADirectoryError(f"{full} is a directory; scatter its files, such as sorted(os.listdir(...))")
    options: dict[str, Any] = {
        "separator": None if record_bytes is not None else _checked(separator, encoding),
        "record_bytes": record_bytes,
        "encoding": encoding,
    }
    if record_bytes is not None and (type(record_bytes) is not int or record_bytes < 1 or size % record_bytes):
        raise ValueError(f"record_bytes must divide the size of the file, which is {size}, and is {record_bytes!r}")
    if dist == BLOCKS:
        if record_bytes is not None:
            ends = [
                (start * record_bytes, stop * record_bytes) for start, stop in even_parts(size // record_bytes, count)
            ]
        else:
            ends = even_parts(size, count)
        return [FileRange(full, start, stop, size, **options) for start, stop in ends]
    return [FileRange(full, 0, size, size, **options, first=first, step=count) for first in range(count)]


def _checked(separator: str | bytes | None, encoding: str | None) -> bytes | None:
    if separator is None:
        return None
    found = separator.encode(encoding or "utf-8") if isinstance(separator, str) else bytes(separator)
    # Where one may begin inside of another, it depends on where one has begun to look.
    if not found or any(found.startswith(found[start:]) for start in range(1, len(found))):
        raise ValueError(
            f"a separator is one or more bytes, whose end is not its beginning (as in 'aa'), so that borders are found from "
            f"anywhere; it is {separator!r}"
        )
    return found


def check_form(into: str, dist: str) -> None:
    """Refuse what a range cannot be made."""
    if into not in FORMS:
        raise ValueError(f"into must be one of {', '.join(FORMS)}, not {into!r}")
    if into == BYTES and dist != BLOCKS:
        raise ValueError("the bytes of a file are cut into blocks; records can be dealt round robin, with into='lines'")


def load(part: FileRange, into: str) -> Any:
    """The range as `into` says."""
    if into == RANGE:
        return part
    return list(part) if into == LINES else part.read()


def load_as(name: str, part: FileRange, into: str) -> None:
    """What an engine runs: the range becomes the value of a name there."""
    define(name, load(part, into))
