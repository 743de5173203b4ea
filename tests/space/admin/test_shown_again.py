"""What space-admin shows again and again: --watch on pipes and terminals, and watch TEMPLATE."""

import json
import os
import signal
import subprocess
import unicodedata

import pytest
from linden import _native

from tests.space.admin.harness import Admin, Terminal, put

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


def ended(process: subprocess.Popen[str], how: signal.Signals = signal.SIGINT) -> int:
    process.send_signal(how)
    code = process.wait(20)
    assert process.stdout is not None
    process.stdout.close()
    return code


# ---- Where there is no terminal


@pytest.mark.parametrize(
    "command",
    [
        ["queues"],
        ["tuples"],
        ["show", "1"],
        ["leases"],
        ["dead"],
        ["engines"],
        ["sessions"],
        ["spaces"],
        ["server"],
        ["count", "(?, ?)"],
        ["explain", "(?, ?)"],
        ["pauses"],
    ],
)
def test_every_command_that_shows_something_shows_it_again(
    admin: Admin, space: _native.Space, command: list[str]
) -> None:
    put(space, ("a", 1))
    process = admin.start(*command, "--watch", "0.1", "--json")
    assert process.stdout is not None
    rounds = [json.loads(process.stdout.readline()) for _ in range(3)]
    assert all(set(one) == set(rounds[0]) for one in rounds)
    assert ended(process) == 0


def test_each_round_shows_how_it_is_now(admin: Admin, space: _native.Space) -> None:
    process = admin.start("count", '("a", ?int)', "--watch", "0.1")
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    put(space, ("a", 1))
    lines = iter(process.stdout.readline, "")
    assert next(line for line in lines if line.strip() not in ("", "0")) == "1\n"
    assert ended(process, signal.SIGTERM) == 0


def test_it_ends_when_nobody_reads_any_more(admin: Admin, space: _native.Space) -> None:
    process = admin.start("server", "--watch", "3600", stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("address")
    process.stdout.close()
    assert process.wait(20) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_what_fails_while_it_is_shown_ends_it_with_its_code(admin: Admin, client: _native.Client) -> None:
    process = admin.start("queues", "--watch", "0.1", stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("READY")
    client.drop_space("test")
    _, complaint = process.communicate(timeout=20)
    assert process.returncode == 4
    assert complaint.startswith("space-admin: ")


def test_seconds_make_sense(admin: Admin) -> None:
    for seconds in ("0", "-1", "soon", "nan", '("a", 1)'):
        assert "--watch" in admin.refused("tuples", "--watch", seconds, code=2)


# ---- On a terminal


def test_it_redraws_in_place_and_leaves_the_terminal_as_it_was(admin: Admin, space: _native.Space) -> None:
    put(space, ("a", 1))
    with Terminal(admin, "tuples", "--watch", "0.1") as terminal:
        first = terminal.read_until('("a", 1)')
        assert first.startswith(ENTER)
        put(space, ("b", 2))
        assert "\x1b[H" in terminal.read_until('("b", 2)')
        code, last = terminal.end()
    assert code == 0
    assert last.endswith(LEAVE)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_leave_the_terminal_as_it_was_too(admin: Admin, how: signal.Signals) -> None:
    with Terminal(admin, "server", "--watch") as terminal:
        terminal.read_until("address")
        code, last = terminal.end(how)
    assert code == 0
    assert last.endswith(LEAVE)


def test_an_error_is_shown_where_the_user_is(admin: Admin, client: _native.Client) -> None:
    with Terminal(admin, "queues", "--watch", "0.1") as terminal:
        terminal.read_until("READY")
        client.drop_space("test")
        last = terminal.read_until("space-admin: ")
        assert terminal.process.wait(20) == 4
    assert last.index(LEAVE) < last.index("space-admin: ")


def test_it_follows_the_terminals_size(admin: Admin, space: _native.Space) -> None:
    put(space, *[("row", number, "x" * 60) for number in range(30)])
    with Terminal(admin, "tuples", "--watch", "3600", rows=10, columns=60) as terminal:
        shown = terminal.read_until("lines more")
        assert shown.count("\r\n") == 9
        terminal.resize(40, 200)
        os.kill(terminal.process.pid, signal.SIGWINCH)
        shown = terminal.read_until('("row", 29, ')
        assert "x" * 60 in shown
        assert terminal.end()[0] == 0


def test_lines_of_wide_characters_fit_the_terminal(admin: Admin, space: _native.Space) -> None:
    put(space, ("漢字" * 40,), ("plain",))
    with Terminal(admin, "tuples", columns=100) as terminal:
        line = next(line for line in terminal.read_until('("plain")').splitlines() if "漢" in line)
    assert line.endswith("...")
    assert 98 <= sum(2 if unicodedata.east_asian_width(character) == "W" else 1 for character in line) <= 100


# ---- watch TEMPLATE


def test_it_tells_of_puts_as_they_come(admin: Admin, space: _native.Space) -> None:
    """Of those that match, in the order of put, those that are gone again too (P30)."""
    put(space, ("a", 0), ("b", 0))
    process = admin.start("watch", '("a", ?int)', "--initial", "--count", "3", "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["fields"] == ["a", 0]
    put(space, ("b", 1), ("a", 1))
    assert admin.text("take", '("a", 1)', "--yes") == '("a", 1)\n'
    put(space, ("a", 2))
    told = [json.loads(line) for line in process.communicate(timeout=20)[0].splitlines()]
    assert [(one["number"], one["fields"]) for one in told] == [(2, ["a", 1]), (3, ["a", 2])]
    assert process.returncode == 0


def test_without_initial_it_begins_with_the_next_put(admin: Admin, space: _native.Space) -> None:
    put(space, ("a", 0))
    with Terminal(admin, "watch", "(?, ?int)") as terminal:
        while not terminal.has_shown('("a", '):  # it may not stand yet
            put(space, ("a", 1))
        assert '("a", 0)' not in terminal.read_until("\n")
        assert terminal.end()[0] == 0


def test_what_a_reader_was_too_slow_for_is_stated(admin: Admin, space: _native.Space) -> None:
    """The space keeps 100,000 puts for one that does not read (P30); a pipe that is full is such a one."""
    process = admin.start("watch", "(?int, ?text)", "--initial", "--json")
    put(space, (0, ""))
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["number"] == 1
    process.send_signal(signal.SIGSTOP)
    for first in range(1, 130_001, 10_000):
        put(space, *[(number, "") for number in range(first, first + 10_000)])
    process.send_signal(signal.SIGCONT)
    told = (json.loads(line) for line in process.stdout)
    gap = next(one["gap"] for one in told if "gap" in one)
    assert gap["count"] > 0
    assert next(told)["number"] == gap["first"] + gap["count"]
    process.stdout.close()
    assert process.wait(20) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_for_what_never_comes_ends_when_it_is_told_to(admin: Admin, how: signal.Signals) -> None:
    process = admin.start("watch", '("never",)')
    while not any(one["name"].startswith("space-admin") and one["connected"] for one in sessions(admin, process)):
        pass
    assert ended(process, how) == 0


def sessions(admin: Admin, process: subprocess.Popen[str]) -> list[dict[str, object]]:
    """Those of that process."""
    listed = admin.json("sessions")["sessions"]
    return [one for one in listed if one["name"].endswith(f"pid={process.pid}")]
