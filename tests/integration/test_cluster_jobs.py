"""Clusters whose engines are jobs of a batch system: a little one that forks for real (tests/launchers/little_queue.py)."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import linden
import pytest
from linden_launchers import LaunchError, RunningCluster
from linden_launchers.process import ProcessId, process_id, wait_processes

DEADLINE_S = 60.0
LITTLE_QUEUE = Path(__file__).parents[1] / "launchers" / "little_queue.py"


class Queue:
    """The system, and what the launcher "generic" has to know of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        command = shlex.join([sys.executable, str(LITTLE_QUEUE), str(folder)])
        self.options: dict[str, Any] = {
            "submit": f"{command} submit {{script}}",
            "status": f"{command} status {{ids}}",
            "cancel": f"{command} cancel {{ids}}",
            "id": r"Request (\d+)",
        }

    def set(self, what: str, text: str = "") -> None:
        (self.folder / what).write_text(text)

    def unset(self, what: str) -> None:
        (self.folder / what).unlink()

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines() if (self.folder / "calls").exists() else []

    def processes(self) -> list[ProcessId]:
        """The jobs' shells that run."""
        pids = [int(path.read_text()) for path in self.folder.glob("[0-9]*/pid")]
        return [process for pid in pids if (process := process_id(pid))]


@pytest.fixture
def little(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setenv("LINDEN_HOME", str(scratch / "home"))
    monkeypatch.setenv("LINDEN_SITE_PROFILE", str(scratch / "site.toml"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(scratch))
    queue = Queue(scratch / "queue")
    yield queue
    assert wait_processes(queue.processes(), DEADLINE_S), "jobs are left"


@pytest.fixture
def make(little: Queue) -> Iterator[Callable[..., linden.Cluster]]:
    """``make(n)`` is a cluster whose engines are jobs."""
    made: list[linden.Cluster] = []

    def new(n: int, **options: Any) -> linden.Cluster:
        given = {
            "engines": "generic",
            "job_poll": 0.1,
            "grace": 5.0,
            "durability": "memory",
            **little.options,
            **options,
        }
        made.append(linden.Cluster(n, **given))
        return made[-1]

    yield new
    for cluster in made:
        cluster.stop_cluster_sync()


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def double(x: int) -> int:
    return 2 * x


def test_engines_come_from_jobs_and_go_with_the_cluster(make: Callable[..., linden.Cluster], little: Queue) -> None:
    with make(2) as rc:
        assert rc[:].apply_sync(double, 4) == [8, 8]
        assert {(engine.info["set"], engine.info["index"]) for engine in rc.engines()} == {("1", 0), ("1", 1)}
        assert rc[:].apply_sync(os.getcwd) == [os.getcwd()] * 2
        assert "2 of generic jobs 17, 18" in repr(rc.cluster.engines["1"])
    assert little.processes() == []
    assert any(call.startswith("cancel") for call in little.calls)


def test_jobs_and_processes_of_this_machine_serve_side_by_side(make: Callable[..., linden.Cluster]) -> None:
    with make(1) as rc:
        name = rc.cluster.start_engines_sync(1, engines="local")
        rc.wait_for_engines(2, timeout=DEADLINE_S)
        assert list(rc.cluster.engines) == ["1", name]
        assert rc.load_balanced_view().map_sync(double, range(4)) == [0, 2, 4, 6]
        rc.cluster.stop_engines_sync("1")
        assert list(rc.cluster.engines) == [name]
        until(lambda: len(rc) == 1)


def test_a_job_that_is_pending_is_waited_for_and_the_reason_is_told(
    make: Callable[..., linden.Cluster], little: Queue
) -> None:
    little.set("full", "Resources")
    cluster = make(2, engine_timeout=5.0, queue_timeout=1.0)
    with pytest.raises(LaunchError, match=r"0 of 2 engines, 2 pending: Resources after \d+ s"):
        cluster.start_and_connect_sync()
    assert not cluster.cluster_file.exists()
    little.unset("full")


def test_a_held_job_is_told_and_comes_once_it_is_released(make: Callable[..., linden.Cluster], little: Queue) -> None:
    little.set("held", "user hold")
    cluster = make(1, engine_timeout=DEADLINE_S)
    cluster.start_cluster_sync()
    told: list[str] = []

    def hear(text: str) -> None:
        told.append(text)
        if "held: user hold" in text and (little.folder / "held").exists():
            little.unset("held")

    with cluster.connect_client_sync() as client:
        cluster._running.wait_for_engines(client, timeout=DEADLINE_S, say=hear)  # type: ignore[union-attr]
    assert told[0].startswith("0 of 1 engine")
    assert "0 of 1 engine, 1 held: user hold" in told


def test_a_refusal_has_the_systems_words_and_leaves_nothing(make: Callable[..., linden.Cluster], little: Queue) -> None:
    little.set("refuse", "error: invalid account or partition")
    cluster = make(1)
    with pytest.raises(LaunchError, match="invalid account or partition"):
        cluster.start_and_connect_sync()
    assert not cluster.cluster_file.exists()


def test_engines_that_never_connect_are_reported_with_the_end_of_their_log(make: Callable[..., linden.Cluster]) -> None:
    cluster = make(2, prologue=["echo no such module >&2; exit 3"])
    with pytest.raises(LaunchError) as raised:
        cluster.start_and_connect_sync()
    text = str(raised.value)
    assert "0 of 2 engines, 2 failed: exit 3; so many will not come any more" in text
    assert "no such module" in text


def test_a_job_that_vanishes_is_lost_and_never_done(make: Callable[..., linden.Cluster], little: Queue) -> None:
    little.set("full", "Resources")
    cluster = make(1, engine_timeout=1.0)
    cluster.start_cluster_sync()
    little.set("forgetful")
    with (
        cluster.connect_client_sync() as client,
        pytest.raises(LaunchError, match="0 of 1 engine, 1 lost: status does not list it"),
    ):
        cluster._running.wait_for_engines(client, timeout=1.0)  # type: ignore[union-attr]
    (job,) = RunningCluster.find(cluster.cluster_file).status().jobs
    assert job.state == "lost"
    little.unset("forgetful")
    little.unset("full")


def test_a_job_that_cannot_be_cancelled_is_told_and_can_be_stopped_later(
    make: Callable[..., linden.Cluster], little: Queue
) -> None:
    cluster = make(1, cluster_id="stubborn")
    cluster.start_and_connect_sync().close()
    little.set("stubborn")
    joined = RunningCluster.find("stubborn")
    # The launcher asks for a minute whether what it has cancelled has ended.
    joined.job_sets._launcher("generic", little.options)._stop_timeout_s = 0.2  # type: ignore[attr-defined]
    with pytest.raises(LaunchError, match="the controller does not answer"):
        joined.stop_engines()
    assert [record.job.ids for record in joined.refresh().jobs] == [("17",)]
    little.unset("stubborn")
    cluster.stop_cluster_sync()
    assert not cluster.cluster_file.exists()


# ---- other numbers


def wait_for_file(path: str) -> str:
    deadline = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.01)
    return path


def test_scaling_down_lets_tasks_finish_and_ends_idle_engines_first(
    make: Callable[..., linden.Cluster], scratch: Path
) -> None:
    with make(3, engine_timeout=DEADLINE_S) as rc:
        result = rc[0].apply_async(wait_for_file, str(scratch / "go"))
        until(lambda: sum(row["held"] for row in rc.space.native.client.wait(rc.space.native.send_sessions())) == 1)
        rc.cluster.scale_sync(1)
        assert rc.ids == [0]
        assert rc.cluster.engines["1"].n == 1
        (scratch / "go").touch()
        assert result.get(DEADLINE_S) == str(scratch / "go")
        rc.cluster.scale_sync(2)
        rc.wait_for_engines(2, timeout=DEADLINE_S)


def test_local_engines_are_scaled_as_well_and_a_drained_one_is_not_started_again(little: Queue, scratch: Path) -> None:
    with linden.Cluster(
        3, engines="local", restart_engines=True, engine_timeout=DEADLINE_S, grace=5.0, durability="memory"
    ) as rc:
        result = rc[0].apply_async(wait_for_file, str(scratch / "go"))
        until(lambda: sum(row["held"] for row in rc.space.native.client.wait(rc.space.native.send_sessions())) == 1)
        rc.cluster.scale_sync(1)
        until(lambda: rc.ids == [0])
        until(lambda: len(rc.cluster.engine_pids) == 1)
        (scratch / "go").touch()
        assert result.get(DEADLINE_S)
        rc.cluster.scale_sync(2)
        rc.wait_for_engines(2, timeout=DEADLINE_S)
        assert len(rc) == 2
        with pytest.raises(KeyError, match="no engine set '9'; there are 1"):
            rc.cluster.scale_sync(1, "9")


def test_a_farm_adapts_to_its_work(make: Callable[..., linden.Cluster], scratch: Path) -> None:
    with make(1, engine_timeout=DEADLINE_S) as rc:
        with rc.cluster.adapt(1, 3, period_s=0.05, wait_s=0.0, idle_s=0.5) as adaptation:
            results = [
                rc.load_balanced_view().apply_async(wait_for_file, str(scratch / f"go{index}")) for index in range(6)
            ]
            rc.wait_for_engines(3, timeout=DEADLINE_S)
            for index in range(6):
                (scratch / f"go{index}").touch()
            for result in results:
                result.get(DEADLINE_S)
            # What it has decided last may have been while the second engine was just leaving.
            until(lambda: len(rc) == 1 and rc.cluster.engines["1"].n == 1 and adaptation.target == 1)
        with pytest.raises(TypeError, match="adapt has no rule 'speed'"):
            rc.cluster.adapt(1, 2, speed=3)
        with pytest.raises(ValueError, match="maximum"):
            rc.cluster.adapt(3, 2)


def test_what_is_to_run_first_runs_on_engines_of_jobs_that_come_later(make: Callable[..., linden.Cluster]) -> None:
    with make(1) as rc:
        rc.cluster.on_join_sync("answer = 42", timeout=DEADLINE_S)
        rc.cluster.scale_sync(2)
        rc.wait_for_engines(2, timeout=DEADLINE_S)
        assert rc[:]["answer"] == [42, 42]


# ---- no orphans


def test_a_client_that_is_killed_leaves_no_jobs(little: Queue, scratch: Path) -> None:
    program = f"""
import linden, os, time
rc = linden.Cluster(2, engines="generic", **{little.options!r}).start_and_connect_sync()
print("serves", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "serves\n"
        jobs = little.processes()
        assert len(jobs) == 2
        process.send_signal(signal.SIGKILL)
    assert wait_processes(jobs, DEADLINE_S)
    until(lambda: not list((scratch / "home" / "clusters").glob("session-*")))
    assert [call for call in little.calls if call.startswith("cancel")] == ["cancel 17 18"]


def test_a_daemon_says_what_it_waits_for_and_ctrl_c_meanwhile_leaves_nothing(little: Queue, scratch: Path) -> None:
    lines = [f"{name} = {json.dumps(value)}" for name, value in little.options.items()]
    (scratch / "site.toml").write_text("\n".join(['engines = "generic"', "[generic]", *lines]))
    little.set("full", "Resources")
    command = [sys.executable, "-m", "linden_launchers", "start", "-n", "1", "--daemonize"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=scratch, start_new_session=True) as shell:
        assert shell.stderr is not None
        said = ""
        while "1 pending: Resources" not in said:
            line = shell.stderr.readline()
            assert line, said
            said += line
        shell.send_signal(signal.SIGINT)
        rest = shell.stderr.read()
    assert "ends what has been started" in rest
    assert shell.returncode == 130
    assert any(call.startswith("cancel") for call in little.calls)
    assert not list((scratch / "home" / "clusters").glob("*/cluster.json"))
    little.unset("full")


def test_the_shell_starts_scales_and_stops_clusters_of_jobs(little: Queue, scratch: Path) -> None:
    lines = [f"{name} = {json.dumps(value)}" for name, value in little.options.items()]
    (scratch / "site.toml").write_text("\n".join(['engines = "generic"', "[generic]", *lines]))

    def shell(*words: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "linden_launchers", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * DEADLINE_S, check=False, cwd=scratch)
        assert done.returncode == code, done.stderr
        return done.stdout

    assert "2 engines" in shell("start", "-n", "2", "--daemonize")
    try:
        assert "jobs       generic 17, 18: 2 running" in shell("status")
        assert shell("scale", "-n", "1") == "cluster default: 2 -> 1 engines\n"
        assert '"engine_set": "2"' in shell("engines", "-n", "1", "--engines", "local", "--daemonize", "--json")
        assert "registered engine=" in shell("logs", "1")
        assert "bad" not in shell("doctor", "--json")
        assert str(scratch / "site.toml") in shell("config", "show", "--origin")
        assert "echo first" in shell("render", "--prologue", "echo first")
    finally:
        assert shell("stop") == "cluster default has stopped\n"
    assert little.processes() == []
