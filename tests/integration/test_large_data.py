"""Large data by reference: one copy per host, other hosts, bounds, deaths.  Hosts are directories of their own here."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import linden
import numpy as np
import pytest
from linden import farm as schema
from linden.data import DataLost
from linden_launchers import LocalCluster
from linden_launchers.cluster_manager import clean_cluster_files

from tests.integration.conftest import Farm, wait_for

MB = 1 << 20
WITHIN_S = 60


def array(seed: int = 0, megabytes: int = 3) -> Any:
    return np.random.default_rng(seed).integers(0, 256, megabytes * MB, dtype=np.uint8)


def kept(directory: Path) -> list[Path]:
    """The files of all stores below a directory."""
    return list(directory.glob("linden-*/kept/*"))


def checksum(value: Any) -> int:
    return int(value.astype("int64").sum())


def block(gate: Path) -> None:
    """Says that it has begun, and goes on when the gate is there."""
    begun_at(gate).touch()
    deadline = time.monotonic() + WITHIN_S
    while not gate.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def begun_at(gate: Path) -> Path:
    return gate.with_name(f"{gate.name}-begun")


@pytest.fixture
def memory(scratch: Path) -> Path:
    return scratch / "shm"


@pytest.fixture
def gate(scratch: Path) -> Path:
    return scratch / "gate"


def test_arguments_and_results_go_through_shared_memory_and_not_through_the_server(farm: Farm, memory: Path) -> None:
    _, rc = farm(2)
    value = array()
    assert rc[:].apply_sync(checksum, value) == [checksum(value)] * 2
    rc[0].push({"array_of_ones": lambda: np.ones(3 * MB, dtype=np.uint8)}, block=True)
    result = rc[0].apply(linden.Reference("array_of_ones"))
    assert result.get().sum() == 3 * MB
    bytes_in_space = next(space for space in rc.connection.spaces() if space["name"] == "farm")["bytes"]
    assert bytes_in_space < MB
    assert len(kept(memory)) >= 1


def test_one_copy_for_all_engines_of_a_host(farm: Farm, memory: Path) -> None:
    _, rc = farm(4)
    value = array()
    rc[:].push({"a": value}, block=True)
    rc[:].push({"b": value}, block=True)  # the same bytes
    assert rc[:].apply_sync(lambda: int((a == b).all())) == [1] * 4  # noqa: F821
    assert len(kept(memory)) <= 1


def test_arrays_are_views_that_cannot_be_written_to_and_copies_can(farm: Farm) -> None:
    _, rc = farm(1)
    rc[0]["a"] = array()
    with pytest.raises(linden.RemoteError, match="read-only"):
        rc[0].execute("a[0] = 1", block=True)
    rc[0].execute("a = a.copy(); a[0] = 1", block=True)
    assert rc[0].pull("int(a[0])", block=True) == 1
    assert not rc[0].pull("a", block=True).flags.writeable


def test_scatter_and_gather(farm: Farm) -> None:
    _, rc = farm(3)
    value = array(megabytes=10)
    for dist in "br":
        rc[:].scatter("part", value, dist=dist, block=True)
        assert (rc[:].gather("part", dist=dist, block=True) == value).all()


def test_maps_futures_and_broadcasts(farm: Farm) -> None:
    _, rc = farm(2)
    view = rc.load_balanced_view()
    values = [array(seed) for seed in range(6)]
    assert view.map_sync(checksum, values) == [checksum(value) for value in values]
    doubled = view.apply(lambda value: value.astype("int16") * 2, values[0])
    assert view.apply_sync(lambda value: int(value.sum()), doubled) == 2 * checksum(values[0])
    assert rc.broadcast_view().apply_sync(checksum, values[1]) == [checksum(values[1])] * 2


def test_a_map_finds_its_chunks_by_itself(farm: Farm) -> None:
    _, rc = farm(2)
    values = [array(seed, 2) for seed in range(24)]
    result = rc.load_balanced_view().map(checksum, values, chunksize="auto")
    assert result.get() == [checksum(value) for value in values]
    assert rc.space.count(("result", rc.session, int, str, list, linden.ANY)) == len(result.msg_ids)


def test_calls_that_share_a_payload_name_it_for_as_long_as_they_wait(farm: Farm, gate: Path) -> None:
    cluster, rc = farm(2)
    other = linden.Client(str(cluster.connection_file))
    other[:].apply(block, gate)
    value, small = array(), list(range(100_000))
    ids = other[:].apply(lambda value, small: int(value[0]) + len(small), value, small).msg_ids
    other.close()
    rc.submitter.data.join()
    rc.submitter.data.node.sweep()
    gate.touch()
    assert rc.get_result(ids, block=True) == [int(value[0]) + len(small)] * 2


def test_large_arguments_are_not_kept_to_be_given_once_more(farm: Farm) -> None:
    _, rc = farm(1)
    result = rc.load_balanced_view().apply(checksum, array())
    result.get()
    with pytest.raises(ValueError, match="not in the farm any more"):
        rc.resubmit(result.msg_id)


def test_what_is_no_array_goes_by_reference_too(farm: Farm, memory: Path) -> None:
    _, rc = farm(1)
    text = "x" * (2 * MB)
    assert rc[0].apply_sync(len, text) == 2 * MB
    assert rc[0].apply_sync(lambda: "y" * (2 * MB)) == "y" * (2 * MB)
    wait_for(lambda: len(kept(memory)) == 1, 20)  # the result's; the argument is gone


def test_arguments_go_when_the_results_are_there_and_results_when_they_are_purged(farm: Farm, memory: Path) -> None:
    _, rc = farm(1)
    result = rc[0].apply(lambda value: value + 1, array())
    expected = result.get()
    del expected
    uses = schema.data_uses_form(rc.session, linden.ANY)
    wait_for(lambda: rc.space.count(uses) == 1, 10)  # of the result
    rc.purge_everything()
    del result
    wait_for(lambda: not kept(memory), 30)
    assert rc.space.count(uses) == 0


def test_a_client_that_has_gone_leaves_the_arguments_to_its_tasks(farm: Farm, gate: Path) -> None:
    cluster, rc = farm(1)
    other = linden.Client(str(cluster.connection_file))
    other.load_balanced_view().apply(block, gate)
    id_ = other.load_balanced_view().apply(checksum, array()).msg_id
    other.close()
    assert rc.space.count(("result", *schema.parse_message_id(id_), str, list, linden.ANY)) == 0
    gate.touch()
    assert rc.get_result(id_, block=True) == checksum(array())


ORPHANS = """
import os, sys
import linden

rc = linden.Client(sys.argv[1])
print(rc.load_balanced_view().apply(len, b"x" * (2 << 20)).msg_id, flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_client_has_put_goes_when_its_tasks_have_ended(
    farm: Farm, scratch: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linden.data._ORPHANS_S", 0.0)
    cluster, rc = farm(1)
    (scratch / "client.py").write_text(ORPHANS)
    command = [sys.executable, str(scratch / "client.py"), str(cluster.connection_file)]
    id_ = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.strip()
    assert rc.get_result(id_, block=True) == 2 << 20
    rc[0].push({"x": array(1)}, block=True)  # whoever has large data looks after those of others
    wait_for(lambda: rc.space.count(("data", str, str, int, schema.ARGUMENT)) == 0, 60)
    rc[0].clear(block=True)
    wait_for(lambda: not kept(memory), 60)


def test_a_client_whose_farm_has_gone_stands_in_nobodys_way(farm: Farm) -> None:
    cluster, _ = farm(1)
    forgotten = linden.Client(str(cluster.connection_file))
    cluster.stop_cluster()
    _, rc = farm(1)
    value = array()
    assert (rc[0].apply_sync(lambda value: value, value) == value).all()
    forgotten.close()


def test_a_client_in_a_task_does_not_take_the_engines_place(farm: Farm) -> None:
    cluster, rc = farm(1)

    def nested(where: str, value: Any) -> int:
        import linden

        with linden.Client(where) as inner:
            return len(inner.ids) + int(value[0])

    value = array()
    expected = 1 + int(value[0])
    assert rc[0].apply_sync(nested, str(cluster.connection_file), value) == expected
    assert rc[0].apply_sync(nested, str(cluster.connection_file), value) == expected


def test_a_result_outlives_its_engine_and_the_server(farm: Farm) -> None:
    """F1: kill -9 of whoever made it."""
    cluster, rc = farm(2)
    result = rc.load_balanced_view().apply(lambda: np.full(3 * MB, 7, dtype=np.uint8))
    result.wait()
    for pid in cluster.engine_pids:
        os.kill(pid, signal.SIGKILL)
    os.kill(cluster.server_pid, signal.SIGKILL)
    assert (result.get() == 7).all()


def test_what_is_lost_is_said_to_be_lost(farm: Farm, memory: Path) -> None:
    _, rc = farm(1)
    result = rc[0].apply(lambda: np.zeros(3 * MB, dtype=np.uint8))
    result.wait()
    for path in kept(memory):
        path.unlink()
    with pytest.raises(DataLost, match="resubmit"):
        result.get()


def test_beyond_its_bound_memory_goes_to_disk(
    farm: Farm, scratch: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINDEN_DATA_MEMORY", str(8 * MB))
    _, rc = farm(1)
    results = [rc[0].apply(lambda seed: np.full(3 * MB, seed, dtype=np.uint8), seed) for seed in range(6)]
    rc.wait(results)
    assert sum(path.stat().st_size for path in memory.rglob("*")) <= 8 * MB + 16384
    assert len(kept(scratch / "spill")) >= 4
    assert [int(result.get()[0]) for result in results] == list(range(6))


def test_a_full_host_sends_through_the_space(farm: Farm, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINDEN_DATA_MEMORY", "1")
    monkeypatch.setenv("LINDEN_DATA_DISK", "1")
    _, rc = farm(1)
    value = array()
    assert rc[0].apply_sync(checksum, value) == checksum(value)
    assert (rc[0].apply_sync(lambda value: value, value) == value).all()
    assert not kept(memory)


def test_a_named_cluster_keeps_results_over_a_restart(scratch: Path, memory: Path) -> None:
    """F3."""
    with LocalCluster(1, cluster_id="kept") as rc:
        id_ = rc[0].apply(lambda: np.full(3 * MB, 5, dtype=np.uint8)).msg_id
        rc.get_result(id_).wait()
    assert not list(memory.iterdir())
    assert kept(scratch / "spill")
    with LocalCluster(1, cluster_id="kept") as rc:
        assert (rc.get_result(id_, block=True) == 5).all()
    assert kept(scratch / "spill")
    assert clean_cluster_files(data=True) == ["kept"]


def test_files_are_given_to_the_store_by_tasks(farm: Farm, scratch: Path) -> None:
    _, rc = farm(2)

    def make(path: str) -> Any:
        import linden.data

        with open(path, "wb") as file:
            file.write(b"sorted" * 1000)
        return linden.data.adopt(path)

    made = rc.load_balanced_view().apply(make, str(scratch / "run"))
    assert rc[:].apply_sync(lambda run: bytes(run.read()[:6]), made) == [b"sorted"] * 2
    assert not (scratch / "run").exists()
    assert bytes(made.get().read()) == b"sorted" * 1000
    with pytest.raises(RuntimeError, match="in a task"):
        linden.data.adopt("/tmp/nothing")


# ---- Several hosts -------------------------------------------------------------------------------------------------


def test_hosts_fetch_from_each_other(hosts: tuple[Any, Path, Path]) -> None:
    rc, here, there = hosts
    value = array()
    assert rc[:].apply_sync(checksum, value) == [checksum(value)] * 2
    assert len(kept(there)) <= 1
    result = rc[1].apply(lambda: np.full(3 * MB, 9, dtype=np.uint8))
    assert (result.get() == 9).all()
    assert kept(here)


def test_where_no_way_leads_the_space_carries(hosts: tuple[Any, Path, Path]) -> None:
    """Peers whose addresses lead nowhere, as behind a firewall."""
    rc, _, _ = hosts
    result = rc[1].apply(lambda: np.full(3 * MB, 9, dtype=np.uint8))
    result.wait()
    form = ("data_holder", str, str, list)
    for _, store, session, _ in rc.space.take_many(form, 10, timeout=5):
        rc.space.put(("data_holder", store, session, ["tcp:127.0.0.1:1"]))
    assert (result.get() == 9).all()
    assert rc.space.count(("data_part", str, str, int, int, bytes)) == 0


PARTS = ("data_part", str, str, int, int, bytes)


@pytest.fixture
def laptop(farm: Farm, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """A client whose memory no engine shares, and one of the engine's host."""
    _, rc = farm(1)
    (scratch / "laptop").mkdir()
    monkeypatch.setenv("LINDEN_DATA_DIRECTORY", str(scratch / "laptop"))
    with linden.Client(str(rc.cluster.connection_file)) as client:
        yield client, rc


def test_a_client_that_shares_no_memory_with_engines_sends_through_the_space(laptop: tuple[Any, Any]) -> None:
    client, rc = laptop
    value = array(megabytes=20)
    assert client[0].apply_sync(checksum, value) == checksum(value)
    wait_for(lambda: rc.space.count(PARTS) == 0, 10)


def test_the_same_bytes_again_are_there_when_they_are_needed(laptop: tuple[Any, Any], memory: Path) -> None:
    """The end of one call drops what it has put into the space, but not what the next one has found there."""
    client, rc = laptop
    value = array()
    for _ in range(20):
        assert client[0].apply_sync(checksum, value) == checksum(value)
        for path in kept(memory):
            path.unlink()
    wait_for(lambda: rc.space.count(PARTS) == 0, 10)


def test_what_a_client_has_left_in_the_space_goes_with_its_results(laptop: tuple[Any, Any]) -> None:
    client, rc = laptop
    id_ = client[0].apply(checksum, array()).msg_id
    client.close()
    assert rc.get_result(id_, block=True) == checksum(array())
    rc.purge_results([id_])
    assert rc.space.count(PARTS) == 0


def test_another_client_reads_what_came_for_one_that_is_closed(hosts: tuple[Any, Path, Path]) -> None:
    rc, _, _ = hosts
    where = str(rc.cluster.connection_file)
    with linden.Client(where) as first:
        assert (first[1].apply_sync(lambda: np.full(3 * MB, 1, dtype=np.uint8)) == 1).all()
    with linden.Client(where) as second:
        assert (second[1].apply_sync(lambda: np.full(3 * MB, 2, dtype=np.uint8)) == 2).all()


def test_a_client_of_another_farm_opens_no_store_for_what_is_not_its_own(farm: Farm, memory: Path) -> None:
    _, other = farm(0)
    _, rc = farm(1)
    there = set(memory.iterdir())
    assert (rc[0].apply_sync(lambda: np.full(3 * MB, 1, dtype=np.uint8)) == 1).all()
    assert not other.submitter.data.is_joined
    assert set(memory.iterdir()) == there


FORKED = """
import os
import sys
import linden
import numpy

with linden.Client(sys.argv[1]) as rc:
    big = rc[0].apply_sync(lambda: numpy.full(3 << 20, 1, dtype=numpy.uint8))
    if (child := os.fork()) == 0:
        try:
            with linden.Client(sys.argv[1]) as own:
                other = own[0].apply_sync(lambda: numpy.full(3 << 20, 2, dtype=numpy.uint8))
                os._exit(0 if other.sum() == 2 * (3 << 20) else 1)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert big.sum() == 3 << 20
"""


def test_a_forked_child_has_a_client_of_its_own(farm: Farm, scratch: Path) -> None:
    cluster, _ = farm(1)
    (scratch / "forked.py").write_text(FORKED)
    command = [sys.executable, str(scratch / "forked.py"), str(cluster.connection_file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


FULL = """
import sys
import numpy as np
from linden_launchers import LocalCluster

with LocalCluster(1) as rc:
    value = np.arange(1 << 20)  # 8 MiB, and there is room for 3
    assert rc[0].apply_sync(lambda a: int(a.sum()), value) == int(value.sum())
    assert (rc[0].apply_sync(lambda: np.arange(1 << 20)) == value).all()
    print(rc[0].apply_sync(lambda: "lives on"))
"""


def test_a_full_dev_shm_costs_nothing_but_speed(scratch: Path) -> None:
    """A file system of 3 MiB in the place of /dev/shm, made in a mount namespace of its own."""
    (scratch / "full.py").write_text(FULL)
    script = f"mount -t tmpfs -o size=3m none {scratch}/shm && exec {sys.executable} {scratch}/full.py"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    # The bound that is asked for is beyond what there is, so that the file system itself says no.
    environment = os.environ | {"LINDEN_DATA_MEMORY": str(1 << 30)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "lives on", done.stderr


# ---- Where tasks run that use large data -----------------------------------------------------------------------------


def test_tasks_run_on_the_host_that_has_their_arguments(hosts: tuple[Any, Path, Path]) -> None:
    rc, _, _ = hosts
    view = rc.load_balanced_view()
    for turn in range(10):
        value = array(turn)
        result = view.apply_async(checksum, value)
        assert (result.get(WITHIN_S), result.engine_id) == (checksum(value), 0)
    results = view.map_async(checksum, [array(10), array(11)])
    assert results.get(WITHIN_S) == [checksum(array(10)), checksum(array(11))]
    # What is small goes to whoever is free.
    assert view.apply_async(checksum, array()[:10]).get(WITHIN_S) == checksum(array()[:10])


def test_tasks_run_on_the_host_that_has_the_results_they_use(hosts: tuple[Any, Path, Path]) -> None:
    rc, _, _ = hosts
    view = rc.load_balanced_view()
    made = rc[1].apply_async(np.full, 3 * MB, 2, dtype=np.uint8)
    for _ in range(5):
        used = view.apply_async(checksum, made)
        assert (used.get(WITHIN_S), used.engine_id) == (6 * MB, 1)


def test_nobody_waits_for_long_while_an_engine_of_another_host_is_free(
    hosts: tuple[Any, Path, Path], gate: Path
) -> None:
    rc, _, _ = hosts
    busy = rc[0].apply_async(block, gate)
    wait_for(begun_at(gate).exists, WITHIN_S)
    result = rc.load_balanced_view().apply_async(checksum, array())
    assert result.get(WITHIN_S) == checksum(array())
    assert result.engine_id == 1
    assert not busy.ready()
    gate.touch()
    busy.get(WITHIN_S)
