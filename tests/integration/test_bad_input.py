"""Bad input at the level of processes: each has a clear message, within seconds, and the server keeps serving everybody else."""

import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import linden
import pytest
from linden_launchers.launcher import LaunchError
from linden_launchers.local import LocalServer
from linden_launchers.server_command import ServerOptions, find_program

Serve = Callable[..., Any]


# ---- Addresses, directories and ports


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp:no-such-host.invalid:4711", "no-such-host.invalid"),
        ("tcp:127.0.0.1:1", "127.0.0.1:1"),
        ("unix:/nowhere/at/all.sock", "/nowhere/at/all.sock"),
    ],
)
def test_nobody_at_that_address(address: str, words: str) -> None:
    started = time.monotonic()
    with pytest.raises(linden.error.Unreachable, match=words):
        linden.Client(address, timeout=1)
    assert time.monotonic() - started < 5


def test_no_connection_file_says_what_to_start() -> None:
    with pytest.raises(TimeoutError, match="space-cluster start"):
        linden.Client(timeout=0.1)


def test_a_server_that_died_before_is_reported_within_seconds(serve: Serve, scratch: Path) -> None:
    server, _ = serve()
    server.child.signal(signal.SIGKILL)
    server.child.wait_ended()
    assert (scratch / "s").exists()  # nobody removed the socket
    started = time.monotonic()
    with pytest.raises(linden.error.Unreachable, match="/s"):
        linden.Client(f"unix:{scratch / 's'}", timeout=1)
    assert time.monotonic() - started < 5


def test_a_server_that_dies_is_reported_to_a_waiting_client(serve: Serve, scratch: Path) -> None:
    server, _ = serve()
    client = linden.connect(f"unix:{scratch / 's'}", reconnect=0.5)
    space = client.space("demo")
    waiting = space.take_async(("never",))
    server.child.signal(signal.SIGKILL)
    started = time.monotonic()
    with pytest.raises(linden.error.ConnectionLost):
        waiting.result(timeout=10)
    assert time.monotonic() - started < 5
    client.close()


def start_expecting_failure(scratch: Path, **options: Any) -> str:
    defaults = {"directory": scratch / "data2", "unix_path": scratch / "s2"}
    server = LocalServer(
        ServerOptions(find_program("space-server"), **{**defaults, **options}), scratch / "server2.log"
    )
    server.start()
    with pytest.raises(LaunchError) as caught:
        server.wait_ready(20)
    return str(caught.value)


def test_a_directory_that_is_a_file(scratch: Path) -> None:
    (scratch / "file").touch()
    assert str(scratch / "file") in start_expecting_failure(scratch, directory=scratch / "file")


def test_a_directory_that_is_somebody_elses(scratch: Path) -> None:
    (scratch / "data2").mkdir()
    (scratch / "data2" / "holiday.jpg").write_text("not ours")
    message = start_expecting_failure(scratch)
    assert str(scratch / "data2") in message
    assert (scratch / "data2" / "holiday.jpg").read_text() == "not ours"


def test_a_port_that_is_in_use(serve: Serve, scratch: Path) -> None:
    _, ready = serve()
    assert ready.tcp in start_expecting_failure(scratch, tcp=ready.tcp)


def test_a_second_server_on_the_same_directory(serve: Serve, scratch: Path) -> None:
    server, _ = serve()
    message = start_expecting_failure(scratch, directory=scratch / "data")
    assert str(scratch / "data") in message
    assert not server.child.has_ended()


def test_a_second_server_on_the_same_socket(serve: Serve, scratch: Path) -> None:
    serve()
    message = start_expecting_failure(scratch, unix_path=scratch / "s")
    assert str(scratch / "s") in message
    linden.connect(f"unix:{scratch / 's'}").close()


def test_an_unknown_option_is_named() -> None:
    done = subprocess.run(
        [find_program("space-server"), "--colour", "blue"], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode != 0
    assert "--colour" in done.stderr + done.stdout


# ---- Bytes on the socket


@pytest.fixture
def busy(serve: Serve, scratch: Path) -> Iterator[Callable[[], None]]:
    """Checks that a client that was there before is served still, and that a new one is."""
    serve()
    address = f"unix:{scratch / 's'}"
    before = linden.connect(address)
    space = before.space("demo")

    def check() -> None:
        space.put(("ping", 1))
        assert space.take(("ping", int), timeout=5) == ("ping", 1)
        after = linden.connect(address)
        assert after.space("demo").try_take(("ping", int)) is None
        after.close()

    yield check
    before.close()


def talk(path: Path, data: bytes) -> bytes:
    """What the server says to these bytes until it closes the connection."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        said = b""
        try:
            connection.sendall(data)
            while part := connection.recv(65536):
                said += part
        except (BrokenPipeError, ConnectionResetError):
            pass
        return said


def frame(message: bytes) -> bytes:
    return struct.pack("<III", 8 + len(message), len(message), 0) + message


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def hello(protocol: int) -> bytes:
    """A ClientMessage with a Hello; fields 1 to 3 of api/wire/proto/linden/wire/v1/message.proto."""
    body = b"\x08" + varint(protocol) + b"\x11" + os.urandom(8) + b"\x19" + os.urandom(8)
    return frame(b"\x0a" + varint(len(body)) + body)


def test_a_client_of_another_protocol_version(busy: Callable[[], None], scratch: Path) -> None:
    said = talk(scratch / "s", hello(protocol=999))
    assert b"999" in said
    busy()


# P38
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(struct.pack("<III", 3 << 30, 16, 0) + b"x" * 100, id="a frame of 3 GiB"),
        pytest.param(
            struct.pack("<III", 100, 3 << 30, 0) + b"x" * 100, id="a message of 3 GiB in a frame of 100 bytes"
        ),
        pytest.param(struct.pack("<III", 60000, 8, 0xFFFFFFFF) + b"x" * 100, id="four billion attachments"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", id="a web browser"),
        pytest.param(bytes(range(256)) * 300, id="every byte"),
        pytest.param(frame(b""), id="an empty message"),
        pytest.param(frame(b"\x2a\x00"), id="goodbye before hello"),
        pytest.param(frame(b"\x12\x02\x08\x01"), id="a request before hello"),
    ],
)
def test_garbage_closes_its_own_connection_and_no_other(busy: Callable[[], None], scratch: Path, data: bytes) -> None:
    started = time.monotonic()
    talk(scratch / "s", data)
    assert time.monotonic() - started < 5
    busy()


# P38
def test_garbage_after_hello(busy: Callable[[], None], scratch: Path) -> None:
    protocol = linden._native.PROTOCOL_VERSION
    for junk in (frame(b"\xff" * 50), struct.pack("<III", 3 << 30, 16, 0), b"\x00" * 64):
        talk(scratch / "s", hello(protocol) + junk)
        busy()


# P38
def test_random_bytes_again_and_again(busy: Callable[[], None], scratch: Path) -> None:
    for _ in range(50):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(scratch / "s"))
            connection.sendall(os.urandom(200))
    busy()


# A header of 3 GiB must be refused on its first bytes, before memory is taken (P38).
def test_a_large_header_takes_no_memory(serve: Serve, scratch: Path) -> None:
    server, _ = serve()
    status = Path(f"/proc/{server.child.pid}/status")

    def resident_kib() -> int:
        return int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])

    before = resident_kib()
    for _ in range(5):
        talk(scratch / "s", struct.pack("<III", (1 << 30) - 1, 16, 0) + b"x" * 100)
    assert resident_kib() - before < 50_000


# The other way round: what answers is no Linden server.
def test_a_server_that_speaks_something_else(scratch: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(scratch / "other"))
    listener.listen()
    pid = os.fork()
    if pid == 0:
        try:
            while True:
                connection, _ = listener.accept()
                connection.sendall(b"-ERR unknown command\r\n" * 10)
                connection.close()
        finally:
            os._exit(0)
    try:
        started = time.monotonic()
        with pytest.raises(linden.error.LindenError):
            linden.Client(f"unix:{scratch / 'other'}", timeout=2)
        assert time.monotonic() - started < 8
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        listener.close()


# ---- Arguments and tasks


def test_an_int_beyond_64_bits_is_refused_before_it_is_sent(serve: Serve, scratch: Path) -> None:
    serve()
    client = linden.connect(f"unix:{scratch / 's'}")
    space = client.space("demo")
    with pytest.raises((OverflowError, ValueError, TypeError), match="64 bits"):
        space.put(("number", 1 << 64))
    space.put(("number", (1 << 63) - 1))
    assert space.take(("number", int), timeout=5) == ("number", (1 << 63) - 1)
    client.close()


def test_an_argument_that_cannot_be_pickled_is_named(farm: Callable[..., Any]) -> None:
    _, rc = farm(1)
    with pytest.raises(Exception, match=r"(?i)pickle|serial"):
        rc[0].apply_sync(len, (item for item in range(3)))
    assert rc[0].apply_sync(lambda: 1) == 1


def test_a_task_that_raises_brings_its_own_type_and_traceback(farm: Callable[..., Any]) -> None:
    _, rc = farm(1)

    def fail() -> None:
        raise ValueError("wrong number")

    with pytest.raises(ValueError, match="wrong number") as caught:
        rc[0].apply_sync(fail)
    assert isinstance(caught.value, linden.error.RemoteError)
    assert "in fail" in caught.value.traceback
    assert rc[0].apply_sync(lambda: 1) == 1


def test_a_result_that_cannot_be_pickled_is_an_error_of_its_task(farm: Callable[..., Any]) -> None:
    _, rc = farm(1)
    with pytest.raises(linden.error.RemoteError, match=r"(?i)pickle"):
        rc[0].apply_sync(lambda: (item for item in range(3)))
    assert rc[0].apply_sync(lambda: 1) == 1


BLOCKED = """
import sys, linden
rc = linden.Client(sys.argv[1])
result = rc[0].apply_async(__import__("time").sleep, 3)
print("blocked", flush=True)
try:
    result.get()
except KeyboardInterrupt:
    print("interrupted", flush=True)
rc[0].block = False
print(len(rc.ids), flush=True)
"""


# Ctrl-C ends the wait, not the client and not the task.
def test_ctrl_c_in_a_blocked_get(farm: Callable[..., Any], run_script: Callable[..., subprocess.Popen[str]]) -> None:
    cluster, rc = farm(1)
    script = run_script(BLOCKED, str(cluster.connection_file))
    assert script.stdout is not None
    assert script.stdout.readline() == "blocked\n"
    time.sleep(0.2)  # into the wait itself
    started = time.monotonic()
    script.send_signal(signal.SIGINT)
    assert script.stdout.readline() == "interrupted\n"
    assert time.monotonic() - started < 1
    assert script.stdout.readline() == "1\n"
    assert script.wait(timeout=10) == 0
    assert len(rc.ids) == 1


def test_ctrl_c_in_a_blocked_take(
    serve: Serve, scratch: Path, run_script: Callable[..., subprocess.Popen[str]]
) -> None:
    serve()
    script = run_script(
        "import sys, linden\nspace = linden.connect(sys.argv[1]).space('demo')\nprint('blocked', flush=True)\n"
        "try:\n    space.take(('never',))\nexcept KeyboardInterrupt:\n    space.put(('after', 1))\n    print('interrupted', flush=True)\n",
        f"unix:{scratch / 's'}",
    )
    assert script.stdout is not None
    assert script.stdout.readline() == "blocked\n"
    time.sleep(0.2)
    script.send_signal(signal.SIGINT)
    assert script.stdout.readline() == "interrupted\n"
    assert script.wait(timeout=10) == 0
