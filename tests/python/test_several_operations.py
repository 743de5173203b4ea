"""Several operations as one, from Python against a real server: P26, P27."""

import asyncio
import uuid
from collections.abc import Iterator

import linden
import pytest
from linden import ANY, Space, StaleLease, TransactionConflict, aio
from linden_launchers import LocalCluster
from live import cluster as cluster


@pytest.fixture
def space(cluster: LocalCluster) -> Iterator[Space]:
    """A space of the test's own."""
    with linden.connect(cluster.connection_file) as connection:
        name = f"test-{uuid.uuid4().hex}"
        yield connection.space(name, durability="memory")
        connection.drop_space(name)


def test_p26_commit_changes_a_tuple_and_finishes_a_task(space: Space) -> None:
    old = space.put(("counter", 1))
    space.put(("task", 1))
    with space.reserve(("task", int)) as held:
        ids = space.commit([("counter", 2), ("result", 1)], finishes=[held], takes=[old])
    assert len(ids) == 2
    assert space.list() == [("counter", 2), ("result", 1)]


def test_p26_commit_says_what_stood_in_the_way_and_does_nothing(space: Space) -> None:
    free = space.put(("free",))
    space.put(("task", 1))
    held = space.reserve(("task", int))
    held.release()
    with pytest.raises(StaleLease, match=f"tuple {held.id}, attempt 1"):
        space.commit([("result", 1)], finishes=[held], takes=[free])
    with pytest.raises(TransactionConflict, match="tuple 99 is gone"):
        space.commit([("result", 1)], takes=[free, 99])
    with pytest.raises(linden.errors.InvalidArgument, match="twice"):
        space.commit(takes=[free, free])
    assert space.count(("free",)) == 1
    assert space.count(("result", int)) == 0
    assert space.commit() == []


def test_p27_a_transaction_is_seen_by_others_when_it_commits(space: Space, cluster: LocalCluster) -> None:
    with linden.connect(cluster.connection_file) as connection:
        other = connection.space(space.name)
        space.put(("task", 1))
        waiting = other.take_async(("result", int))
        with space.transaction() as t:
            assert t.take(("task", int)) == ("task", 1)
            t.put(("result", 1))
            t.put_many([("result", 2), ("result", 3)])
            assert t.count(("result", int)) == 3
            assert t.read(("result", int)) == ("result", 1)
            assert t.take_many(("result", int), 2) == [("result", 1), ("result", 2)]
            assert other.count((ANY, int)) == 0
            assert not waiting.done()
        assert waiting.result(20) == ("result", 3)
        assert other.count((ANY, int)) == 0


def test_p27_a_block_that_fails_aborts(space: Space) -> None:
    space.put(("task", 1))
    t = space.transaction(lease=5)

    def fail() -> None:
        with t:
            assert t.try_take(("task", int)) == ("task", 1)
            t.put(("result", 1))
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fail()
    assert space.list() == [("task", 1)]
    with pytest.raises(StaleLease, match="has ended"):
        t.put(("late",))


def test_p27_what_was_read_is_not_taken_by_others(space: Space) -> None:
    space.put(("price", 10))
    with space.transaction() as t:
        assert t.read(("price", int)) == ("price", 10)
        assert space.try_read(("price", int)) == ("price", 10)
        assert space.try_take(("price", int)) is None
        t.put(("order", 10))
    assert space.try_take(("price", int)) == ("price", 10)


def test_p27_a_none_is_looked_at_again(space: Space) -> None:
    t = space.transaction()
    assert t.try_read(("leader", str)) is None
    t.put(("leader", "me"))
    space.put(("leader", "you"))
    with pytest.raises(TransactionConflict, match="found none"):
        t.commit()
    assert space.list() == [("leader", "you")]


def test_p27_an_explicit_end_inside_the_block_is_the_end(space: Space) -> None:
    with space.transaction() as t:
        t.put(("kept",))
        assert len(t.commit()) == 1
    with space.transaction() as t:
        t.put(("dropped",))
        t.abort()
        t.abort()
    assert space.list() == [("kept",)]
    with pytest.raises(ValueError, match="lease"):
        space.transaction(lease=-1)


def test_p27_its_calls_can_be_awaited(space: Space) -> None:
    async def main() -> None:
        t = await space.transaction_async()
        reading = t.read_async(("x", int))
        taking = t.take_async(("x", int))
        await t.put_async(("x", 1))
        assert await reading == ("x", 1)
        assert await taking == ("x", 1)
        await t.put_async(("y", 1))
        (number,) = await t.commit_async()
        assert await space.commit_async([("y", 2)], takes=[number])
        t = await space.transaction_async()
        await t.put_async(("z",))
        assert await t.abort_async() is None

    asyncio.run(main())
    assert space.list() == [("y", 2)]


def test_p27_with_await(space: Space) -> None:
    async def main() -> None:
        awaited = aio.Space(space)
        await awaited.put(("task", 1))
        async with awaited.reserve(("task", int)) as held:
            assert len(await awaited.commit([("result", 1)], finishes=[held])) == 1
        async with awaited.transaction() as t:
            assert await t.take(("result", int)) == ("result", 1)
            assert await t.try_take(("task", int)) is None
            assert await t.try_read(("task", int)) is None
            await t.put_many([("a", 1), ("a", 2), ("a", 3)])
            await t.put(("b", 1))
            assert await t.read(("b", int)) == ("b", 1)
            assert await t.take_many(("a", int), 2) == [("a", 1), ("a", 2)]
            assert await t.count((ANY, int)) == 2
        with pytest.raises(RuntimeError, match="no"):
            await fail(awaited)

    async def fail(awaited: aio.Space) -> None:
        async with awaited.transaction() as t:
            await t.take(("b", int))
            raise RuntimeError("no")

    asyncio.run(main())
    assert space.list() == [("a", 3), ("b", 1)]
