"""space-admin leases, dead, show and purge; and contents that mean harm, in every command."""

import json
import re
from typing import Any

import pytest
from linden import _native

from tests.space.admin.harness import Admin, Terminal, put

HOSTILE = "\x1b]0;title\x07\x1b[2J\r\n\x9b31m\u202e\u200b\x7f"
HARMFUL = set("\x1b\x07\r\x9b\u202e\u200b\x7f")


def reserve(space: _native.Space, form: tuple[Any, ...], lease: float = 30, client: Any = None) -> tuple[int, int]:
    (held,) = space.client.wait(space.send_take(_native.RESERVE, [form], timeout=0, lease=lease), 20)
    return held.id, held.attempt


def bury(space: _native.Space, *rows: tuple[Any, ...]) -> list[int]:
    """Puts them and uses up their attempts."""
    ids = put(space, *rows, max_attempts=1)
    for row in rows:
        space.client.wait(space.send_release([reserve(space, row)]), 20)
    return ids


# ---- leases


def test_leases_show_what_is_held_by_whom_and_what_ends_first(admin: Admin, space: _native.Space) -> None:
    long_, short, free = put(space, ("long",), ("short",), ("free",))
    reserve(space, ("long",), 3000)
    reserve(space, ("short",), 60)
    leases = admin.json("leases")["leases"]
    assert [one["id"] for one in leases] == [short, long_]
    assert all(one["holder"] == space.client.session for one in leases)
    assert all(one["connected"] and one["holder_name"] == "test \x1b[31m" for one in leases)
    assert 0 < leases[0]["lease_left_s"] <= 60 < leases[1]["lease_left_s"] <= 3000
    assert leases[0]["silent_for_s"] < 30
    assert {one["state"] for one in leases} <= {"reserved", "started"}
    assert free not in [one["id"] for one in leases]
    lines = admin.text("leases", "--limit", "1").splitlines()
    assert lines[0].split() == ["ID", "STATE", "ATTEMPT", "ENDS", "HELD", "SILENT", "CONNECTED", "HOLDER", "TUPLE"]
    assert lines[1].endswith('("short")')
    assert lines[2] == "... and more that end later; try a higher --limit"


def test_leases_can_be_picked_by_template(admin: Admin, space: _native.Space) -> None:
    put(space, ("a", 1), ("b", 2))
    reserve(space, ("a", 1))
    reserve(space, ("b", 2))
    assert [one["fields"] for one in admin.json("leases", '("b", ?)')["leases"]] == [["b", 2]]
    assert admin.json("leases", '("c", ?)', code=1)["leases"] == []
    assert admin.text("leases", '("c", ?)', code=1).startswith("ID")


def test_that_nothing_is_held_is_no_failure(admin: Admin) -> None:
    assert admin.json("leases") == {"space": "test", "leases": [], "more": False}


# ---- dead, show


def test_dead_ones_are_listed(admin: Admin, space: _native.Space) -> None:
    first, second = bury(space, ("a", 1), ("b", 2))
    put(space, ("a", 3))
    assert [one["id"] for one in admin.json("dead")["tuples"]] == [first, second]
    assert [one["id"] for one in admin.json("dead", '("b", ?)')["tuples"]] == [second]
    page = admin.json("dead", "--limit", "1")
    assert page["more"]
    assert [one["id"] for one in admin.json("dead", "--after", str(page["tuples"][-1]["id"]))["tuples"]] == [second]
    assert '("b", 2)' in admin.text("dead")
    assert admin.json("dead", '("c", ?)', code=1)["tuples"] == []


def test_one_tuple_is_shown_with_all_that_is_known_of_it(admin: Admin, space: _native.Space) -> None:
    id_, other = put(space, ("a", 17, "x" * 500, [1, "y"]), ("b",), priority=3, ttl=60)
    reserve(space, ("a", *[_native.AnyField()] * 3))
    shown = admin.json("show", str(id_))
    assert (shown["id"], shown["attempt"], shown["priority"]) == (id_, 1, 3)
    assert (shown["holder"], shown["connected"]) == (space.client.session, True)
    assert 0 < shown["expires_in_s"] <= 60
    assert shown["fields"] == ["a", 17, "x" * 500, [1, "y"]]
    text = admin.text("show", str(id_))
    assert space.client.session in text
    assert '"' + "x" * 80 + '"...' in text
    assert "x" * 81 not in text
    assert "x" * 500 in admin.text("show", str(id_), "--full")
    assert "holder" not in admin.text("show", str(other))


def test_an_id_that_no_tuple_has_is_1(admin: Admin, space: _native.Space) -> None:
    (id_,) = put(space, ("a",))
    for unknown in ("0", str(id_ + 1), str(2**64 - 1)):
        assert "no tuple of space 'test' has the id" in admin.refused("show", unknown, code=1)
    assert admin.run("show", "-1").returncode == 2


# ---- purge


def test_purge_removes_all_that_match_and_counts_them(admin: Admin, space: _native.Space) -> None:
    put(space, *[("a", number) for number in range(2500)], ("b", 1))
    reserve(space, ("a", 7))
    assert admin.json("purge", '("a", ?int)', "--yes") == {"purged": 2499, "complete": True}
    assert admin.text("purge", '("b", ?int)', "--yes") == "1 tuple removed\n"
    assert admin.text("purge", "(?, ?)", "--yes", code=1) == "0 tuples removed\n"
    assert [one["fields"] for one in admin.json("tuples")["tuples"]] == [["a", 7]]


def test_purge_does_nothing_without_being_sure(admin: Admin, space: _native.Space) -> None:
    put(space, ("a", 1))
    assert "add --yes" in admin.refused("purge", '("a", 1)', code=2)
    assert admin.text("count", '("a", 1)') == "1\n"


@pytest.mark.parametrize(("answer", "left"), [("n\n", 3), ("\n", 3), ("y\n", 0)])
def test_purge_asks_at_a_terminal(admin: Admin, space: _native.Space, answer: str, left: int) -> None:
    put(space, *[("a", number) for number in range(3)])
    with Terminal(admin, "purge", '("a", ?int)') as terminal:
        asked = terminal.read_until("[y/N] ")
        assert asked == "3 tuples of space 'test' match. Remove all of them for good? [y/N] "
        terminal.type(answer)
        if left == 0:
            terminal.read_until("3 tuples removed\r\n")
        assert terminal.process.wait(20) == (0 if left == 0 else 1)
    assert admin.run("count", '("a", ?int)').stdout == f"{left}\n"


def test_purge_shows_how_far_it_is(admin: Admin, space: _native.Space) -> None:
    put(space, *[("a", number) for number in range(2100)])
    with Terminal(admin, "purge", '("a", ?int)', "--yes") as terminal:
        shown = terminal.read_until("2100 tuples removed\r\n")
    assert re.findall(r"\r\x1b\[K(\d+) tuples removed", shown)[:2] == ["1000", "2000"]


def test_purge_removes_the_dead_if_it_is_told_to(admin: Admin, space: _native.Space) -> None:
    bury(space, ("a", 1), ("a", 2), ("b", 3))
    put(space, ("a", 4))
    assert admin.json("purge", '("a", ?int)', "--dead", "--yes") == {"purged": 2, "complete": True}
    assert [one["fields"] for one in admin.json("tuples")["tuples"]] == [["b", 3], ["a", 4]]
    assert admin.json("purge", '("c", ?int)', "--dead", "--yes", code=1)["purged"] == 0
    with Terminal(admin, "purge", "(?, ?)", "--dead") as terminal:
        assert terminal.read_until("[y/N] ").startswith("1 dead tuple of space 'test' matches.")


# ---- Contents that mean harm


def test_no_command_lets_contents_reach_the_terminal(
    admin: Admin, client: _native.Client, space: _native.Space
) -> None:
    """Names of spaces and sessions are chosen by others, too; JSON goes to terminals as well."""
    (id_, _, _) = put(space, (HOSTILE, 1), (HOSTILE, 2), (b"\xff\xfe\x1b[2J", 3))
    bury(space, (HOSTILE, 4))
    put(space, ("engine", 0, client.session, json.dumps({"host": HOSTILE, "pid": [HOSTILE]})))
    reserve(space, (_native.AnyField(), 1))
    template = "(?, ?int)"
    for command in (
        ["queues"],
        ["queues", "--fields", "1"],
        ["tuples"],
        ["tuples", template],
        ["show", str(id_)],
        ["show", str(id_), "--full"],
        ["leases"],
        ["dead"],
        ["engines"],
        ["sessions"],
        ["spaces"],
        ["explain", template],
        ["read", template],
        ["watch", template, "--initial", "--count", "2"],
        ["take", template, "--yes"],
    ):
        for more in ([], ["--json"]):
            shown = admin.text(*command, *more)
            assert not set(shown) & HARMFUL, (command, shown)
            assert shown.endswith("\n")
            assert not more or shown.count("\n") == 1 or command[0] == "watch"


def test_what_is_hidden_in_json_is_still_what_it_was(admin: Admin, space: _native.Space) -> None:
    put(space, (HOSTILE, "漢🙂é"))
    assert admin.json("read", "(?, ?)")["fields"] == [HOSTILE, "漢🙂é"]
