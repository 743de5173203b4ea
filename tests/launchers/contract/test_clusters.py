"""What users write, `linden.Cluster(2, engines=...)`, on each stand-in: engines come and work, and no job is left, whatever ends them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import linden
import pytest

from tests.launchers.contract.stub_systems import STUBS, StubSystem
from tests.launchers.contract.system import ROOT

BY_NAME = {stub.name: stub for stub in STUBS}


@pytest.fixture
def stub(request: pytest.FixtureRequest, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubSystem]:
    """One of them, in PATH; clusters have their files in the scratch folder."""
    made = BY_NAME[request.param]()
    made.up()
    monkeypatch.setenv("PATH", made.environment()["PATH"])
    monkeypatch.setenv("LINDEN_HOME", str(scratch / "home"))
    yield made
    made.down()


def wait_for_no_job(stub: StubSystem, clusters: Path) -> None:
    """And until whoever has cancelled them, and looked whether they have ended, has removed the cluster's files."""
    deadline = time.monotonic() + 90
    while stub.unended() or any(clusters.iterdir()):
        assert time.monotonic() < deadline, f"{stub.unended()} members and {list(clusters.iterdir())} are left"
        time.sleep(0.05)


def mul(a: int, b: int) -> int:
    return a * b


@pytest.mark.parametrize("stub", sorted(BY_NAME), indirect=True)
def test_a_cluster_of_any_system_is_a_cluster(stub: StubSystem) -> None:
    options = {"environment": stub.engine_environment(), "python_path": (str(ROOT),), **stub.options}  # `mul` is there
    with linden.Cluster(2, engines=stub.name, **options) as rc:
        assert rc.ids == [0, 1]
        assert rc[:].apply_sync(mul, 5, 6) == [30, 30]
        assert rc.load_balanced_view().map_sync(mul, range(4), range(4)) == [0, 1, 4, 9]
    assert stub.unended() == 0


PROGRAM = """
import json, linden, sys, time
options = json.loads(sys.argv[1])
cluster = linden.Cluster(2, **options)
rc = cluster.start_and_connect_sync()
print("serving", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("stub", ["pbspro", "kubernetes"], indirect=True)
def test_a_program_that_is_killed_leaves_no_job(stub: StubSystem, scratch: Path) -> None:
    """Nobody is there to cancel it; still the user's hours do not run on."""
    options = {"engines": stub.name, "environment": stub.engine_environment(), **stub.options}
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(options)], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert program.stdout is not None
    try:
        assert program.stdout.readline() == "serving\n"
        assert stub.unended() == 2
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
        program.stdout.close()
    wait_for_no_job(stub, scratch / "home" / "clusters")
