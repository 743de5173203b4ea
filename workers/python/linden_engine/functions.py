"""What tasks name instead of carrying it: functions, read once by digest and kept, and payloads that several tasks share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from linden import _native, farm
from linden.errors import NoMatch

from .namespace import Namespace
from .unpickling import unpickle

_KEPT_MAX = 1000
# The function is put before the tasks that use it, so it is there, unless somebody purged it.
_READ_TIMEOUT_S = 10.0


class FunctionMissing(LookupError):
    """A task names a function that is not in the farm."""


class PayloadMissing(LookupError):
    """A task shares a payload that is not in the farm."""


def load_payload(space: _native.Space, client: str, number: int) -> Any:
    """What the tasks of a call share, the first of which is `number`.

    Raises: PayloadMissing.
    """
    form = farm.shared_payload_form(client, number)
    try:
        found = space.client.wait(space.send_take(_native.READ, [form], timeout=_READ_TIMEOUT_S))
    except NoMatch:
        raise PayloadMissing(
            f"the arguments of {farm.message_id(client, number)} are not in the farm; were its results purged?"
        ) from None
    return found[0].fields[3]


class Functions:
    """Callables by digest; the one that was loaded first leaves first."""

    def __init__(self, space: _native.Space, namespace: Namespace) -> None:
        self._space = space
        self._namespace = namespace
        self._known: dict[str, Callable[..., Any]] = {}

    def __call__(self, digest: str) -> Callable[..., Any]:
        """The function of that digest.

        Raises: FunctionMissing; whatever unpickling raises, such as ImportError.
        """
        function = self._known.get(digest)
        if function is None:
            function = self._namespace.bridge(self._load(digest))
            while len(self._known) >= _KEPT_MAX:
                del self._known[next(iter(self._known))]
            self._known[digest] = function
        return function

    def _load(self, digest: str) -> Callable[..., Any]:
        client = self._space.client
        request = self._space.send_take(_native.READ, [farm.function_form(digest)], timeout=_READ_TIMEOUT_S)
        try:
            found = client.wait(request)
        except NoMatch:
            raise FunctionMissing(
                f"the function {digest[:12]} of this task is not in the farm; was it purged?"
            ) from None
        function: Callable[..., Any] = unpickle(found[0].fields[2], "the function")
        return function
