"""Kept: stands for a value that stays on the engine which has computed it (the flag `keep` of views).

It is small and says what the value is and where.  Among the arguments of later tasks it is the value itself: they run where it is,
or it comes to them; `get` brings it here.  An engine that runs a task with such an argument looks the value up, asks the engine that
has it, or makes it again (workers/python/linden_engine/keeper.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from . import result_argument

if TYPE_CHECKING:
    from .async_result import AsyncResult
    from .client import Client

# Gives the value where arguments are unpickled; an engine sets it.
_loader: Callable[[Kept], Any] | None = None


class KeptKey(NamedTuple):
    """A task whose value is kept: others rather run where it is.  `is_there`: it is known to be, so nobody has to wait for it."""

    client: str
    number: int
    is_there: bool


# A task whose result is among the arguments of others, as (client, number).
ArgumentKey = tuple[str, int] | KeptKey


class Kept:
    """Stands for a value on an engine.

    `msg_id` is the task that has made it, `item` its place among the items if that was a part of a map (else None), `engine_id` where it
    was made, `what` says what it is, and `nbytes` about how large.  It is dropped when the task's result is purged, or the engine ends.
    """

    def __init__(self, msg_id: str, item: int | None, engine_id: int, what: str, nbytes: int) -> None:
        self.msg_id = msg_id
        self.item = item
        self.engine_id = engine_id
        self.what = what
        self.nbytes = nbytes
        self._client: Client | None = None

    def attach(self, client: Client) -> Kept:
        """`get` uses this client from now on."""
        self._client = client
        return self

    def get_async(self) -> AsyncResult:
        """An AsyncResult whose value is the value itself, brought here.

        Raises: RuntimeError: it was unpickled, and belongs to no client; `attach` gives it one.
        """
        if self._client is None:
            raise RuntimeError(f"{self!r} has no client to get it with; give it one: kept.attach(rc).get()")
        return self._client.load_balanced_view().apply_async(itself, self)

    def get(self, timeout: float | None = None) -> Any:
        """The value itself, brought here.

        Args: timeout: seconds; None or negative waits for ever.
        Raises: TimeoutError; NotPicklable: it can only be used where it is. KeptResultLost: it is nowhere any more, and cannot be made
            again. InvalidDependency: its result was purged. RuntimeError, as `get_async`.
        """
        return self.get_async().get(timeout)

    def _fields(self) -> tuple[Any, ...]:
        return self.msg_id, self.item, self.engine_id, self.what, self.nbytes

    def __reduce__(self) -> Any:
        if result_argument.note_kept(self.msg_id):
            return resolve, self._fields()
        return Kept, self._fields()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kept) and (self.msg_id, self.item) == (other.msg_id, other.item)

    def __hash__(self) -> int:
        return hash((self.msg_id, self.item))

    def __repr__(self) -> str:
        item = "" if self.item is None else f", item {self.item}"
        return f"<kept on engine {self.engine_id}: {self.what}, {_amount(self.nbytes)}; {self.msg_id}{item}>"


def itself(value: Any) -> Any:
    """What a task does whose client wants a kept value."""
    return value


def resolve(*fields: Any) -> Any:
    """What unpickling one as an argument calls: on an engine the value, elsewhere a Kept."""
    kept = Kept(*fields)
    return kept if _loader is None else _loader(kept)


def set_kept_loader(loader: Callable[[Kept], Any] | None) -> None:
    """From now on what is unpickled as an argument in this process becomes what `loader` returns for it."""
    global _loader
    _loader = loader


def loaded(value: Any) -> Any:
    """The value of a result, whose engine may have kept it: on an engine the value itself."""
    if _loader is None or not is_kept(value):
        return value
    return _loader(value) if type(value) is Kept else [_loader(each) if type(each) is Kept else each for each in value]


def is_kept(value: Any) -> bool:
    """Whether it stands for what an engine keeps, or is a list of such, as of a part of a map."""
    return type(value) is Kept or (type(value) is list and any(type(each) is Kept for each in value[:1]))


def attached(value: Any, client: Client, *, everywhere: bool = False) -> Any:
    """`value`, of a result; what stands in it for kept values uses that client.

    `everywhere`: there are such for certain, and errors may be among them.
    """
    is_list = type(value) is list and (everywhere or is_kept(value))
    for each in value if is_list else [value]:
        if type(each) is Kept:
            each.attach(client)
    return value


def _amount(size: int) -> str:
    if size < 10_000:
        return f"{size} bytes"
    return f"{size / 1e3:.0f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"
