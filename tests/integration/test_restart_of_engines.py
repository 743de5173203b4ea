"""Client.shutdown(restart=True): engines start over in their place, and lose nothing but their namespaces."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import linden
import pytest
from linden_launchers import Cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(2, engine_hold=0.2, grace=2.0)
    cluster.start_cluster_sync()
    # Before a test gives the environment directories of its own, in which the cluster's data would be left.
    hold = cluster._running._data_hold
    assert hold is not None
    hold.wait()
    yield cluster
    cluster.stop_cluster_sync()


@pytest.fixture
def rc(cluster: Cluster) -> Iterator[linden.Client]:
    with cluster.connect_client_sync() as client:
        client.wait_for_engines(2, timeout=30)
        yield client


def facts() -> tuple[int, str, str | None]:
    """Of the process that runs this."""
    return os.getpid(), os.getcwd(), os.environ.get("OF_A_TASK")


def change() -> None:
    """What tasks should not do, and do."""
    os.chdir("/")
    os.environ["OF_A_TASK"] = "yes"


def stubborn() -> None:
    """Do not listen."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001
            continue


def test_one_engine_starts_over(rc: linden.Client, cluster: Cluster) -> None:
    first, other = rc.ids
    before = rc[0].apply_sync(facts)
    rc[0].apply_sync(change)
    rc[:].push({"x": 5}, block=True)
    rc.shutdown(first, restart=True)
    assert len(rc.ids) == 2
    assert first not in rc.ids
    assert other in rc.ids
    new = rc.direct_view(max(rc.ids))
    assert new.apply_sync(facts) == before
    with pytest.raises(NameError):
        new["x"]
    assert rc.direct_view(other)["x"] == 5
    assert before[0] in cluster.engine_pids


def test_all_engines_start_over_and_print_again(rc: linden.Client) -> None:
    before, pids = rc.ids, rc[:].apply_sync(os.getpid)
    rc.shutdown(restart=True)
    assert set(before).isdisjoint(rc.ids)
    assert sorted(rc[:].apply_sync(os.getpid)) == sorted(pids)
    result = rc[:].execute("import os\nprint('python')\nos.system('echo child')")
    result.get(30)
    assert all("python" in text for text in result.stdout)


def test_what_an_engine_had_begun_is_done_by_another(rc: linden.Client, scratch: Path) -> None:
    """F1: there is one result in the end."""
    folder = scratch / "begun"
    folder.mkdir()

    def work(folder: str) -> str:
        import os
        import time

        with open(f"{folder}/{os.getpid()}-{time.time()}", "w"):
            pass
        if len(os.listdir(folder)) == 1:
            time.sleep(60)
        return "done"

    result = rc.load_balanced_view().apply_async(work, str(folder))
    deadline = time.monotonic() + 30
    while not os.listdir(folder) and time.monotonic() < deadline:
        result.wait(0.02)
    rc.shutdown(restart=True)
    assert result.get(30) == "done"
    assert len(os.listdir(folder)) == 2


def test_an_engine_that_does_not_listen_starts_over_all_the_same(rc: linden.Client) -> None:
    engine = rc.ids[0]
    pid = rc[0].apply_sync(os.getpid)
    result = rc[0].apply_async(stubborn)
    deadline = time.monotonic() + 30
    while rc.queue_status(engine)["tasks"] == 0 and time.monotonic() < deadline:
        result.wait(0.02)
    rc.shutdown(engine, restart=True)
    assert pid in rc[:].apply_sync(os.getpid)
    with pytest.raises(linden.EngineError):
        result.get(30)


def test_what_makes_no_sense_is_refused(rc: linden.Client) -> None:
    with pytest.raises(ValueError, match="choose one"):
        rc.shutdown(restart=True, hub=True)
    assert len(rc.ids) == 2
