"""Values that many tasks use: put once, read once by each engine that meets them, however many tasks name them.

A `Shared` stands for its value in whatever is pickled, and becomes the value where it is unpickled in an engine.
"""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import farm, serialize
from .errors import LindenError

if TYPE_CHECKING:
    from .client import Client
    from .data import Held

Loader = Callable[[str, int], Any]

_KEPT_MAX = 4  # values that an engine keeps, the ones that were used last
_loader: Loader | None = None
_kept: OrderedDict[tuple[str, int], Any] = OrderedDict()


class Shared:
    """Stands for a value."""

    def __init__(self, client: str, number: int) -> None:
        self.client = client
        self.number = number

    def __reduce__(self) -> Any:
        return load_shared, (self.client, self.number)


def load_shared(client: str, number: int) -> Any:
    """What unpickling a Shared calls: the value in an engine, a Shared elsewhere."""
    if _loader is None:
        return Shared(client, number)
    key = client, number
    if key not in _kept:
        _kept[key] = serialize.unpack(_loader(client, number))
        while len(_kept) > _KEPT_MAX:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


def set_loader(loader: Loader | None) -> None:
    """How payloads are read in this process, which is an engine."""
    global _loader
    _loader = loader
    _kept.clear()


class SharedValues:
    """The values that one client shares, until `release`."""

    # Numbers of tasks are positive, so payloads under negative ones belong to no task's.
    _numbers = itertools.count(-1, -1)

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: dict[int, weakref.ref[Any]] = {}  # by id, while they live
        self._shared: dict[int, Shared] = {}
        self._tuples: list[int] = []
        self._keys: list[tuple[str, int]] = []
        self._held: list[Held] = []  # by this process, of large values

    def share(self, value: Any) -> Any:
        """What stands for `value` in a task: itself the first time, since many a value is used once; then a Shared.

        It must not be changed before `release`.  Raises: NotPicklable.
        """
        key = id(value)
        if key in self._shared:
            return self._shared[key]
        if key not in self._seen:
            with suppress(TypeError):  # it can have no weak reference
                self._seen[key] = weakref.ref(value, lambda _: self._has_died(key))
            return value
        shared = Shared(self._client.session, next(self._numbers))
        native = self._client.space.native
        data = self._client.submitter.data
        payload = serialize.pack(value, "an argument", data)
        puts = data.claim_payload(shared.client, shared.number, payload, self._held)
        puts.append(farm.shared_payload(shared.client, shared.number, payload))
        self._tuples += native.client.wait(native.send_put(puts, patient=True))[-1:]
        self._keys.append((shared.client, shared.number))
        self._shared[key] = shared
        return shared

    def _has_died(self, key: int) -> None:
        # Tasks that are on their way may name it still, so its tuple stays; its id may soon be another value's.
        self._seen.pop(key, None)
        self._shared.pop(key, None)

    def release(self) -> None:
        """Remove from the farm what was shared; tasks that come across it later fail."""
        tuples, self._tuples = self._tuples, []
        self._seen.clear()
        self._shared.clear()
        native = self._client.space.native
        if tuples:
            with suppress(LindenError):  # it was purged, or the client is closed
                native.client.wait(native.send_commit([], [], tuples))
        self._client.submitter.data.release(self._keys, self._held)
        self._keys, self._held = [], []
