"""The large data of a farm on the host of its cluster's owner: kept while the cluster lives, and seen to when it ends."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linden import _native

_TIMEOUT_S = 10.0
# In the directory of a cluster that has stopped: of which farm data were preserved.
_FARM_ID_FILE = "farm-id"


class DataHold:
    """Has the store of this host open, so that it is nobody's leavings while no engine and no client is there."""

    def __init__(self, connection_file: Path) -> None:
        """Returns at once; what is to be done is done beside, for starting is to be quick."""
        self._connection_file = connection_file
        self._node: _native.DataNode | None = None
        self._thread = threading.Thread(target=self._join, name="linden-data-hold", daemon=True)
        self._thread.start()

    def _join(self) -> None:
        from linden import _native, farm
        from linden.connection import open_native
        from linden.connection_file import read_connection_file
        from linden.errors import LindenError

        with suppress(LindenError, OSError):  # the server is gone again, or this host has no store
            info = read_connection_file(self._connection_file)
            client = open_native(info, "cluster", _TIMEOUT_S)
            try:
                space = client.open_space(info.space, create=True, initial=farm.initial_tuples(), timeout=_TIMEOUT_S)
                self._node = _native.DataNode.join(space)
            finally:
                client.close()

    def wait(self) -> None:
        """Until the store is open, or cannot be."""
        self._thread.join(2 * _TIMEOUT_S)

    def end(self, *, keep: bool) -> None:
        """When engines and server have ended: moves the data to disk for the next start, or removes them."""
        from linden import _native
        from linden.errors import LindenError

        self.wait()
        if self._node is None:
            return
        with suppress(LindenError):  # a full disk: what does not fit is lost, and whoever asks for it is told
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
