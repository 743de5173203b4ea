"""Starting, watching and ending processes: the ends are seen without polling, and nobody else's process is hit."""

import os
import queue
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from linden_launchers.launcher import LaunchError
from linden_launchers.process import (
    Child,
    ExitWatcher,
    ProcessId,
    end_processes,
    process_id,
    spawn,
    wait_processes,
)

DEAF = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_output_goes_to_a_private_log(log: Path) -> None:
    child = spawn(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"], log=log)
    assert child.wait_ended() == 3
    assert sorted(log.read_text().split()) == ["err", "out"]
    assert log.stat().st_mode & 0o777 == 0o600
    assert child.describe_end() == "ended with code 3"


def test_a_missing_program_is_named(log: Path) -> None:
    with pytest.raises(LaunchError, match="cannot start /nowhere/program: No such file"):
        spawn(["/nowhere/program"], log=log)


def test_ending_asks_first_and_then_forces(log: Path) -> None:
    polite = spawn(["/bin/sleep", "100"], log=log)
    read_fd, write_fd = os.pipe()
    deaf = subprocess.Popen([sys.executable, "-c", DEAF], stdout=write_fd, start_new_session=True)
    os.read(read_fd, 10)  # from here on it ignores SIGTERM
    deaf_id = process_id(deaf.pid)
    assert deaf_id is not None
    assert end_processes([polite.id, deaf_id], grace_s=0.1) == []
    assert polite.wait_ended() == -signal.SIGTERM
    assert deaf.wait() == -signal.SIGKILL
    assert polite.describe_end() == "was ended by SIGTERM"
    os.close(read_fd)
    os.close(write_fd)


# A cluster file may name a pid that belongs to somebody else by now.
def test_a_process_that_started_at_another_time_is_left_alone(log: Path) -> None:
    child = spawn(["/bin/sleep", "100"], log=log)
    stranger = ProcessId(child.pid, child.id.started + 1)
    assert end_processes([stranger], grace_s=0.1) == []
    assert not child.has_ended()
    end_processes([child.id], grace_s=5)
    child.wait_ended()


def test_ending_what_has_ended_is_nothing(log: Path) -> None:
    child = spawn(["/bin/true"], log=log)
    child.wait_ended()
    assert not child.id.is_alive()
    assert end_processes([child.id], grace_s=0) == []
    assert wait_processes([child.id], 0)


def test_waiting_for_a_process_that_stays_says_so(log: Path) -> None:
    child = spawn(["/bin/sleep", "100"], log=log)
    assert not wait_processes([child.id], 0.01)
    child.signal(signal.SIGKILL)
    assert wait_processes([child.id], 5)
    child.wait_ended()


# What a task has started with os.system() must not outlive its engine.
def test_what_a_child_left_in_its_group_ends_with_it(log: Path) -> None:
    child = spawn(["/bin/sh", "-c", "sleep 100 & echo $!"], log=log)
    child.wait_ended()
    grandchild = process_id(int(log.read_text()))
    assert grandchild is None or wait_processes([grandchild], 5)


def test_the_watcher_tells_of_each_end_once(log: Path) -> None:
    ended: queue.Queue[Child] = queue.Queue()
    watcher = ExitWatcher(ended.put)
    children = [spawn(["/bin/sh", "-c", f"exit {code}"], log=log) for code in range(5)]
    for child in children:
        watcher.watch(child)
    codes = sorted(ended.get(timeout=5).exit_code or 0 for _ in children)
    assert codes == [0, 1, 2, 3, 4]
    watcher.close()
    watcher.close()
    assert ended.empty()


def test_the_watcher_may_be_given_more_to_watch_by_its_own_callback(log: Path) -> None:
    ended: queue.Queue[int] = queue.Queue()

    def again(child: Child) -> None:
        ended.put(child.exit_code or 0)
        if child.exit_code == 1:
            watcher.watch(spawn(["/bin/sh", "-c", "exit 2"], log=log))

    watcher = ExitWatcher(again)
    watcher.watch(spawn(["/bin/sh", "-c", "exit 1"], log=log))
    assert [ended.get(timeout=5), ended.get(timeout=5)] == [1, 2]
    watcher.close()


LIVES_ON = """
import ctypes, os, sys, threading

threading.Thread(target=sys.stdin.read).start()
print("ready", flush=True)
exit_of_one_thread = {"x86_64": 60, "aarch64": 93}[os.uname().machine]
ctypes.CDLL(None).syscall(exit_of_one_thread, 0)
"""


def test_a_process_whose_first_thread_has_ended_is_waited_for() -> None:
    """A server that was killed looks like a zombie while its other threads still end, and holds its directory until then."""
    child = subprocess.Popen([sys.executable, "-c", LIVES_ON], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == b"ready\n"
    known = process_id(child.pid)
    assert known is not None
    while known.is_alive():
        os.sched_yield()
    assert end_processes([known], grace_s=5) == []
    # Every thread is gone, so nobody holds the pipe.
    assert select.select([child.stdout], [], [], 0)[0]
    assert child.stdout.read() == b""
    assert child.wait() == -signal.SIGTERM
    child.stdin.close()
