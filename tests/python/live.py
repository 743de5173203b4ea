"""A server and two engines of the tests' own, started once per module."""

from __future__ import annotations

from collections.abc import Iterator

import linden
import pytest
from linden_launchers import LocalCluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two engines that are started again when they die."""
    cluster = LocalCluster(2, engine_hold=0.2, grace=2.0, restart_engines=True, restarts_per_minute=100)
    cluster.start_cluster()
    yield cluster
    cluster.stop_cluster()


@pytest.fixture
def rc(cluster: LocalCluster) -> Iterator[linden.Client]:
    """A client with two engines."""
    with cluster.connect_client() as client:
        client.wait_for_engines(2, timeout=30)
        yield client
