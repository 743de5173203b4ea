"""Real clusters: one engine stopped, restarted and signalled by its id; engines that join from another shell."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest
from linden_launchers import Cluster, LaunchError

from tests.conftest import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_one_engine_is_stopped_restarted_and_signalled_by_its_id(home: Path) -> None:
    with Cluster(3, grace=2.0, engine_hold=0.2) as rc:
        cluster = rc.cluster
        first, second, third = rc[:].apply_sync(os.getpid)
        cluster.stop_engine_sync(0)
        assert rc.ids == [1, 2]
        assert set(cluster.engine_pids) == {second, third}  # ids are given in the order in which engines come
        new = cluster.restart_engine_sync(1)
        assert new == 3
        assert sorted(rc.ids) == [2, 3]
        assert rc[-1].apply_sync(os.getpid) not in (first, second, third)
        result = rc.direct_view(2).apply_async(sleep_until_interrupted)
        assert result.stdout is not None
        rc.reader.wait_until(lambda: "ready" in result.stdout, 20)
        cluster.signal_engine_sync(signal.SIGINT, 2)
        with pytest.raises(KeyboardInterrupt):
            result.get(20)
        assert rc.direct_view(2).apply_sync(os.getpid) == third
        for call in (
            cluster.stop_engine_sync,
            cluster.restart_engine_sync,
            lambda engine: cluster.signal_engine_sync(2, engine),
        ):
            with pytest.raises(KeyError, match=r"no engine 0 serves on this machine; there are \[2, 3\]"):
                call(0)


def sleep_until_interrupted() -> None:
    import time

    print("ready", flush=True)
    time.sleep(30)


def test_a_stopped_engine_gives_its_task_back(home: Path, scratch: Path, wait_for: Callable[..., None]) -> None:
    begun, gate = scratch / "begun", scratch / "gate"

    def task() -> int:
        import os
        import time

        with open(begun, "a") as file:
            file.write(f"{os.getpid()}\n")
        deadline = time.monotonic() + 30
        while not os.path.exists(gate) and time.monotonic() < deadline:
            time.sleep(0.01)
        return os.getpid()

    with Cluster(1, grace=2.0, engine_hold=0.2) as rc:
        result = rc.load_balanced_view().apply_async(task)
        wait_for(begun.exists, 20)
        new = rc.cluster.restart_engine_sync(0)
        gate.touch()
        assert result.get(30) == rc.direct_view(new).apply_sync(os.getpid)


def test_async_with_a_cluster(home: Path) -> None:
    async def main() -> int:
        async with Cluster(2, grace=2.0) as rc:
            assert await rc.load_balanced_view().apply_async(pow, 2, 5) == 32
            assert await rc.cluster.restart_engine(0) == 2
            return len(rc)

    assert asyncio.run(main()) == 2


def test_a_joined_cluster_does_the_same(home: Path) -> None:
    with Cluster(2, cluster_id="default", grace=2.0) as rc:
        joined = linden.Cluster.from_file()
        with joined.connect_client_sync() as client:
            assert client.ids == rc.ids
        assert joined.restart_engine_sync(1) == 2
        name = joined.start_engines_sync(1)
        rc.wait_for_engines(3, timeout=30)
        assert rc.ids == [0, 2, 3]
        rc.cluster.stop_engine_sync(3)
        rc.cluster.stop_engine_sync(0)
        assert rc.ids == [2]
        assert joined.engines[name].pids == []
        rc.cluster.restart_engines_sync()
        rc.wait_for_engines(1, timeout=30)


def test_engines_of_nobody_are_left_to_whoever_started_them(home: Path) -> None:
    with Cluster(1, cluster_id="default", grace=2.0) as rc:
        engine = subprocess.Popen([sys.executable, "-m", "linden_engine", "--quiet", "--parent-pid", str(os.getpid())])
        try:
            rc.wait_for_engines(2, timeout=30)
            stranger = max(rc.ids)
            for cluster in (rc.cluster, linden.Cluster.from_file()):
                with pytest.raises(KeyError, match="was not started by cluster 'default'"):
                    cluster.stop_engine_sync(stranger)
        finally:
            engine.terminate()
            engine.wait(10)


def test_a_cluster_whose_server_is_away_says_so(home: Path) -> None:
    with Cluster(1, grace=2.0, restart_server=False) as rc:
        os.kill(rc.cluster.server_pid, signal.SIGKILL)
        rc.close()
        with pytest.raises(LaunchError, match="cannot ask the server which engines serve"):
            rc.cluster.stop_engine_sync(0)


# ---- space-cluster


def test_engines_are_added_from_another_shell(space_cluster: Run, home: Path) -> None:
    assert space_cluster("engines").returncode == 3
    assert space_cluster("engines", "-n", "0").returncode == 2
    assert space_cluster("start", "-n", "1", "--daemonize").returncode == 0
    added = space_cluster("engines", "-n", "2", "--daemonize")
    assert added.returncode == 0, added.stderr
    assert "engine set 2 serves as 1, 2" in added.stdout
    with linden.Client() as rc:
        assert rc.ids == [0, 1, 2]
    listed = json.loads(space_cluster("list", "-o", "json").stdout)
    assert [(row["state"], row["engines_wanted"]) for row in listed] == [("running", 3)]
    assert space_cluster("stop", "--signal", "nonsense").returncode == 2
    assert space_cluster("stop", "--signal", "INT").returncode == 0
    assert json.loads(space_cluster("list", "-o", "json").stdout) == []
    assert space_cluster("clean", "--data").stdout == "removed the files of cluster default\n"
    assert not (home / "clusters" / "default").exists()


def test_ctrl_c_ends_engines_that_were_added_in_the_foreground(
    space_cluster: Run, home: Path, wait_for: Callable[..., None]
) -> None:
    assert space_cluster("start", "-n", "1", "--daemonize").returncode == 0
    command = [sys.executable, "-m", "linden_launchers", "engines", "-n", "1"]
    added = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert added.stdout is not None
    assert "serves as 1" in added.stdout.readline()
    with linden.Client() as rc:
        assert rc.ids == [0, 1]
        added.send_signal(signal.SIGINT)
        assert "engine set 2 has ended" in added.communicate(timeout=20)[0]
        assert added.returncode == 0
        wait_for(lambda: rc.ids == [0])


# What was killed with -9 leaves its files; clean removes them, and leaves those that run alone.
def test_clean_removes_what_dead_clusters_have_left(space_cluster: Run, home: Path) -> None:
    for name in ("dead", "alive"):
        assert space_cluster("start", "-n", "1", "--daemonize", "--cluster-id", name).returncode == 0
    status: dict[str, Any] = json.loads(space_cluster("status", "--cluster-id", "dead", "--json").stdout)
    for process in (status["owner"], status["server"], *status["engines"]):
        os.kill(process["pid"], signal.SIGKILL)
    assert space_cluster("clean").stdout == "removed the files of cluster dead\n"
    assert (home / "clusters" / "dead" / "data").exists()
    assert space_cluster("clean", "--cluster-id", "alive").stdout == ""
    assert space_cluster("clean", "--force", "--all").stdout == "removed the files of cluster alive\n"
    assert space_cluster("status", "--cluster-id", "alive").returncode == 3


def test_the_manual_names_every_option(root: Path) -> None:
    text = (root / "docs/reference/space-cluster.1.md").read_text()
    for command in ("start", "engines", "status", "stop", "list", "clean"):
        shown = subprocess.run(
            [sys.executable, "-m", "linden_launchers", command, "--help"], capture_output=True, text=True, cwd=ROOT
        ).stdout
        for option in (word.strip(",[]") for word in shown.split() if word.strip("[").startswith("--")):
            assert option.split("=")[0] in text or option in ("--help", "--n"), f"{command} {option}"


def test_a_cluster_activates_magics_where_there_are_any(home: Path) -> None:
    cluster = Cluster(1, grace=2.0)
    with pytest.warns(UserWarning, match="in IPython only"):
        cluster.start_and_connect_sync(activate=True).close()
    assert not cluster.restarts_engines
    cluster.stop_cluster_sync()
