"""Set-ups leave nothing behind, also when whoever started them is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.launchers.contract.set_up import NAMESPACES, SetUp, SetUpFailed

needs_namespaces = pytest.mark.skipif(os.environ.get(NAMESPACES) == "0", reason=f"{NAMESPACES}=0")
TALKS_OF = """
import sys, time
sys.path.insert(0, {root!r})
from tests.launchers.contract.set_up import SetUp
made = SetUp("sshd.sh")
made.start()
print(made.directory, flush=True)
time.sleep(600)
"""


def processes_that_name(text: str) -> list[str]:
    """Command lines of all processes of this machine that hold this text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


def wait_until_gone(directory: Path) -> None:
    deadline = time.monotonic() + 30
    while left := processes_that_name(str(directory)):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


@needs_namespaces
@pytest.mark.timeout(300)
def test_a_set_up_that_is_stopped_leaves_no_process_no_mount_no_device_and_no_file() -> None:
    mounts = Path("/proc/self/mounts").read_text()
    devices = os.listdir("/sys/class/net")
    made = SetUp("sshd.sh")
    made.start()
    assert (made.programs / "ssh").exists()
    made.stop()
    wait_until_gone(made.directory)
    assert not made.directory.exists()
    assert Path("/proc/self/mounts").read_text() == mounts
    assert os.listdir("/sys/class/net") == devices


@needs_namespaces
@pytest.mark.timeout(300)
def test_the_shared_memory_of_a_set_up_is_its_own() -> None:
    """The kernel ends its daemons without notice, and they would leave theirs behind."""
    made = SetUp("sshd.sh")
    made.start()
    left = Path("/dev/shm") / made.directory.name
    try:
        ssh = [str(made.programs / "ssh"), "-F", str(made.directory / "ssh_config"), "node1"]
        listed = subprocess.run([*ssh, f"touch {left} && ls /dev/shm"], capture_output=True, text=True, check=True)
        assert listed.stdout.split() == [left.name]
        assert not left.exists()
    finally:
        made.stop()
        left.unlink(missing_ok=True)


@needs_namespaces
@pytest.mark.timeout(300)
def test_a_set_up_ends_with_whoever_has_started_it() -> None:
    with subprocess.Popen([sys.executable, "-c", TALKS_OF.format(root=str(ROOT))], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        directory = Path(owner.stdout.readline().decode().strip())
        try:
            assert processes_that_name(str(directory)), "daemons run"
        finally:
            owner.send_signal(signal.SIGKILL)
    wait_until_gone(directory)
    subprocess.run(["rm", "-rf", str(directory)], check=True)


def test_where_namespaces_are_not_allowed_it_says_so(monkeypatch: pytest.MonkeyPatch, scratch: Path) -> None:
    unshare = scratch / "unshare"
    unshare.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    unshare.chmod(0o755)
    monkeypatch.setenv("PATH", str(scratch), prepend=os.pathsep)
    monkeypatch.delenv(NAMESPACES, raising=False)
    with pytest.raises(SetUpFailed, match=f"Operation not permitted; run it as root, or set {NAMESPACES}=0"):
        SetUp("slurm.sh").start()
