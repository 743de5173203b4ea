"""space-admin top, and what queues, leases and show tell since the server tells it."""

import json

from linden import _native

from tests.space.admin.harness import Admin, Terminal, put


def test_top_shows_rates_of_what_happens(admin: Admin, client: _native.Client, space: _native.Space) -> None:
    other = client.open_space("other", create=True, durability="memory")
    put(other, ("idle",))
    process = admin.start("top", "--every", "0.1", "--json")
    assert process.stdout is not None
    seen = set()
    while not {"puts_per_s", "takes_per_s", "finishes_per_s", "expired_per_s"} <= seen:
        put(space, ("a", 1), ("a", 2))
        put(space, ("gone",), ttl=0.01)
        held, taken = client.wait(space.send_take(_native.RESERVE, [("a", _native.AnyField())], count=2, timeout=0), 20)
        client.wait(space.send_finish([((held.id, held.attempt), []), ((taken.id, taken.attempt), [])]), 20)
        told = json.loads(process.stdout.readline())
        assert told["requests_per_s"] > 0
        spaces = {one["name"]: one for one in told["spaces"]}
        seen |= {name for name, value in spaces["test"].items() if name.endswith("_per_s") and value > 0}
        assert spaces["other"]["puts_per_s"] == 0
        assert spaces["other"]["ready"] == 1
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_top_shows_who_holds_most(admin: Admin, client: _native.Client, space: _native.Space) -> None:
    put(space, ("a", 1), ("a", 2))
    assert len(client.wait(space.send_take(_native.RESERVE, [("a", _native.AnyField())], count=2, timeout=0), 20)) == 2
    top = admin.json("top", "--every", "0.1", "--rounds", "1")
    assert [(one["space"], one["id"], one["held"]) for one in top["holders"]] == [("test", client.session, 2)]
    text = admin.text("top", "--every", "0.1", "--rounds", "2")
    assert text.count("FINISH/s") == 2
    assert r"test \x1b[31m" in text


def test_top_redraws_the_terminal_and_leaves_it_as_it_was(admin: Admin, space: _native.Space) -> None:
    with Terminal(admin, "top", "--every", "0.1", columns=130) as terminal:
        terminal.read_until("PUT/s")
        terminal.read_until("PUT/s")
        code, last = terminal.end()
    assert code == 0
    assert last.endswith("\x1b[?1049l")


def test_queues_can_be_picked_by_template(admin: Admin, space: _native.Space) -> None:
    put(space, ("task", "any", 1), ("task", "engine:0", 2), ("result", 1))
    queues = admin.json("queues", '("task", ?, ?int)')
    assert queues["tuples"] == 2
    assert [group["first_fields"] for group in queues["groups"]] == [["task", "any"], ["task", "engine:0"]]
    assert admin.json("queues", '("none", ?)', code=1)["groups"] == []
    assert admin.text("queues", '("none", ?)', code=1).startswith("READY")


def test_a_lease_tells_since_when(admin: Admin, client: _native.Client, space: _native.Space) -> None:
    put(space, ("a", 1))
    client.wait(space.send_take(_native.RESERVE, [("a", _native.AnyField())], timeout=0), 20)
    (lease,) = admin.json("leases")["leases"]
    assert 0 <= lease["held_for_s"] < 30
    assert "HELD" in admin.text("leases")


def test_show_tells_what_the_put_has_said(admin: Admin, space: _native.Space) -> None:
    arguments = ("--key", "k\x1b[2J", "--group", "g", "--delay", "60", "--max-attempts", "3")
    id_ = admin.text("put", '("a", 1)', *arguments).strip()
    shown = admin.json("show", id_)
    assert (shown["key"], shown["group"], shown["max_attempts"]) == ("k\x1b[2J", "g", 3)
    assert (shown["will"], shown["lives_with"], shown["held_for_s"], shown["open_guards"]) == (False, None, None, 0)
    assert 0 < shown["visible_in_s"] <= 60
    text = admin.text("show", id_)
    assert '"k\\x1b[2J"' in text
    assert "dead after 3" in text
