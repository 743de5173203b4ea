"""The spaces of a server with ``await``: the words, arguments and errors of `linden.connect` and `linden.Space`.

    from linden import aio

    async with aio.connect() as connection:
        space = await connection.space("jobs")
        await space.put(("task", 1))
        async with space.reserve(("task", int)) as held:
            await held.finish([("done", held.tuple[1])])

A task that is cancelled in the midst of a call cancels the request, and loses nothing (P11): what was on its way to it is
back in the space, at its old place if it was reserved, as a new put if it was taken.  A put or finish that is cancelled
may have been done.  Results of views need no module of their own: an `AsyncResult` can be awaited as it is.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from . import _native, reservation, space
from . import connection as plain
from .aio_stream import Stream, StreamedReservation
from .aio_transaction import Transaction
from .completions import RequestFuture
from .connection_file import ConnectionInfo
from .errors import StaleLease
from .fields import Template, Tuple, check_count, check_duration, make_form, several, to_python
from .operations import Tuples
from .space import Ids
from .subscription import Subscription

__all__ = ["Connection", "Reservation", "Space", "Stream", "StreamedReservation", "Transaction", "connect"]

_PAGE = 1000


class _Context(Protocol):
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


T = TypeVar("T", bound=_Context)


class Opening(Generic[T]):
    """What may be awaited, or entered at once: ``await x`` and ``async with x as y``."""

    def __init__(self, open_it: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._open = open_it
        self._opened: T | None = None

    def __await__(self) -> Generator[Any, None, T]:
        return self._open().__await__()

    async def __aenter__(self) -> T:
        self._opened = await self._open()
        return await self._opened.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._opened is not None
        await self._opened.__aexit__(kind, value, traceback)


async def answer(future: RequestFuture) -> Any:
    """The answer to a request whose future nobody else has."""
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        # It may have been answered between the last step of the event loop and this one.
        future.abandon()
        raise


def connect(
    address: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    name: str = "",
    cluster_id: str | None = None,
    timeout: float = 10.0,
    hold: float = 5.0,
    memory: float = 60.0,
    reconnect: float = 60.0,
) -> Opening[Connection]:
    """As `linden.connect`; await it, or use it with ``async with``."""

    def connect_in_thread() -> plain.Connection:
        return plain.connect(
            address,
            name=name,
            cluster_id=cluster_id,
            timeout=timeout,
            hold=hold,
            memory=memory,
            reconnect=reconnect,
        )

    async def open_it() -> Connection:
        return Connection(await asyncio.to_thread(connect_in_thread))

    return Opening(open_it)


class Connection:
    """One session with a server, as `linden.Connection`."""

    def __init__(self, connection: plain.Connection) -> None:
        self._plain = connection

    @property
    def info(self) -> ConnectionInfo:
        """How the server was found."""
        return self._plain.info

    @property
    def address(self) -> str:
        """Of the server."""
        return self._plain.address

    @property
    def session(self) -> str:
        """The session's id, 32 hexadecimal digits."""
        return self._plain.session

    @property
    def connected(self) -> bool:
        """Whether the server can be reached now."""
        return self._plain.connected

    async def space(
        self, name: str, create: bool = True, durability: str | None = None, *, timeout: float | None = 10.0
    ) -> Space:
        """The space of that name.

        Raises: NoSuchSpace.
        """
        return Space(await asyncio.to_thread(self._plain.space, name, create, durability, timeout=timeout))

    async def drop_space(self, name: str) -> None:
        """Remove the space and all its tuples."""
        await asyncio.to_thread(self._plain.drop_space, name)

    async def spaces(self) -> list[dict[str, Any]]:
        """All spaces of the server with their counts."""
        return await asyncio.to_thread(self._plain.spaces)

    async def status(self) -> dict[str, Any]:
        """What the server says of itself."""
        return await asyncio.to_thread(self._plain.status)

    async def close(self) -> None:
        """Say goodbye: reservations are released, waiting calls end with Closed.  Idempotent."""
        await asyncio.to_thread(self._plain.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<linden.aio.Connection {self.address}>"


class Space:
    """A bag of tuples that many processes share, as `linden.Space`."""

    def __init__(self, plain_space: space.Space) -> None:
        self._plain = plain_space

    @property
    def name(self) -> str:
        """Of the space."""
        return self._plain.name

    @property
    def durability(self) -> str:
        """ "memory", "process" or "sync" (P31)."""
        return self._plain.durability

    @property
    def plain(self) -> space.Space:
        """The same space without await."""
        return self._plain

    # ---- put

    async def put(self, fields: Sequence[Any], **attributes: Any) -> int:
        """Put a tuple and return its id; attributes as of `linden.Space.put`."""
        return int(await answer(self._plain.put_async(fields, **attributes)))

    async def put_many(self, tuples: Iterable[Sequence[Any] | _native.Put], **attributes: Any) -> Ids:
        """Put all `tuples` in one step, or none, and return their ids; as `linden.Space.put_many`."""
        rows = several(tuples, "tuple")
        return list(await answer(self._plain.put_many_async(rows, **attributes))) if rows else []

    async def renew(self, id: int, ttl: float | None) -> None:
        """Give the tuple with this id a new time to live; as `linden.Space.renew`.

        Raises: NoMatch: it was taken or has expired.
        """
        await answer(self._plain.renew_async(id, ttl))

    # ---- upkeep

    async def revive(self, template: Template | None = None, *, ids: Iterable[int] | None = None) -> int:
        """Make dead tuples free again; as `linden.Space.revive`."""
        return int(await answer(self._plain.revive_async(template, ids=ids)))

    async def pause(self, template: Template | None = None) -> bool:
        """Hand out nothing that matches; as `linden.Space.pause`."""
        return bool(await answer(self._plain.pause_async(template)))

    async def drain(self, template: Template | None = None) -> bool:
        """Refuse puts of what matches; as `linden.Space.drain`."""
        return bool(await answer(self._plain.drain_async(template)))

    async def resume(self, template: Template | None = None, *, all: bool = False) -> int:
        """End a pause and a drain; as `linden.Space.resume`."""
        return int(await answer(self._plain.resume_async(template, all=all)))

    async def pauses(self) -> list[dict[str, Any]]:
        """What is paused and drained; as `linden.Space.pauses`."""
        return list(await answer(self._plain.pauses_async()))

    # ---- take and read

    async def take(self, template: Template, *, timeout: float | None = None) -> Tuple:
        """Remove and return the oldest match.

        Raises: NoMatch: nothing in time.
        """
        return tuple(await answer(self._plain.take_async(template, timeout=timeout)))

    async def read(self, template: Template, *, timeout: float | None = None) -> Tuple:
        """Return the oldest match, and leave it there.

        Raises: NoMatch: nothing in time.
        """
        return tuple(await answer(self._plain.read_async(template, timeout=timeout)))

    async def try_take(self, template: Template) -> Tuple | None:
        """`take` without waiting; None if nothing matches."""
        found: Tuple | None = await answer(self._plain.try_take_async(template))
        return found

    async def try_read(self, template: Template) -> Tuple | None:
        """`read` without waiting; None if nothing matches."""
        found: Tuple | None = await answer(self._plain.try_read_async(template))
        return found

    async def take_any(self, templates: Sequence[Template], *, timeout: float | None = None) -> tuple[int, Tuple]:
        """`take` with several templates (P14): (which one matched, the tuple)."""
        which, found = await answer(self._plain.take_any_async(templates, timeout=timeout))
        return which, found

    async def read_any(self, templates: Sequence[Template], *, timeout: float | None = None) -> tuple[int, Tuple]:
        """`read` with several templates (P14): (which one matched, the tuple)."""
        which, found = await answer(self._plain.read_any_async(templates, timeout=timeout))
        return which, found

    async def take_many(self, template: Template, n: int, *, timeout: float | None = 0) -> Tuples:
        """Take at least one and at most `n` matches (P15); an empty list if there is none in time."""
        return list(await answer(self._plain.take_many_async(template, n, timeout=timeout)))

    async def read_many(self, template: Template, n: int, *, timeout: float | None = 0) -> Tuples:
        """Read at least one and at most `n` matches (P15), which stay; an empty list if there is none in time."""
        return list(await answer(self._plain.read_many_async(template, n, timeout=timeout)))

    # ---- reserve

    def reserve(self, template: Template, *, timeout: float | None = None, lease: float = 30.0) -> Opening[Reservation]:
        """Take a tuple under a lease (P16); await it, or use it with ``async with``.

        Raises: NoMatch: nothing in time.
        """

        async def open_it() -> Reservation:
            return Reservation(await answer(self._plain.reserve_async(template, timeout=timeout, lease=lease)))

        return Opening(open_it)

    async def try_reserve(self, template: Template, *, lease: float = 30.0) -> Reservation | None:
        """`reserve` without waiting; None if nothing matches."""
        held = await answer(self._plain.try_reserve_async(template, lease=lease))
        return None if held is None else Reservation(held)

    # ---- several operations as one

    async def commit(
        self,
        puts: Iterable[Sequence[Any] | _native.Put] = (),
        finishes: Iterable[Reservation | reservation.Token] = (),
        takes: Iterable[int] = (),
    ) -> Ids:
        """Put, finish reservations and remove free tuples by their ids, in one step or not at all (P26).

        Raises: StaleLease, TransactionConflict: what stood in the way is named; nothing has happened.
        """
        held = [item.plain if isinstance(item, Reservation) else item for item in several(finishes, "reservation")]
        return list(await answer(self._plain.commit_async(puts, held, takes)))

    def transaction(self, *, lease: float = 30.0) -> Opening[Transaction]:
        """Begin a transaction (P27); await it, or use it with ``async with``."""

        async def open_it() -> Transaction:
            return Transaction(await answer(self._plain.transaction_async(lease=lease)))

        return Opening(open_it)

    # ---- streams

    def take_stream(self, *templates: Template, credit: int = 100) -> Stream[Tuple]:
        """A standing take: an async iterator over tuples that match one of `templates`, as they come.

        At most `credit` tuples are on their way at a time (P15).  Use it with ``async with``: whatever it has taken and not
        yet given out is put back when the block ends.
        """
        return Stream(self._plain, _native.TAKE, templates, credit, _fields_of)

    def read_stream(self, *templates: Template, credit: int = 1000) -> Stream[Tuple]:
        """A standing read: what is there now, oldest first, and then every put that matches, each once."""
        return Stream(self._plain, _native.READ, templates, credit, _fields_of)

    def reserve_stream(self, *templates: Template, credit: int = 1, lease: float = 30.0) -> Stream[StreamedReservation]:
        """A standing reservation: `credit` tuples are held for us at a time, and come one by one."""
        check_duration("lease", lease)
        return StreamedReservation.stream(self._plain, templates, credit, lease)

    # ---- looking

    def subscribe(self, template: Template, initial: bool = False, *, credit: int = 1000) -> Opening[Subscription]:
        """Be told of every put from now on, as `linden.Space.subscribe`; await it, or use it with ``async with``.

        Iterate with ``async for``: each item is a `linden.Notification`, or a `linden.Gap` where some were missed (P30).
        """

        async def open_it() -> Subscription:
            return await asyncio.to_thread(self._plain.subscribe, template, initial, credit=credit)

        return Opening(open_it)

    async def snapshot(self, template: Template) -> Tuples:
        """All free tuples that match, oldest first, as of one instant (P29)."""
        return await asyncio.to_thread(self._plain.snapshot, template)

    async def collect(self, to: Space, template: Template) -> int:
        """Move all free matches into another space and return how many, as `linden.Space.collect`."""
        return int(await answer(self._plain.collect_async(_plain_of(to), template)))

    async def copy_collect(self, to: Space, template: Template) -> int:
        """Copy all free matches into another space and return how many, as `linden.Space.copy_collect`."""
        return int(await answer(self._plain.collect_async(_plain_of(to), template, copy=True)))

    async def count(self, template: Template) -> int:
        """How many free tuples match."""
        return int(await answer(self._plain.count_async(template)))

    async def explain(self, template: Template) -> dict[str, Any]:
        """How the space looks `template` up, and what that costs, as `linden.Space.explain`."""
        native, form = self._plain.native, make_form(template)
        return dict(await answer(self._plain.submit(lambda: native.send_explain(form, queue=True), dict)))

    async def list(self, template: Template | None = None, limit: int = 100) -> Tuples:
        """Up to `limit` free tuples that match, oldest first; they stay."""
        check_count("limit", limit, least=0)
        found: Tuples = []
        if limit > 0:
            async for fields in self.iterate(template):
                found.append(fields)
                if len(found) >= limit:
                    break
        return found

    async def iterate(self, template: Template | None = None) -> AsyncIterator[Tuple]:
        """All free tuples that match, oldest first, read page by page; they stay."""
        async for row in self.describe(template, all_states=False):
            yield to_python(row["fields"])

    async def describe(
        self, template: Template | None = None, *, all_states: bool = True
    ) -> AsyncIterator[dict[str, Any]]:
        """Like `iterate`, with id, state, attempt, priority, holder and raw fields of each; reserved ones too."""
        form = None if template is None else make_form(template)
        after = 0
        more = True
        while more:
            page = await self._page(form, after, all_states)
            for row in page["tuples"]:
                yield row
            more = page["more"] and bool(page["tuples"])
            if more:
                after = page["tuples"][-1]["id"]

    async def _page(self, form: Tuple | None, after: int, all_states: bool) -> dict[str, Any]:
        native = self._plain.native
        page: dict[str, Any] = await answer(
            self._plain.submit(
                lambda: native.send_list(form, after=after, limit=_PAGE, all_states=all_states, queue=True),
                lambda found: found,
            )
        )
        return page

    async def summarize(self, first_fields: int = 2, groups: int = 1000) -> dict[str, Any]:
        """Counts by state and by the values of the first fields."""
        check_count("first_fields", first_fields, least=0)
        check_count("groups", groups, least=0)
        native = self._plain.native
        return dict(
            await answer(self._plain.submit(lambda: native.send_summarize(first_fields, groups, queue=True), dict))
        )

    def __repr__(self) -> str:
        return f"<linden.aio.Space {self.name!r}>"


class Reservation:
    """A tuple that is ours under a lease.  With ``async with``: finished at the block's end, released if it fails."""

    def __init__(self, held: reservation.Reservation) -> None:
        self._plain = held

    @property
    def tuple(self) -> Tuple:
        """What is held."""
        return self._plain.tuple

    @property
    def id(self) -> int:
        """Of the tuple."""
        return self._plain.id

    @property
    def attempt(self) -> int:
        """How often the tuple has been handed out, this time included."""
        return self._plain.attempt

    @property
    def token(self) -> reservation.Token:
        """(tuple id, attempt): what fences off a former holder (P16)."""
        return self._plain.token

    @property
    def plain(self) -> reservation.Reservation:
        """The same reservation without await."""
        return self._plain

    async def finish(self, puts: Iterable[Sequence[Any] | _native.Put] = ()) -> None:
        """Remove the tuple and put `puts`, in one step (P17).

        Raises: StaleLease: the reservation had ended; nothing has happened. KeyConflict: nothing has happened, it is still held.
        """
        await answer(self._plain.finish_async(puts))

    async def release(self, started: bool = True, delay: float | None = None) -> None:
        """Give the tuple back; it keeps its age.  As `linden.Reservation.release`."""
        await answer(self._plain.release_async(started, delay))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._plain.over:
            return
        if kind is None:
            await self.finish()
            return
        try:
            await self.release()
        except StaleLease:
            return  # it is back in the space already, and the block's own error matters more

    def __repr__(self) -> str:
        return f"<linden.aio.Reservation {self.tuple!r}, attempt {self.attempt}>"


def _plain_of(other: Space) -> space.Space:
    return other.plain if isinstance(other, Space) else other  # what is no space is refused there


def _fields_of(handout: _native.Handout) -> Tuple:
    return to_python(handout.fields)
