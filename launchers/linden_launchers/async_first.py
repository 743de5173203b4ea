"""Methods in two forms: ``await cluster.start_cluster()`` and ``cluster.start_cluster_sync()``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Value = TypeVar("Value")


def awaitable(blocking: Callable[Arguments, Value]) -> Callable[Arguments, Coroutine[Any, Any, Value]]:
    """The form of ``x_sync`` to be awaited as ``x``: it runs in a thread, so the event loop goes on meanwhile.

    Who cancels the await gets control back at once; what was begun is finished all the same.
    """

    @functools.wraps(blocking)
    async def in_thread(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Value:
        import asyncio  # whoever awaits has it already; others are not to wait for it

        return await asyncio.to_thread(blocking, *args, **kwargs)

    in_thread.__name__ = blocking.__name__.removesuffix("_sync")
    in_thread.__qualname__ = blocking.__qualname__.removesuffix("_sync")
    return in_thread
