"""The files by which a keeper and everybody else speak: its plan, the state of its members, and the commands that it obeys."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .launcher import LaunchError

PENDING, RUNNING, ENDED, LOST = "pending", "running", "ended", "lost"
STOPPED = "stopped"  # the reason of a member that was told to end


@dataclass(frozen=True)
class ChannelPlan:
    """One agent, and the members that it is to run."""

    name: str  # of its machine, for people
    argv: list[str]
    members: list[int]
    start: dict[str, Any]  # the agent's word "start", without its members
    addresses: list[str]  # of the server, for engines that are where the keeper is
    addresses_elsewhere: list[str] = field(default_factory=list)  # for others, besides the tunnel
    tunnel: str | None = None  # the socket there that leads to the server


@dataclass(frozen=True)
class KeeperPlan:
    """All that a keeper is told."""

    engine_set: str
    log_directory: str
    logs: list[str]  # by member
    channels: list[ChannelPlan]
    timeout_s: float
    parent_pid: int | None = None
    silence_s: float = 100.0  # an agent says something every 30 s; one that does not is out of reach

    def to_json(self) -> str:
        """The inverse of `from_json`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> KeeperPlan:
        """The inverse of `to_json`."""
        values = json.loads(text)
        return cls(**{**values, "channels": [ChannelPlan(**channel) for channel in values["channels"]]})


@dataclass
class MemberRecord:
    """What is known of one process that an agent runs."""

    channel: str
    state: str = PENDING
    pid: int | None = None  # there
    code: int | None = None
    signal: int | None = None
    reason: str = ""


def command_file(log_directory: Path, engine_set: str) -> Path:
    """The FIFO that the keeper reads."""
    return log_directory / f"{engine_set}.commands"


def status_file(log_directory: Path, engine_set: str) -> Path:
    """What the keeper writes whenever something has changed."""
    return log_directory / f"{engine_set}.status"


def write_status(path: Path, members: Mapping[int, MemberRecord]) -> None:
    """In one step: nobody ever reads half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({str(number): asdict(member) for number, member in members.items()}))
    os.replace(draft, path)


def read_status(path: Path) -> dict[int, MemberRecord]:
    """Of each member.  Raises: LaunchError: it has been removed, or is damaged."""
    try:
        return {int(number): MemberRecord(**values) for number, values in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError) as error:
        raise LaunchError(f"{path}, which the keeper of these engines writes, cannot be read: {error}") from error


def tell(path: Path, word: Mapping[str, Any]) -> bool:
    """Gives a keeper a command; False if there is no keeper any more.  Raises: LaunchError: it is another user's."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody reads it
            return False
        raise LaunchError(f"cannot write to {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb", buffering=0) as fifo, contextlib.suppress(BrokenPipeError):
        fifo.write(json.dumps(word).encode() + b"\n")  # shorter than PIPE_BUF, so it arrives whole
        return True
    return False


def command(verb: str, members: Iterable[int] | None = None, **more: Any) -> dict[str, Any]:
    """A word for `tell`."""
    return {"do": verb, "members": None if members is None else sorted(members), **more}
