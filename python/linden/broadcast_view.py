"""BroadcastView: the default way to fan out, the same work on many engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .async_result import AsyncResult
from .direct_view import DirectView

if TYPE_CHECKING:
    from .client import Client


class BroadcastView(DirectView):
    """A direct view of engines that are fixed when it is made.

    A call is one request, however many engines there are: a task for each of them, and arguments once if they are large.
    Values come in the order of targets, and an engine that is lost is one error, in its place; the others' values are there
    (``get(return_exceptions=True)``).  So it does all that a DirectView does, with the same tuples and at the same cost.

    `is_coalescing` is a flag of ipyparallel's, where a scheduler merges replies and order and errors suffer.  Here a client
    reads all replies that have come at once in any case; the flag is kept in `metadata` and changes nothing.
    """

    _flag_names: ClassVar[tuple[str, ...]] = (*DirectView._flag_names, "is_coalescing")

    def __init__(self, client: Client, targets: Any = "all", is_coalescing: bool = False) -> None:
        super().__init__(client, [engine.id for engine in client.engines_of(targets)[0]])
        self.is_coalescing = False
        self.set_flags(is_coalescing=is_coalescing)

    def _check_flag(self, name: str, value: Any) -> None:
        super()._check_flag(name, value)
        if name == "is_coalescing" and not isinstance(value, bool):
            raise TypeError(f"is_coalescing must be True or False, not {value!r}")

    def _began(self, result: AsyncResult, block: bool) -> Any:
        result.known.update(is_broadcast=True, is_coalescing=self.is_coalescing)
        return super()._began(result, block)
