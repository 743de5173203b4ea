"""The only place of this package that starts, watches or ends servers and engines (command.py runs the commands of others).

A process is named by its pid *and* the moment at which it started, so that a pid which the kernel has given to somebody else
meanwhile is never signalled.  Waiting is done on pidfds: no polling, no SIGCHLD handler, nothing global; it works in a thread
of somebody else's program.  Linux only (5.3 or later), as all of Linden.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .launcher import LaunchError


@dataclass(frozen=True)
class ProcessId:
    """One process for as long as the machine is up: pid, and its start in clock ticks since boot."""

    pid: int
    started: int

    def is_alive(self) -> bool:
        """Whether it runs still; a zombie does not."""
        return _start_and_state(self.pid) in [(self.started, state) for state in "RSDTtIP"]

    def exists(self) -> bool:
        """Whether it runs or waits to be reaped.

        A process whose first thread has ended looks like a zombie although other threads run, or are only just ending
        and have locks and sockets still; its pidfd tells the one from the other.
        """
        found = _start_and_state(self.pid)
        return found is not None and found[0] == self.started


def process_id(pid: int) -> ProcessId | None:
    """The process that has *pid* now; None if there is none."""
    found = _start_and_state(pid)
    return ProcessId(pid, found[0]) if found else None


def boot_id() -> str:
    """Changes with each boot, so that what a file says of processes before it is known to be over."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_and_state(pid: int) -> tuple[int, str] | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name, in parentheses, may itself hold blanks and parentheses; field 3 follows the last one (proc(5)).
    fields = stat[stat.rindex(b")") + 2 :].split()
    return int(fields[19]), fields[0].decode()


class Child:
    """A process that this one started.  It leads a group of its own, so that Ctrl-C in the terminal does not reach it."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.log = log
        self.argv: Sequence[str] = popen.args  # type: ignore[assignment]
        self._popen = popen
        self._pidfd = os.pidfd_open(popen.pid)
        found = _start_and_state(popen.pid)
        assert found is not None, "an unreaped child has an entry in /proc"
        self.id = ProcessId(popen.pid, found[0])
        self._reaping = threading.Lock()

    @property
    def pid(self) -> int:
        return self.id.pid

    @property
    def exit_code(self) -> int | None:
        """None until it was reaped; negative is the signal that ended it."""
        return self._popen.returncode

    def fileno(self) -> int:
        """Its pidfd: readable when the process has ended.  -1 after reap()."""
        return self._pidfd

    def has_ended(self) -> bool:
        return self._pidfd < 0 or _readable([self._pidfd], 0.0) != []

    def wait_ended(self) -> int:
        """Waits for its end and reaps it."""
        if self._pidfd >= 0:
            _readable([self._pidfd], None)
        return self.reap()

    def signal(self, number: int) -> None:
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def reap(self) -> int:
        """Take note of the end of a process that has ended, and end what it left behind in its process group.

        Until it is reaped its pid is ours, so nobody else's group can be hit.
        """
        with self._reaping:
            if self._pidfd >= 0:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)
                os.close(self._pidfd)
                self._pidfd = -1
                self._popen.wait()
        return self._popen.returncode

    def describe_end(self) -> str:
        """ "ended with code 3" or "was ended by SIGKILL", for messages."""
        code = self.exit_code
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with code {code}"


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    pass_fds: Sequence[int] = (),
    stdin: int = subprocess.DEVNULL,
) -> Child:
    """Start a program with stdout and stderr appended to *log*.

    Raises: LaunchError: it could not be started (no such program, no permission).
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        popen = subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=descriptor,
            stderr=descriptor,
            env=dict(environment) if environment is not None else None,
            cwd=directory,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    except OSError as error:
        raise LaunchError(f"cannot start {argv[0]}: {error.strerror or error}") from error
    finally:
        os.close(descriptor)
    return Child(popen, log)


def end_processes(
    processes: Iterable[ProcessId],
    *,
    grace_s: float,
    kill_wait_s: float = 5.0,
    first_signal: signal.Signals = signal.SIGTERM,
) -> list[ProcessId]:
    """*first_signal* to all, SIGKILL after *grace_s* to those that are still there; returns those that survived even that.

    Works on any process of this user, not only on children (which still have to be reaped by their owner).
    """
    alive: dict[int, ProcessId] = {}
    try:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                pidfd = os.pidfd_open(process.pid)
                # The descriptor pins the process; only now is it safe to ask whether it is the one that is meant.
                if process.exists():
                    alive[pidfd] = process
                else:
                    os.close(pidfd)
        for number, wait_s in ((first_signal, grace_s), (signal.SIGKILL, kill_wait_s)):
            _send_all(alive, number)
            _wait_all(alive, wait_s)
        return list(alive.values())
    finally:
        for pidfd in alive:
            os.close(pidfd)


def signal_number(sig: int | str) -> int:
    """A signal by number, or by name with or without SIG.  Raises: ValueError: there is none such."""
    try:
        if isinstance(sig, str) and not sig.isdigit():
            name = sig.upper()
            return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"].value
        return int(sig) and signal.Signals(int(sig)).value  # 0 only looks whether the process is there
    except (KeyError, ValueError):
        raise ValueError(f"{sig!r} is no signal; a name such as SIGINT, or a number, is wanted") from None


def signal_process(process: ProcessId, number: int) -> bool:
    """Sends a signal; False if that process has ended.  Raises: LaunchError: it is another user's."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not process.exists():
            return False
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise LaunchError(f"process {process.pid} belongs to another user") from error
    finally:
        os.close(pidfd)
    return True


def wait_processes(processes: Iterable[ProcessId], timeout_s: float) -> bool:
    """Whether all of them have ended within *timeout_s*."""
    alive: dict[int, ProcessId] = {}
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            alive[os.pidfd_open(process.pid)] = process
    for pidfd in [fd for fd, process in alive.items() if not process.exists()]:
        del alive[pidfd]
        os.close(pidfd)
    _wait_all(alive, timeout_s)
    for pidfd in alive:
        os.close(pidfd)
    return not alive


def _send_all(alive: Mapping[int, ProcessId], number: int) -> None:
    for pidfd in alive:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, number)


def _wait_all(alive: dict[int, ProcessId], timeout_s: float) -> None:
    """Removes from *alive*, and closes, the pidfds of those that end in time."""
    deadline = time.monotonic() + timeout_s
    while alive:
        ended = _readable(alive, max(0.0, deadline - time.monotonic()))
        if not ended:
            return
        for pidfd in ended:
            del alive[pidfd]
            os.close(pidfd)


def _readable(descriptors: Iterable[int], timeout_s: float | None) -> list[int]:
    poller = select.poll()  # not select(): descriptors above 1023 are common in long sessions
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    return [fd for fd, _ in poller.poll(None if timeout_s is None else timeout_s * 1000)]


class ExitWatcher:
    """One thread that waits for the end of children and says so; it reaps them first.

    ``on_exit(child)`` runs in that thread, one at a time; it may watch() further children.
    """

    def __init__(self, on_exit: Callable[[Child], None]) -> None:
        self._on_exit = on_exit
        self._children: list[Child] = []
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="linden-exit-watcher", daemon=True)
        self._thread.start()

    def watch(self, child: Child) -> None:
        with self._lock:
            self._children.append(child)
        self._wake()

    def close(self) -> None:
        """Ends the thread; from within on_exit, after that call.  Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake_write, b"x")

    def _run(self) -> None:
        while not self._closed:
            with self._lock:
                by_pidfd = {child.fileno(): child for child in self._children if child.fileno() >= 0}
                self._children = list(by_pidfd.values())
            for descriptor in _readable([*by_pidfd, self._wake_read], None):
                if descriptor == self._wake_read:
                    os.read(self._wake_read, 4096)
                elif not self._closed:
                    child = by_pidfd[descriptor]
                    child.reap()
                    self._on_exit(child)
        os.close(self._wake_read)
        os.close(self._wake_write)
