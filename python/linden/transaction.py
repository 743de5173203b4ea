"""Transaction: operations on a space that happen together or not at all (P27)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Unpack

from . import _native
from .completions import Completions, RequestFuture
from .errors import LindenError
from .fields import PutAttributes, make_puts
from .operations import Operations


class Transaction(Operations):
    """An open transaction, begun by `Space.transaction`: a context manager, committed at the block's end.

    What it puts is seen inside at once and outside when it commits.  What it takes is hidden from others until it ends;
    what it reads others may read and may not take; where it found nothing, nothing must have come when it commits.  It
    is aborted, and all is back as it was, if the block fails, if this process ends or falls silent for the lease, if the
    connection is lost for longer than its hold time, and when the server ends.

    Raises, of every call: StaleLease: the transaction has ended. LimitExceeded: it has put, taken, read and not found
        10,000 things.
    """

    def __init__(self, native: _native.Space, completions: Completions, number: int) -> None:
        super().__init__(native, completions, number)
        self._over = False

    @property
    def number(self) -> int:
        """Its number within the connection."""
        return self._transaction

    # ---- put

    def put(self, fields: Sequence[Any], **attributes: Unpack[PutAttributes]) -> None:
        """`Space.put`; the tuple gets its id, and its ttl and delay begin, when the transaction commits.

        What it put is seen inside whatever its delay, group and `when`; its key is looked at by `commit`, which
        raises KeyConflict if it was used for something else.
        """
        put = self._make_put(fields, **attributes)
        self._client.wait(self._native.send_put([put], transaction=self._transaction))

    def put_async(self, fields: Sequence[Any], **attributes: Unpack[PutAttributes]) -> RequestFuture:
        """`put` as a future."""
        put = self._make_put(fields, **attributes)
        return self.submit(lambda: self._native.send_put([put], transaction=self._transaction, queue=True), _nothing)

    def put_many(
        self, tuples: Iterable[Sequence[Any] | _native.Put], *, priority: int = 0, ttl: float | None = None
    ) -> None:
        """Put all `tuples`; as `Space.put_many`."""
        puts = make_puts(tuples, priority=priority, ttl=ttl)
        if puts:
            self._client.wait(self._native.send_put(puts, transaction=self._transaction))

    def put_many_async(
        self, tuples: Iterable[Sequence[Any] | _native.Put], *, priority: int = 0, ttl: float | None = None
    ) -> RequestFuture:
        """`put_many` as a future."""
        puts = make_puts(tuples, priority=priority, ttl=ttl)
        return self.submit(lambda: self._native.send_put(puts, transaction=self._transaction, queue=True), _nothing)

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
        return list(self._client.wait(self._native.send_end(self._transaction, commit=True)))

    def commit_async(self) -> RequestFuture:
        """`commit` as a future."""
        self._over = True
        return self.submit(lambda: self._native.send_end(self._transaction, commit=True, queue=True), list)

    def abort(self) -> None:
        """Undo all of it; what it took is back with its age.  Nothing happens if it has ended already."""
        self._over = True
        self._client.wait(self._native.send_end(self._transaction, commit=False))

    def abort_async(self) -> RequestFuture:
        """`abort` as a future."""
        self._over = True
        return self.submit(lambda: self._native.send_end(self._transaction, commit=False, queue=True), _nothing)

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
        return f"<linden.Transaction {self._transaction} on {self._native.name!r}{' (over)' if self._over else ''}>"


def _nothing(_answer: Any) -> None:
    return None
