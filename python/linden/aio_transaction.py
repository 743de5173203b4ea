"""Transactions with ``await``: `linden.Transaction` for `linden.aio`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from . import transaction
from .completions import RequestFuture
from .errors import LindenError
from .fields import Template, Tuple


class Transaction:
    """An open transaction, as `linden.Transaction`.  With ``async with``: committed at the block's end, else aborted.

    A task that is cancelled in the midst of a take leaves the tuple to the transaction, whose abort gives it back.
    """

    def __init__(self, plain: transaction.Transaction) -> None:
        self._plain = plain

    @property
    def over(self) -> bool:
        """Whether it was committed or aborted here."""
        return self._plain.over

    async def put(self, fields: Sequence[Any], **attributes: Any) -> None:
        """Put a tuple, which gets its id when the transaction commits; attributes as of `linden.Space.put`."""
        await _answer(self._plain.put_async(fields, **attributes))

    async def put_many(self, tuples: Iterable[Sequence[Any]], **attributes: Any) -> None:
        """Put all `tuples`."""
        await _answer(self._plain.put_many_async(tuples, **attributes))

    async def take(self, template: Template, *, timeout: float | None = None) -> Tuple:
        """Take a tuple, which is hidden from others until the transaction ends."""
        found: Tuple = await _answer(self._plain.take_async(template, timeout=timeout))
        return found

    async def read(self, template: Template, *, timeout: float | None = None) -> Tuple:
        """Read a tuple, which nobody else takes until the transaction ends."""
        found: Tuple = await _answer(self._plain.read_async(template, timeout=timeout))
        return found

    async def try_take(self, template: Template) -> Tuple | None:
        """`take` without waiting; None if nothing matches, which the commit looks at again."""
        found: Tuple | None = await _answer(self._plain.try_take_async(template))
        return found

    async def try_read(self, template: Template) -> Tuple | None:
        """`read` without waiting; None if nothing matches, which the commit looks at again."""
        found: Tuple | None = await _answer(self._plain.try_read_async(template))
        return found

    async def take_many(self, template: Template, n: int, *, timeout: float | None = 0) -> list[Tuple]:
        """Take at least one and at most `n` matches; an empty list if there is none in time."""
        return list(await _answer(self._plain.take_many_async(template, n, timeout=timeout)))

    async def count(self, template: Template) -> int:
        """How many free tuples match, its own puts included."""
        return int(await _answer(self._plain.count_async(template)))

    async def commit(self) -> list[int]:
        """Make all of it happen in one step; returns the ids of what was put and not taken again.

        Raises: TransactionConflict: what it relied on has changed; it was aborted, so begin anew.
        """
        return list(await _answer(self._plain.commit_async()))

    async def abort(self) -> None:
        """Undo all of it."""
        await _answer(self._plain.abort_async())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.over:
            return
        if kind is None:
            await self.commit()
            return
        try:
            await self.abort()
        except LindenError:
            return  # the connection has ended, and the transaction with it; the block's own error matters more

    def __repr__(self) -> str:
        return f"<linden.aio.Transaction of {self._plain!r}>"


async def _answer(future: RequestFuture) -> Any:
    return await asyncio.wrap_future(future)
