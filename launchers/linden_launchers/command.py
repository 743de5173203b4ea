"""Runs the commands of batch systems: the only module of theirs that touches the world.

Every command has a hard timeout: a scheduler that hangs must not hang us.  What a command said is kept, raw, in the error.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .launcher import LaunchError

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Command:
    """A program to be run; a value."""

    argv: tuple[str, ...]
    stdin: str = ""
    directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)  # added to ours

    def __str__(self) -> str:
        return shlex.join(self.argv)


@dataclass(frozen=True)
class Output:
    """What a command said."""

    command: Command
    exit_code: int
    stdout: str = ""
    stderr: str = ""

    def check(self) -> Output:
        """Returns itself.  Raises: CommandFailed: the exit code is not 0."""
        if self.exit_code:
            raise CommandFailed(self, f"ended with code {self.exit_code}")
        return self


class CommandFailed(LaunchError):
    """A command of the system was refused, could not be run or understood, or took too long."""

    def __init__(self, output: Output, what: str) -> None:
        self.output = output
        said = [line for text in (output.stderr, output.stdout) for line in text.strip().splitlines()[-8:]]
        super().__init__(f"{output.command} {what}" + "".join(f"\n  {line}" for line in said))

    @property
    def argv(self) -> tuple[str, ...]:
        return self.output.command.argv

    @property
    def exit_code(self) -> int:
        return self.output.exit_code

    @property
    def stdout(self) -> str:
        return self.output.stdout

    @property
    def stderr(self) -> str:
        return self.output.stderr


Run = Callable[[Command], Output]


def run(command: Command, timeout_s: float = TIMEOUT_S) -> Output:
    """Run a command to its end.

    Returns: what it said, whatever its exit code.  Raises: CommandFailed: there is no such program, or it took too long.
    """
    try:
        process = subprocess.Popen(
            command.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=command.directory,
            env={
                **os.environ,
                "LC_ALL": "C",
                **command.environment,
            },  # what we parse is not to be in the user's language
            start_new_session=True,
        )
    except OSError as error:
        why = f"cannot be run: {error.strerror or error}; is it in PATH here, {os.environ.get('PATH', '')}?"
        raise CommandFailed(Output(command, 127), why) from error
    with process:
        try:
            stdout, stderr = process.communicate(command.stdin.encode(), timeout_s)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            said = Output(command, -signal.SIGKILL, _text(error.stdout), _text(error.stderr))
            raise CommandFailed(said, f"did not end within {timeout_s:g} s and was killed") from error
        except BaseException:  # Ctrl-C while we wait
            _kill(process)
            raise
    return Output(command, process.returncode, _text(stdout), _text(stderr))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With all that it has started, which may hold its pipes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _text(content: bytes | None) -> str:
    return (content or b"").decode(errors="replace")
