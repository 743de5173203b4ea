"""What goes wrong at real sites, done on purpose: each is reported in the system's own words, and leaves no job behind.

No engine is needed for most of it, so these jobs sleep.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from linden_launchers.batch import BatchLauncher
from linden_launchers.command import CommandFailed, run
from linden_launchers.engine_set import EngineSet
from linden_launchers.job_options import JobOptions
from linden_launchers.launcher import Job, JobState, JobStatus
from linden_launchers.local import LocalServer
from linden_launchers.plugins import load_launcher
from linden_launchers.process import Child, end_processes
from linden_launchers.server_command import ServerOptions, find_program

from tests.launchers.contract.stub_systems import STUBS, StubSystem

SUBMIT = {
    "pbspro": "qsub",
    "lsf": "bsub",
    "htcondor": "condor_submit",
    "oar": "oarsub",
    "winhpc": "job submit",
    "kubernetes": "kubectl create",
}
LIST = {
    "pbspro": "qstat",
    "lsf": "bjobs",
    "htcondor": "condor_q",
    "oar": "oarstat",
    "winhpc": "job list",
    "kubernetes": "kubectl get",
}
ALIKE = sorted(SUBMIT)  # all of them


@pytest.fixture(scope="module")
def stubs() -> Iterator[dict[str, StubSystem]]:
    """All of them, up."""
    made = {stub.name: stub() for stub in STUBS}
    for stub in made.values():
        stub.up()
    yield made
    for stub in made.values():
        stub.down()


class Bench:
    """One stub, a launcher for it, and sets whose jobs only sleep."""

    def __init__(self, stub: StubSystem, folder: Path) -> None:
        self.stub, self.folder = stub, folder
        self.launcher = load_launcher(stub.name, stub.options)
        self.jobs: list[Job] = []

    def engine_set(self, n: int = 1, **job: Any) -> EngineSet:
        """Its engines are `sleep`."""
        return EngineSet(
            name=f"set{len(self.jobs)}",
            n=n,
            address="unix:/nowhere",
            log_directory=self.folder,
            cluster_id="nasty",
            python=str(_sleeper(self.folder)),
            job=JobOptions(**job),
        )

    def start(self, n: int = 1, **job: Any) -> Job:
        started = self.launcher.start(self.engine_set(n, **job))
        self.jobs.append(started)
        return started

    def start_engine(self, **options: Any) -> Job:
        """A real one, of the server that is serving here."""
        plain = replace(self.engine_set(), python=sys.executable, address=f"unix:{self.folder / 's'}")
        engine_set = replace(plain, environment=self.stub.engine_environment(), **options)
        started = self.launcher.start(engine_set)
        self.jobs.append(started)
        return started

    def status(self, job: Job) -> JobStatus:
        return self.launcher.status([job])[job]

    def wait(self, job: Job, wanted: Callable[[JobStatus], bool]) -> JobStatus:
        deadline = time.monotonic() + 60
        while not wanted(status := self.status(job)):
            assert time.monotonic() < deadline, f"still {status}"
            time.sleep(0.02)
        return status

    def wait_unended(self, count: int) -> None:
        deadline = time.monotonic() + 30
        while (found := self.stub.unended()) != count:
            assert time.monotonic() < deadline, f"{found} members have not ended, {count} wanted"
            time.sleep(0.02)

    def close(self) -> None:
        for job in self.jobs:
            self.launcher.stop(job)
        self.wait_unended(0)


@contextmanager
def serving(folder: Path) -> Iterator[Child]:
    """A server at ``folder / "s"``."""
    options = ServerOptions(find_program("space-server"), directory=folder / "data", unix_path=folder / "s", tcp=None)
    server = LocalServer(options, folder / "server.log")
    child = server.start()
    try:
        server.wait_ready(20)
        yield child
    finally:
        end_processes([child.id], grace_s=3.0)
        child.reap()


def _sleeper(folder: Path) -> Path:
    """A program that takes any options, and lives until it is told to end."""
    program = folder / "sleeper"
    if not program.exists():
        program.write_text("#!/bin/sh\nexec sleep 600\n")
        program.chmod(0o755)
    return program


@pytest.fixture
def bench(
    request: pytest.FixtureRequest, stubs: dict[str, StubSystem], scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    stub = stubs[request.param]
    monkeypatch.setenv("PATH", stub.environment()["PATH"])
    made = Bench(stub, scratch)
    yield made
    made.close()


def on(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("bench", names, indirect=True)


@on(*ALIKE)
def test_a_job_that_vanishes_is_lost_and_not_done(bench: Bench) -> None:
    job = bench.start()
    bench.wait(job, lambda status: status.state is JobState.RUNNING)
    with bench.stub.nasty(vanish=True):
        status = bench.status(job)
        assert status.state is JobState.LOST
        assert not status.is_over
        assert "does not list it" in str(status)
    assert bench.status(job).state is JobState.RUNNING, "it is found again when it is listed again"


@on(*ALIKE)
def test_a_system_that_does_not_answer_says_so_and_makes_nothing_lost(bench: Bench) -> None:
    job = bench.start()
    with bench.stub.nasty(away={LIST[bench.stub.name]: "the daemon is down for maintenance"}):
        with pytest.raises(CommandFailed, match="the daemon is down for maintenance"):
            bench.status(job)
    assert bench.status(job).state in (JobState.PENDING, JobState.RUNNING)


@on(*ALIKE)
def test_a_command_that_takes_too_long_is_ended(bench: Bench) -> None:
    impatient = BatchLauncher(bench.launcher.system, run=partial(run, timeout_s=1.0))  # type: ignore[attr-defined]
    with bench.stub.nasty(slow={SUBMIT[bench.stub.name]: 600}):
        with pytest.raises(CommandFailed, match="did not end within 1 s and was killed"):
            impatient.start(bench.engine_set())
    bench.wait_unended(0)


@on(*ALIKE)
def test_a_submission_that_fails_after_it_has_named_a_job_leaves_none(bench: Bench) -> None:
    with bench.stub.nasty(exit={SUBMIT[bench.stub.name]: 3}):
        with pytest.raises(CommandFailed, match=r"ended with code 3, but named .*, which we have cancelled"):
            bench.launcher.start(bench.engine_set())
    bench.wait_unended(0)


@on(*ALIKE)
def test_a_refusal_is_told_in_the_systems_own_words(bench: Bench) -> None:
    with bench.stub.nasty(away={SUBMIT[bench.stub.name]: "your project has used its hours"}):
        with pytest.raises(CommandFailed, match="your project has used its hours") as error:
            bench.launcher.start(bench.engine_set())
    assert error.value.stderr == "your project has used its hours\n"
    bench.wait_unended(0)


@on(*ALIKE)
def test_lines_of_a_site_around_the_answer_do_not_matter(bench: Bench) -> None:
    banner = "*** 12 nodes are down, job 4711 was lost ***"
    with bench.stub.nasty(banner={SUBMIT[bench.stub.name]: banner}):
        job = bench.start()
    bench.wait(job, lambda status: status.state is JobState.RUNNING)


@on("pbspro", "lsf", "htcondor", "oar", "kubernetes", "winhpc")
def test_what_waits_for_ever_says_why(bench: Bench) -> None:
    with bench.stub.nasty(room=0, reason="reserved for maintenance until Monday"):
        job = bench.start(2)
        # A system may have another reason before: that it has not looked at the job yet.
        status = bench.wait(job, lambda status: "reserved for maintenance until Monday" in str(status))
        assert status.state is JobState.PENDING
        assert bench.launcher.stop(job).count(JobState.CANCELLED) == 2


@on("pbspro", "lsf", "htcondor", "oar", "kubernetes")
def test_a_held_job_says_so_and_can_be_cancelled(bench: Bench) -> None:
    with bench.stub.nasty(held="held by the administrator"):
        job = bench.start()
    status = bench.status(job)
    assert status.state is JobState.HELD
    if bench.stub.name != "kubernetes":  # a Job that is suspended has no reason
        assert "held by the administrator" in str(status)
    assert bench.launcher.stop(job).state is JobState.CANCELLED


@on(*ALIKE)
def test_a_walltime_that_is_over_is_a_timeout(bench: Bench) -> None:
    with bench.stub.nasty(minute_s=1.0):
        job = bench.start(walltime_s=60 if bench.stub.name == "lsf" else 1, leave_before_s=0)
        assert bench.wait(job, lambda status: status.is_over).state is JobState.TIMEOUT


@on("pbspro", "lsf", "oar")
def test_the_signal_before_the_end_of_the_walltime_reaches_the_engines(bench: Bench) -> None:
    """PBS Pro has none: there the engine only knows the time."""
    engine = bench.folder / "engine"
    engine.write_text('#!/bin/sh\ntrap "echo told >told; exit 0" USR1\nwhile :; do sleep 0.05; done\n')
    engine.chmod(0o755)
    lsf = bench.stub.name == "lsf"
    with bench.stub.nasty(minute_s=1.0):
        options = JobOptions(walltime_s=180 if lsf else 3, leave_before_s=60 if lsf else 2)
        engine_set = replace(bench.engine_set(), python=str(engine), directory=bench.folder, job=options)
        job = bench.launcher.start(engine_set)
        bench.jobs.append(job)
        end = bench.wait(job, lambda status: status.is_over).state
    if bench.stub.name == "pbspro":
        assert end is JobState.TIMEOUT
    else:
        assert (end, (bench.folder / "told").exists()) == (JobState.DONE, True)


@on("lsf", "kubernetes")
def test_what_has_to_go_for_others_is_preempted(bench: Bench) -> None:
    job = bench.start()
    bench.wait(job, lambda status: status.state is JobState.RUNNING)
    bench.stub.preempt()
    assert bench.wait(job, lambda status: status.is_over).state is JobState.PREEMPTED


@on("pbspro")
def test_without_a_history_what_has_ended_is_lost(bench: Bench) -> None:
    with bench.stub.nasty(history=False):
        job = bench.start(walltime_s=1)
        status = bench.wait(job, lambda status: status.state is JobState.LOST)
        assert "PBS is not configured to maintain job history" in str(status)


@on("lsf")
def test_what_bjobs_has_forgotten_bhist_knows(bench: Bench) -> None:
    job = bench.start()
    bench.wait(job, lambda status: status.state is JobState.RUNNING)
    assert bench.launcher.stop(job).state is JobState.CANCELLED
    with bench.stub.nasty(forgets=True):
        fresh = load_launcher("lsf")
        assert str(fresh.status([job])[job]) == "1 cancelled (TERM_OWNER: job killed by owner, signal 15)"


@on("kubernetes")
def test_an_image_that_cannot_be_had_is_the_reason(bench: Bench) -> None:
    with bench.stub.nasty(room=0, image="linden:no-such"):
        status = bench.status(bench.start())
        assert str(status) == '1 pending (ImagePullBackOff: Back-off pulling image "linden:no-such")'


@on("pbspro", "winhpc", "kubernetes")
def test_engines_leave_before_the_walltime_is_over(bench: Bench) -> None:
    """These systems send no signal before; so the job ends as done, not as a timeout, with its engine's goodbye in the log."""
    with serving(bench.folder):
        job = bench.start_engine(job=JobOptions(walltime_s=24, leave_before_s=60))
        assert bench.wait(job, lambda status: status.is_over).state is JobState.DONE
    log = bench.launcher.log(job, lines=30)
    assert "registered" in log
    assert "reason=walltime" in log


@on("pbspro", "lsf", "htcondor", "oar")
def test_engines_leave_by_themselves_when_the_server_stays_away(bench: Bench) -> None:
    """Whoever could have cancelled the job was killed, and the server, too: no orphan burns the user's hours."""
    with serving(bench.folder) as server:
        job = bench.start_engine(arguments=("--reconnect", "0.5"))
        deadline = time.monotonic() + 60
        while "registered" not in bench.launcher.log(job):
            assert time.monotonic() < deadline, bench.launcher.log(job, lines=30)
            time.sleep(0.05)
        end_processes([server.id], grace_s=0.0)
    status = bench.wait(job, lambda status: status.is_over)
    assert status.state is JobState.FAILED
    assert status.members[0].exit_code == 3
    assert "the farm has gone" in bench.launcher.log(job, lines=30)
