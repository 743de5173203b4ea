"""A server of which several addresses are known: the first that answers is taken, and each that fails is named with its reason."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from linden import reaching
from linden.connection_file import (
    ConnectionInfo,
    addresses_in,
    find_connection,
    read_connection_file,
    write_connection_file,
)
from linden.errors import LindenError, Unreachable
from linden.reaching import connect_to_any, host_and_port, probe

SOCKET = "unix:/nowhere/s"


@pytest.fixture
def listening() -> Iterator[str]:
    """An address at which something listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp:127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """An address at which nothing listens, while this test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"tcp:127.0.0.1:{bound.getsockname()[1]}"


def connecting(refused: tuple[str, ...] = ()) -> Callable[[str, float], str]:
    def connect(address: str, timeout: float) -> str:
        assert timeout > 0
        if address in refused:
            raise LindenError("it speaks another protocol")
        return f"session at {address}"

    return connect


def test_a_single_address_is_left_to_the_one_who_connects() -> None:
    assert connect_to_any([SOCKET], connecting(), 5.0) == (f"session at {SOCKET}", SOCKET)
    with pytest.raises(LindenError, match="another protocol"):
        connect_to_any([SOCKET], connecting((SOCKET,)), 5.0)


def test_the_first_address_that_answers_is_taken(silent: str, listening: str) -> None:
    assert connect_to_any([silent, listening], connecting(), 10.0) == (f"session at {listening}", listening)


def test_an_address_that_says_nothing_keeps_nobody_waiting(listening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one behind a firewall that drops packets, or a name that no server knows: it gets no turn before the one that answers."""
    silence = threading.Event()
    ask = reaching._why_not

    def why_not(address: str, timeout: float) -> str | None:
        if address == "tcp:silent:1":
            assert silence.wait(60)
        return ask(address, timeout)

    monkeypatch.setattr(reaching, "_why_not", why_not)
    connected = []
    try:
        connected.append(connect_to_any(["tcp:silent:1", listening], connecting(), 10.0)[1])
        assert not silence.is_set()
        monkeypatch.setattr(reaching, "_LOOK_UP_S", 0.0)
        reasons = probe(["tcp:silent:1", listening], 0.01)
    finally:
        silence.set()
    assert connected == [listening]
    assert "no answer within 0.01 s" in str(reasons["tcp:silent:1"])


def test_a_stranger_who_listens_at_one_of_the_addresses_is_passed_over(listening: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        second = f"tcp:127.0.0.1:{other.getsockname()[1]}"
        assert connect_to_any([listening, second], connecting((listening,)), 10.0)[1] == second


def test_if_none_answers_the_error_names_each_with_its_reason(silent: str) -> None:
    addresses = [silent, "tcp:no-such-host.invalid:1", "tcp:127.0.0.1:none"]
    with pytest.raises(Unreachable) as raised:
        connect_to_any(addresses, connecting(), 0.3)
    text = str(raised.value)
    assert f"none of the server's 3 addresses can be reached from {os.uname().nodename}" in text
    assert f"{silent}: connection refused" in text
    assert "tcp:no-such-host.invalid:1: no host of this name is known here" in text
    assert "tcp:127.0.0.1:none: 'tcp:127.0.0.1:none' is no address such as tcp:host:port" in text


def test_probing_a_unix_socket(scratch: Path, listening: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(scratch / "s"))
        server.listen()
        reasons = probe([f"unix:{scratch}/s", f"unix:{scratch}/gone", listening])
    assert reasons == {f"unix:{scratch}/s": None, f"unix:{scratch}/gone": "no such file or directory", listening: None}


@pytest.mark.parametrize(
    ("address", "expected"), [("tcp:a:1", ("a", 1)), ("a.b:65535", ("a.b", 65535)), ("tcp:[::1]:7", ("::1", 7))]
)
def test_host_and_port(address: str, expected: tuple[str, int]) -> None:
    assert host_and_port(address) == expected


@pytest.mark.parametrize("address", ["tcp:a", "tcp::1", "tcp:a:0", "tcp:a:65536", "tcp:a:b"])
def test_what_is_no_host_and_port(address: str) -> None:
    with pytest.raises(ValueError, match="no address such as"):
        host_and_port(address)


# ---- what a connection file says


def test_on_the_servers_host_only_the_unix_socket_is_tried(scratch: Path) -> None:
    (scratch / "s").touch()
    info = ConnectionInfo(f"unix:{scratch}/s", host=os.uname().nodename, addresses=("tcp:a:1",))
    assert info.candidates() == [f"unix:{scratch}/s"]


def test_a_socket_that_a_shared_home_directory_shows_is_not_that_of_this_host(scratch: Path) -> None:
    (scratch / "s").touch()
    info = ConnectionInfo(f"unix:{scratch}/s", host="elsewhere", addresses=("tcp:a:1", "tcp:b:1"))
    assert info.candidates() == ["tcp:a:1", "tcp:b:1"]


def test_without_other_addresses_the_one_there_is_is_tried() -> None:
    assert ConnectionInfo(SOCKET, host="elsewhere").candidates() == [SOCKET]
    assert ConnectionInfo(SOCKET, tcp="tcp:a:1").candidates() == ["tcp:a:1"]
    assert ConnectionInfo("tcp:a:1", addresses=("tcp:b:1", "tcp:a:1")).candidates() == ["tcp:a:1", "tcp:b:1"]


def test_a_connection_file_keeps_all_addresses(tmp_path: Path) -> None:
    info = ConnectionInfo(SOCKET, tcp="tcp:a:1", host="h", addresses=("tcp:a:1", "tcp:b:1"))
    write_connection_file(tmp_path / "c.json", info)
    assert read_connection_file(tmp_path / "c.json") == info
    with pytest.raises(ValueError, match="has as addresses 'tcp:a:1', not a list"):
        find_connection({"address": SOCKET, "addresses": "tcp:a:1"})


def test_a_list_of_addresses_stands_for_a_connection_file(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ["tcp:a:1", "tcp:b:2"]
    assert find_connection("tcp:a:1,tcp:b:2").candidates() == expected
    monkeypatch.setenv("LINDEN_CONNECTION", "tcp:a:1,tcp:b:2")
    assert find_connection().candidates() == expected
    assert find_connection("unix:/a,b/s,tcp:a:1").candidates() == ["unix:/a,b/s", "tcp:a:1"]
    assert addresses_in("unix:/a,b/s") == ["unix:/a,b/s"]
    assert addresses_in("/a/connection.json") is None
    with pytest.raises(ValueError, match="'b:2' in 'tcp:a:1,b:2' is no address"):
        find_connection("tcp:a:1,b:2")
