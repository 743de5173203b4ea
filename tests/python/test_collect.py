"""From one space into another, from Python against a real server: P28."""

import asyncio
import threading
import uuid
from collections.abc import Iterator

import linden
import pytest
from linden import Connection, Space, aio
from linden_launchers import LocalCluster
from live import cluster as cluster


@pytest.fixture
def connection(cluster: LocalCluster) -> Iterator[Connection]:
    with linden.connect(cluster.connection_file) as connection:
        yield connection


@pytest.fixture
def spaces(connection: Connection) -> Iterator[tuple[Space, Space]]:
    """Two spaces of the test's own."""
    names = [f"test-{uuid.uuid4().hex}" for _ in range(2)]
    source, target = (connection.space(name, durability="process") for name in names)
    yield source, target
    for name in names:
        connection.drop_space(name)


def test_p28_collect_moves_and_copy_collect_copies_all_matches(spaces: tuple[Space, Space]) -> None:
    source, target = spaces
    source.put_many([("task", number) for number in range(3)])
    source.put(("other",))
    assert source.copy_collect(target, ("task", int)) == 3
    assert source.count(("task", int)) == target.count(("task", int)) == 3
    assert source.collect(target, ("task", int)) == 3
    assert source.list() == [("other",)]
    assert target.list() == [("task", number) for number in range(3)] * 2
    assert source.collect(target, ("task", int)) == 0


def test_p28_wakes_who_waits_in_the_other_space(spaces: tuple[Space, Space]) -> None:
    source, target = spaces
    waiting = target.take_async(("task", int))
    source.put(("task", 1))
    assert source.collect(target, ("task", int)) == 1
    assert waiting.result(20) == ("task", 1)


def test_p28_collect_from_both_ends_at_once_loses_nothing(spaces: tuple[Space, Space]) -> None:
    """Two spaces collect from each other, while others put and take: every step sees all or nothing."""
    one, other = spaces
    count = 40
    one.put_many([("token", number) for number in range(count)])

    def to_and_fro(source: Space, target: Space) -> None:
        for _ in range(100):
            assert source.collect(target, ("token", int)) in (0, count)
            one.put(("noise",))
            other.take(("noise",)) if target is other and other.try_read(("noise",)) else None

    threads = [threading.Thread(target=to_and_fro, args=pair) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted([one.count(("token", int)), other.count(("token", int))]) == [0, count]


def test_p28_says_what_is_wrong_and_does_nothing(
    spaces: tuple[Space, Space], connection: Connection, cluster: LocalCluster
) -> None:
    source, target = spaces
    source.put(("task", 1))
    with pytest.raises(linden.errors.NoSuchSpace, match="is this one"):
        source.collect(source, ("task", int))
    gone = connection.space(f"test-{uuid.uuid4().hex}", durability="memory")
    connection.drop_space(gone.name)
    with pytest.raises(linden.errors.NoSuchSpace, match="not there"):
        source.collect(gone, ("task", int))
    with (
        linden.connect(cluster.connection_file) as another,
        pytest.raises(ValueError, match="two spaces of one connection"),
    ):
        source.collect(another.space(target.name), ("task", int))
    assert source.count(("task", int)) == 1


def test_p28_collect_with_await(cluster: LocalCluster) -> None:
    async def run() -> None:
        async with await aio.connect(cluster.connection_file) as connection:
            names = [f"test-{uuid.uuid4().hex}" for _ in range(2)]
            source, target = [await connection.space(name, durability="memory") for name in names]
            await source.put(("task", 1))
            assert await source.copy_collect(target, ("task", int)) == 1
            assert await source.collect(target, ("task", int)) == 1
            assert await target.count(("task", int)) == 2
            for name in names:
                await connection.drop_space(name)

    asyncio.run(run())
