"""What tasks name instead of carrying it: functions, by digest, and payloads that several tasks share.

Functions by module path: ``linden/function_path.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from linden import _native, farm
from linden.errors import NoMatch

from .namespace import Namespace
from .unpickling import unpickle

_KEPT_MAX = 1000
# What a task names is put before the task, so it is there, unless somebody purged it.
_READ_TIMEOUT_S = 10.0


class FunctionMissing(LookupError):
    """A task names a function that is not in the farm."""


class PayloadMissing(LookupError):
    """A task shares a payload that is not in the farm."""


def read_one(space: _native.Space, form: tuple[Any, ...], missing: LookupError) -> Sequence[Any]:
    """The fields of a tuple that should be there.

    Raises: `missing`.
    """
    try:
        found = space.client.wait(space.send_take(_native.READ, [form], timeout=_READ_TIMEOUT_S))
    except NoMatch:
        raise missing from None
    fields: Sequence[Any] = found[0].fields
    return fields


def load_payload(space: _native.Space, client: str, number: int) -> Any:
    """What the tasks of a call share, the first of which is `number`.

    Raises: PayloadMissing.
    """
    missing = PayloadMissing(
        f"the arguments of {farm.message_id(client, number)} are not in the farm; were its results purged?"
    )
    return read_one(space, farm.shared_payload_form(client, number), missing)[3]


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
        missing = FunctionMissing(f"the function {digest[:12]} of this task is not in the farm; was it purged?")
        fields = read_one(self._space, farm.function_form(digest), missing)
        function: Callable[..., Any] = unpickle(fields[2], "the function")
        return function
