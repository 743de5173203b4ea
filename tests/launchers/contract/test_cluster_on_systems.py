"""What users hold in their hands, linden.Cluster, with engines on real systems."""

import linden
import pytest

from tests.launchers.contract.conftest import Contract

pytestmark = [pytest.mark.needs("cluster"), pytest.mark.timeout(300)]


def test_a_cluster_with_engines_on_the_system(contract: Contract) -> None:
    engines, options = contract.system.cluster_options()
    cluster = linden.Cluster(2, engines=engines, durability="memory", **options)
    with cluster as rc:
        assert rc.ids == [0, 1]
        assert rc[:].apply_sync(abs, -3) == [3, 3]
        cluster.start_engines_sync(1)
        rc.wait_for_engines(3, timeout=60)
        assert rc.load_balanced_view().map_sync(abs, range(-5, 0)) == [5, 4, 3, 2, 1]
    assert not cluster.directory.exists(), "nothing stays of a cluster without a name"
