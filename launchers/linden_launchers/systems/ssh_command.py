"""What the ssh launcher says to ssh, and what ssh's words mean.  Pure: text in, text out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..launcher import LaunchError

# A host name, an address or an alias of ssh_config, with or without user@; never something that ssh would take for an option.
_HOST = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.:@%\[\]-]*")

# ssh itself ends with code 255, and with that of the remote command otherwise.
_SSH_FAILED = 255
_OF_SSH = [
    ("Host key verification failed", "log in once by hand ({login}) and check the key, or add it to known_hosts"),
    ("Permission denied", "it has to let you in without a question (ssh-copy-id, ssh-agent); try {login}"),
    ("Could not resolve hostname", "correct the name, or give it a HostName in ssh_config"),
    ("Connection refused", "is sshd running there, and on this port? Port in ssh_config"),
    (
        "Connection timed out",
        "is the machine up, and no firewall in between? ProxyJump in ssh_config leads through a gateway",
    ),
    (
        "No route to host",
        "is the machine up, and no firewall in between? ProxyJump in ssh_config leads through a gateway",
    ),
]
_OF_PYTHON = [
    ("No module named", "install linden for that Python, or name another: python=..., python_path=..."),
    ("not found", "name the Python of that machine: python='/path/to/python'"),
    ("No such file or directory", "name the Python of that machine: python='/path/to/python'"),
]


@dataclass(frozen=True)
class SshOptions:
    """How to get to the hosts, and what is there."""

    ssh: str = "ssh"  # the command, with options if need be: "ssh -F my_config"
    ssh_options: tuple[str, ...] = ()  # values of -o: "Port=2222"
    python: str | None = None  # on the hosts
    likely_python: str = "python3"  # if python is None: this one, or python3 where it is not there
    python_path: tuple[str, ...] = ()  # on the hosts, for an agent and engines that are not installed
    connect_timeout_s: int = 10


def parse_hosts(hosts: str | Sequence[str] | Mapping[str, int], n: int) -> dict[str, int]:
    """How many engines each host has, in order: {"node1": 4}, ["node1", "node2"] or "node1:4,node2:4".

    Hosts without a count share what is left of *n* evenly; with counts only, these count and must sum up to *n*.
    Raises: LaunchError.
    """
    if isinstance(hosts, str):
        hosts = [part.strip() for part in hosts.split(",") if part.strip()]
    if isinstance(hosts, Mapping):
        counts: dict[str, int | None] = dict(hosts)
    else:
        counts = {}
        for word in hosts:
            name, count = _name_and_count(word)
            if name in counts:
                raise LaunchError(f"host {name!r} is named twice; give it one count, such as {name}:8")
            counts[name] = count
    if not counts:
        raise LaunchError("no hosts are given; hosts='node1:4,node2:4' or the like is wanted")
    for name, count in counts.items():
        if not _HOST.fullmatch(name):
            raise LaunchError(f"host {name!r} is no name of a host such as node1 or me@node1.example.org")
        if count is not None and (type(count) is not int or count < 0):
            raise LaunchError(f"host {name!r} is to have {count!r} engines; a number, 0 or more, is wanted")
    return _share_out(counts, n)


def _name_and_count(word: str) -> tuple[str, int | None]:
    name, colon, count = word.rpartition(":")
    return (name, int(count)) if colon and count.isdigit() and ":" not in name else (word, None)


def _share_out(counts: Mapping[str, int | None], n: int) -> dict[str, int]:
    fixed = sum(count for count in counts.values() if count is not None)
    open_ = [name for name, count in counts.items() if count is None]
    if fixed > n or (fixed < n and not open_):
        said = ", ".join(f"{name}:{count}" for name, count in counts.items() if count is not None)
        raise LaunchError(
            f"the hosts {said} have {fixed} engines, and n is {n}; make them equal, or leave a count away"
        )
    each, more = divmod(n - fixed, len(open_)) if open_ else (0, 0)
    shares = {name: each + (index < more) for index, name in enumerate(open_)}
    return {name: shares[name] if count is None else count for name, count in counts.items()}


def ssh_argv(options: SshOptions, host: str, *, tunnel: tuple[str, str] | None = None) -> list[str]:
    """The command that runs the agent on *host*; *tunnel*: (socket there, where it leads here).

    The user's ssh_config decides all else.  BatchMode: a question would wait for ever.  ControlMaster=no: a connection that is there
    already (ControlPath) is used, but this one does not become that of others, since it ends with the engines.
    """
    argv = [*shlex.split(options.ssh), "-T"]
    settings = [
        "BatchMode=yes",
        f"ConnectTimeout={options.connect_timeout_s}",
        "ControlMaster=no",
        "ExitOnForwardFailure=no",
    ]
    for setting in [*options.ssh_options, *settings]:  # ssh takes the first of two
        argv += ["-o", setting]
    if tunnel is not None:
        argv += ["-R", f"{tunnel[0]}:{tunnel[1]}"]
    return [*argv, "--", host, agent_command(options, tunnel[0] if tunnel else None)]


def agent_command(options: SshOptions, socket: str | None = None) -> str:
    """What the login shell there runs, whatever shell that is.  sshd makes the tunnel's socket and leaves it, so sh removes it."""
    lines = [f"python={shlex.quote(options.python or options.likely_python)}"]
    if options.python is None:
        lines.append('command -v "$python" >/dev/null || python=python3')
    if options.python_path:
        path = shlex.quote(":".join(options.python_path))
        lines.append(f"export PYTHONPATH={path}${{PYTHONPATH:+:$PYTHONPATH}}")
    lines.append('"$python" -m linden_launchers.agent')
    if socket is not None:
        lines.append(f"code=$?; rm -f {shlex.quote(socket)}; exit $code")
    return "exec sh -c " + shlex.quote("; ".join(lines))


def tunnel_target(addresses: Sequence[str]) -> str | None:
    """Where a tunnel has to lead to on this machine, in the words of ssh -R: the server's Unix socket, else its port."""
    for address in addresses:
        if address.startswith("unix:"):
            return address.removeprefix("unix:")
    return next((address.removeprefix("tcp:") for address in addresses if address.startswith("tcp:")), None)


def reachable_elsewhere(addresses: Sequence[str]) -> list[str]:
    """Those that mean the same on another machine: no Unix sockets, no loopback, where somebody else may listen."""
    return [
        address
        for address in addresses
        if address.startswith("tcp:") and not re.match(r"tcp:(127\.|localhost:|\[?::1\]?:)", address)
    ]


def explain(host: str, options: SshOptions, exit_code: int | None, stderr: str) -> str:
    """What went wrong on the way to *host*, in ssh's words and with a remedy."""
    login = shlex.join([*shlex.split(options.ssh), host])
    words = stderr.strip() or "it said nothing"
    remedies = _OF_SSH if exit_code == _SSH_FAILED else _OF_PYTHON
    found = next((remedy for sign, remedy in remedies if sign in words), None)
    text = f"cannot start engines on {host} (ssh ended with code {exit_code}):\n" + "\n".join(
        f"  {line}" for line in words.splitlines()[-12:]
    )
    return f"{text}\n{found.format(login=login)}" if found else f"{text}\ntry it by hand: {login}"
