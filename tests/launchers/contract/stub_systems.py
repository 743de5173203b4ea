"""Stand-ins for the systems that Debian does not have, as systems of the contract suite: commands of their names, in a folder each."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from linden_launchers.launcher import Launcher
from linden_launchers.plugins import load_launcher

from tests.launchers.contract.system import CI, System, of_checkout

STUBS_FOLDER = Path(__file__).resolve().parents[1] / "stubs"
_DOWN_S = 30.0


class StubSystem(System):
    """Commands that really run jobs, on this machine, and can be told to be nasty."""

    group = CI
    commands: ClassVar[tuple[str, ...]]
    options: ClassVar[dict[str, Any]] = {}
    module: ClassVar[str] = ""  # "" is the name

    def up(self) -> None:
        _sweep()
        self.folder = Path(tempfile.mkdtemp(prefix="ld-", dir="/tmp"))
        (self.folder / "owner").write_text(str(os.getpid()))
        programs = self.folder / "bin"
        programs.mkdir()
        module = STUBS_FOLDER / f"{self.module or self.name}.py"
        for command in self.commands:
            program = programs / command
            program.write_text(f'#!/bin/sh\nexec {sys.executable} -E -s {module} {self.folder} {command} "$@"\n')
            program.chmod(0o755)

    def down(self) -> None:
        (self.folder / "down").touch()
        deadline = time.monotonic() + _DOWN_S
        while alive := [pid for pid in self._shepherds() if Path(f"/proc/{pid}").exists() and not _is_zombie(pid)]:
            assert time.monotonic() < deadline, f"shepherds {alive} of {self.name} do not end"
            time.sleep(0.02)
        shutil.rmtree(self.folder)

    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def engine_environment(self) -> dict[str, str]:
        return of_checkout()

    def launcher(self) -> Launcher:
        return load_launcher(self.name, self.options)

    @contextmanager
    def nasty(self, **switches: Any) -> Iterator[None]:
        """Within the block it does what the switches say; stubs/queue_of_jobs.py and program.py read them."""
        path = self.folder / "switches.json"
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(switches))
        draft.replace(path)
        try:
            yield
        finally:
            path.unlink()

    def unended(self) -> int:
        """How many members it has that have not ended: orphans, if nobody knows of them."""
        return len(self._rows("SELECT job FROM member WHERE state != 'ended'"))

    def preempt(self) -> None:
        """All that runs has to go."""
        with sqlite3.connect(self.folder / "queue.db", timeout=30) as base:
            base.execute("UPDATE member SET wish = 'preempt' WHERE state = 'running'")
        base.close()

    def _shepherds(self) -> list[int]:
        return [row[0] for row in self._rows("SELECT shepherd FROM member WHERE shepherd IS NOT NULL")]

    def _rows(self, question: str) -> list[Any]:
        if not (self.folder / "queue.db").exists():
            return []
        base = sqlite3.connect(self.folder / "queue.db", timeout=30)
        try:
            return base.execute(question).fetchall()
        finally:
            base.close()


def _sweep() -> None:
    """Removes what test runs that were killed have left; their jobs have ended with them."""
    for owner in Path("/tmp").glob("ld-*/owner"):
        with suppress(OSError, ValueError):
            if not Path(f"/proc/{int(owner.read_text())}").exists():
                shutil.rmtree(owner.parent, ignore_errors=True)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class PbsPro(StubSystem):
    name = "pbspro"
    can = frozenset({"members", "pending", "reasons", "refuses", "signals"})
    commands = ("qsub", "qstat", "qdel", "qsig")


class Lsf(StubSystem):
    name = "lsf"
    can = frozenset({"members", "pending", "reasons", "refuses", "signals"})
    commands = ("bsub", "bjobs", "bhist", "bkill")


class HTCondor(StubSystem):
    name = "htcondor"
    can = frozenset({"members", "pending", "reasons", "refuses"})
    commands = ("condor_submit", "condor_q", "condor_history", "condor_rm")


class Oar(StubSystem):
    name = "oar"
    can = frozenset({"members", "pending", "reasons", "refuses", "signals"})
    commands = ("oarsub", "oarstat", "oardel")


class WindowsHpc(StubSystem):
    """Its tasks are not told singly."""

    name = "winhpc"
    can = frozenset({"refuses"})
    commands = ("job",)


class Kubernetes(StubSystem):
    name = "kubernetes"
    module = "kubectl"
    can = frozenset({"pending", "reasons", "refuses"})
    commands = ("kubectl",)
    options: ClassVar[dict[str, Any]] = {"image": "linden", "namespace": "bio"}


STUBS: list[type[StubSystem]] = [PbsPro, Lsf, HTCondor, Oar, WindowsHpc, Kubernetes]
