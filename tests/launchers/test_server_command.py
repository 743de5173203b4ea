"""The command line of a server, and where its program is looked for."""

from pathlib import Path

import pytest
from linden_launchers.launcher import LaunchError
from linden_launchers.server_command import ServerOptions, find_program, server_argv

OPTIONS = ServerOptions(program="/bin/space-server", directory=Path("/d"), unix_path=Path("/d/s"))


def test_argv_of_the_simplest_server() -> None:
    assert server_argv(OPTIONS) == [
        *["/bin/space-server", "--directory", "/d", "--unix", "/d/s", "--durability", "process"],
    ]


def test_argv_with_all_there_is() -> None:
    options = ServerOptions("s", Path("/d"), Path("/u"), tcp="127.0.0.1:0", durability="sync", parent_pid=5)
    argv = server_argv(options, ready_fd=9)
    assert argv[5:] == ["--tcp", "127.0.0.1:0", "--durability", "sync", "--parent-pid", "5", "--ready-fd", "9"]


def test_a_restart_keeps_the_port_that_the_kernel_chose() -> None:
    assert "127.0.0.1:4711" in server_argv(OPTIONS.with_tcp("127.0.0.1:4711"))


def test_linden_bin_is_looked_into_first(tmp_path: Path) -> None:
    program = tmp_path / "space-server"
    program.touch(mode=0o755)
    assert find_program("space-server", {"LINDEN_BIN": str(tmp_path), "PATH": ""}) == str(program)


def test_a_program_that_is_nowhere_is_named_with_the_remedy() -> None:
    with pytest.raises(LaunchError, match=r"space-nothing was not found .* LINDEN_BIN"):
        find_program("space-nothing", {"PATH": "/nowhere"})
