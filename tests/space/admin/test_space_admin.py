"""space-admin against a real server: what it prints, what it changes, and how it ends."""

import json
import os
import pty
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from linden import _native

from tests.space.admin.harness import Admin, put

TASK = ("task", "any", "c0ffee", 1, "name", "apply", "", None, None)


# ---- Put, count, read, take


def test_what_it_puts_arrives(admin: Admin, space: _native.Space) -> None:
    id_ = int(admin.text("put", r'("a", 17, -1.5, true, nil, b"\x00x", [1, ["é"]])', "--priority", "3", "--ttl", "60"))
    (listed,) = space.client.wait(space.send_list(), 20)["tuples"]
    assert listed["id"] == id_
    assert listed["fields"] == ("a", 17, -1.5, True, None, b"\0x", [1, ["é"]])
    assert listed["priority"] == 3
    assert 0 < listed["expires_in"] <= 60


def test_it_makes_a_space_only_if_it_is_told_to(admin: Admin, client: _native.Client) -> None:
    assert "none of that name" in admin.refused("--space", "new", "put", "(1)", code=4)
    assert int(admin.text("--space", "new", "put", "(1)", "--create")) > 0
    assert admin.text("--space", "new", "read", "(?int)") == "(1)\n"


def test_it_counts_and_reads(admin: Admin, space: _native.Space) -> None:
    put(space, ("a", 1), ("a", 2), ("b", 3))
    assert admin.text("count", '("a", ?int)') == "2\n"
    assert admin.json("count", '("a", 2..9)') == {"count": 1}
    assert admin.text("count", '("none", ?)', code=1) == "0\n"
    assert admin.text("read", '({"b", "c"}, ?)') == '("b", 3)\n'
    assert admin.json("read", '("a"*, 2)')["fields"] == ["a", 2]
    assert admin.text("count", "(?, ?)") == "3\n"


def test_it_explains_what_a_template_costs(admin: Admin, space: _native.Space) -> None:
    put(space, *[("task", number, f"user{number % 10}") for number in range(200)], ("other", 1))
    assert admin.json("explain", '(?, ?int, "user3")') == {
        "template": '(?, ?int, "user3")',
        "arity": 3,
        "index": [2],
        "learned": False,
        "tuples": 200,
        "candidates": 20,
        "matches": 20,
        "scans": 0,
    }
    assert admin.text("count", '("task", 190..300, ?)') == "10\n"
    explained = admin.json("explain", '("task", 190..300, ?)')
    assert explained["learned"]
    assert (explained["index"], explained["candidates"], explained["matches"]) == ([0], 200, 10)
    assert explained["scans"] == 1
    lines = admin.text("explain", '(?, ?, "none"*)', code=1).splitlines()
    assert lines[1].split(maxsplit=1) == ["index", "none; all tuples of that many fields are looked at"]
    (listed,) = [one for one in admin.json("spaces")["spaces"] if one["name"] == "test"]
    assert listed["scans"] == 1


def test_it_takes_what_it_is_told_to(admin: Admin, space: _native.Space) -> None:
    put(space, *[("a", number) for number in range(5)])
    assert admin.text("take", '("a", ?int)', "--yes") == '("a", 0)\n'
    taken = admin.json("take", '("a", ?int)', "--yes", "--count", "3")["taken"]
    assert [one["fields"] for one in taken] == [["a", 1], ["a", 2], ["a", 3]]
    assert admin.text("count", '("a", ?)') == "1\n"


def test_it_waits_for_a_match_if_told_to(admin: Admin, space: _native.Space) -> None:
    command = ["space-admin", "--connection", admin.address, "--space", "test", "take", '("later",)', "--yes"]
    with subprocess.Popen([*command, "--wait", "20"], stdout=subprocess.PIPE, text=True) as waiting:
        while not any(one["waiting"] for one in space.client.wait(space.send_sessions(), 20)):
            pass
        put(space, ("later",))
        assert waiting.communicate(timeout=20)[0] == '("later")\n'
    assert waiting.returncode == 0


def test_it_does_not_take_without_being_sure(admin: Admin, space: _native.Space) -> None:
    put(space, ("a", 1))
    assert "add --yes" in admin.refused("take", '("a", 1)', code=2)
    assert admin.text("count", '("a", 1)') == "1\n"


@pytest.mark.parametrize(("answer", "left"), [(b"n\n", "1\n"), (b"\n", "1\n"), (b"y\n", "0\n")])
def test_it_asks_at_a_terminal(admin: Admin, space: _native.Space, answer: bytes, left: str) -> None:
    put(space, ("a", 1))
    controller, terminal = pty.openpty()
    os.write(controller, answer)
    done = admin.run("take", '("a", 1)', stdin=terminal)
    os.close(terminal)
    os.close(controller)
    assert done.stderr == "1 tuple of space 'test' matches. Remove up to 1 for good? [y/N] "
    assert done.returncode == (0 if left == "0\n" else 1)
    assert admin.run("count", '("a", 1)').stdout == left


def test_nothing_matched_is_1(admin: Admin) -> None:
    assert "space-admin: " in admin.refused("take", '("none",)', "--yes", code=1)
    assert "space-admin: " in admin.refused("read", '("none",)', code=1)
    assert admin.json("tuples", '("none",)', code=1) == {"space": "test", "tuples": [], "more": False}


# ---- Lists


def test_it_lists_tuples_with_their_states(admin: Admin, space: _native.Space, client: _native.Client) -> None:
    first, second, third = put(space, ("a", 1), ("a", 2), ("a", 3))
    client.wait(space.send_take(_native.RESERVE, [("a", 2)], timeout=0), 20)
    listed = admin.json("tuples", '("a", ?)')["tuples"]
    assert [one["id"] for one in listed] == [first, second, third]
    assert listed[1]["holder"] == client.session
    assert listed[1]["state"] in ("reserved", "started")
    assert {one["state"] for one in (listed[0], listed[2])} == {"ready"}
    assert [one["id"] for one in admin.json("tuples", "--state", "ready")["tuples"]] == [first, third]
    page = admin.json("tuples", "--limit", "2")
    assert page["more"]
    rest = admin.json("tuples", "--after", str(page["tuples"][-1]["id"]))
    assert [one["id"] for one in rest["tuples"]] == [third]
    assert not rest["more"]


def test_its_tables_are_aligned_and_say_how_to_go_on(admin: Admin, space: _native.Space) -> None:
    put(space, ("a", 1), ("bb", 1000), ("c", "x" * 5000))
    lines = admin.text("tuples", "--limit", "2").splitlines()
    assert lines[0].split() == ["ID", "STATE", "ATTEMPT", "PRIORITY", "EXPIRES", "LEASE", "SIZE", "TUPLE"]
    assert lines[1].endswith('("a", 1)')
    assert lines[0].index("TUPLE") == lines[1].index('("a"') == lines[2].index('("bb"')
    assert lines[3].startswith("... and more; go on with --after ")
    assert '"...' in admin.text("tuples", '("c", ?)')


def test_no_tuple_attacks_the_terminal(admin: Admin, space: _native.Space) -> None:
    put(space, ("evil \x1b]0;title\x07\r\n\u202e",))
    for noun in ("tuples", "queues", "sessions"):
        text = admin.text(noun)
        assert not set(text) & {"\x1b", "\x07", "\r", "\u202e"}
    assert r"evil \x1b]0;title\x07" in admin.text("tuples")


def test_queues_count_by_first_fields_and_state(admin: Admin, space: _native.Space) -> None:
    put(space, TASK, TASK, ("result", "c0ffee", 1), ("result", "beef", 2))
    client = space.client
    client.wait(space.send_take(_native.RESERVE, [TASK], timeout=0), 20)
    queues = admin.json("queues")
    groups = {tuple(group["first_fields"]): group for group in queues["groups"]}
    assert queues["tuples"] == 4
    tasks = groups[("task", "any")]
    assert (tasks["arity"], tasks["ready"], tasks["reserved"] + tasks["started"]) == (9, 1, 1)
    assert groups[("result", "beef")]["ready"] == 1
    assert {tuple(group["first_fields"]) for group in admin.json("queues", "--fields", "1")["groups"]} == {
        ("task",),
        ("result",),
    }
    text = admin.text("queues")
    assert '("task", "any", ...)' in text
    assert text.splitlines()[-1].startswith("4 tuples, 0 waiting requests, ")


def test_engines_show_what_they_hold(admin: Admin, space: _native.Space, client: _native.Client) -> None:
    info = json.dumps({"pid": 4711, "host": "node\x1b7"})
    put(space, ("engine", 0, client.session, info), ("engine", 1, "f" * 32, "no json"))
    put(space, TASK, TASK, TASK)
    stream = space.open_stream(_native.RESERVE, [TASK], credit=2)
    assert stream.next(20) is not None
    first, second = admin.json("engines")["engines"]
    while first["started"] == 0:  # that it has begun is told a moment later
        (first, second) = admin.json("engines")["engines"]
    assert (first["id"], first["session"], first["connected"]) == (0, client.session, True)
    assert (first["held"], first["started"], first["reserved"]) == (2, 1, 1)
    assert first["info"] == {"pid": 4711, "host": "node\x1b7"}
    assert (second["id"], second["connected"], second["held"], second["info"]) == (1, False, 0, {})
    text = admin.text("engines")
    assert "4711" in text
    assert "\x1b" not in text


def test_it_never_unpickles(admin: Admin, space: _native.Space, tmp_path: Path) -> None:
    trap = b"cos\nsystem\n(S'touch " + str(tmp_path / "sprung").encode() + b"'\ntR."
    put(space, ("object", _native.Object("pickle", [trap])))
    (listed,) = admin.json("tuples")["tuples"]
    assert listed["fields"] == ["object", {"object": "pickle", "bytes": len(trap)}]
    assert f"<object pickle, {len(trap)} bytes>" in admin.text("take", '("object", ?object)', "--yes")
    assert not (tmp_path / "sprung").exists()


# ---- The server


def test_it_shows_the_server_its_spaces_and_sessions(
    admin: Admin, space_server: Any, client: _native.Client, space: _native.Space
) -> None:
    server = admin.json("server")
    assert server["pid"] == space_server.pid
    assert server["address"] == admin.address
    assert server["version"] == _native.VERSION
    assert str(space_server.pid) in admin.text("server")
    put(space, ("a",))
    (status,) = admin.json("spaces")["spaces"]
    assert (status["name"], status["durability"], status["tuples"]) == ("test", "memory", 1)
    assert "memory" in admin.text("spaces")
    assert client.session in [session["id"] for session in admin.json("sessions")["sessions"]]
    assert client.session in admin.text("sessions")


def test_it_drops_a_space_only_if_that_is_meant(admin: Admin, client: _native.Client) -> None:
    assert "add --yes" in admin.refused("drop", "test", code=2)
    assert admin.text("drop", "test", "--yes") == "dropped space test\n"
    assert client.spaces() == []
    assert "test" in admin.refused("drop", "test", "--yes", code=4)


# ---- How it is found and how it fails


def test_a_connection_file_leads_to_server_and_space(admin: Admin, space: _native.Space, tmp_path: Path) -> None:
    put(space, ("a",))
    file = tmp_path / "clusters" / "mine" / "connection.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"format": 1, "address": admin.address, "space": "test"}))
    environment = {**os.environ, "LINDEN_HOME": str(tmp_path)}
    environment.pop("LINDEN_CONNECTION", None)
    for arguments, more in [
        (["--connection", str(file)], {}),
        (["--cluster-id", "mine"], {}),
        ([], {"LINDEN_CONNECTION": str(file)}),
    ]:
        command = ["space-admin", *arguments, "count", "(?)"]
        assert subprocess.check_output(command, text=True, env={**environment, **more}, timeout=30) == "1\n"
    nothing = subprocess.run(["space-admin", "queues"], capture_output=True, text=True, env=environment, check=False)
    assert nothing.returncode == 3
    assert "clusters/default/connection.json" in nothing.stderr
    assert "space-cluster start" in nothing.stderr


def test_wrong_usage_is_2(admin: Admin) -> None:
    for arguments in (
        [],
        ["unheard-of"],
        ["count"],
        ["tuples", "--limit", "0"],
        ["tuples", "--state", "asleep"],
        ["put", "(1)", "--ttl", "-1"],
        ["queues", "--timeout", "soon"],
    ):
        assert admin.run(*arguments).returncode == 2


def test_a_mistake_in_a_template_is_shown(admin: Admin) -> None:
    message = admin.refused("count", '("task", ?integer)', code=2)
    assert message == (
        'space-admin: wanted a type (nil, bool, int, float, text, bytes, list, object), found "i"\n'
        '  ("task", ?integer)\n'
        "            ^\n"
    )


def test_no_server_is_3_and_no_space_is_4(admin: Admin, tmp_path: Path) -> None:
    done = subprocess.run(
        ["space-admin", "--connection", f"unix:{tmp_path}/none", "--timeout", "0.1", "queues"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 3
    assert str(tmp_path) in done.stderr
    assert "nowhere" in admin.refused("--space", "nowhere", "queues", code=4)


def test_help_tells_the_notation_and_the_exit_codes(admin: Admin) -> None:
    text = admin.text("--help")
    for part in ("?int", '"abc"*', "EXIT CODES", "LINDEN_CONNECTION", "queues"):
        assert part in text
    assert admin.text("--version") == f"{_native.VERSION}\n"
    assert "--wait" in admin.text("take", "--help")


# ---- Upkeep


def test_it_pauses_drains_and_resumes(admin: Admin, space: _native.Space, client: _native.Client) -> None:
    put(space, ("a", 1), ("a", 2), ("b", 1))
    assert admin.json("pause", '("a", ?)') == {"set": True}
    assert admin.json("pause", '("a", ?)', code=1) == {"set": False}
    assert admin.text("drain") == "set: drain the whole space\n"
    paused, drained = admin.json("pauses")["pauses"]
    assert (paused["kind"], paused["template"], paused["tuples"]) == ("pause", '("a", ?)', 2)
    assert (drained["kind"], drained["template"], drained["tuples"]) == ("drain", None, 3)
    assert paused["set_by"].startswith("space-admin")
    assert "the whole space" in admin.text("pauses")
    assert admin.refused("take", '("a", ?)', "--yes", code=1)
    assert "is being drained" in admin.refused("put", '("c",)', code=4)
    assert [one["id"] for one in admin.json("tuples", "--state", "paused")["tuples"]] == [1, 2]
    assert "pauses and drains set: 2; see space-admin pauses" in admin.text("queues")
    assert "pauses and drains set in test: 2" in admin.text("spaces")
    assert "see space-admin pauses" in admin.run("resume", '("b", ?)').stderr
    assert admin.json("resume") == {"ended": 1}
    assert admin.json("resume", "--all") == {"ended": 1}
    assert admin.text("take", '("a", ?)', "--yes") == '("a", 1)\n'


# P19
def test_it_revives_what_is_dead(admin: Admin, space: _native.Space, client: _native.Client) -> None:
    ids = [put(space, ("a", number), max_attempts=1)[0] for number in range(3)]
    for _ in ids:
        (held,) = client.wait(space.send_take(_native.RESERVE, [("a", _native.AnyField())], timeout=0), 20)
        client.wait(space.send_release([(held.id, held.attempt)]), 20)
    assert [one["id"] for one in admin.json("tuples", "--state", "dead")["tuples"]] == ids
    assert admin.json("revive", "--id", str(ids[1])) == {"revived": 1}
    assert admin.text("revive", '("a", 0)') == "1 tuple revived\n"
    assert admin.json("revive") == {"revived": 1}
    assert admin.json("revive", code=1) == {"revived": 0}
    assert admin.json("count", '("a", ?)') == {"count": 3}


# ---- The session of the README


def test_each_question_of_the_readme_has_its_answer(
    admin: Admin, client: _native.Client, space: _native.Space, root: Path
) -> None:
    """In a farm where something is to be found for every question."""
    for number, queue in enumerate(("any", "begun", "engine:1")):
        put(space, ("task", queue, "c0ffee", number, "name", "apply", "", None, None))
    put(space, ("engine", 0, client.session, "{}"), ("result", "c0ffee", 9, "error", None, None))
    put(space, ("task", "lost", "c0ffee", 10, "name", "apply", "", None, None), max_attempts=1)
    for queue, started in (("lost", True), ("begun", False)):
        form = ("task", queue, *[_native.AnyField()] * 7)
        (held,) = client.wait(space.send_take(_native.RESERVE, [form], timeout=0), 20)
        if started:
            client.wait(space.send_release([(held.id, held.attempt)]), 20)
    commands = re.findall(r"^space-admin (.*?) +#", (root / "README.md").read_text(), re.MULTILINE)
    assert len(commands) >= 9
    for command in commands:
        assert admin.text(*shlex.split(command)).count("\n") >= 1, command
        assert not command.startswith("count") or admin.text(*shlex.split(command)) == "1\n"


# ---- Backup


def verify(directory: Path) -> subprocess.CompletedProcess[str]:
    command = ["space-server", "--verify", "--directory", str(directory)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_it_backs_up_what_the_server_keeps(admin: Admin, client: _native.Client, scratch: Path) -> None:
    put(client.open_space("kept", create=True, durability="process"), ("a", 1), ("a", 2))
    copy = scratch / "copy"
    assert admin.text("backup", str(copy)) == f"backed up to {copy}\n"
    assert "is there already" in admin.refused("backup", str(copy), code=2)
    checked = verify(copy)
    assert checked.returncode == 0, checked.stderr
    assert 'space="kept" durability=process tuples=2' in checked.stdout
    for log in (copy / "db").glob("*.log"):
        log.write_bytes(b"\xff\xff\xff\xff" + log.read_bytes()[4:])  # a checksum
    damaged = verify(copy)
    assert damaged.returncode == 4
    assert ".log" in damaged.stderr


def test_verify_leaves_a_running_server_alone(scratch: Path, space: _native.Space) -> None:
    checked = verify(scratch / "data")
    assert checked.returncode == 4
    assert "in use by process" in checked.stderr


def test_p28_collect_moves_or_copies_into_another_space(admin: Admin, client: _native.Client) -> None:
    for number in range(2):
        admin.text("put", f'("collected", {number})')
    copied = admin.text("collect", "elsewhere", '("collected", ?int)', "--copy", "--create")
    assert copied == "2 tuples copied from space 'test' to space 'elsewhere'\n"
    moved = admin.json("collect", "elsewhere", '("collected", ?int)')
    assert moved == {"from": "test", "to": "elsewhere", "copy": False, "count": 2}
    assert admin.json("collect", "elsewhere", '("collected", ?int)', code=1)["count"] == 0
    assert admin.json("count", '("collected", ?)', "--space", "elsewhere")["count"] == 4
    assert "there is none of that name" in admin.refused("collect", "nowhere", '("collected", ?)', code=4)
    client.drop_space("elsewhere")
