"""Who watches over a cluster, with stand-ins for server and engine: restarts, giving up, stopping, nothing left behind."""

import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from linden_launchers import cluster_file
from linden_launchers.cluster_file import JobRecord
from linden_launchers.job_sets import JobSets
from linden_launchers.launcher import Job, JobState, JobStatus, LaunchError, MemberStatus
from linden_launchers.local_cluster import LocalCluster
from linden_launchers.process import ProcessId, process_id, wait_processes
from linden_launchers.running_cluster import RunningCluster
from linden_launchers.server_command import find_program


class Watched:
    """A cluster of stand-ins, and what it said."""

    def __init__(self, **options: Any) -> None:
        self.events: queue.Queue[str] = queue.Queue()
        self.cluster = LocalCluster(**{"n": 2, "cluster_id": "c", "grace": 2.0, "on_event": self.events.put, **options})

    def event(self) -> str:
        return self.events.get(timeout=10)

    def processes(self) -> list[ProcessId]:
        pids = [*self.cluster.engine_pids, self.cluster.server_pid]
        return [process for pid in pids if pid is not None and (process := process_id(pid))]


@pytest.fixture
def made(fakes: Path) -> Iterator[list[Watched]]:
    """Clusters to be stopped at the end."""
    clusters: list[Watched] = []
    yield clusters
    for watched in clusters:
        watched.cluster.stop_cluster()


def start(made: list[Watched], **options: Any) -> Watched:
    watched = Watched(**options)
    made.append(watched)
    watched.cluster.start_cluster()
    return watched


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_starts_and_stops_everything(made: list[Watched]) -> None:
    watched = start(made)
    processes = watched.processes()
    assert len(processes) == 3
    assert watched.cluster.connection_file.exists()
    watched.cluster.stop_cluster()
    assert wait_processes(processes, 0)
    assert not watched.cluster.connection_file.exists()
    assert not watched.cluster.cluster_file.exists()
    assert watched.cluster.ended.is_set()
    watched.cluster.stop_cluster()


def test_a_cluster_can_be_started_again_on_its_data(made: list[Watched]) -> None:
    watched = start(made)
    watched.cluster.stop_cluster()
    watched.cluster.start_cluster()
    starts = (watched.cluster.directory / "data" / "starts").read_text().splitlines()
    assert len(starts) == 2


@pytest.mark.timeout(60)
def test_a_cluster_that_has_died_with_jobs_can_be_started_again(made: list[Watched]) -> None:
    """Its jobs are cancelled first."""
    watched = start(made)
    state = cluster_file.read_cluster_file(watched.cluster.directory)
    watched.cluster.stop_cluster()
    assert state is not None
    job = Job("slurm", "9", ("17",))
    sets = {"engine_sets": {"9": {"n": 1}}, "systems": {"9": {"system": "slurm", "options": {}}}}
    dead = replace(state, owner=replace(state.owner, pid=2**22 + 1), jobs=[JobRecord(job, 1)], **sets)
    cluster_file.write_cluster_file(watched.cluster.directory, dead)
    stopped: list[Job] = []

    class Slurm:
        def stop(self, job: Job, members: object = None) -> JobStatus:
            stopped.append(job)
            return JobStatus({0: MemberStatus(JobState.CANCELLED)})

    watched.cluster.job_sets = JobSets(watched.cluster.directory, load=lambda *_: Slurm())  # type: ignore[arg-type, return-value]
    watched.cluster.start_cluster()
    assert stopped == [job]
    again = cluster_file.read_cluster_file(watched.cluster.directory)
    assert again is not None
    assert again.jobs == []


def test_a_temporary_cluster_leaves_no_file(made: list[Watched], fakes: Path) -> None:
    watched = start(made, cluster_id="")
    state = cluster_file.read_cluster_file(watched.cluster.directory)
    assert state is not None
    assert Path(state.data_directory).exists()
    watched.cluster.stop_cluster()
    assert not watched.cluster.directory.exists()
    assert not Path(state.data_directory).exists()
    assert not Path(state.data_directory).parent.exists()


def test_a_killed_server_is_started_again_at_the_same_address(made: list[Watched]) -> None:
    watched = start(made, tcp="127.0.0.1:0")
    first = watched.cluster.server_pid
    kill(first)
    assert f"server {first} was ended by SIGKILL; started again as" in watched.event()
    assert watched.cluster.server_pid not in (None, first)
    state = cluster_file.read_cluster_file(watched.cluster.directory)
    assert state is not None
    assert state.server is not None
    assert state.server.pid == watched.cluster.server_pid
    assert state.server_starts == 2
    assert '"tcp:127.0.0.1:4711"' in watched.cluster.connection_file.read_text()
    kill(watched.cluster.server_pid)  # the second one has run, so it has asked for its port
    watched.event()
    starts = (watched.cluster.directory / "data" / "starts").read_text().splitlines()
    assert starts[0].endswith("127.0.0.1:0")


def test_a_server_that_dies_too_often_is_given_up(made: list[Watched]) -> None:
    watched = start(made, restarts_per_minute=1)
    kill(watched.cluster.server_pid)
    watched.event()
    kill(watched.cluster.server_pid)
    assert watched.event().startswith("gives up: server")
    assert watched.cluster.ended.wait(5)
    assert watched.cluster.failure is not None


# An operator who ends the server in an orderly way means it.
def test_a_server_that_was_stopped_is_not_started_again(made: list[Watched]) -> None:
    watched = start(made)
    pid = watched.cluster.server_pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    assert watched.event() == f"server {pid} was stopped; it is not started again"
    assert watched.cluster.server_pid is None
    watched.cluster.restart_server()
    assert watched.cluster.server_pid is not None


def test_restart_server_waits_until_it_listens(made: list[Watched]) -> None:
    watched = start(made)
    first = watched.cluster.server_pid
    watched.cluster.restart_server()
    assert watched.cluster.server_pid not in (None, first)
    assert watched.events.empty()


def test_a_dead_engine_is_noted_and_started_again_only_if_wanted(made: list[Watched]) -> None:
    watched = start(made)
    kill(watched.cluster.engine_pids[0])
    assert watched.event().endswith("was ended by SIGKILL")
    assert len(watched.cluster.engine_pids) == 1
    watched.cluster.stop_cluster()

    again = start(made, restart_engines=True)
    kill(again.cluster.engine_pids[0])
    assert "started again as" in again.event()
    assert len(again.cluster.engine_pids) == 2


def test_engine_sets_are_started_and_stopped_apart(made: list[Watched]) -> None:
    watched = start(made, n=1)
    name = watched.cluster.start_engines(2)
    assert len(watched.cluster.engine_pids) == 3
    watched.cluster.stop_engines(name)
    assert len(watched.cluster.engine_pids) == 1
    with pytest.raises(KeyError):
        watched.cluster.stop_engines(name)
    watched.cluster.stop_engines()
    assert watched.cluster.engine_pids == []
    assert watched.events.empty()


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(made: list[Watched]) -> None:
    watched = Watched()
    data = watched.cluster.directory / "data"
    data.mkdir(parents=True)
    (data / "refuse").touch()
    with pytest.raises(
        LaunchError, match=r"space-server ended with code 1 before it listened:\n +space-server: the port is in use"
    ):
        watched.cluster.start_cluster()
    assert watched.processes() == []
    assert not watched.cluster.cluster_file.exists()


def test_without_a_server_program_nothing_is_left(fakes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linden_launchers.local_cluster.find_program", lambda name: find_program(name, {"PATH": ""}))
    monkeypatch.setattr("sysconfig.get_path", lambda name: "/nowhere")
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(LaunchError, match="space-server was not found"):
        LocalCluster(1).start_cluster()
    assert not (fakes / "home" / "clusters").exists()


# Engines are started before the server is known to listen; those that fail at once must be told of with their own words.
def test_an_engine_that_ends_while_it_starts_is_told_of(made: list[Watched]) -> None:
    class NobodyServes:
        ids: list[int] = []  # noqa: RUF012

        def wait_for_engines(self, n: int, timeout: float) -> None:
            raise TimeoutError

    watched = start(made, engine_environment={"FAKE_ENGINE_EXIT": "7"})
    for _ in range(2):
        watched.event()
    with pytest.raises(LaunchError, match=r"an engine ended with code 7 while it started:\n +engine: no such thing"):
        watched.cluster.wait_for_engines(NobodyServes())  # type: ignore[arg-type]


def test_a_server_that_is_deaf_is_killed(made: list[Watched]) -> None:
    watched = Watched(grace=0.2)
    data = watched.cluster.directory / "data"
    data.mkdir(parents=True)
    (data / "deaf").touch()
    watched.cluster.start_cluster()
    processes = watched.processes()
    watched.cluster.stop_cluster()
    assert wait_processes(processes, 0)


def test_what_a_task_has_started_ends_with_its_engine(made: list[Watched], fakes: Path) -> None:
    note = fakes / "pid"
    os.mkfifo(note)
    watched = start(made, n=1, engine_environment={"FAKE_ENGINE_CHILD": str(note)})
    grandchild = process_id(int(note.read_text()))
    assert grandchild is not None
    watched.cluster.stop_cluster()
    assert wait_processes([grandchild], 5)


def test_a_second_cluster_of_the_same_name_is_refused(made: list[Watched]) -> None:
    watched = start(made)
    with pytest.raises(LaunchError, match=r"cluster 'c' is running already .* choose another cluster id"):
        LocalCluster(1, cluster_id="c").start_cluster()
    assert len(watched.processes()) == 3
    assert watched.cluster.connection_file.exists()


def test_another_process_can_describe_and_stop_it(made: list[Watched]) -> None:
    watched = start(made)
    processes = watched.processes()
    found = RunningCluster.find("c")
    assert found.status(ask_server_s=None).state == "running"
    kill(watched.cluster.engine_pids[0])
    watched.event()
    found = RunningCluster.find(watched.cluster.cluster_file)
    assert found.status(ask_server_s=None).state == "degraded"
    found.stop_cluster()
    assert wait_processes(processes, 0)
    assert not watched.cluster.cluster_file.exists()
    with pytest.raises(LaunchError, match="no cluster 'c' is running"):
        RunningCluster.find("c")
    watched.cluster.stop_cluster()
    assert watched.events.empty()


@pytest.mark.parametrize(("option", "value"), [("durability", "solid"), ("n", -1)])
def test_wrong_options_are_refused_at_once(fakes: Path, option: str, value: Any) -> None:
    with pytest.raises(ValueError, match=str(value)):
        LocalCluster(**{option: value})


SESSION = """
import os, sys
from linden_launchers.local_cluster import LocalCluster
cluster = LocalCluster(2)
cluster.start_cluster()
print(cluster.directory, *cluster.engine_pids, cluster.server_pid, flush=True)
sys.stdin.read()
"""


def run_session(fakes: Path) -> tuple[subprocess.Popen[str], Path, list[ProcessId]]:
    session = subprocess.Popen(
        [sys.executable, "-c", SESSION], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert session.stdout is not None
    directory, *pids = session.stdout.readline().split()
    return session, Path(directory), [process for pid in pids if (process := process_id(int(pid)))]


def test_a_script_that_ends_without_stopping_leaves_nothing(fakes: Path) -> None:
    session, directory, processes = run_session(fakes)
    session.communicate("", timeout=20)
    assert len(processes) == 3
    assert wait_processes(processes, 0)
    assert not directory.exists()


# These stand-ins do not look whether their parent is alive, as an engine cannot whose task holds the interpreter.
def test_a_killed_script_leaves_neither_processes_nor_files(fakes: Path) -> None:
    session, directory, processes = run_session(fakes)
    session.kill()
    session.communicate()
    assert len(processes) == 3
    assert wait_processes(processes, 10)
    # The janitor removes the files last; it is nobody's child by now.
    deadline = time.monotonic() + 10
    while directory.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
