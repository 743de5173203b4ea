"""Space: put, take, read and reserve tuples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Unpack

from . import _native
from .completions import RequestFuture
from .errors import NoMatch
from .fields import (
    PutAttributes,
    Template,
    Tuple,
    check_count,
    check_duration,
    check_id,
    check_token,
    make_form,
    make_puts,
    several,
    shown,
    to_python,
)
from .lease_watch import LeaseWatch
from .operations import Handouts, Operations, Tuples, or_none
from .reservation import Reservation, Token
from .subscription import Gap, Subscription
from .transaction import Transaction
from .upkeep import Upkeep

_PAGE = 1000
_SNAPSHOT_CREDIT = 10_000
_GIVE_BACK_S = 1.0
Ids = list[int]


class Space(Operations, Upkeep):
    """A bag of tuples that many processes share (``docs/glossary.md``, promises P1 to P40).

    Calls that wait for the server have an ``_async`` form that returns a future; `linden.aio` has them all with await.
    """

    @property
    def name(self) -> str:
        """Of the space."""
        return self._native.name

    @property
    def durability(self) -> str:
        """ "memory", "process" or "sync" (P31)."""
        return self._native.durability

    @property
    def native(self) -> _native.Space:
        """The C++ space."""
        return self._native

    @property
    def leases(self) -> LeaseWatch:
        """What watches over the reservations of this connection.  For modules of this package."""
        return self._completions.leases

    # ---- put

    def put(
        self,
        fields: Sequence[Any],
        *,
        priority: int = 0,
        ttl: float | None = None,
        max_attempts: int = 0,
        will: Sequence[Any] | None = None,
        session: bool = False,
        key: str | None = None,
        key_window: float | None = None,
        delay: float | None = None,
        group: str | None = None,
        when: Sequence[Template] | None = None,
    ) -> int:
        """Put a tuple (Linda ``out``).

        Args: fields: each None, bool, int, float, str, bytes or a list of these; anything else is pickled. priority:
            higher is handed out first. ttl: seconds after which it is gone. max_attempts: started reservations that
            may end without a finish (P19); will: the tuple that is put then. session: gone with this connection (P25).
            key: put again with the same key within `key_window` seconds (an hour), it is stored once (P23). delay:
            not visible for so many seconds. group: at most one tuple of the group is out at a time, in order of put (P22).
            when: not visible until each of these templates was matched by a tuple; ``Var("x")`` in one of them fills
            ``Var("x")`` in `fields` (P24).
        Returns: the tuple's id; of the first put, if the key was used before.
        Raises: OverflowError: an int beyond 64 bits. NotPicklable (a TypeError): names the field. KeyConflict: the key was
            used for something else.
        """
        put = self._make_put(
            fields,
            priority=priority,
            ttl=ttl,
            max_attempts=max_attempts,
            will=will,
            session=session,
            key=key,
            key_window=key_window,
            delay=delay,
            group=group,
            when=when,
        )
        return int(self._client.wait(self._native.send_put([put]))[0])

    def put_async(self, fields: Sequence[Any], **attributes: Unpack[PutAttributes]) -> RequestFuture:
        """`put` as a future."""
        put = self._make_put(fields, **attributes)
        return self.submit(lambda: self._native.send_put([put], queue=True), lambda ids: ids[0])

    def put_many(
        self, tuples: Iterable[Sequence[Any] | _native.Put], *, priority: int = 0, ttl: float | None = None
    ) -> Ids:
        """Put all `tuples` in one step, or none; returns their ids.

        Args: tuples: rows of fields, or ``linden.with_attributes(...)``. priority, ttl: of those that are rows of fields.
        """
        puts = make_puts(tuples, priority=priority, ttl=ttl)
        return list(self._client.wait(self._native.send_put(puts))) if puts else []

    def put_many_async(
        self, tuples: Iterable[Sequence[Any] | _native.Put], *, priority: int = 0, ttl: float | None = None
    ) -> RequestFuture:
        """`put_many` as a future."""
        puts = make_puts(tuples, priority=priority, ttl=ttl)
        return self.submit(lambda: self._native.send_put(puts, queue=True), list)

    def renew(self, id: int, ttl: float | None) -> None:
        """Give the tuple with this id a new time to live from now on, whoever holds it; None: for ever (P21).

        Raises: NoMatch: it was taken or has expired.
        """
        self._check_renewed(id, self._client.wait(self._native.send_renew([check_id(id)], _checked_ttl(ttl))))

    def renew_async(self, id: int, ttl: float | None) -> RequestFuture:
        """`renew` as a future."""
        return self.submit(
            lambda: self._native.send_renew([check_id(id)], _checked_ttl(ttl), queue=True),
            lambda codes: self._check_renewed(id, codes),
        )

    def _check_renewed(self, id: int, codes: Sequence[int]) -> None:
        if codes[0]:
            raise NoMatch(f"renew: there is no tuple {id} in space {self.name!r}; it was taken or has expired")

    # ---- take and read, beside what Operations has

    def take_any(self, templates: Sequence[Template], *, timeout: float | None = None) -> tuple[int, Tuple]:
        """`take` with several templates (P14): (which one matched, the tuple)."""
        handout = self._wait_take(_native.TAKE, templates, 1, timeout)[0]
        return handout.index, to_python(handout.fields)

    def read_any(self, templates: Sequence[Template], *, timeout: float | None = None) -> tuple[int, Tuple]:
        """`read` with several templates (P14): (which one matched, the tuple)."""
        handout = self._wait_take(_native.READ, templates, 1, timeout)[0]
        return handout.index, to_python(handout.fields)

    def read_many(self, template: Template, n: int, *, timeout: float | None = 0) -> Tuples:
        """Read at least one and at most `n` matching tuples, which stay (P15); an empty list if there is none in time.

        For all of them, whatever their number: `snapshot` or `iterate`.
        """
        return self._wait_many(_native.READ, template, n, timeout)

    def take_any_async(self, templates: Sequence[Template], *, timeout: float | None = None) -> RequestFuture:
        """`take_any` as a future."""
        return self._submit_take(_native.TAKE, templates, timeout, _first_and_which)

    def read_any_async(self, templates: Sequence[Template], *, timeout: float | None = None) -> RequestFuture:
        """`read_any` as a future."""
        return self._submit_take(_native.READ, templates, timeout, _first_and_which)

    def read_many_async(self, template: Template, n: int, *, timeout: float | None = 0) -> RequestFuture:
        """`read_many` as a future."""
        return self._submit_many(_native.READ, template, n, timeout)

    # ---- reserve

    def reserve(self, template: Template, *, timeout: float | None = None, lease: float = 30.0) -> Reservation:
        """Take a tuple under a lease (P16): a context manager.

        ``finish`` removes it and may put others in the same step.  If the block fails, or this process ends or falls
        silent for longer than `lease` seconds, the tuple is back in the space.  If the server cannot be reached for two
        thirds of that, the logger ``linden.leases`` says so.
        Raises: NoMatch: nothing in time.
        """
        return Reservation(self, self._wait_take(_native.RESERVE, [template], 1, timeout, lease)[0], lease)

    def try_reserve(self, template: Template, *, lease: float = 30.0) -> Reservation | None:
        """`reserve` without waiting; None if nothing matches."""
        return or_none(lambda: self.reserve(template, timeout=0, lease=lease))

    def reserve_async(self, template: Template, *, timeout: float | None = None, lease: float = 30.0) -> RequestFuture:
        """`reserve` as a future."""
        return self._submit_take(
            _native.RESERVE, [template], timeout, lambda found: Reservation(self, found[0], lease), lease=lease
        )

    def try_reserve_async(self, template: Template, *, lease: float = 30.0) -> RequestFuture:
        """`try_reserve` as a future."""
        return self._submit_take(
            _native.RESERVE,
            [template],
            0,
            lambda found: Reservation(self, found[0], lease) if found else None,
            lease=lease,
            none=True,
        )

    # ---- several operations as one

    def commit(
        self,
        puts: Iterable[Sequence[Any] | _native.Put] = (),
        finishes: Iterable[Reservation | Token] = (),
        takes: Iterable[int] = (),
    ) -> Ids:
        """Put, finish reservations and remove free tuples by their ids, in one step or not at all (P26).

        Taking a tuple by its id and putting another in the same commit changes it.
        Args: puts: tuples. finishes: reservations of this connection, or their tokens. takes: ids of free tuples.
        Returns: the ids of `puts`.
        Raises: StaleLease: a reservation had ended. TransactionConflict: a tuple of `takes` is not free. The message
            names it, and nothing has happened.
        """
        held = several(finishes, "reservation")
        made = make_puts(puts)
        ids = self._client.wait(self._native.send_commit(made, _tokens(held), _ids(takes)))
        _finished(held)
        return list(ids)

    def commit_async(
        self,
        puts: Iterable[Sequence[Any] | _native.Put] = (),
        finishes: Iterable[Reservation | Token] = (),
        takes: Iterable[int] = (),
    ) -> RequestFuture:
        """`commit` as a future."""
        held = several(finishes, "reservation")
        made, tokens, ids = make_puts(puts), _tokens(held), _ids(takes)

        def convert(answer: Any) -> Ids:
            _finished(held)
            return list(answer)

        return self.submit(lambda: self._native.send_commit(made, tokens, ids, queue=True), convert)

    def collect(self, to: Space, template: Template) -> int:
        """Move all free matches into another space of the server, in one step for everybody in either space (P28).

        They are put there in order of put, with new ids, their priority, max_attempts, will, group and what is left of
        their ttl.  What lives with a session stays.
        Returns: how many.
        Raises: Overloaded, LimitExceeded: the other space is full, or too much matches. NoSuchSpace: the other space was
            dropped, or is this one. Nothing has happened then.
        """
        return self._collect(to, template, copy=False)

    def copy_collect(self, to: Space, template: Template) -> int:
        """`collect` that leaves the matches where they are, too."""
        return self._collect(to, template, copy=True)

    def collect_async(self, to: Space, template: Template, *, copy: bool = False) -> RequestFuture:
        """`collect`, or `copy_collect`, as a future."""
        form, number = make_form(template), self._number_of(to)
        return self.submit(lambda: self._native.send_collect(form, number, copy=copy, queue=True), len)

    def _collect(self, to: Space, template: Template, *, copy: bool) -> int:
        request = self._native.send_collect(make_form(template), self._number_of(to), copy=copy)
        return len(self._client.wait(request))

    def _number_of(self, other: Space) -> int:
        if not isinstance(other, Space):
            raise TypeError(f"to: wanted a Space of the same connection, found {shown(other)}")
        if other._client is not self._client:
            raise ValueError(
                f"collect from {self.name!r} to {other.name!r}: wanted two spaces of one connection; open both with the same client"
            )
        return other.native.number

    def transaction(self, *, lease: float = 30.0) -> Transaction:
        """Begin a transaction (P27): a context manager that commits at the block's end and aborts if the block fails.

        Args: lease: seconds of silence of this process after which the server aborts it; renewed by itself.
        """
        check_duration("lease", lease)
        request = self._native.send_begin(lease=lease)
        self._client.wait(request)
        return Transaction(self._native, self._completions, request)

    def transaction_async(self, *, lease: float = 30.0) -> RequestFuture:
        """`transaction` as a future."""
        check_duration("lease", lease)
        request = 0

        def send() -> int:
            nonlocal request
            request = self._native.send_begin(lease=lease, queue=True)
            return request

        def abort(_none: Any) -> None:
            self._native.send_end(request, commit=False)

        return self.submit(send, lambda _none: Transaction(self._native, self._completions, request), abort)

    # ---- looking

    def explain(self, template: Template) -> dict[str, Any]:
        """How the space looks `template` up, and what that costs; nothing changes by asking.

        Returns: index: the positions of the fields that lead to the candidates, () if all tuples of that many fields
            are looked at; learned: whether that index is there already, or made by the first take; tuples: free ones of
            that many fields; candidates: of these, how many are looked at for a `count`; matches: how many match;
            scans: look-ups of the whole space until now that compared 64 tuples or more in vain.
        """
        return dict(self._client.wait(self._native.send_explain(make_form(template))))

    def list(self, template: Template | None = None, limit: int = 100) -> Tuples:
        """Up to `limit` free tuples that match, oldest first; they stay."""
        check_count("limit", limit, least=0)
        found: Tuples = []
        for fields in self.iterate(template):
            if len(found) >= limit:
                break
            found.append(fields)
        return found

    def iterate(self, template: Template | None = None) -> Iterator[Tuple]:
        """All free tuples that match, oldest first, read page by page; they stay.

        A tuple that was free throughout is shown exactly once, and none twice, whatever comes and goes meanwhile
        (P29). One that was put, or was away, in between may be shown or not; for one instant, see `snapshot`.
        """
        for row in self.describe(template, all_states=False):
            yield to_python(row["fields"])

    def snapshot(self, template: Template) -> Tuples:
        """All free tuples that match, oldest first, as of one instant: as many as `count` would have said then (P29).

        Raises: LimitExceeded: more than a million; `iterate` over so many.
        """
        there = self._native.subscribe([make_form(template)], initial=True, follow=False, credit=_SNAPSHOT_CREDIT)
        found: Tuples = []
        with Subscription(there, self._completions) as told:
            while len(found) < told.initial_count:
                item = told.next()
                if item is None or isinstance(item, Gap):
                    found.clear()  # the server was started again: what follows is of another instant
                else:
                    found.append(item.tuple)
        return found

    def subscribe(self, template: Template, initial: bool = False, *, credit: int = 1000) -> Subscription:
        """Be told of every put of a matching tuple from now on, once each and in order (P30; JavaSpaces ``notify``).

        Args: initial: first all that is there, with no gap and no double between the two. credit: how many may be on
            their way to this process at a time.
        Returns: an iterator of `Notification`, and of `Gap` where some were missed: the space keeps a bounded backlog
            for whoever is slow, and never lets a put wait. Also a context manager, and an asynchronous iterator.
        """
        forms = [make_form(template)]
        native = self._native.subscribe(forms, initial=initial, credit=check_count("credit", credit))
        return Subscription(native, self._completions)

    def describe(
        self, template: Template | None = None, *, all_states: bool = True, dead: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Like `iterate`, with id, state, attempt, priority, holder and raw fields of each; reserved ones too.

        Args: all_states: not only free ones. dead: only dead ones (P19).
        """
        form = None if template is None else make_form(template)
        after = 0
        more = True
        while more:
            request = self._native.send_list(form, after=after, limit=_PAGE, all_states=all_states, dead=dead)
            page = self._client.wait(request)
            yield from page["tuples"]
            more = page["more"] and bool(page["tuples"])
            if more:
                after = page["tuples"][-1]["id"]

    def summarize(self, first_fields: int = 2, groups: int = 1000) -> dict[str, Any]:
        """Counts by state and by the values of the first fields."""
        check_count("first_fields", first_fields, least=0)
        check_count("groups", groups, least=0)
        return dict(self._client.wait(self._native.send_summarize(first_fields, groups)))

    def __repr__(self) -> str:
        return f"<linden.Space {self.name!r} at {self._client.address}>"

    # ---- inside

    def _give_back(self, mode: int, request: int) -> None:
        try:
            self._return_handouts(mode, self._client.wait(request, _GIVE_BACK_S))
        except Exception:  # noqa: BLE001  (usually Cancelled; the interruption itself is what the caller hears of)
            return

    def _return_handouts(self, mode: int, handouts: Handouts) -> None:
        if mode == _native.RESERVE:
            self._native.send_release([(h.id, h.attempt) for h in handouts], started=False)
        elif mode == _native.TAKE:
            self._native.send_put([_native.Put(h.fields) for h in handouts])


def _checked_ttl(ttl: float | None) -> float | None:
    check_duration("ttl", ttl)
    return ttl


def _tokens(finishes: Iterable[Reservation | Token]) -> list[Token]:
    return [item.token if isinstance(item, Reservation) else check_token(item) for item in finishes]


def _ids(takes: Iterable[int]) -> Ids:
    return [check_id(id) for id in several(takes, "id")]


def _finished(finishes: Iterable[Reservation | Token]) -> None:
    for item in finishes:
        if isinstance(item, Reservation):
            item.finished_elsewhere()


def _first_and_which(found: Handouts) -> tuple[int, Tuple]:
    return found[0].index, to_python(found[0].fields)
