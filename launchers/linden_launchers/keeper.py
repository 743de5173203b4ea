"""The near end of channels: one process per job, which holds the channels to the agents that run its engines.

A launcher starts it, and tells it on stdin what to do (a KeeperPlan).  It answers one line once every engine is started, or
why not.  From then on it speaks by files, so that every process of this user can ask it: ``<set>.status`` has the state of each
member, and what is written to the FIFO ``<set>.commands`` is obeyed.  What engines print goes to their logs.

It ends when all of its engines have ended, when it is told to, or with the process for which it was started.  If it is killed, so
are the channels, and the agents at their far ends end the engines.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from .keeper_channel import Channel, ChannelFailed
from .keeper_files import (
    ENDED,
    LOST,
    PENDING,
    RUNNING,
    STOPPED,
    KeeperPlan,
    MemberRecord,
    command,
    command_file,
    status_file,
    write_status,
)
from .process import process_id

_GRACE_S = 5.0
_WRITE_S = 0.05  # many changes in a row are written as one
_WRITE_AGAIN_S = 2.0  # where that failed


class Keeper:
    """Lives in one event loop."""

    def __init__(self, plan: KeeperPlan, answer: int) -> None:
        self._plan, self._answer = plan, answer
        me = process_id(os.getpid())
        assert me is not None
        self._id = f"{me.pid}@{me.started}"
        self._channels = [Channel(channel) for channel in plan.channels]
        self._members = {number: MemberRecord(channel.name) for channel in plan.channels for number in channel.members}
        self._logs: dict[int, int] = {}
        folder = Path(plan.log_directory)
        self._command_file = command_file(folder, plan.engine_set)
        self._status_file = status_file(folder, plan.engine_set)
        self._write_handle: asyncio.TimerHandle | None = None
        self._commands = b""
        self._begun = asyncio.Event()
        self._stopped: set[int] = set()
        self._over = ""  # why everything is to end
        self._log_failed = False

    async def run(self) -> int:
        """Until everything has ended; an exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop_all, f"the keeper was told to end, by {number.name}")
        try:
            self._follow_parent(loop)
            failures = [] if self._over else await self._open()
            reading: list[asyncio.Task[None]] = []
            if not self._over and not failures:
                reading = [asyncio.create_task(self._read(channel)) for channel in self._channels]
                failures = await self._begin()
            if self._over and not failures:
                failures = [{"channel": "here", "exit_code": None, "stderr": "", "why": self._over}]
            if failures:
                await self._close_channels()  # nothing is left once the launcher knows
                self._report({"failed": failures})
                return 1
            self._listen(loop)
            self._write()
            self._report({"ready": self._id})
            await asyncio.gather(*reading)
            return 0
        finally:
            await self._close_channels()
            self._write()
            self._command_file.unlink(missing_ok=True)

    async def _close_channels(self) -> None:
        """All at once, and with them ends whatever they run."""
        await asyncio.gather(*(channel.wait_closed() for channel in self._channels))

    async def _open(self) -> list[dict[str, Any]]:
        """All channels at once; why some could not be."""
        answers = await asyncio.gather(
            *(channel.open(self._plan.timeout_s, self._id) for channel in self._channels), return_exceptions=True
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        for failure in failures:
            if not isinstance(failure, ChannelFailed):
                raise failure
        return [failure.fields for failure in failures if isinstance(failure, ChannelFailed)]

    async def _begin(self) -> list[dict[str, Any]]:
        """Until every member has been started; which could not be."""
        self._look_whether_begun()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._begun.wait(), self._plan.timeout_s)
        return [
            {"channel": channel.plan.name, "exit_code": None, "stderr": channel.stderr, "why": self._why_not(channel)}
            for channel in self._channels
            if self._why_not(channel)
        ]

    def _why_not(self, channel: Channel) -> str:
        """Why members of a channel could not be started; empty if they were."""
        for number in channel.plan.members:
            member = self._members[number]
            if member.state == PENDING and not self._over:
                return f"no word of engine {number} within {self._plan.timeout_s:g} s"
            if member.reason:
                return member.reason
        return ""

    def _look_whether_begun(self) -> None:
        if all(member.state != PENDING for member in self._members.values()):
            self._begun.set()

    def _report(self, word: dict[str, Any]) -> None:
        """To the launcher, once; it does not listen any more."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._answer, json.dumps(word).encode() + b"\n")
        os.close(self._answer)

    def _follow_parent(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends everything when the process ends for which it was started."""
        if self._plan.parent_pid is None:
            return
        try:
            pidfd = os.pidfd_open(self._plan.parent_pid)
        except ProcessLookupError:
            self._parent_ended()
            return
        loop.add_reader(pidfd, self._parent_ended, pidfd)

    def _parent_ended(self, pidfd: int = -1) -> None:
        if pidfd >= 0:
            asyncio.get_running_loop().remove_reader(pidfd)
        self._stop_all(f"process {self._plan.parent_pid}, for which the engines are, has ended")

    def _stop_all(self, why: str) -> None:
        self._over = self._over or why
        self._begun.set()
        for channel in self._channels:
            channel.close()

    # Commands

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        self._command_file.unlink(missing_ok=True)
        os.mkfifo(self._command_file, 0o600)
        # Opened for writing, too, so that it never comes to its end.
        descriptor = os.open(self._command_file, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        loop.add_reader(descriptor, self._read_commands, descriptor)

    def _read_commands(self, descriptor: int) -> None:
        *lines, self._commands = (self._commands + os.read(descriptor, 65536)).split(b"\n")
        for line in lines:
            try:
                word = json.loads(line)
                self._obey(word)
            except (ValueError, KeyError, TypeError) as error:
                self._complain(f"{line!r} is no command: {error!r}")

    def _obey(self, word: dict[str, Any]) -> None:
        verb, members = word["do"], word["members"]
        wanted = set(self._members) if members is None else set(members)
        for channel in self._channels:
            mine = wanted.intersection(channel.plan.members)
            if mine and verb == "signal":
                channel.say(command("signal", mine, number=int(word["number"])))
            elif mine and verb == "stop":
                self._stopped |= mine
                channel.say(command("stop", mine, grace_s=float(word.get("grace_s", _GRACE_S))))

    # What the agents say

    async def _read(self, channel: Channel) -> None:
        try:
            code = await channel.read(lambda word: self._note(channel, word), self._plan.silence_s)
        except ChannelFailed as error:
            why = [str(error)]
        else:
            why = channel.stderr.strip().splitlines()[-1:] or [f"its command ended with code {code}"]
        for number in channel.plan.members:
            member = self._members[number]
            if member.state != ENDED:
                member.state, member.reason = LOST, f"the channel to {channel.plan.name} broke: {why[0]}"
        self._changed()

    def _note(self, channel: Channel, word: dict[str, Any]) -> None:
        if "log" in word:
            self._log(word["log"], word["text"])
        elif "started" in word:
            member = self._members[word["started"]]
            member.state, member.pid = RUNNING, word["pid"]
        elif "failed" in word:
            member = self._members[word["failed"]]
            member.state, member.code, member.reason = ENDED, 127, word["why"]
            self._log(word["failed"], f"{word['why']}\n")
        elif "ended" in word:
            member = self._members[word["ended"]]
            member.state, member.code, member.signal = ENDED, word["code"], word["signal"]
            member.reason = STOPPED if word["ended"] in self._stopped else ""
        else:
            return
        if "log" not in word:
            self._changed()
        if all(self._members[number].state == ENDED for number in channel.plan.members):
            channel.close()

    def _log(self, number: int, text: str) -> None:
        """A disk that is full ends no engine."""
        try:
            if number not in self._logs:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._logs[number] = os.open(self._plan.logs[number], flags, 0o600)
            os.write(self._logs[number], text.encode())
        except FileNotFoundError:  # a cluster that has stopped takes its folder with it
            pass
        except OSError as error:
            if not self._log_failed:
                self._log_failed = True
                self._complain(f"cannot write {self._plan.logs[number]}, output is lost: {error.strerror}")

    def _complain(self, text: str) -> None:
        with contextlib.suppress(OSError):  # its own log may be on the same disk
            print(f"keeper: {text}", file=sys.stderr, flush=True)

    def _changed(self) -> None:
        self._look_whether_begun()
        if self._write_handle is None:
            self._write_handle = asyncio.get_running_loop().call_later(_WRITE_S, self._write)

    def _write(self) -> None:
        self._write_handle = None
        try:
            write_status(self._status_file, self._members)
        except FileNotFoundError:  # a cluster that has stopped takes its folder with it
            pass
        except OSError as error:
            self._complain(f"cannot write {self._status_file}, tries again: {error.strerror}")
            self._write_handle = asyncio.get_running_loop().call_later(_WRITE_AGAIN_S, self._write)


def main() -> int:
    """The plan comes on stdin, and the descriptor for the answer as argument.

    It goes on as a copy of itself whose parent is nobody's concern, so that nobody has to reap it.
    """
    plan = KeeperPlan.from_json(sys.stdin.read())
    if os.fork():
        return 0
    os.setsid()  # what is left of the first one's process group is ended with it
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return asyncio.run(Keeper(plan, int(sys.argv[1])).run())


if __name__ == "__main__":
    sys.exit(main())
