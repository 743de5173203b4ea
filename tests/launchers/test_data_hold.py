"""What sees to the large data of a cluster when that ends, whatever has become of the cluster meanwhile."""

from pathlib import Path
from typing import Any, cast

from linden_launchers.data_hold import DataHold


class Node:
    """Stands for a store that is open."""

    farm_id = "0" * 32

    def __init__(self) -> None:
        self.preserved = 0

    def preserve(self) -> None:
        self.preserved += 1


def hold_of(directory: Path) -> tuple[DataHold, Node]:
    directory.mkdir()
    hold, node = DataHold(directory / "connection.json"), Node()
    hold.wait()  # there is no such file, so nothing is joined
    hold._node = cast("Any", node)
    return hold, node


def test_data_are_kept_for_the_next_start(scratch: Path) -> None:
    hold, node = hold_of(scratch / "cluster")
    hold.end(keep=True)
    assert (scratch / "cluster" / "farm-id").read_text() == node.farm_id
    assert node.preserved == 1


def test_a_cluster_whose_directory_somebody_has_removed_ends_all_the_same(scratch: Path) -> None:
    hold, _ = hold_of(scratch / "cluster")
    (scratch / "cluster").rmdir()
    hold.end(keep=True)
