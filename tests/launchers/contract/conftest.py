"""One farm, and one system at a time, for the contract suite."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import linden
import pytest
from linden_launchers.engine_set import EngineSet
from linden_launchers.job_options import JobOptions
from linden_launchers.launcher import Job, JobState, JobStatus, LaunchError

from tests.launchers.contract.set_up import NAMESPACES, ROOT, SetUpFailed
from tests.launchers.contract.system import System
from tests.launchers.contract.systems import SYSTEMS, chosen

_numbers = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of the contract runs on every system that ``--launchers`` names and that can what the test needs."""
    if "system" in metafunc.fixturenames:
        needed = {mark.args[0] for mark in metafunc.definition.iter_markers("needs")}
        names = [name for name in chosen(metafunc.config.getoption("launchers")) if needed <= SYSTEMS[name].can]
        metafunc.parametrize("system", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    """Brought up for the tests of one system, and taken down after them.

    Where namespaces are not allowed the tests that need them fail, unless LINDEN_TEST_NAMESPACES=0 says that this is known.
    """
    made = SYSTEMS[request.param]()
    if made.needs_namespaces and os.environ.get(NAMESPACES) == "0":
        pytest.skip(f"{NAMESPACES}=0: no namespaces here, so no {made.name}")
    try:
        made.up()
    except SetUpFailed as error:
        pytest.fail(f"{made.name} cannot be brought up: {error}", pytrace=False)
    yield made
    made.down()


@pytest.fixture(scope="session")
def farm_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the one cluster of all these tests."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def server(farm_home: Path) -> Iterator[linden.Client]:
    """A server without engines."""
    cluster = linden.Cluster(0, durability="memory", home=str(farm_home))
    with cluster as client:
        yield client


class Contract:
    """What a test has in its hands: a launcher of the system, a farm of its own, and engine sets for it."""

    def __init__(self, system: System, server: linden.Client, folder: Path) -> None:
        self.system, self.launcher = system, system.launcher()
        self._folder = folder
        self._address = server.info.address
        self._space = f"farm-{next(_numbers)}"
        self.client = linden.Client({"address": self._address, "space": self._space})
        self.jobs: list[Job] = []

    def engine_set(self, n: int, **options: Any) -> EngineSet:
        """Not started yet; engines of jobs are told all that a user would tell."""
        values: dict[str, Any] = {
            "name": f"set{next(_numbers)}",
            "n": n,
            "address": self._address,
            "log_directory": self._folder,
            "space": self._space,
            "cluster_id": "contract",
            "parent_pid": None,
            "environment": self.system.engine_environment(),
            "python_path": (str(ROOT),),  # functions of tests are imported there
            "job": JobOptions(),
        }
        return EngineSet(**{**values, **options})

    def start(self, n: int, **options: Any) -> Job:
        """Start an engine set; the test's end stops it."""
        job = self.launcher.start(self.engine_set(n, **options))
        self.jobs.append(job)
        return job

    def start_and_wait(self, n: int, **options: Any) -> Job:
        """And wait until *n* more engines serve."""
        before = len(self.client.ids)
        job = self.start(n, **options)
        self.wait_for_engines(before + n, job)
        return job

    def wait_for_engines(self, n: int, job: Job) -> None:
        """With the end of the log in the message if they do not come, and no longer than there is hope."""
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(TimeoutError):
                self.client.wait_for_engines(n, timeout=2)
                return
            status = self.status(job)
            if status.is_over or time.monotonic() > deadline:
                log = self.launcher.log(job, lines=30)
                raise AssertionError(f"{len(self.client.ids)} of {n} engines serve; {status}\n{log}")

    def status(self, job: Job) -> JobStatus:
        """Of one job."""
        return self.launcher.status([job])[job]

    def wait_status(self, job: Job, wanted: Callable[[JobStatus], bool], timeout_s: float = 60.0) -> JobStatus:
        """Until the status is as wanted: nobody tells us, so we ask."""
        deadline = time.monotonic() + timeout_s
        while not wanted(status := self.status(job)):
            assert time.monotonic() < deadline, f"still {status}\n{self.launcher.log(job)}"
            time.sleep(0.05)
        return status

    def wait_failed(self, job: Job) -> None:
        """Until it has ended, and not well, as far as the system tells; exit code or signal are told."""
        status = self.wait_status(job, lambda status: status.is_over)
        if self.system.tells_how_jobs_end:
            assert status.state is JobState.FAILED, str(status)
        assert status.members[0].why(), "exit code or signal, or that it is not known"

    def wait_until(self, true: Callable[[], bool], what: str) -> None:
        """For what nobody tells of; *what* should be true."""
        deadline = time.monotonic() + 30
        while not true():
            assert time.monotonic() < deadline, f"not within 30 s: {what}"
            time.sleep(0.02)

    def wait_ids(self, wanted: Sequence[int]) -> None:
        """Until these engines serve and no others."""
        self.wait_until(lambda: self.client.ids == list(wanted), f"{list(wanted)} serve")

    def close(self) -> None:
        for job in self.jobs:
            with contextlib.suppress(LaunchError):
                self.launcher.stop(job)
        self.client.close()


@pytest.fixture
def contract(
    system: System, server: linden.Client, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Contract]:
    """A farm of the test's own on this system."""
    for name, value in system.environment().items():
        monkeypatch.setenv(name, value)
    made = Contract(system, server, scratch)
    yield made
    made.close()
