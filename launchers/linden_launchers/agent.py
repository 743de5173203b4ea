"""The far end of a channel: runs processes on this machine for somebody who speaks through stdin and stdout.

``ssh node python -m linden_launchers.agent`` is how engines are started on another machine; engines of MPI are started by one
on this machine.  Each line is a JSON object.  The agent is told::

    {"do": "start", "members": [0, 1], "argv": [...], "environment": {...}, "directory": "/work", "python_path": [...]}
    {"do": "signal", "number": 2, "members": [0]}            # members: null is all
    {"do": "stop", "members": null, "grace_s": 5}            # SIGTERM, then SIGKILL
    {"do": "tunnel", "path": "/tmp/..."}                     # is its socket there?

and says ``{"agent": 1, "linden": "0.1.0", "host": ..., "pid": ..., "place": ...}``, then
``{"tunnel": "/tmp/...", "open": true}``, ``{"started": 0, "pid": 17}``, ``{"failed": 0, "why": ...}``,
``{"log": 0, "text": ...}``, ``{"ended": 0, "code": 1, "signal": null}``.

When stdin ends, by whatever cause (the other end was closed, killed, or its machine has gone), or when there is nobody who reads
stdout, everything that it has started ends, also what has left its process group: descendants without a parent become children
of the agent.  Words in argv and environment that are ``{agent}``, ``{member}`` or ``{python}`` stand for its process id, the
member's number, and the Python that runs the agent.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any

PROTOCOL = 1
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_CHUNK = 65536
_UNSENT_BYTES_MAX = 1 << 20  # of logs: an engine is never held up because the channel is
_TAIL_BYTES = 1 << 16  # of what the channel does not take in time: the end, which says most, is not lost
_BEAT_S = 30.0  # a word now and then shows a channel whose other machine has gone without a goodbye
_LAST_GRACE_S = 2.0
_KILL_WAIT_S = 5.0
_READS_AT_END_MAX = 64  # a descendant that has left the group may hold the pipe open, and write for ever


class Member:
    """One process: the leader of a session of its own."""

    def __init__(self, number: int, popen: subprocess.Popen[bytes]) -> None:
        assert popen.stdout is not None
        self.number = number
        self.pid = popen.pid
        self.output = popen.stdout
        self.popen = popen
        self.kill_at: float | None = None
        self._late = bytearray()  # what was written while the channel was full, but no more than its end
        self._dropped = 0

    def keep(self, part: bytes) -> None:
        """For later."""
        self._late += part
        excess = len(self._late) - _TAIL_BYTES
        if excess > 0:
            self._dropped += excess
            del self._late[:excess]

    def take(self, part: bytes = b"") -> str:
        """What has been kept, and what follows it."""
        text = (bytes(self._late) + part).decode(errors="replace")
        if self._dropped:
            text = f"[{self._dropped} bytes did not pass the channel in time, and are lost]\n{text}"
        self._late.clear()
        self._dropped = 0
        return text

    @property
    def is_late(self) -> bool:
        """Whether something has been kept."""
        return bool(self._late)


class Agent:
    """All of it happens in one thread, in `run`."""

    def __init__(self) -> None:
        self._in, self._out = os.dup(0), os.dup(1)
        for number, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY)):  # nobody else is to read or write the channel
            null = os.open(os.devnull, flags)
            os.dup2(null, number)
            os.close(null)
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._members: dict[int, Member] = {}  # by process id
        self._selector = selectors.DefaultSelector()
        self._received, self._unsent = b"", bytearray()
        self._open = True
        self._next_beat = time.monotonic() + _BEAT_S
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._over = False

    def run(self) -> int:
        """Until stdin ends."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._told_to_end)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        adopt_orphans()
        self._selector.register(self._in, selectors.EVENT_READ, self._read_words)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._drain_wakes)
        self._say(
            {"agent": PROTOCOL, "linden": _version(), "host": os.uname().nodename, "pid": os.getpid(), "place": place()}
        )
        try:
            while self._open and not self._over:
                self._step(self._pause_s())
        finally:
            self._end_all()
        return 0

    def _told_to_end(self, *_: object) -> None:
        self._over = True

    def _pause_s(self) -> float:
        times = [self._next_beat, *(member.kill_at for member in self._members.values() if member.kill_at is not None)]
        return max(0.0, min(times) - time.monotonic())

    def _step(self, pause_s: float) -> None:
        for key, _ in self._selector.select(pause_s):
            key.data()
        self._reap()
        self._say_what_is_late()
        now = time.monotonic()
        for member in list(self._members.values()):
            if member.kill_at is not None and now >= member.kill_at:
                member.kill_at = None
                _kill_group(member.pid, signal.SIGKILL)
        if now >= self._next_beat:
            self._next_beat = now + _BEAT_S
            self._say({"beat": int(time.time())})

    # What it is told

    def _read_words(self) -> None:
        part = os.read(self._in, _CHUNK)
        if not part:
            self._open = False
            return
        *lines, self._received = (self._received + part).split(b"\n")
        for line in lines:
            if line.strip():
                self._obey(json.loads(line))

    def _obey(self, word: dict[str, Any]) -> None:
        verb = word["do"]
        if verb == "start":
            for member in word["members"]:
                self._start(member, word)
        elif verb == "signal":
            for member in self._chosen(word["members"]):
                _kill(member.pid, word["number"])
        elif verb == "stop":
            for member in self._chosen(word["members"]):
                member.kill_at = time.monotonic() + word["grace_s"]
                _kill(member.pid, signal.SIGTERM)
        elif verb == "tunnel":
            self._say({"tunnel": word["path"], "open": os.path.exists(word["path"])})

    def _chosen(self, members: Iterable[int] | None) -> list[Member]:
        wanted = None if members is None else set(members)
        return [member for member in self._members.values() if wanted is None or member.number in wanted]

    def _start(self, number: int, word: dict[str, Any]) -> None:
        names = {"{agent}": str(os.getpid()), "{member}": str(number), "{python}": sys.executable}
        argv = [names.get(part, part) for part in word["argv"]]
        environment = dict(os.environ)
        environment.update({name: names.get(value, value) for name, value in word["environment"].items()})
        if word["python_path"]:
            known = environment.get("PYTHONPATH", "")
            environment["PYTHONPATH"] = os.pathsep.join([*word["python_path"], *([known] if known else [])])
        try:
            popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=word["directory"],
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            what = error.filename or argv[0]
            self._say({"failed": number, "why": f"cannot start {argv[0]}: {error.strerror}: {what}"})
            return
        member = Member(number, popen)
        os.set_blocking(member.output.fileno(), False)
        self._members[member.pid] = member
        self._selector.register(member.output, selectors.EVENT_READ, lambda: self._read_output(member))
        self._say({"started": number, "pid": member.pid})

    # What it says

    def _read_output(self, member: Member) -> bool:
        """False: there is no more of it now."""
        try:
            part = os.read(member.output.fileno(), _CHUNK)
        except BlockingIOError:
            return False
        if not part:
            self._selector.unregister(member.output)
            member.output.close()
            return False
        if len(self._unsent) > _UNSENT_BYTES_MAX:
            member.keep(part)
        else:
            self._say({"log": member.number, "text": member.take(part)})
        return True

    def _say_what_is_late(self) -> None:
        for member in self._members.values():
            if member.is_late and len(self._unsent) <= _UNSENT_BYTES_MAX:
                self._say({"log": member.number, "text": member.take()})

    def _say(self, word: dict[str, Any]) -> None:
        self._unsent += json.dumps(word).encode() + b"\n"
        self._send()

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: os.write(self._out, self._unsent)]
        except BlockingIOError:
            with contextlib.suppress(KeyError):
                self._selector.register(self._out, selectors.EVENT_WRITE, self._send)
            return
        except OSError:
            self._open = False
            self._unsent.clear()
        with contextlib.suppress(KeyError):
            self._selector.unregister(self._out)

    def _drain_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, _CHUNK)

    # Ends

    def _reap(self) -> None:
        """Takes note of what has ended: members, and orphans that became ours."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            member = self._members.pop(pid, None)
            if member is not None:
                self._note_end(member, os.waitstatus_to_exitcode(status))

    def _note_end(self, member: Member, code: int) -> None:
        member.popen.returncode = code  # it was waited for here
        _kill_group(member.pid, signal.SIGKILL)
        for _ in range(_READS_AT_END_MAX):
            if member.output.closed or not self._read_output(member):
                break
        if not member.output.closed:
            self._selector.unregister(member.output)
            member.output.close()
        if member.is_late:
            self._say({"log": member.number, "text": member.take()})
        ending = {"code": None, "signal": -code} if code < 0 else {"code": code, "signal": None}
        self._say({"ended": member.number, **ending})

    def _end_all(self) -> None:
        """SIGTERM to the members, SIGKILL to whatever is left of the tree."""
        for member in self._members.values():
            member.kill_at = time.monotonic() + _LAST_GRACE_S
            _kill(member.pid, signal.SIGTERM)
        with contextlib.suppress(KeyError):
            self._selector.unregister(self._in)
        while self._members:
            self._step(self._pause_s())
        deadline = time.monotonic() + _KILL_WAIT_S
        while (rest := descendants(os.getpid())) and time.monotonic() < deadline:
            for pid in rest:
                _kill(pid, signal.SIGKILL)
            self._step(0.01)
        os.set_blocking(self._out, True)
        self._send()


def place() -> str:
    """Equal for two processes if they are on one machine, in one network, and of one user: then one's sockets are the other's."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return f"{file.read().strip()} {os.readlink('/proc/self/ns/net')} {os.getuid()}"


def adopt_orphans() -> None:
    """From now on descendants whose parent has ended become children of this process.  Linux only, as all of Linden."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """Processes below *pid* that run, found in /proc."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                stat = file.read()
        except OSError:
            continue
        state, parent = stat[stat.rindex(b")") + 2 :].split()[:2]
        if state != b"Z":
            children.setdefault(int(parent), []).append(int(name))
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _version() -> str:
    from linden import __version__

    return __version__


if __name__ == "__main__":
    sys.exit(Agent().run())
