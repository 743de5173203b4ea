"""Transaction: operations on a space that happen together or not at all (P27)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Unpack

from . import _native
from .completions import Completions, RequestFuture
from .errors import LindenError, NoMatch
from .fields import (
    PutAttributes,
    Template,
    Tuple,
    check_count,
    check_timeout,
    make_form,
    make_put,
    make_puts,
    to_python,
)


class Transaction:
    """An open transaction, begun by `Space.transaction`: a context manager, committed at the block's end.

    What it puts is seen inside at once and outside when it commits.  What it takes is hidden from others until it ends;
    what it reads others may read and may not take; where it found nothing, nothing must have come when it commits.  It
    is aborted, and all is back as it was, if the block fails, if this process ends or falls silent for the lease, if the
    connection is lost for longer than its hold time, and when the server ends.

    Raises, of every call: StaleLease: the transaction has ended. LimitExceeded: it has put, taken, read and not found
        10,000 things.
    """

    def __init__(self, native: _native.Space, completions: Completions, number: int) -> None:
        self._native = native
        self._client = native.client
        self._completions = completions
        self._number = number
        self._over = False

    @property
    def number(self) -> int:
        """Its number within the connection."""
        return self._number

    # ---- put

    def put(self, fields: Sequence[Any], **attributes: Unpack[PutAttributes]) -> None:
        """`Space.put`; the tuple gets its id, and its ttl and delay begin, when the transaction commits.

        What it put is seen inside whatever its delay, group and `when`; its key is looked at by `commit`, which
        raises KeyConflict if it was used for something else.
        """
        put = self._make_put(fields, **attributes)
        self._client.wait(self._native.send_put([put], transaction=self._number))

    def put_async(self, fields: Sequence[Any], **attributes: Unpack[PutAttributes]) -> RequestFuture:
        """`put` as a future."""
        put = self._make_put(fields, **attributes)
        return self._submit(lambda: self._native.send_put([put], transaction=self._number, queue=True), _nothing)

    def put_many(
        self, tuples: Iterable[Sequence[Any] | _native.Put], *, priority: int = 0, ttl: float | None = None
    ) -> None:
        """Put all `tuples`; as `Space.put_many`."""
        puts = make_puts(tuples, priority=priority, ttl=ttl)
        if puts:
            self._client.wait(self._native.send_put(puts, transaction=self._number))

    def put_many_async(
        self, tuples: Iterable[Sequence[Any] | _native.Put], *, priority: int = 0, ttl: float | None = None
    ) -> RequestFuture:
        """`put_many` as a future."""
        puts = make_puts(tuples, priority=priority, ttl=ttl)
        return self._submit(lambda: self._native.send_put(puts, transaction=self._number, queue=True), _nothing)

    def _make_put(self, fields: Sequence[Any], *, session: bool = False, **attributes: Any) -> _native.Put:
        return make_put(fields, lives_with=self._client.session if session else None, **attributes)

    # ---- take and read

    def take(self, template: Template, *, timeout: float | None = None) -> Tuple:
        """`Space.take`; hidden from others until the transaction ends."""
        return to_python(self._wait_take(_native.TAKE, template, 1, timeout)[0].fields)

    def read(self, template: Template, *, timeout: float | None = None) -> Tuple:
        """`Space.read`; nobody else takes it until the transaction ends."""
        return to_python(self._wait_take(_native.READ, template, 1, timeout)[0].fields)

    def try_take(self, template: Template) -> Tuple | None:
        """`take` without waiting; None if nothing matches, which the commit looks at again."""
        try:
            return self.take(template, timeout=0)
        except NoMatch:
            return None

    def try_read(self, template: Template) -> Tuple | None:
        """`read` without waiting; None if nothing matches, which the commit looks at again."""
        try:
            return self.read(template, timeout=0)
        except NoMatch:
            return None

    def take_many(self, template: Template, n: int, *, timeout: float | None = 0) -> list[Tuple]:
        """Take at least one and at most `n` matching tuples; an empty list if there is none in time."""
        check_count("n", n)
        try:
            return [to_python(handout.fields) for handout in self._wait_take(_native.TAKE, template, n, timeout)]
        except NoMatch:
            return []

    def take_async(self, template: Template, *, timeout: float | None = None) -> RequestFuture:
        """`take` as a future."""
        return self._submit_take(_native.TAKE, template, timeout, _first)

    def read_async(self, template: Template, *, timeout: float | None = None) -> RequestFuture:
        """`read` as a future."""
        return self._submit_take(_native.READ, template, timeout, _first)

    def try_take_async(self, template: Template) -> RequestFuture:
        """`try_take` as a future."""
        return self._submit_take(_native.TAKE, template, 0, _first, none=True)

    def try_read_async(self, template: Template) -> RequestFuture:
        """`try_read` as a future."""
        return self._submit_take(_native.READ, template, 0, _first, none=True)

    def take_many_async(self, template: Template, n: int, *, timeout: float | None = 0) -> RequestFuture:
        """`take_many` as a future."""
        check_count("n", n)
        return self._submit_take(
            _native.TAKE, template, timeout, lambda found: [to_python(h.fields) for h in found or ()], n, none=True
        )

    def count(self, template: Template) -> int:
        """How many free tuples match, its own puts included."""
        return int(self._client.wait(self._native.send_count(make_form(template), transaction=self._number)))

    def count_async(self, template: Template) -> RequestFuture:
        """`count` as a future."""
        form = make_form(template)
        return self._submit(lambda: self._native.send_count(form, transaction=self._number, queue=True), int)

    # ---- the end

    @property
    def over(self) -> bool:
        """Whether it was committed or aborted here."""
        return self._over

    def commit(self) -> list[int]:
        """Make all of it happen in one step; returns the ids of what was put and not taken again.

        Raises: TransactionConflict: what it relied on has changed; it was aborted, so begin anew.
        """
        self._over = True
        return list(self._client.wait(self._native.send_end(self._number, commit=True)))

    def commit_async(self) -> RequestFuture:
        """`commit` as a future."""
        self._over = True
        return self._submit(lambda: self._native.send_end(self._number, commit=True, queue=True), list)

    def abort(self) -> None:
        """Undo all of it; what it took is back with its age.  Nothing happens if it has ended already."""
        self._over = True
        self._client.wait(self._native.send_end(self._number, commit=False))

    def abort_async(self) -> RequestFuture:
        """`abort` as a future."""
        self._over = True
        return self._submit(lambda: self._native.send_end(self._number, commit=False, queue=True), _nothing)

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._over:
            return
        if kind is None:
            self.commit()
            return
        try:
            self.abort()
        except LindenError:
            return  # the connection has ended, and the transaction with it; the block's own error matters more

    def __repr__(self) -> str:
        return f"<linden.Transaction {self._number} on {self._native.name!r}{' (over)' if self._over else ''}>"

    # ---- inside

    def _wait_take(self, mode: int, template: Template, count: int, timeout: float | None) -> list[_native.Handout]:
        check_timeout(timeout)
        form = make_form(template)
        request = self._native.send_take(mode, [form], count=count, timeout=timeout, transaction=self._number)
        try:
            return list(self._client.wait(request))
        except LindenError:
            raise
        except BaseException:  # Ctrl-C: what is on its way comes back when the transaction is aborted
            self._native.cancel(request)
            raise

    def _submit_take(
        self,
        mode: int,
        template: Template,
        timeout: float | None,
        convert: Callable[[Any], Any],
        count: int = 1,
        none: bool = False,
    ) -> RequestFuture:
        check_timeout(timeout)
        form = make_form(template)
        number = self._number
        return self._submit(
            lambda: self._native.send_take(mode, [form], count=count, timeout=timeout, transaction=number, queue=True),
            convert,
            none=none,
        )

    def _submit(self, send: Callable[[], int], convert: Callable[[Any], Any], *, none: bool = False) -> RequestFuture:
        return self._completions.submit(send, convert, self._native.cancel, None, none)


def _first(found: Any) -> Tuple | None:
    return to_python(found[0].fields) if found else None


def _nothing(_answer: Any) -> None:
    return None
