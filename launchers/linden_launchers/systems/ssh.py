"""SshLauncher: engines on hosts that ssh reaches; one ssh and one agent for each host."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..engine_set import EngineSet
from ..keeper_files import ChannelPlan, KeeperPlan
from ..kept import KeptLauncher, addresses_of, engine_words, identity
from ..launcher import LaunchError
from .ssh_command import (
    SshOptions,
    explain,
    parse_hosts,
    reachable_elsewhere,
    ssh_argv,
    tunnel_target,
)

TUNNELS = ("auto", "always", "never")
_HOLD_S = 5.0  # a network may hang for a moment (EngineSet.hold_s)
_AGENT_S = 20.0  # within which Python there has started


class SshLauncher(KeptLauncher):
    """Engines end when their ssh does, so when it is killed, or this machine is gone.

    Args:
        hosts: names, aliases of ssh_config or user@host, with or without a number of engines: "node1:4,node2:4",
            ["node1", "node2"], {"node1": 4, "node2": 2}.  Those without a number share the rest.
        ssh: the command, with options if need be: "ssh -F my_config".
        ssh_options: what ssh takes after -o, such as ["Port=2222"].
        python: the Python of the hosts, with linden installed; None is the one at the same path as that of the engine set (which is
            this one, unless it was given), or "python3" where there is none.
        python_path: folders there that come first in its search path.
        directory: the working directory there; None is that of the engine set, else that in which ssh begins (home).
        tunnel: "auto": engines that cannot reach the server otherwise do so by a tunnel back through ssh; "always" by it alone;
            "never" without.
        connect_timeout: seconds.
    """

    name = "ssh"

    def __init__(
        self,
        hosts: str | Sequence[str] | Mapping[str, int] = (),
        *,
        ssh: str = "ssh",
        ssh_options: Sequence[str] = (),
        python: str | None = None,
        python_path: Sequence[str] = (),
        directory: str | None = None,
        tunnel: str = "auto",
        connect_timeout: int = 10,
    ) -> None:
        if tunnel not in TUNNELS:
            raise LaunchError(f"tunnel is {tunnel!r}; one of {', '.join(TUNNELS)} is wanted")
        if isinstance(ssh_options, str) or isinstance(python_path, str):
            raise LaunchError("ssh_options and python_path are lists of texts, not one text")
        super().__init__(
            {
                "hosts": dict(hosts)
                if isinstance(hosts, Mapping)
                else hosts
                if isinstance(hosts, str)
                else list(hosts),
                "ssh": ssh,
                "ssh_options": list(ssh_options),
                "python": python,
                "python_path": list(python_path),
                "directory": directory,
                "tunnel": tunnel,
                "connect_timeout": connect_timeout,
            }
        )
        self._hosts, self._tunnel, self._directory = hosts, tunnel, directory
        self._ssh = SshOptions(
            ssh, tuple(ssh_options), python, python_path=tuple(python_path), connect_timeout_s=connect_timeout
        )

    def plan(self, engine_set: EngineSet) -> KeeperPlan:
        """One channel for each host."""
        counts = parse_hosts(self._hosts, engine_set.n)
        ssh = self._ssh_for(engine_set)
        addresses = addresses_of(engine_set)
        target = None if self._tunnel == "never" else tunnel_target(addresses)
        if target is None and self._tunnel == "always":
            raise LaunchError(
                f"a tunnel needs an address of the server to lead to, and there is {engine_set.address!r}"
            )
        there = replace(engine_set, python="{python}", hold_s=max(engine_set.hold_s, _HOLD_S))
        start = {
            "argv": [*engine_words(there), "--parent-pid", "{agent}"],
            "environment": {**engine_set.environment, **identity(engine_set), "LINDEN_ARRAY_INDEX": "{member}"},
            "directory": self._directory or (str(engine_set.directory) if engine_set.directory else None),
            "python_path": list(ssh.python_path),
        }
        channels, first = [], 0
        for host, count in counts.items():
            if not count:
                continue
            # A name that nobody can guess: sshd makes the socket, for this user only, before there is an agent.
            socket = f"/tmp/linden-{secrets.token_hex(12)}.sock" if target else None
            channels.append(
                ChannelPlan(
                    name=host,
                    argv=ssh_argv(ssh, host, tunnel=(socket, target) if socket and target else None),
                    members=list(range(first, first + count)),
                    start=start,
                    addresses=addresses,
                    addresses_elsewhere=[] if self._tunnel == "always" else reachable_elsewhere(addresses),
                    tunnel=socket,
                )
            )
            first += count
        return KeeperPlan(
            engine_set=engine_set.name,
            log_directory=str(engine_set.log_directory),
            logs=[str(engine_set.log_of(index)) for index in range(engine_set.n)],
            channels=channels,
            timeout_s=self._ssh.connect_timeout_s + _AGENT_S,
            parent_pid=engine_set.parent_pid,
        )

    def _ssh_for(self, engine_set: EngineSet) -> SshOptions:
        """The agent is found where the engines are."""
        path = (*self._ssh.python_path, *engine_set.python_path)
        return replace(self._ssh, likely_python=engine_set.python, python_path=path)

    def explain(self, failure: Mapping[str, Any]) -> str:
        """In ssh's words, with a remedy."""
        host = failure["channel"]
        if failure["why"]:
            said = f"\n{failure['stderr']}" if failure["stderr"] else ""
            return f"cannot start engines on {host}: {failure['why']}{said}"
        return explain(host, self._ssh, failure["exit_code"], failure["stderr"])
