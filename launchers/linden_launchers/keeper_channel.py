"""Channel: one agent as its keeper sees it; a command (ssh, or the agent itself) whose stdin and stdout carry the words."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

from .agent import PROTOCOL, place
from .keeper_files import ChannelPlan

_LINE_BYTES_MAX = 1 << 24
_STDERR_LINES = 20
_END_S = 10.0  # an agent needs 7 at the most


class ChannelFailed(Exception):
    """The agent could not be reached; exit code (None: it still runs) and stderr are those of the channel's command."""

    def __init__(self, channel: str, exit_code: int | None, stderr: str, why: str = "") -> None:
        super().__init__(why or stderr)
        self.fields = {"channel": channel, "exit_code": exit_code, "stderr": stderr, "why": why}


class Channel:
    """Opened, then read until it ends."""

    def __init__(self, plan: ChannelPlan) -> None:
        self.plan = plan
        self.tunnel_failed = False
        self._process: asyncio.subprocess.Process | None = None
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._stderr_task: asyncio.Task[None] | None = None

    async def open(self, timeout_s: float, job_id: str) -> None:
        """Returns once the agent knows what to start.  Raises: ChannelFailed."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._spawn()
                hello = await self._hello()
                addresses = await self._addresses(hello)
        except TimeoutError:
            raise ChannelFailed(self.plan.name, None, self.stderr, f"no answer within {timeout_s:g} s") from None
        start = dict(self.plan.start)
        more = {"LINDEN_CONNECTION": ",".join(addresses), "LINDEN_JOB_ID": job_id}
        start["environment"] = {**start["environment"], **more}
        self.say({"do": "start", "members": self.plan.members, **start})

    async def _spawn(self) -> None:
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.plan.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_LINE_BYTES_MAX,
                start_new_session=True,
            )
        except OSError as error:
            raise ChannelFailed(
                self.plan.name, None, "", f"cannot start {self.plan.argv[0]}: {error.strerror}"
            ) from error
        self._stderr_task = asyncio.create_task(self._read_stderr())

    async def _read_stderr(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            text = line.decode(errors="replace").rstrip()
            self._stderr.append(text)
            print(f"{self.plan.name}: {text}", file=sys.stderr, flush=True)

    @property
    def stderr(self) -> str:
        """The last lines."""
        return "\n".join(self._stderr)

    async def _hello(self) -> dict[str, Any]:
        """The agent's first word; what the shell there says before (a banner in .bashrc) is skipped."""
        while (word := await self.next_word()) is not None:
            if "agent" in word:
                if word["agent"] != PROTOCOL:
                    why = f"linden {word.get('linden')} is installed there, which speaks protocol {word['agent']}; {PROTOCOL} is wanted"
                    raise ChannelFailed(self.plan.name, None, self.stderr, why)
                return word
        raise ChannelFailed(self.plan.name, await self._exit_code(), self.stderr)

    async def _addresses(self, hello: dict[str, Any]) -> list[str]:
        """By which engines there are to reach the server, best first.

        Raises: ChannelFailed: by none.
        """
        plan = self.plan
        if hello.get("place") == place():
            return plan.addresses
        if plan.tunnel is not None:
            self.say({"do": "tunnel", "path": plan.tunnel})
            while (word := await self.next_word()) is not None and "tunnel" not in word:
                pass
            if word is not None and word["open"]:
                return [*plan.addresses_elsewhere, f"unix:{plan.tunnel}"]
            self.tunnel_failed = True
        if not plan.addresses_elsewhere:
            why = (
                "the tunnel was refused (AllowTcpForwarding, AllowStreamLocalForwarding in its sshd_config)"
                if plan.tunnel
                else "without a tunnel (tunnel='never')"
            )
            raise ChannelFailed(
                plan.name,
                None,
                self.stderr,
                f"engines there cannot reach the server at {', '.join(plan.addresses)}: {why}",
            )
        return plan.addresses_elsewhere

    def say(self, word: dict[str, Any]) -> None:
        """A word to the agent; lost if the channel is broken, which the reader notices."""
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, RuntimeError):
            self._process.stdin.write(json.dumps(word).encode() + b"\n")

    async def next_word(self) -> dict[str, Any] | None:
        """From the agent; None at the end of the channel."""
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            with contextlib.suppress(ValueError):
                word = json.loads(line)
                if isinstance(word, dict):
                    return word
        return None

    async def read(self, on_word: Callable[[dict[str, Any]], None], silence_s: float) -> int:
        """Reads to the end of the channel; the exit code of its command.

        Raises: ChannelFailed: there was no word for so long, and its command was killed; an agent that can be reached has beats.
        """
        assert self._process is not None
        try:
            while True:
                async with asyncio.timeout(silence_s):
                    word = await self.next_word()
                if word is None:
                    return await self._exit_code()
                on_word(word)
        except TimeoutError:
            self._process.kill()
            await self._exit_code()
            raise ChannelFailed(self.plan.name, None, self.stderr, f"no word for {silence_s:g} s") from None

    def close(self) -> None:
        """Ends the agent, and with it whatever it runs."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def wait_closed(self) -> None:
        """Closes it and waits for its end, with force if need be."""
        if self._process is None:
            return
        self.close()
        await self._exit_code()

    async def _exit_code(self) -> int:
        assert self._process is not None
        try:
            async with asyncio.timeout(_END_S):
                code = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            code = await self._process.wait()
        if self._stderr_task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stderr_task, 1.0)
        return code
