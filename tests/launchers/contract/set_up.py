"""A set-up of tests/launchers/setups: started once, used by many tests, ended with the test run, whatever ends that."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from linden import _native
from linden_launchers.server_command import find_program

ROOT = Path(__file__).resolve().parents[3]
SETUPS = ROOT / "tests" / "launchers" / "setups"
NAMESPACES = "LINDEN_TEST_NAMESPACES"
_READY_S = 240.0  # packages are loaded and installed
_END_S = 30.0


class SetUpFailed(Exception):
    """It did not come up; the message is its own."""


class SetUp:
    """A script that says "ready", and runs until its stdin ends."""

    def __init__(self, script: str, **environment: str) -> None:
        self.script = script
        self.directory = Path(tempfile.mkdtemp(prefix="ld-", dir="/tmp"))
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def programs(self) -> Path:
        """Holds commands by which a process outside runs programs inside."""
        return self.directory / "bin"

    def start(self) -> None:
        """Raises: SetUpFailed."""
        cache = ROOT / ".cache" / "packages"
        cache.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [str(SETUPS / self.script), str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.directory / "stderr").open("wb"),
            env={
                **os.environ,
                **self._environment,
                "LINDEN_SETUP_SHARE": ":".join(shared_folders()),
                "LINDEN_SETUP_CACHE": str(cache),
            },
            start_new_session=True,
        )
        assert self._process.stdout is not None
        said, _, _ = select.select([self._process.stdout], [], [], _READY_S)
        word = self._process.stdout.readline() if said else b"nothing in time"
        if word != b"ready\n":
            self.stop()
            raise SetUpFailed(f"{self.script} says {word!r}:\n{self.stderr()}")

    def stderr(self) -> str:
        """What it complained of."""
        try:
            return (self.directory / "stderr").read_text(errors="replace")
        except FileNotFoundError:
            return self._complaints

    def stop(self) -> None:
        """All of its processes end, and its files go."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process = None
        self._complaints = self.stderr()
        shutil.rmtree(self.directory, ignore_errors=True)


def shared_folders() -> list[str]:
    """What a set-up has to see besides the machine's programs: the checkout, the Python in use, and where what was built lies."""
    places = [
        ROOT,
        Path(sys.prefix),
        Path(_native.__file__).resolve().parent,
        Path(find_program("space-server")).resolve().parent,
    ]
    return ["/tmp", *dict.fromkeys(str(place) for place in places)]
