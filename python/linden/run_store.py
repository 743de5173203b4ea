"""Where an engine keeps finished runs of MapReduce: files in a private directory; or, if several hosts take part, in the host's store.

The directory belongs to one process, which holds a lock (flock) on it for as long as it lives, however it ends.  So whoever
finds one that is not locked knows that its process has gone, and removes it: the next engine that starts a store, and every
job at its end.  Runs that others still wanted are then lost, and made again.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .stored_file import StoredFile

_PREFIX = f"linden-runs-{os.getuid()}-"
Ref = list[Any]  # host, path or StoredFile, bytes


class RunLost(LookupError):
    """A run is not there any more, or not to be had from here."""


class RunStore:
    """The runs of this process."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._lock = -1
        self._pid = 0

    @property
    def directory(self) -> str:
        """For files without names, and runs that are being written.  Made at first use."""
        if self._path is None or self._pid != os.getpid() or not self._path.is_dir():
            sweep()
            self._path, self._lock = _make_locked()
            self._pid = os.getpid()
            atexit.register(self._remove, self._path, self._pid)
        return str(self._path)

    def write(self, group: str, write: Callable[[int], int]) -> Ref:
        """Keep what `write` writes to the descriptor that it is given; it returns the bytes.  Nothing stays if it raises.

        `group`: what it is dropped with.
        """
        path = os.path.join(self.directory, f"{group}.{secrets.token_hex(8)}")
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            size = write(descriptor)
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(descriptor)
        return [os.uname().nodename, path, size]

    @staticmethod
    def _remove(path: Path, pid: int) -> None:
        if os.getpid() == pid:  # not a copy that was forked
            shutil.rmtree(path, ignore_errors=True)


def share(ref: Ref) -> Ref:
    """Give a run of this process to the store of its host; it then goes with the result of the task that names it."""
    from .data import adopt

    host, path, size = ref
    try:
        return [host, adopt(path), size]
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)


def fetch(ref: Ref) -> memoryview:
    """The bytes of a run, mapped.

    Raises: RunLost. OSError: it is there, and cannot be read.
    """
    from . import _shuffle  # here, for who only sweeps needs no oneTBB

    host, path, size = ref
    if isinstance(path, StoredFile):
        return _read_stored(path)
    if host != os.uname().nodename:
        raise RunLost(f"{path} is on {host}, and this is {os.uname().nodename}")
    try:
        return memoryview(_shuffle.MappedFile(path, size))
    except EOFError as error:
        raise RunLost(str(error)) from None
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunLost(f"{path} on {host} is gone with its engine: {error}") from None


def _read_stored(file: StoredFile) -> memoryview:
    from .data import DataLost

    try:
        return file.read()
    except DataLost as error:
        raise RunLost(str(error)) from None


def drop(ref: Ref) -> None:
    """Remove a run, if it is still there; one that is shared goes with its result."""
    host, path, _ = ref
    if not isinstance(path, StoredFile) and host == os.uname().nodename and _is_ours(path):
        with suppress(OSError):
            os.unlink(path)


def folders_of(refs: Iterable[Ref]) -> set[str]:
    """The directories on this host in which engines have the stores of these runs: a process's own $TMPDIR is one of several."""
    found = {tempfile.gettempdir()}
    for host, path, _ in refs:
        if not isinstance(path, StoredFile) and host == os.uname().nodename and _is_ours(path):
            found.add(os.path.dirname(os.path.dirname(path)))
    return found


def drop_group(group: str, folders: Iterable[str] = ()) -> None:
    """Remove all runs of a group that are in these folders, also those of tasks whose results nobody has heard of."""
    for folder in folders or folders_of([]):
        for path in Path(folder).glob(f"{_PREFIX}*/{group}.*"):
            with suppress(OSError):
                path.unlink()


def sweep(folder: str | None = None) -> None:
    """Remove what processes of this user have left there that are no more."""
    for path in Path(folder or tempfile.gettempdir()).glob(_PREFIX + "*"):
        with suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid != os.getuid():
                    continue
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)


def _make_locked() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():  # nobody has swept it between the two
                return path, lock
            os.close(lock)


def _is_ours(path: str) -> bool:
    folder = os.path.dirname(path)
    return os.path.basename(folder).startswith(_PREFIX)  # wherever the engine's TMPDIR is


store = RunStore()
