"""StoredFile: a file in the store of a host, for tasks on this host or another to read.

A task that has made a large file gives it to the store and returns, or is given, the handle.  The file stays as long as a task or a result
has the handle in its tuple, and goes when the results are purged::

    def make_runs(path):
        return linden.data.adopt(path)      # moved away from `path`

    runs = view.apply(make_runs, "/tmp/run")
    view.apply_sync(lambda run: len(run.read()), runs)   # wherever the second task runs
"""

from __future__ import annotations

import threading
from typing import Any

# Handles that were pickled by this thread since somebody asked for them.
_pickled = threading.local()
_any_pickled = False


class StoredFile:
    """Names a file in the store of a host."""

    def __init__(self, name: str, store: str, farm_id: str, use: Any = None) -> None:
        self.name = name
        self.store = store
        self.farm_id = farm_id
        self._use = use  # keeps it while this process has the handle

    @property
    def nbytes(self) -> int:
        """Its size."""
        return int(self.name.rpartition("-")[2])

    def read(self) -> memoryview:
        """The content, mapped into memory and not copied; from another host it is fetched once for all processes of this one.

        Raises: DataLost.
        """
        from .data import DataRef, node_of

        return node_of(self.farm_id).get(DataRef(self.name, self.store))

    def __reduce__(self) -> Any:
        global _any_pickled
        _any_pickled = True
        _files().append(self)
        return StoredFile, (self.name, self.store, self.farm_id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredFile) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<StoredFile of {self.nbytes} bytes>"


def take_pickled() -> list[StoredFile]:
    """The handles that this thread has pickled since the last call."""
    if not _any_pickled:
        return []
    files = _files()
    found = files[:]
    files.clear()
    return found


def _files() -> list[StoredFile]:
    files: list[StoredFile] | None = getattr(_pickled, "files", None)
    if files is None:
        files = _pickled.files = []
    return files
