"""The shuffle of MapReduce in C++: partitions, sorts, combines, spills and merges pairs; wrapped by mapreduce_task.py.

Keys are None, bool, int (64 bits), float, str, bytes, and tuples of these; values are anything.  One thread uses an object at
a time.  What takes long comes in pieces (`limit`), so that signals are seen between them, and lets go of the GIL where no Python
runs.
"""

import enum
from collections.abc import Callable, Iterator, Sequence
from typing import Any

class BadPair(TypeError):
    """What a mapper or a reducer gave is no pair, or its key is none."""

class ShuffleError(RuntimeError):
    """A file cannot be read or written, a run is damaged, a sum is beyond 64 bits, or a function in C++ has thrown."""

class Combine(enum.Enum):
    NONE = ...
    SUM = ...
    MIN = ...
    MAX = ...

class Functions:
    """Mappers and reducers in C++ by name: ours, and those of the libraries that were loaded."""
    def load(self, path: str) -> None: ...

class TextSplit:
    """The records that begin in a part of a file."""
    def __init__(self, path: str, begin: int, end: int, *, delimiter: bytes = b"\n", record_bytes_max: int) -> None: ...
    @property
    def path(self) -> str: ...
    @property
    def offset(self) -> int: ...  # where the last record began

class Pairs:
    """Sorted pairs; either by group or by pair."""
    def next_group(
        self, limit: int
    ) -> tuple[Any, list[Any], bool] | None: ...  # key, values, whether these are all; None at the end
    def more_values(self, limit: int) -> list[Any]: ...  # of that key; empty at their end
    def next_pairs(self, limit: int) -> list[tuple[Any, Any]]: ...  # empty at the end

class Writer:
    """Writes a run pair by pair, in the order of keys; to `descriptor`, or to a file without a name in `directory`."""
    def __init__(self, partitions: int, *, descriptor: int = -1, directory: str = "") -> None: ...
    def begin(self, partition: int, /) -> None: ...
    def add(self, key: Any, value: Any, /) -> None: ...
    def add_some(self, pairs: Pairs, limit: int) -> bool: ...  # False at the end of `pairs`
    def finish(self) -> int: ...  # bytes
    @property
    def pairs(self) -> int: ...

class Output:
    """What mappers emit.  The loops end when `limit` is reached or memory is full, and then return True; False: no more records.

    combine: values are numbers, and combined as they come.  counts: mappers yield keys alone, each of which counts one.
    bytes: records are, so pieces of them that a mapper in C++ emits are, too.
    """
    def __init__(
        self,
        partitions: int,
        *,
        combine: Combine = ...,
        counts: bool = False,
        memory_bytes: int,
        threads: int = 1,
        directory: str,
        bytes: bool = False,
    ) -> None: ...
    def map(self, mapper: Callable[[Any], Any], records: Iterator[Any], limit: int) -> bool: ...  # limit: records
    def map_text(
        self, mapper: Callable[[Any], Any], split: TextSplit, limit: int, encoding: str | None, errors: str
    ) -> bool: ...  # limit: bytes; encoding: None for bytes, "" for UTF-8
    def map_native(self, functions: Functions, name: str, split: TextSplit, limit: int) -> bool: ...  # limit: bytes
    def reduce_native(self, functions: Functions, name: str, pairs: Pairs, limit: int) -> bool: ...  # limit: pairs
    def add(self, key: Any, value: Any, /) -> None: ...
    def spill(self) -> None: ...
    def sort(self) -> None: ...
    def sorted(self, partition: int, /) -> Pairs: ...  # in memory, after sort()
    def replace(self, run: Writer, /) -> None: ...  # the run stands for what was in memory
    def merged(self, partition: int, /) -> Pairs: ...  # of all that was spilled
    def finish(self, descriptor: int, what: str) -> int: ...  # bytes
    @property
    def is_full(self) -> bool: ...
    @property
    def records(self) -> int: ...
    @property
    def pairs(self) -> int: ...  # that came in
    @property
    def pairs_out(self) -> int: ...  # that finish() wrote
    @property
    def spills(self) -> int: ...

class MappedFile:
    """The bytes of a file of so many, mapped; the file is not kept open.

    Raises: OSError. EOFError: it has another size.
    """
    def __init__(self, path: str, size: int, /) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

def merge(runs: Sequence[Any], partition: int, *, combine: Combine = ...) -> Pairs:
    """One partition of runs in memory, by key, and of equal keys in the order of the runs."""

def encode_key(key: Any, /) -> bytes:
    """Bytes that compare as keys do."""
