"""Waiting for engines: they come, they do not come, they go, they are started again."""

import os
import signal
import time
from collections.abc import Iterator

import linden
import pytest
from linden import progress
from linden.error import EngineError
from linden_launchers import Cluster


@pytest.fixture
def alone() -> Iterator[tuple[Cluster, linden.Client]]:
    """A cluster of one engine, which nobody starts again."""
    cluster = Cluster(1, engine_hold=0.2, grace=2.0)
    cluster.start_cluster_sync()
    try:
        with cluster.connect_client_sync() as client:
            client.wait_for_engines(timeout=30)
            yield cluster, client
    finally:
        cluster.stop_cluster_sync()


def test_engines_that_do_not_come(alone: tuple[Cluster, linden.Client]) -> None:
    _, client = alone
    with pytest.raises(TimeoutError, match="1 of 2 engines serve"):
        client.wait_for_engines(2, timeout=0.3)
    with pytest.raises(TimeoutError):
        client.wait_for_engines(2, timeout=0.1, block=False).result(20)


def test_an_engine_that_comes_ends_the_wait(
    alone: tuple[Cluster, linden.Client], capfd: pytest.CaptureFixture[str]
) -> None:
    cluster, client = alone
    future = client.wait_for_engines(2, timeout=30, block=False)
    cluster.start_engines_sync(1)
    client.wait_for_engines(2, timeout=30, interactive=True, widget=False)
    future.result(20)
    assert len(client) == 2


def test_an_engine_that_goes_ends_the_wait(alone: tuple[Cluster, linden.Client]) -> None:
    cluster, client = alone
    [pid] = cluster.engine_pids
    [id_] = client.ids
    future = client.wait_for_engines(2, timeout=30, block=False)
    # It must have been seen before it goes: the second look comes a moment after the first.
    with pytest.raises(TimeoutError):
        client.wait_for_engines(2, timeout=0.5)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(EngineError, match=f"engine {id_} has gone while 2|all engines .* have ended while 2"):
        future.result(20)


def test_an_engine_that_is_started_again_does_not_end_the_wait() -> None:
    cluster = Cluster(2, engine_hold=0.2, grace=2.0, restart_engines=True)
    cluster.start_cluster_sync()
    try:
        with cluster.connect_client_sync() as client:
            client.wait_for_engines(2, timeout=30)
            before = set(client.ids)
            os.kill(cluster.engine_pids[0], signal.SIGKILL)
            deadline = time.monotonic() + 30
            while before <= set(client.ids) and time.monotonic() < deadline:
                pass
            client.wait_for_engines(2, timeout=30)
            assert len(client.ids) == 2
            assert set(client.ids) != before
    finally:
        cluster.stop_cluster_sync()


def test_a_client_that_knows_no_cluster_must_be_told_how_many(alone: tuple[Cluster, linden.Client]) -> None:
    cluster, _ = alone
    with linden.Client(cluster.connection_file) as client:
        with pytest.raises(ValueError, match="how many engines"):
            client.wait_for_engines()
        client.wait_for_engines(1, timeout=20)


@pytest.mark.parametrize("variable", ["LINDEN_NONINTERACTIVE", "IPP_NONINTERACTIVE"])
def test_nobody_looks_at_bars_of_programs_that_say_so(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in ("LINDEN_NONINTERACTIVE", "IPP_NONINTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    assert not progress.is_unattended()
    monkeypatch.setenv(variable, "0")
    assert not progress.is_unattended()
    monkeypatch.setenv(variable, "1")
    assert progress.is_unattended()
