"""What a put may say beside its fields, from Python to a real server: P21 to P23."""

import asyncio
import uuid
from collections.abc import Iterator

import linden
import pytest
from linden import ANY, KeyConflict, NoMatch, Space, Var, with_attributes
from linden.errors import InvalidArgument, LimitExceeded
from linden_launchers import LocalCluster
from live import cluster as cluster


@pytest.fixture
def space(cluster: LocalCluster) -> Iterator[Space]:
    """A space of the test's own."""
    with linden.connect(cluster.connection_file) as connection:
        name = f"test-{uuid.uuid4().hex}"
        yield connection.space(name, durability="memory")
        connection.drop_space(name)


def test_p23_a_key_stores_once(space: Space) -> None:
    first = space.put(("order", 17), key="order-17")
    assert space.put(("order", 17), key="order-17", key_window=60) == first
    assert asyncio.run(_awaited(space.put_async(("order", 17), key="order-17"))) == first
    assert space.take(("order", int)) == ("order", 17)
    assert space.put(("order", 17), key="order-17") == first
    assert space.count(("order", int)) == 0


def test_p23_the_same_key_with_another_content_is_a_conflict(space: Space) -> None:
    space.put(("order", 17), key="order-17")
    with pytest.raises(KeyConflict, match="order-17"):
        space.put(("order", 18), key="order-17")
    with pytest.raises(KeyConflict):
        space.put(("order", 17), key="order-17", priority=1)
    assert space.count(("order", int)) == 1


def test_p23_put_many_is_all_or_none_with_keys_too(space: Space) -> None:
    puts = [with_attributes(("order", number), key=f"order-{number}") for number in range(3)]
    ids = space.put_many(puts)
    assert space.put_many([*puts, ("order", 3)])[:3] == ids
    with pytest.raises(KeyConflict):
        space.put_many([("order", 4), with_attributes(("order", 5), key="order-0")])
    assert sorted(number for _, number in space.iterate(("order", int))) == [0, 1, 2, 3]


def test_p23_a_finish_with_a_used_key_leaves_the_reservation(space: Space) -> None:
    space.put(("result", 1), key="result-1")
    space.put(("task", 1))
    held = space.reserve(("task", int))
    with pytest.raises(KeyConflict):
        held.finish([with_attributes(("result", 2), key="result-1")])
    held.finish([with_attributes(("result", 1), key="result-1")])
    assert space.list() == [("result", 1)]


def test_p22_a_delay_hides_a_tuple(space: Space) -> None:
    space.put(("later",), delay=0.2)
    assert space.try_take(("later",)) is None
    assert [row["state"] for row in space.describe()] == ["delayed"]
    assert space.summarize()["groups"][0]["delayed"] == 1
    assert space.take(("later",), timeout=20) == ("later",)


def test_p18_a_release_with_a_delay(space: Space) -> None:
    space.put(("task", 1))
    space.reserve(("task", int)).release(delay=0.2)
    assert space.count(("task", int)) == 0
    assert space.reserve(("task", int), timeout=20).attempt == 2


def test_p22_a_group_comes_out_one_at_a_time(space: Space) -> None:
    for step in ("open", "change", "close"):
        space.put(("step", step), group="account-4")
    assert [row["state"] for row in space.describe()] == ["ready", "behind", "behind"]
    for step in ("open", "change", "close"):
        with space.reserve(("step", str), timeout=20) as held:
            assert held.tuple == ("step", step)
            assert space.try_read(("step", str)) is None


def test_p24_a_guarded_tuple_waits_for_others(space: Space) -> None:
    space.put(("add", Var("x"), Var("y")), when=[("result", 1, Var("x", int)), ("result", 2, Var("y"))])
    assert [row["state"] for row in space.describe()] == ["guarded"]
    assert space.summarize()["groups"][0]["guarded"] == 1
    space.put(("result", 1, "no number"))
    space.put(("result", 2, {"any": "object"}))
    assert space.try_take(("add", ANY, ANY)) is None
    space.put(("result", 1, 30))
    assert space.take(("add", int, ANY), timeout=20) == ("add", 30, {"any": "object"})


def test_p24_a_graph_resolves_in_the_server(space: Space, cluster: LocalCluster) -> None:
    with linden.connect(cluster.connection_file) as other:
        graph = [
            with_attributes(("node", number, Var("before")), when=[("node", number - 1, Var("before"))])
            for number in range(1, 1001)
        ]
        other.space(space.name).put_many(graph)
    space.put(("node", 0, [b"seed"]))
    assert space.take(("node", 1000, list), timeout=20) == ("node", 1000, [b"seed"])
    assert space.count(("node", int, list)) == 1000


def test_p24_a_variable_is_a_whole_field_that_one_guard_binds(space: Space) -> None:
    with pytest.raises(ValueError, match="no template of when= binds"):
        space.put(("a", Var("x")), when=[("b", Var("y"))])
    with pytest.raises(ValueError, match="bound twice"):
        space.put(("a", Var("x")), when=[("b", Var("x")), ("c", Var("x"))])
    with pytest.raises(TypeError, match="whole field"):
        space.put(("a", [Var("x")]), when=[("b", Var("x"))])
    with pytest.raises(TypeError, match="when="):
        space.put(("a", Var("x")))
    with pytest.raises(TypeError, match="type"):
        space.put(("a",), when=[("b", complex)])
    assert list(space.describe()) == []


def test_p21_renew_gives_a_new_time_to_live(space: Space) -> None:
    here = space.put(("here",), ttl=60)
    space.renew(here, 3600)
    assert next(space.describe())["expires_in"] > 3000
    asyncio.run(_awaited(space.renew_async(here, None)))
    assert next(space.describe())["expires_in"] is None
    space.take(("here",))
    with pytest.raises(NoMatch, match=f"no tuple {here}"):
        space.renew(here, 60)


def test_p38_bad_attributes_have_no_effect(space: Space) -> None:
    with pytest.raises(InvalidArgument, match="10 ms"):
        space.put(("a",), delay=0.001)
    with pytest.raises(InvalidArgument, match="window"):
        space.put(("a",), key="a", key_window=0.001)
    with pytest.raises(LimitExceeded, match="1024"):
        space.put(("a",), group="g" * 1025)
    with pytest.raises(ValueError, match="delay"):
        space.put(("a",), delay=-1)
    with pytest.raises(ValueError, match="key"):
        space.put(("a",), key="")
    with pytest.raises(ValueError, match="group"):
        space.put(("a",), group=5)  # type: ignore[arg-type]
    assert space.list() == []
    assert space.put(("a",), key="a") > 0


async def _awaited(future: linden.space.RequestFuture) -> object:
    return await future
