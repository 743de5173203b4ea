"""linden.Space.subscribe and snapshot against a real server, over connections that break and servers that are killed."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import linden
import pytest
from linden import Gap, Notification, Space, aio


class Server(Protocol):
    """The fixture of tests/conftest.py."""

    address: str

    def start(self) -> None: ...
    def kill(self) -> None: ...


class Wire:
    """Passes connections on to the server, and can cut them."""

    def __init__(self, server: str, path: Path) -> None:
        self.address = f"unix:{path}"
        self._server = server.removeprefix("unix:")
        self._sockets: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._server)
            self._sockets += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # cut

    def cut(self) -> None:
        """Break all connections."""
        while self._sockets:
            one = self._sockets.pop()
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


@pytest.fixture
def wire(space_server: Server, scratch: Path) -> Iterator[Wire]:
    wire = Wire(space_server.address, scratch / "wire")
    yield wire
    wire.close()


@pytest.fixture
def space(space_server: Server) -> Iterator[Space]:
    with linden.connect(space_server.address) as connection:
        yield connection.space("test", durability="process")


def test_p30_tells_every_matching_put_once_and_in_order(space: Space) -> None:
    space.put(("task", 0))
    with space.subscribe(("task", int)) as told:
        waiting = space.take_async(("task", 2))
        ids = space.put_many([("task", 1), ("result", 1), ("task", 2)])
        assert waiting.result(10) == ("task", 2)
        first, second = told.next(10), told.next(10)
        assert first == Notification(1, ids[0], ("task", 1))
        assert second == Notification(2, ids[2], ("task", 2))
        assert told.next(0) is None
        with pytest.raises(ValueError, match="negative"):
            told.next(-1)
    with pytest.raises(linden.Closed):
        told.next()
    assert list(told) == []


def test_p30_shows_first_what_is_there(space: Space) -> None:
    """No gap and no double between what is there and what other clients put meanwhile."""

    def put_more() -> None:
        for number in range(1000, 2000):
            space.put_async(("n", number))

    space.put_many([("n", number) for number in range(1000)])
    putting = threading.Thread(target=put_more)
    putting.start()
    with space.subscribe(("n", int), initial=True, credit=10) as told:
        items = [told.next(20) for _ in range(2000)]
        putting.join(60)
        assert told.initial_count >= 1000
    assert [item.number for item in items if isinstance(item, Notification)] == list(range(1, 2001))
    assert [item.tuple[1] for item in items if isinstance(item, Notification)] == list(range(2000))


def test_p30_a_slow_subscriber_is_told_what_it_missed(space: Space) -> None:
    """Puts do not wait for it, and the newest are kept."""
    with space.subscribe(("n", int), credit=1) as told:
        for first in range(0, 130_000, 10_000):
            space.put_many([("n", number) for number in range(first, first + 10_000)])
        assert told.next(10) == Notification(1, 1, ("n", 0))
        gap = told.next(10)
        assert isinstance(gap, Gap)
        assert gap == Gap(2, 29_999)
        after = told.next(10)
        assert isinstance(after, Notification)
        assert (after.number, after.tuple) == (30_001, ("n", 30_000))


def test_p30_goes_on_after_a_broken_connection(space: Space, wire: Wire) -> None:
    with linden.connect(wire.address) as connection:
        told = connection.space("test").subscribe(("task", int), credit=4)
        space.put_many([("task", number) for number in range(10)])
        items = [told.next(10)]
        for number in range(10, 40, 10):
            wire.cut()
            space.put_many([("task", n) for n in range(number, number + 10)])
            items += [told.next(20) for _ in range(7)]
        items += [told.next(20) for _ in range(40 - len(items))]
        assert [item.number for item in items if isinstance(item, Notification)] == list(range(1, 41))
        assert [item.tuple[1] for item in items if isinstance(item, Notification)] == list(range(40))
        assert told.next(0) is None


def test_p30_says_plainly_that_a_restarted_server_did_not_count(space: Space, space_server: Server) -> None:
    told = space.subscribe(("task", int))
    mirror = space.subscribe(("task", int), initial=True)
    space.put(("task", 1))
    assert told.next(10) == Notification(1, 1, ("task", 1))
    assert mirror.next(10) == Notification(1, 1, ("task", 1))
    space_server.kill()
    space_server.start()
    assert told.next(20) == Gap(2, None)
    assert mirror.next(20) == Gap(2, None)
    second = space.put(("task", 2))
    assert told.next(10) == Notification(3, second, ("task", 2))
    # One that shows what is there does so again.
    assert mirror.next(10) == Notification(3, 1, ("task", 1))
    assert mirror.next(10) == Notification(4, second, ("task", 2))


def test_p30_can_be_iterated_asynchronously(space: Space) -> None:
    async def listen(told: linden.Subscription) -> list[int]:
        seen = []
        async for item in told:
            assert isinstance(item, Notification)
            seen.append(item.tuple[1])
            await space.put_async(("n", item.tuple[1] + 1))
            if len(seen) == 10:
                told.close()
        return seen

    async def main() -> None:
        first, second = space.subscribe(("n", int)), space.subscribe(("m", int))
        waiting = asyncio.ensure_future(anext(second))
        listening = asyncio.ensure_future(listen(first))
        await asyncio.sleep(0)
        await space.put_async(("n", 0))
        assert await asyncio.wait_for(listening, 20) == list(range(10))
        # A cancelled wait takes nothing from the subscription.
        waiting.cancel()
        await space.put_async(("m", 1))
        item = await asyncio.wait_for(anext(second), 20)
        assert isinstance(item, Notification)
        assert item.tuple == ("m", 1)

    asyncio.run(main())


def test_p30_subscriptions_and_snapshots_with_await(space_server: Server) -> None:
    async def main() -> None:
        async with aio.connect(space_server.address) as connection:
            there = await connection.space("test")
            await there.put_many([("n", number) for number in range(3)])
            assert await there.snapshot(("n", int)) == await there.read_many(("n", int), 10)
            async with there.subscribe(("n", int), initial=True) as told:
                await there.put(("n", 3))
                numbers = [(await anext(told)).number for _ in range(4)]  # type: ignore[union-attr]
            assert numbers == [1, 2, 3, 4]

    asyncio.run(main())


def test_p29_a_snapshot_is_of_one_instant(space: Space) -> None:
    """Takes and puts of others while it is read do not show; it has what count would have counted."""
    space.put_many([("pair", number, side) for number in range(20_000) for side in (0, 1)])
    stop = threading.Event()

    def move() -> None:
        # What moves is there exactly once at every instant.
        while not stop.is_set():
            with space.reserve(("pair", int, 1), timeout=10) as held:
                held.finish(puts=[("pair", held.tuple[1], 1)])

    mover = threading.Thread(target=move)
    mover.start()
    try:
        for _ in range(5):
            seen = space.snapshot(("pair", int, int))
            assert len(seen) in (39_999, 40_000)  # one may be reserved at that instant
            assert len({(number, side) for _, number, side in seen}) == len(seen)
    finally:
        stop.set()
        mover.join(60)
    assert len(space.snapshot(("pair", int, linden.ANY))) == space.count(("pair", int, int)) == 40_000
    assert space.snapshot(("nothing",)) == []


def test_p29_iteration_shows_what_lived_throughout_once(space: Space) -> None:
    space.put_many([("n", number) for number in range(3000)])
    seen = []
    for number, fields in enumerate(space.iterate(("n", int))):
        seen.append(fields[1])
        if number % 500 == 0:
            assert space.take(("n", 2999 - number // 500), timeout=0)
            space.put(("n", 10_000 + number))
            with space.reserve(("n", 5)) as held:
                held.release(started=False)
    assert len(seen) == len(set(seen))
    assert set(range(2990)) <= set(seen)


def test_p15_read_many(space: Space) -> None:
    space.put_many([("a", number) for number in range(5)])
    assert space.read_many(("a", int), 3) == [("a", 0), ("a", 1), ("a", 2)]
    assert len(space.read_many(("a", int), 10)) == 5
    assert space.read_many(("b", int), 10) == []
    assert space.read_many_async(("a", int), 2).result(10) == [("a", 0), ("a", 1)]
    with pytest.raises(ValueError, match="at least 1"):
        space.read_many(("a", int), 0)


def test_p38_a_subscription_that_is_refused(space: Space) -> None:
    with pytest.raises(linden.LindenError, match="credit of 1000000"):
        space.subscribe(("a",), credit=1_000_000)
    assert space.count(("a",)) == 0
