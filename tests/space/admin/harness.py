"""What tests of space-admin share: running it, on pipes and on a terminal."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from types import TracebackType
from typing import Any, Self

from linden import _native


class Admin:
    """Runs space-admin on one server."""

    def __init__(self, address: str) -> None:
        self.address = address

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["space-admin", "--connection", self.address, "--space", "test", *arguments],
            **{"capture_output": True, "text": True, "timeout": 30, "stdin": subprocess.DEVNULL, **options},
        )

    def text(self, *arguments: str, code: int = 0) -> str:
        done = self.run(*arguments)
        assert (done.returncode, done.stderr) == (code, "")
        return done.stdout

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.text(*arguments, "--json", code=code))

    def refused(self, *arguments: str, code: int) -> str:
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith("space-admin: ")
        return done.stderr

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Of a command that goes on; its standard output is a pipe."""
        command = ["space-admin", "--connection", self.address, "--space", "test", *arguments]
        return subprocess.Popen(
            command, **{"stdout": subprocess.PIPE, "text": True, "stdin": subprocess.DEVNULL, **options}
        )


class Terminal:
    """A terminal on which a command of space-admin runs."""

    def __init__(self, admin: Admin, *arguments: str, rows: int = 24, columns: int = 80) -> None:
        self.seen = ""
        self._controller, terminal = pty.openpty()
        self.resize(rows, columns)
        self.process = admin.start(*arguments, stdin=terminal, stdout=terminal, stderr=terminal)
        os.close(terminal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        os.close(self._controller)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._controller, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._controller, text.encode())

    def has_shown(self, wanted: str) -> bool:
        """Whether it is among what can be read by now."""
        while select.select([self._controller], [], [], 0)[0]:
            self.seen += os.read(self._controller, 65536).decode()
        return wanted in self.seen

    def read_until(self, wanted: str) -> str:
        """All that was shown since the last call, as soon as this is in it."""
        deadline = time.monotonic() + 20
        while wanted not in self.seen:
            ready, _, _ = select.select([self._controller], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{wanted!r} is not in {self.seen!r}"
            self.seen += os.read(self._controller, 65536).decode()
        seen, self.seen = self.seen, ""
        return seen

    def end(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Its exit code, and what it has shown at last."""
        self.process.send_signal(how)
        code = self.process.wait(20)
        while select.select([self._controller], [], [], 0)[0]:
            try:
                self.seen += os.read(self._controller, 65536).decode()
            except OSError:  # nobody has the terminal open any more
                break
        return code, self.seen


def put(space: _native.Space, *rows: tuple[Any, ...], **attributes: Any) -> list[int]:
    ids: list[int] = space.client.wait(space.send_put([_native.Put(row, **attributes) for row in rows]), 20)
    return ids
