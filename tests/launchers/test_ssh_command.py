"""What is said to ssh, and what its words mean."""

import shlex
import subprocess
from pathlib import Path

import pytest
from linden_launchers.launcher import LaunchError
from linden_launchers.systems.ssh_command import (
    SshOptions,
    explain,
    parse_hosts,
    reachable_elsewhere,
    ssh_argv,
    tunnel_target,
)


@pytest.mark.parametrize(
    ("hosts", "n", "counts"),
    [
        ("node1:4,node2:2", 6, {"node1": 4, "node2": 2}),
        ("node1, node2", 5, {"node1": 3, "node2": 2}),
        (["node1", "me@node2.example.org:3"], 5, {"node1": 2, "me@node2.example.org": 3}),
        ({"node1": 4, "node2": 0}, 4, {"node1": 4, "node2": 0}),
        (["node1", "node2", "node3"], 2, {"node1": 1, "node2": 1, "node3": 0}),
        (["fe80::1"], 1, {"fe80::1": 1}),
    ],
)
def test_hosts_share_the_engines(hosts: object, n: int, counts: dict[str, int]) -> None:
    assert parse_hosts(hosts, n) == counts  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hosts", "n", "words"),
    [
        ("", 2, "no hosts"),
        ("node1:4", 3, "n is 3"),
        ("node1:1,node2:1", 3, "n is 3"),
        ("node1,node1", 2, "named twice"),
        (["-oProxyCommand=evil"], 1, "is no name of a host"),
        (["node1;rm"], 1, "is no name of a host"),
        ({"node1": -1}, 1, "0 or more"),
        ({"node1": True}, 1, "0 or more"),
    ],
)
def test_hosts_that_cannot_be_are_refused(hosts: object, n: int, words: str) -> None:
    with pytest.raises(LaunchError, match=words):
        parse_hosts(hosts, n)  # type: ignore[arg-type]


def test_the_users_options_come_first_and_no_question_is_ever_asked() -> None:
    options = SshOptions(ssh="ssh -F 'my config'", ssh_options=("Port=2222",), python="/opt/py/bin/python")
    argv = ssh_argv(options, "node1", tunnel=("/tmp/x.sock", "/run/space.sock"))
    assert argv[:3] == ["ssh", "-F", "my config"]
    assert argv.index("Port=2222") < argv.index("BatchMode=yes")
    assert "ControlMaster=no" in argv
    assert argv[argv.index("-R") + 1] == "/tmp/x.sock:/run/space.sock"
    assert argv[-3:-1] == ["--", "node1"]


def test_the_remote_command_survives_any_shell_and_removes_the_tunnels_socket() -> None:
    options = SshOptions(python="/opt/my python", python_path=("/a", "/b c"))
    command = ssh_argv(options, "node1", tunnel=("/tmp/x.sock", "/s"))[-1]
    shell, dash_c, script = shlex.split(command)[1:]
    assert (shell, dash_c) == ("sh", "-c")
    assert "python='/opt/my python'" in script
    assert "PYTHONPATH='/a:/b c'" in script
    assert script.index("linden_launchers.agent") < script.index("rm -f /tmp/x.sock")


def test_without_a_python_the_one_at_our_path_is_tried_first(scratch: Path) -> None:
    """The command really runs here, in sh, with a program that tells what it was given."""
    for name in ("ours", "python3"):
        (scratch / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (scratch / name).chmod(0o755)
    for likely, runs in ((scratch / "ours", "ours"), (scratch / "not there", "python3")):
        command = ssh_argv(SshOptions(likely_python=str(likely)), "node1")[-1]
        environment = {"PATH": f"{scratch}:/usr/bin:/bin"}
        ran = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True)
        assert ran.stdout == f"{runs} -m linden_launchers.agent\n"


def test_only_addresses_that_mean_the_same_elsewhere_are_used_elsewhere() -> None:
    addresses = ["unix:/run/s", "tcp:127.0.0.1:4000", "tcp:localhost:4000", "tcp:[::1]:4000", "tcp:10.1.0.1:4000"]
    assert reachable_elsewhere(addresses) == ["tcp:10.1.0.1:4000"]
    assert tunnel_target(addresses) == "/run/s"
    assert tunnel_target(addresses[1:]) == "127.0.0.1:4000"
    assert tunnel_target([]) is None


@pytest.mark.parametrize(
    ("code", "said", "remedy"),
    [
        (255, "Host key verification failed.", "log in once by hand"),
        (255, "me@node1: Permission denied (publickey).", "ssh-copy-id"),
        (255, "ssh: Could not resolve hostname node1: Name or service not known", "HostName"),
        (255, "ssh: connect to host node1 port 22: Connection refused", "is sshd running"),
        (1, "/usr/bin/python3: No module named linden_launchers", "install linden"),
        (127, "sh: 1: python4: not found", "name the Python"),
        (1, "something else", "try it by hand: ssh node1"),
    ],
)
def test_what_ssh_says_comes_with_a_remedy(code: int, said: str, remedy: str) -> None:
    text = explain("node1", SshOptions(), code, f"a banner\n{said}\n")
    assert said in text
    assert remedy in text
