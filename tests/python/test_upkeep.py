"""Dead tuples revived, pauses and drains, from Python to a real server."""

import asyncio
import uuid
from collections.abc import Iterator

import linden
import pytest
from linden import ANY, NoMatch, Space
from linden.errors import Overloaded
from linden_launchers import LocalCluster
from live import cluster as cluster


@pytest.fixture
def space(cluster: LocalCluster) -> Iterator[Space]:
    """A space of the test's own."""
    with linden.connect(cluster.connection_file, name="upkeep") as connection:
        name = f"test-{uuid.uuid4().hex}"
        yield connection.space(name, durability="memory")
        connection.drop_space(name)


def fail(space: Space) -> int:
    """Begin with a task and give it back; which attempt that was."""
    held = space.reserve(("task", ANY), timeout=0)
    held.release()
    return held.attempt


def test_p19_a_dead_tuple_is_listed_and_revived(space: Space) -> None:
    ids = [space.put(("task", number), max_attempts=1) for number in range(3)]
    for _ in ids:
        fail(space)
    assert list(space.dead()) == [(id, ("task", number)) for number, id in enumerate(ids)]
    assert list(space.dead(("task", 2))) == [(ids[2], ("task", 2))]
    assert space.revive(ids=[ids[0], ids[0] + 1000]) == 1
    assert fail(space) == 2
    assert space.revive(("task", 2)) == 1
    assert space.revive() == 2
    assert space.count(("task", int)) == 3
    assert space.revive(ids=[]) == 0
    with pytest.raises(TypeError, match="not both"):
        space.revive(("task", 2), ids=ids)


def test_a_pause_holds_tuples_back_until_resume(space: Space) -> None:
    space.put(("task", 1))
    assert space.pause(("task", ANY))
    assert not space.pause(("task", ANY))
    space.put(("task", 2))
    space.put(("other",))
    assert space.try_take(("task", ANY)) is None
    assert space.try_take(("other",)) == ("other",)
    assert space.count(("task", ANY)) == 2
    assert space.read(("task", ANY)) == ("task", 1)
    waiting = space.take_async(("task", ANY))
    (pause,) = space.pauses()
    assert (pause["kind"], pause["template"], pause["tuples"]) == ("pause", '("task", ?)', 2)
    assert pause["set_by"] == "upkeep"
    assert pause["set_for"] >= 0
    assert space.resume(("task", ANY)) == 1
    assert waiting.result(20) == ("task", 1)
    assert space.pauses() == []


def test_a_drain_refuses_puts_until_resume(space: Space) -> None:
    space.put(("task", 1))
    assert space.drain()
    with pytest.raises(Overloaded, match="this space is being drained, set by 'upkeep'"):
        space.put(("task", 2))
    with space.reserve(("task", int)) as held:
        held.finish([("result", 1)])
    assert space.take(("result", int)) == ("result", 1)
    assert space.pause()
    assert space.resume(all=True) == 2
    space.put(("task", 2))


def test_with_await(space: Space) -> None:
    async def go() -> None:
        async with linden.aio.connect(space.native.client.address) as connection:
            theirs = await connection.space(space.name)
            await theirs.put(("task", 1), max_attempts=1)
            held = await theirs.reserve(("task", int))
            await held.release()
            assert await theirs.revive(("task", int)) == 1
            assert await theirs.pause(("task", int))
            assert await theirs.drain()
            assert [pause["kind"] for pause in await theirs.pauses()] == ["pause", "drain"]
            with pytest.raises(NoMatch):
                await theirs.take(("task", int), timeout=0)
            assert await theirs.resume(("task", int)) == 1
            assert await theirs.resume(all=True) == 1
            assert await theirs.take(("task", int)) == ("task", 1)

    asyncio.run(go())
