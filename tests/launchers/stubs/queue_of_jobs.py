"""What all stand-ins for batch systems share: a queue in a file, and a shepherd process for each job, which really runs it.

Commands of one system are separate processes, as in life, and meet in an SQLite file. A job runs in a session of its own with the
environment that the system gives it, and nothing else. All of it ends with the process that made the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LOOK_S = 0.02
WAITING, HELD, RUNNING, ENDED = "waiting", "held", "running", "ended"

_TABLES = """
CREATE TABLE IF NOT EXISTS member (
  job INTEGER, place INTEGER, spec TEXT, state TEXT, reason TEXT DEFAULT '', why TEXT DEFAULT '', shepherd INTEGER,
  status INTEGER, started REAL, ended REAL, wish TEXT DEFAULT '', PRIMARY KEY (job, place));
CREATE TABLE IF NOT EXISTS signal (job INTEGER, place INTEGER, number INTEGER);
"""


@dataclass
class Spec:
    """What is to be run for one member of a job."""

    argv: list[str]
    environment: dict[str, str]
    directory: str
    output: str = os.devnull
    name: str = ""
    walltime_s: float | None = None
    warn_signal: int = 0  # is sent `warn_before_s` before the walltime is over
    warn_before_s: float = 0.0
    term_grace_s: float = 2.0  # between SIGTERM and SIGKILL


@dataclass
class Member:
    """One member of a job, as it is now."""

    job: int
    place: int
    spec: Spec
    state: str
    reason: str  # why it waits or is held
    why: str  # why it has ended: "" by itself, "cancel", "walltime", "preempt"
    status: int | None  # as wait(2) gives it
    started: float | None
    ended: float | None
    wish: str  # what the shepherd was asked for: "cancel", "preempt"

    @property
    def exit_code(self) -> int | None:
        return None if self.status is None or self.signal else os.waitstatus_to_exitcode(self.status)

    @property
    def signal(self) -> int | None:
        return os.WTERMSIG(self.status) if self.status is not None and os.WIFSIGNALED(self.status) else None


class Queue:
    """The queue of one system, in a folder that tests make and remove."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._base = sqlite3.connect(folder / "queue.db", timeout=30.0, isolation_level=None)
        self._base.executescript(_TABLES)

    # ---- switches: how nasty it is just now

    def switch(self, name: str, default: Any = None) -> Any:
        """What a test has set."""
        with contextlib.suppress(FileNotFoundError):
            return json.loads((self.folder / "switches.json").read_text()).get(name, default)
        return default

    # ---- commands

    def submit(self, specs: Sequence[Spec], named: Callable[[int, int, Spec], Spec]) -> int:
        """A job of these members; its number.  *named* completes a spec by what only the number of the job makes known."""
        state, reason = (HELD, self.switch("held")) if self.switch("held") else (WAITING, "")
        with self._at_once():
            job = int(self._base.execute("SELECT coalesce(max(job), 0) + 1 FROM member").fetchone()[0])
            for place, spec in enumerate(specs):
                values = (job, place, json.dumps(asdict(named(job, place, spec))), state, reason)
                self._base.execute(
                    "INSERT INTO member (job, place, spec, state, reason) VALUES (?, ?, ?, ?, ?)", values
                )
        for place in range(len(specs)):
            self.shepherd(job, place)
        return job

    def members(self, job: int | None = None) -> list[Member]:
        """Of one job, or of all; those that a switch has made vanish are not there."""
        if self.switch("vanish"):
            return []
        where, values = ("WHERE job = ?", (job,)) if job is not None else ("", ())
        columns = "job, place, spec, state, reason, why, status, started, ended, wish"
        rows = self._base.execute(f"SELECT {columns} FROM member {where} ORDER BY job, place", values).fetchall()
        return [Member(row[0], row[1], Spec(**json.loads(row[2])), *row[3:]) for row in rows]

    def wish(self, job: int, place: int | None, what: str) -> bool:
        """Ask the shepherd for "cancel" or "preempt"; False if there is nothing left to end."""
        where, values = ("", (job,)) if place is None else (" AND place = ?", (job, place))
        alive = f"job = ?{where} AND state != 'ended'"
        return self._base.execute(f"UPDATE member SET wish = ? WHERE {alive}", (what, *values)).rowcount > 0

    def withdraw(self, job: int) -> None:
        """Cancel it; its members know that they are not wanted any more also if they have ended before."""
        self._base.execute("UPDATE member SET wish = 'cancel' WHERE job = ?", (job,))

    def send(self, job: int, place: int | None, number: int) -> bool:
        """Send a signal to what runs; False if nothing does."""
        running = [one for one in self.members(job) if one.state == RUNNING and place in (None, one.place)]
        for one in running:
            self._base.execute("INSERT INTO signal VALUES (?, ?, ?)", (job, one.place, number))
        return bool(running)

    # ---- the shepherd

    def shepherd(self, job: int, place: int) -> None:
        """Starts the process that cares for one member; it outlives the command."""
        argv = [sys.executable, "-I", "-S", __file__, str(self.folder), str(job), str(place)]
        null = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(argv, start_new_session=True, cwd="/", **null)  # type: ignore[call-overload]
        self._base.execute("UPDATE member SET shepherd = ? WHERE job = ? AND place = ?", (process.pid, job, place))
        process.returncode = 0  # it is nobody's concern here

    def run(self, job: int, place: int) -> None:
        """In the shepherd: from waiting to ended."""
        while not self._may_start(job, place):
            time.sleep(LOOK_S)
        member = self._member(job, place)
        if member.state == RUNNING:
            self._run(member)

    def _may_start(self, job: int, place: int) -> bool:
        """Whether it is over for this member's wait: it has a slot, or is cancelled."""
        with self._at_once():
            state, wish = self._base.execute(
                "SELECT state, wish FROM member WHERE job = ? AND place = ?", (job, place)
            ).fetchone()
            if wish == "cancel" or self.is_over():
                self._set(job, place, state=ENDED, why="cancel", ended=time.time())
                return True
            if state == HELD:
                return False
            taken = self._base.execute("SELECT count(*) FROM member WHERE state = 'running'").fetchone()[0]
            if taken >= self.switch("room", 4):
                self._set(job, place, reason=self.switch("reason", "no room"))
                return False
            self._set(job, place, state=RUNNING, reason="", started=time.time())
            return True

    def _run(self, member: Member) -> None:
        spec, job, place = member.spec, member.job, member.place
        Path(spec.output).parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(spec.output, "ab") as output:
                process = subprocess.Popen(
                    spec.argv,
                    env=spec.environment,
                    cwd=spec.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError:
            self._set(job, place, state=ENDED, status=127 << 8, ended=time.time())
            return
        why, killing_since, warned = "", 0.0, False
        began = time.monotonic()
        while True:
            pid, status = os.waitpid(process.pid, os.WNOHANG)
            if pid:
                break
            now = time.monotonic()
            for (number,) in self._signals(job, place):
                _kill_group(process.pid, number)
            if spec.walltime_s is not None and not warned and now - began >= spec.walltime_s - spec.warn_before_s:
                warned = True
                if spec.warn_signal:
                    os.kill(process.pid, spec.warn_signal)
            if not why:
                over = spec.walltime_s is not None and now - began >= spec.walltime_s
                why = "walltime" if over else "cancel" if self.is_over() else self._wish(job, place)
                if why:
                    _kill_group(process.pid, signal.SIGTERM)
                    killing_since = now
            elif now - killing_since >= spec.term_grace_s:
                _kill_group(process.pid, signal.SIGKILL)
            time.sleep(LOOK_S)
        process.returncode = 0
        _kill_group(process.pid, signal.SIGKILL)  # what it has left behind
        self._set(job, place, state=ENDED, why=why, status=status, ended=time.time())

    def is_over(self) -> bool:
        """Whether the system goes down: somebody says so, or the test that made it is gone."""
        owner = self.folder / "owner"
        try:
            return (self.folder / "down").exists() or not Path(f"/proc/{int(owner.read_text())}").exists()
        except (FileNotFoundError, ValueError):
            return True

    def _member(self, job: int, place: int) -> Member:
        columns = "job, place, spec, state, reason, why, status, started, ended, wish"
        row = self._base.execute(f"SELECT {columns} FROM member WHERE job = ? AND place = ?", (job, place)).fetchone()
        return Member(row[0], row[1], Spec(**json.loads(row[2])), *row[3:])

    def _wish(self, job: int, place: int) -> str:
        return str(
            self._base.execute("SELECT wish FROM member WHERE job = ? AND place = ?", (job, place)).fetchone()[0]
        )

    def _signals(self, job: int, place: int) -> list[tuple[int]]:
        found = self._base.execute("SELECT number FROM signal WHERE job = ? AND place = ?", (job, place)).fetchall()
        if found:
            self._base.execute("DELETE FROM signal WHERE job = ? AND place = ?", (job, place))
        return found

    def _set(self, job: int, place: int, **values: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self._base.execute(f"UPDATE member SET {names} WHERE job = ? AND place = ?", (*values.values(), job, place))

    @contextlib.contextmanager
    def _at_once(self) -> Iterator[None]:
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")


def _kill_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def clean_environment() -> dict[str, str]:
    """What a job gets where the system does not hand the user's environment on."""
    kept = ("HOME", "USER", "LOGNAME", "LANG", "TMPDIR")
    return {"PATH": "/usr/bin:/bin", **{name: os.environ[name] for name in kept if name in os.environ}}


if __name__ == "__main__":
    Queue(Path(sys.argv[1])).run(int(sys.argv[2]), int(sys.argv[3]))
