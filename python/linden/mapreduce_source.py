"""What a MapReduce job reads: text files, cut into splits at the borders of records, or any iterable of records."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

_SPLIT_MIN = 1 << 20
_SPLIT_MAX = 64 << 20
# So many splits for each engine, so that engines that are quicker do more.
_SPLITS_PER_ENGINE = 4
_CHUNK_RECORDS = 1000
_CHUNK_RECORDS_MAX = 20_000


class TextSplitSpec(NamedTuple):
    """The records that begin in a part of a file."""

    path: str
    begin: int
    end: int
    encoding: str | None
    errors: str
    delimiter: bytes


class RecordsSpec(NamedTuple):
    """Records that travel with the job."""

    records: Sequence[Any]


class TextFiles:
    """Text files as records, one per line; every engine has to see them under the same paths.

    Args: paths: a path or pattern (``"logs/*.txt"``), or several of these. split_bytes: how much a map task reads; None: so
        that each engine gets some, at most 64 MiB. encoding: None gives records as bytes. errors: as of bytes.decode.
        delimiter: the byte between records; before a newline a carriage return goes, too.
    Raises: FileNotFoundError: a path is not there, or a pattern fits nothing. ValueError: an argument.
    """

    def __init__(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        split_bytes: int | None = None,
        encoding: str | None = "utf-8",
        errors: str = "strict",
        delimiter: bytes = b"\n",
    ) -> None:
        if split_bytes is not None and not (type(split_bytes) is int and split_bytes > 0):
            raise ValueError(f"split_bytes must be None or a number of at least 1, not {split_bytes!r}")
        if type(delimiter) is not bytes or len(delimiter) != 1:
            raise ValueError(f"delimiter must be one byte, such as b'\\n', not {delimiter!r}")
        if encoding is not None and delimiter.decode("latin-1").encode(encoding) != delimiter:
            raise ValueError(f"files of encoding {encoding!r} cannot be split at bytes; convert them to UTF-8 first")
        one = isinstance(paths, (str, os.PathLike))
        self.paths = list(_found([paths] if one else paths))  # type: ignore[list-item,arg-type]
        self.split_bytes = split_bytes
        self.encoding = encoding
        self.errors = errors
        self.delimiter = delimiter

    def splits(self, engines: int) -> list[TextSplitSpec]:
        """Parts of about the same size."""
        sizes = [os.path.getsize(path) for path in self.paths]
        size = self.split_bytes or self._usual_split(sum(sizes), engines)
        return [
            TextSplitSpec(path, begin, min(begin + size, total), self.encoding, self.errors, self.delimiter)
            for path, total in zip(self.paths, sizes, strict=True)
            for begin in range(0, total, size)
        ]

    @staticmethod
    def _usual_split(total: int, engines: int) -> int:
        return max(_SPLIT_MIN, min(_SPLIT_MAX, -(-total // (_SPLITS_PER_ENGINE * max(1, engines)))))

    def __repr__(self) -> str:
        return f"<linden.mapreduce.TextFiles: {len(self.paths)} files>"


def _found(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    any_path = False
    for path in paths:
        any_path = True
        name = os.path.abspath(os.fspath(path))
        if os.path.isdir(name):
            raise IsADirectoryError(f"{name} is a directory; say which files of it, as in '{name}/*.txt'")
        if os.path.exists(name):
            yield name
            continue
        matches = sorted(match for match in glob.glob(name, recursive=True) if os.path.isfile(match))
        if not matches:
            raise FileNotFoundError(f"no file {name!r} is there, and none fits it as a pattern")
        yield from matches
    if not any_path:
        raise FileNotFoundError("no files are given; for no input at all give an empty list of records")


def splits_of(source: Any, engines: int) -> Iterator[TextSplitSpec | RecordsSpec]:
    """What each map task reads.

    Raises: TypeError: nothing that can be read.
    """
    if isinstance(source, TextFiles):
        yield from source.splits(engines)
        return
    if isinstance(source, (str, bytes, os.PathLike)):
        raise TypeError(f"{source!r} is a path, or a text; for the lines of a file give linden.TextFiles({source!r})")
    try:
        records = iter(source)
    except TypeError:
        raise TypeError(f"wanted linden.TextFiles or an iterable of records, not a {type(source).__name__}") from None
    size = _CHUNK_RECORDS
    if hasattr(source, "__len__"):
        size = max(1, min(_CHUNK_RECORDS_MAX, -(-len(source) // (_SPLITS_PER_ENGINE * max(1, engines)))))
    while chunk := list(islice(records, size)):
        yield RecordsSpec(chunk)
