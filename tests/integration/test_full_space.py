"""A space or a disk that is full, for a Python program (P33): puts are refused, everything else works."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import linden
import pytest
from linden_launchers.server_command import find_program

Serve = Callable[..., linden.Connection]
BODY = b"x" * 300_000


@pytest.fixture
def serve(scratch: Path) -> Iterator[Serve]:
    """``serve(*options)`` ends the server before it, starts one on the same directory and connects to it."""
    running: list[tuple[linden.Connection, subprocess.Popen[str]]] = []

    def end() -> None:
        while running:
            connection, server = running.pop()
            connection.close()
            server.terminate()
            assert server.wait(20) == 0
            assert server.stdout is not None
            server.stdout.close()

    def start(*options: str) -> linden.Connection:
        end()
        server = subprocess.Popen(
            [
                find_program("space-server"),
                "-d",
                scratch / "data",
                "--unix",
                scratch / "s",
                "--ready-fd",
                "1",
                *options,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert server.stdout is not None
        assert server.stdout.readline()
        running.append((linden.connect(f"unix:{scratch / 's'}"), server))
        return running[-1][0]

    yield start
    end()


def test_p33_a_quota_refuses_puts_and_nothing_else(serve: Serve) -> None:
    space = serve("--space-mebibytes-max", "1").space("jobs")
    for number in range(3):
        space.put(("task", number, BODY))
    with pytest.raises(linden.error.Overloaded, match="--space-mebibytes-max"):
        space.put(("task", 3, BODY))
    with pytest.raises(linden.error.LimitExceeded):
        space.put_many([("task", number, BODY) for number in range(4)])
    assert space.count(("task", int, bytes)) == 3

    with space.reserve(("task", 0, bytes)) as task:
        task.finish([("result", 0, BODY + BODY)])  # comes in although the space is full
    space.reserve(("task", 1, bytes)).release()
    with pytest.raises(linden.error.Overloaded):
        space.put(("task", 3, BODY))
    assert space.take(("result", 0, bytes))[2] == BODY + BODY
    space.put(("task", 3, BODY))


def test_p33_a_low_disk_refuses_puts_and_nothing_else(serve: Serve) -> None:
    serve().space("jobs").put_many([("task", number) for number in range(3)])
    space = serve("--disk-reserve-mebibytes", str(1 << 30)).space("jobs")
    with pytest.raises(linden.error.Overloaded, match="nearly full"):
        space.put(("task", 3))
    with space.reserve(("task", 0)) as task:
        task.finish([("result", 0)])
    assert space.take(("result", 0)) == ("result", 0)
    space.reserve(("task", 1)).release()
    assert space.take(("task", int)) == ("task", 1)


# F5
@pytest.mark.parametrize("megabytes", [3, 12])
def test_f5_a_full_space_loses_no_output_or_says_so(serve: Serve, scratch: Path, megabytes: int) -> None:
    """What it refuses goes with the result, up to a bound; what is beyond that is told of in its place."""
    serve("--space-mebibytes-max", "1")
    address = f"unix:{scratch / 's'}"
    engine = subprocess.Popen([sys.executable, "-m", "linden_engine", "--connection", address, "--quiet"])
    try:
        with linden.Client(address) as rc:
            rc.wait_for_engines(1, timeout=20)

            def print_much(megabytes: int) -> str:
                for number in range(megabytes * 10):
                    print(f"{number:06} " + "x" * 99_993)
                return "done"

            result = rc[0].apply_async(print_much, megabytes)
            assert result.get(timeout=60) == "done"
            numbers = sorted(int(line[:6]) for line in result.stdout.splitlines() if line)
            if megabytes == 3:
                assert numbers == list(range(30))
                assert result.stderr == ""
            else:
                missing = re.findall(r"(\d+) bytes of output are missing here, the space was full", result.stderr)
                assert missing
                assert len(result.stdout) + sum(map(int, missing)) >= megabytes * 1_000_000
    finally:
        engine.terminate()
        assert engine.wait(20) == 0
