"""P35: what a put said survives kill -9 of the server, with the same clients going on."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest
from linden import ANY, KeyConflict, Var
from linden.errors import Overloaded

Serve = Callable[..., Any]


def test_p23_p22_keys_delays_and_groups_survive_a_kill(serve: Serve, scratch: Path) -> None:
    server, _ = serve(durability="process")
    with linden.connect(f"unix:{scratch / 's'}", reconnect=60) as connection:
        space = connection.space("demo")
        first = space.put(("order", 17), key="order-17")
        assert space.take(("order", int)) == ("order", 17)
        space.put(("later",), delay=3600)
        for number in range(2):
            space.put(("step", number), group="g")
        held = space.reserve(("step", int))

        server.child.signal(signal.SIGKILL)
        server.child.wait_ended()
        server.start()
        server.wait_ready(20)

        assert space.put(("order", 17), key="order-17") == first
        with pytest.raises(KeyConflict):
            space.put(("order", 18), key="order-17")
        assert [row["state"] for row in space.describe()] == ["delayed", "started", "behind"]
        held.finish()
        assert space.take(("step", int), timeout=20) == ("step", 1)


def test_p24_guards_survive_a_kill(serve: Serve, scratch: Path) -> None:
    server, _ = serve(durability="process")
    with linden.connect(f"unix:{scratch / 's'}", reconnect=60) as connection:
        space = connection.space("demo")
        space.put(("sum", Var("x"), Var("y")), when=[("a", Var("x")), ("b", Var("y"))])
        space.put(("a", 1))
        assert space.take(("a", int)) == ("a", 1)

        server.child.signal(signal.SIGKILL)
        server.child.wait_ended()
        server.start()
        server.wait_ready(20)

        assert [row["state"] for row in space.describe()] == ["guarded"]
        space.put(("b", "two"))
        assert space.take(("sum", ANY, ANY), timeout=20) == ("sum", 1, "two")


def test_p19_what_was_revived_and_what_is_paused_survive_a_kill(serve: Serve, scratch: Path) -> None:
    server, _ = serve(durability="process")
    with linden.connect(f"unix:{scratch / 's'}", reconnect=60) as connection:
        space = connection.space("demo")
        for number in range(2):
            space.put(("task", number), max_attempts=1)
            space.reserve(("task", int)).release()
        assert space.revive(("task", 0)) == 1
        space.pause(("task", ANY))
        space.drain(("order", ANY))
        waiting = space.take_async(("task", int))

        server.child.signal(signal.SIGKILL)
        server.child.wait_ended()
        server.start()
        server.wait_ready(20)

        assert [row["state"] for row in space.describe()] == ["paused", "dead"]
        assert [pause["kind"] for pause in space.pauses()] == ["pause", "drain"]
        with pytest.raises(Overloaded):
            space.put(("order", 1))
        assert space.resume(all=True) == 2
        assert waiting.result(20) == ("task", 0)
