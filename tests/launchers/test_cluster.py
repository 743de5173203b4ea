"""Cluster, with stand-ins for server and engine: both forms of its methods, as data, as files, and seen from elsewhere."""

import asyncio
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from linden_launchers import Cluster, ClusterManager, LaunchError, RunningCluster, clean_cluster_files, cluster_file
from linden_launchers.cluster_file import JobRecord
from linden_launchers.job_sets import JobSets
from linden_launchers.launcher import Job
from linden_launchers.process import ProcessId, process_id, wait_processes

Make = Callable[..., Cluster]


@pytest.fixture
def make(fakes: Path) -> Iterator[Make]:
    """``make(**options)`` is a cluster of stand-ins, which is stopped at the end."""
    made: list[Cluster] = []

    def new(**options: Any) -> Cluster:
        made.append(Cluster(**{"n": 2, "cluster_id": "c", "grace": 2.0, **options}))
        return made[-1]

    yield new
    for cluster in made:
        cluster.stop_cluster_sync()


def ids_of(cluster: Cluster) -> list[ProcessId]:
    pids = [*cluster.engine_pids, *([cluster.server_pid] if cluster.server_pid else [])]
    return [process for pid in pids if (process := process_id(pid))]


# ---- both forms


def test_the_blocking_forms(make: Make) -> None:
    cluster = make()
    assert cluster.start_cluster_sync() is cluster
    assert len(cluster.engine_pids) == 2
    name = cluster.start_engines_sync(1)
    assert {engines.n for engines in cluster.engines.values()} == {1, 2}
    before = cluster.engine_pids
    cluster.restart_engines_sync(name)
    assert len(cluster.engine_pids) == 3
    assert len(set(before) & set(cluster.engine_pids)) == 2
    cluster.stop_engines_sync(name)
    assert len(cluster.engine_pids) == 2
    with pytest.raises(KeyError):
        cluster.stop_engines_sync(name)
    processes = ids_of(cluster)
    cluster.stop_cluster_sync()
    assert wait_processes(processes, 0)
    cluster.stop_cluster_sync()


def test_the_forms_to_be_awaited(make: Make) -> None:
    async def main() -> list[ProcessId]:
        cluster = make()
        assert await cluster.start_cluster() is cluster
        processes = ids_of(cluster)
        name = await cluster.start_engines(1)
        await cluster.restart_engines()
        await cluster.signal_engines(0)
        await cluster.stop_engines(name)
        await cluster.stop_cluster()
        return processes

    assert wait_processes(asyncio.run(main()), 0)


def test_every_awaitable_method_has_a_blocking_form_with_the_same_text() -> None:
    blocking = [name for name in dir(Cluster) if name.endswith("_sync")]
    assert len(blocking) == 16
    for name in blocking:
        twin = getattr(Cluster, name.removesuffix("_sync"))
        assert asyncio.iscoroutinefunction(twin)
        assert twin.__doc__ == getattr(Cluster, name).__doc__
        assert twin.__name__ == name.removesuffix("_sync")


def test_the_event_loop_goes_on_while_a_cluster_starts(make: Make) -> None:
    async def main() -> int:
        starting = asyncio.ensure_future(make().start_cluster())
        turns = 0
        while not starting.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(main()) > 1


# ---- server and engines apart


def test_server_and_engines_are_started_and_stopped_apart(make: Make) -> None:
    cluster = make()
    with pytest.raises(TypeError, match="takes no 'port'; give options to Cluster"):
        cluster.start_controller_sync(port=1)
    cluster.start_controller_sync()
    assert cluster.server_pid is not None
    assert cluster.engine_pids == []
    cluster.start_engines_sync()
    assert len(cluster.engine_pids) == 2
    cluster.stop_controller_sync()
    assert cluster.server_pid is None
    assert len(cluster.engine_pids) == 2
    cluster.stop_engines_sync()
    cluster.stop_controller_sync()
    assert not cluster.cluster_file.exists()
    cluster.stop_controller_sync()


def test_output_and_signals_of_sets_and_server(make: Make) -> None:
    cluster = make(engine_environment={"FAKE_ENGINE_EXIT": "7"})
    cluster.start_cluster_sync()
    assert cluster.engine_set is not None
    for pid in cluster.engine_pids:
        if process := process_id(pid):
            wait_processes([process], 10)
    assert "engine: no such thing" in cluster.engine_set.get_output(remove=True)
    assert cluster.engine_set.get_output() == ""
    assert cluster.controller is not None
    assert cluster.controller.running
    assert cluster.controller.pid == cluster.server_pid
    processes = ids_of(cluster)
    cluster.controller.signal(signal.SIGTERM)
    assert wait_processes(processes, 10)
    assert not cluster.controller.running


def test_signals_reach_the_engines_of_a_set(make: Make) -> None:
    cluster = make()
    cluster.start_cluster_sync()
    name = cluster.start_engines_sync(1)
    (pid,) = cluster.engines[name].pids
    process = process_id(pid)
    assert process is not None
    cluster.signal_engines_sync(signal.SIGKILL, name)
    assert wait_processes([process], 10)
    with pytest.raises(KeyError):
        cluster.signal_engines_sync(signal.SIGKILL, "no such set")


def test_signals_may_be_named(make: Make) -> None:
    cluster = make(n=1)
    cluster.start_cluster_sync()
    processes = [process for pid in cluster.engine_pids if (process := process_id(pid))]
    for wrong in ("nonsense", 1234, -3):
        with pytest.raises(ValueError, match="is no signal; a name such as SIGINT"):
            cluster.signal_engines_sync(wrong)
    cluster.signal_engines_sync("kill")
    assert wait_processes(processes, 10)


def test_odd_numbers_of_engines_are_refused(make: Make) -> None:
    for n, error in ((-1, ValueError), ("2", TypeError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match="a number of engines"):
            make(n=n)
    cluster = make(n=0)
    cluster.start_cluster_sync()
    for each in (cluster, Cluster.from_file("c")):
        with pytest.raises(ValueError, match="0 or more"):
            each.start_engines_sync(-1)
    assert cluster.engines == {}


# ---- what it is


def test_a_cluster_that_does_not_run_says_what_to_do(make: Make) -> None:
    cluster = make()
    assert repr(cluster) == "<Cluster 'c': stopped>"
    for call in (cluster.start_engines_sync, cluster.connect_client_sync):
        with pytest.raises(LaunchError, match=r"does not run; start it with start_cluster"):
            call()
    assert cluster.controller is cluster.engine_set is None
    assert cluster.engines == {}


@pytest.mark.parametrize("option", [{"engines": "slrum"}, {"controller": "mpi"}])
def test_launchers_that_there_are_not_are_refused(fakes: Path, option: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"the launchers that there are: .*'local'"):
        Cluster(**option)


def test_options_that_there_are_not_are_refused(fakes: Path) -> None:
    with pytest.raises(TypeError, match="engines that are local have no option 'colour'"):
        Cluster(1, engines="local", colour="red")
    with pytest.raises(LaunchError, match="'slurm' does not take these options"):
        Cluster(1, engines="slurm", colour="red")


def test_the_script_that_would_be_submitted(fakes: Path) -> None:
    cluster = Cluster(3, cluster_id="s", engines="slurm", queue="long", walltime="1h")
    script = cluster.job_script_sync()
    assert "#SBATCH --partition=long" in script
    assert "--array=0-2" in script
    assert str(cluster.connection_file) in script
    assert "--array=0-6" in cluster.job_script_sync(7)
    with pytest.raises(LaunchError, match="local engines are processes of this machine"):
        cluster.job_script_sync(engines="local")


def test_options_under_the_names_that_programs_use(make: Make) -> None:
    cluster = make(cluster_id="", profile="p", controller_ip="127.0.0.1", log_level=logging.ERROR, engines="local")
    cluster.start_cluster_sync()
    assert cluster.cluster_id == "p"
    starts = (cluster.directory / "data" / "starts").read_text()
    assert starts.endswith("127.0.0.1:0\n")
    logging.getLogger("linden.cluster").setLevel(logging.NOTSET)


def test_files_may_be_elsewhere(make: Make, fakes: Path) -> None:
    cluster = make(profile_dir=fakes / "elsewhere")
    cluster.start_cluster_sync()
    assert cluster.directory == fakes / "elsewhere" / "clusters" / "c"
    assert cluster.profile_dir == str(fakes / "elsewhere")
    joined = Cluster.from_file(cluster_id="c", profile_dir=fakes / "elsewhere")
    assert joined.engine_pids == cluster.engine_pids
    assert set(ClusterManager().load_clusters(profile_dir=fakes / "elsewhere")) == {"c"}
    with pytest.raises(LaunchError):
        Cluster.from_file("c")


def test_notebooks_show_a_table(make: Make) -> None:
    cluster = make()
    assert "stopped" in cluster._repr_html_()
    cluster.start_cluster_sync()
    assert f"pid {cluster.server_pid}" in cluster._repr_html_()
    assert "2 of 2" in cluster._repr_html_()


# ---- as data and as files


def test_a_cluster_can_be_joined_by_its_dict_or_file(make: Make) -> None:
    cluster = make()
    cluster.start_cluster_sync()
    described = json.loads(json.dumps(cluster.to_dict()))
    for joined in (Cluster.from_dict(described), Cluster.from_file(cluster.cluster_file), Cluster.from_file("c")):
        assert joined.cluster_id == "c"
        assert joined.engine_pids == cluster.engine_pids
        assert joined.n == 2
        with pytest.raises(LaunchError, match="started by another process"):
            joined.start_cluster_sync()
    processes = ids_of(cluster)
    joined.stop_cluster_sync()
    assert wait_processes(processes, 0)
    joined.stop_cluster_sync()
    assert Cluster.from_dict(joined.to_dict()).n == 2
    with pytest.raises(LaunchError, match="no cluster 'c' is running"):
        Cluster.from_file(cluster_id="c")


def test_the_dict_of_a_stopped_cluster_starts_another(make: Make) -> None:
    described = make(n=1, tcp="127.0.0.1:0", on_event=print).to_dict()
    again = Cluster.from_dict(json.loads(json.dumps(described)))
    try:
        assert again.start_cluster_sync().cluster_id == "c"
        assert len(again.engine_pids) == 1
    finally:
        again.stop_cluster_sync()
    with pytest.raises(ValueError, match="from_dict wants what"):
        Cluster.from_dict({"cluster": {}})


def test_the_cluster_file_can_be_written_updated_and_removed(make: Make) -> None:
    cluster = make()
    with pytest.raises(LaunchError, match="has stopped"):
        cluster.write_cluster_file()
    cluster.update_cluster_file()
    cluster.start_cluster_sync()
    before = cluster.cluster_file.read_text()
    cluster.write_cluster_file()
    cluster.update_cluster_file()
    assert cluster.cluster_file.read_text() == before
    cluster.remove_cluster_file()
    cluster.remove_cluster_file()
    with pytest.raises(LaunchError):
        Cluster.from_file("c")


# ---- from another process: here, another object that knows the files only


def test_engines_are_added_and_ended_from_elsewhere(make: Make) -> None:
    cluster = make()
    cluster.start_cluster_sync()
    own = cluster.engine_pids
    joined = Cluster.from_file("c")
    name = joined.start_engines_sync(2)
    assert len(cluster.engine_pids) == 4
    assert cluster.start_engines_sync(1) not in (name, "1")
    assert len(joined.engine_pids) == 5  # the owner has kept what others added
    with pytest.raises(LaunchError, match="has been started already"):
        joined.start_engines_sync(1, name)
    joined.restart_engines_sync(name)
    assert len(joined.engine_pids) == 5
    cluster.stop_engines_sync(name)
    assert len(joined.engine_pids) == 3
    assert set(own) < set(joined.engine_pids)
    joined.start_engines_sync(1)
    processes = ids_of(cluster)
    assert len(processes) == 5
    cluster.stop_cluster_sync()
    assert wait_processes(processes, 0)


# Its owner starts again what dies, but not what somebody has ended.
def test_what_is_ended_from_elsewhere_is_not_started_again(make: Make) -> None:
    events: queue.Queue[str] = queue.Queue()
    cluster = make(restart_engines=True, on_event=events.put)
    cluster.start_cluster_sync()
    os.kill(cluster.engine_pids[0], signal.SIGKILL)
    assert "started again" in events.get(timeout=10)
    joined = Cluster.from_file("c")
    joined.stop_engines_sync()
    assert joined.engine_pids == []
    cluster.start_engines_sync(1, "last")
    assert len(cluster.engine_pids) == 1
    deadline = time.monotonic() + 10
    while RunningCluster.find("c").status(ask_server_s=None).engines_wanted != 1:  # once the owner has noted both ends
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert events.empty()


DETACHED = """
from linden_launchers import Cluster
Cluster(1, cluster_id="d", shutdown_atexit=False).start_cluster_sync()
"""


def test_a_detached_cluster_outlives_its_session(fakes: Path) -> None:
    subprocess.run([sys.executable, "-c", DETACHED], check=True, timeout=30)
    joined = Cluster.from_file("d")
    processes = ids_of(joined)
    assert len(processes) == 2
    joined.stop_cluster_sync()
    assert wait_processes(processes, 0)


# ---- many clusters


def test_a_manager_knows_all_clusters(make: Make, fakes: Path) -> None:
    make().start_cluster_sync()
    make(cluster_id="d", n=0).start_cluster_sync()
    manager = ClusterManager()
    assert set(manager.load_clusters()) == {"c", "d"}
    assert set(manager.load_clusters(profile="c")) == {"c"}
    assert set(manager.load_clusters(profile_dir=fakes / "home", profiles=["d", "e"])) == {"d"}
    assert manager.load_clusters(profile_dirs=[fakes / "elsewhere"]) == {}
    new = manager.new_cluster(cluster_id="new", n=1)
    assert manager.get_cluster("new") is new
    with pytest.raises(KeyError, match="there is a cluster 'new' already"):
        manager.new_cluster(cluster_id="new")
    assert set(manager.load_clusters(init_default_clusters=True)) == {"c", "d", "new", "default"}
    assert manager.clusters["new"] is new
    manager.remove_cluster("new")
    with pytest.raises(KeyError, match=r"no cluster 'new'; there are \['c', 'd', 'default'\]"):
        manager.get_cluster("new")
    manager.get_cluster("c").stop_cluster_sync()
    assert "c" not in manager.load_clusters()


def test_jobs_that_cannot_be_cancelled_keep_only_their_own_cluster_and_that_not_by_force(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stubborn(JobSets):
        def stop(self, name: str | None = None) -> None:
            raise LaunchError("the controller does not answer")

    for cluster_id in ("a", "b"):
        cluster = make(cluster_id=cluster_id)
        cluster.start_cluster_sync()
        state = cluster_file.read_cluster_file(cluster.directory)
        cluster.stop_cluster_sync()
        assert state is not None
        jobs = [JobRecord(Job("slurm", "1", ("17",)), 1)] if cluster_id == "a" else []
        dead = replace(state, owner=replace(state.owner, pid=2**22 + 1), jobs=jobs)
        cluster_file.write_cluster_file(cluster.directory, dead)
    monkeypatch.setattr("linden_launchers.cluster_manager.JobSets", Stubborn)
    with pytest.raises(LaunchError, match="cluster a: the controller does not answer; removed the files of b"):
        clean_cluster_files()
    assert clean_cluster_files(force=True) == ["a"]


def test_files_of_dead_clusters_are_removed_and_of_others_only_by_force(make: Make, fakes: Path) -> None:
    alive, dead = make(), make(cluster_id="dead")
    alive.start_cluster_sync()
    dead.start_cluster_sync()
    state = cluster_file.read_cluster_file(dead.directory)
    dead.stop_cluster_sync()
    assert state is not None
    cluster_file.write_cluster_file(dead.directory, replace(state, owner=replace(state.owner, pid=2**22 + 1)))
    assert clean_cluster_files() == ["dead"]
    assert (dead.directory / "data").exists()
    assert clean_cluster_files(data=True, only="dead") == ["dead"]
    assert not dead.directory.exists()
    assert clean_cluster_files() == []
    processes = ids_of(alive)
    assert clean_cluster_files(force=True) == ["c"]
    assert wait_processes(processes, 0)
    alive.cluster_file.write_text("nonsense")
    assert clean_cluster_files() == []
    assert clean_cluster_files(force=True) == ["c"]
