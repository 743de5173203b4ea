"""The large data of a farm on the host of its cluster's owner: kept while the cluster lives, and seen to when it ends."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linden import _native

_TIMEOUT_S = 10.0
# Parts of that time, ever longer: so soon it is noticed that the cluster has ended meanwhile.
_FIRST_SLICE_S, _SLICE_S = 0.25, 2.0
# In the directory of a cluster that has stopped: of which farm data were preserved.
_FARM_ID_FILE = "farm-id"


class DataHold:
    """Has the store of this host open, so that it is nobody's leavings while no engine and no client is there."""

    def __init__(self, connection_file: Path) -> None:
        """Returns at once; what is to be done is done beside, for starting is to be quick."""
        self._connection_file = connection_file
        self._node: _native.DataNode | None = None
        self._over = threading.Event()  # the server has ended, so there is nothing to join any more
        self._thread = threading.Thread(target=self._join, name="linden-data-hold", daemon=True)
        self._thread.start()

    def _join(self) -> None:
        from linden import _native, farm
        from linden.errors import LindenError

        connected = self._connect()
        if connected is None:
            return
        client, space_name = connected
        with suppress(LindenError):  # the server is gone again, or this host has no store
            try:
                space = client.open_space(space_name, create=True, initial=farm.initial_tuples(), timeout=_TIMEOUT_S)
                self._node = _native.DataNode.join(space)
            finally:
                client.close()

    def _connect(self) -> tuple[_native.Client, str] | None:
        """None: nobody answers, or the cluster has ended meanwhile."""
        from linden.connection import open_native
        from linden.connection_file import read_connection_file
        from linden.errors import LindenError

        with suppress(OSError, ValueError):  # no connection file any more
            info = read_connection_file(self._connection_file)
            deadline, slice_s = time.monotonic() + _TIMEOUT_S, _FIRST_SLICE_S
            while not self._over.is_set() and time.monotonic() < deadline:
                with suppress(LindenError):
                    return open_native(info, "cluster", slice_s, reconnect=_SLICE_S), info.space
                slice_s = min(2 * slice_s, _SLICE_S)
        return None

    def wait(self) -> None:
        """Until the store is open, or cannot be."""
        self._thread.join(2 * _TIMEOUT_S)

    def end(self, *, keep: bool) -> None:
        """When engines and server have ended: moves the data to disk for the next start, or removes them."""
        from linden import _native
        from linden.errors import LindenError

        self._over.set()
        self.wait()
        if self._node is None:  # the server never answered in time; engines may have left something
            sweep()
            return
        # What does not fit on a full disk is lost, and whoever asks for it is told; and what is to end may be gone already.
        with suppress(LindenError, OSError):
            if keep:
                (self._connection_file.parent / _FARM_ID_FILE).write_text(self._node.farm_id)
                self._node.preserve()
            else:
                self._node.leave(_native.Remove.ALWAYS)


def remove_preserved(cluster_directory: Path) -> None:
    """Removes what was moved to disk when the cluster of that directory was stopped."""
    from linden import _native

    with suppress(FileNotFoundError):
        _native.remove_preserved_data((cluster_directory / _FARM_ID_FILE).read_text())


def sweep() -> None:
    """Removes what farms have left on this host that no process has open."""
    from linden import _native
    from linden.errors import LindenError

    with suppress(LindenError):
        _native.sweep_data_stores()
