"""The tuples that the tasks of one call have for each other (docs/reference/farm-schema.md).

    ("collective", client, call, what, source, to, payload)      `call` is the number of the first of the tasks

Everything in here is pure.
"""

from __future__ import annotations

from typing import Any

from . import _native
from .fields import ANY

# What a collective tuple is, beside the number of a message from `source` to `to`.
HERE = "here"  # the task `source` takes part; when its engine dies, the space puts FAILED in its place
LEFT = "left"  # it has ended well
FAILED = "failed"  # it has ended otherwise, and the payload says how
_NOBODY = -1
COLLECTIVE_WHAT, COLLECTIVE_SOURCE = 3, 4


def collective(client: str, call: int, n: int, source: int, to: int, payload: Any, session: str) -> _native.Put:
    """The `n`-th message between two tasks of a call; `session` is that of the engine it comes from, and its life."""
    return _native.Put(("collective", client, call, n, source, to, payload), lives_with=session)


def collective_form(client: str, call: Any, n: Any = ANY, source: Any = ANY, to: Any = ANY) -> tuple[Any, ...]:
    """Messages, or all that tasks of a call have put for each other."""
    return ("collective", client, call, n, source, to, ANY)


def here(client: str, call: int, source: int, session: str, why: str) -> _native.Put:
    """The task takes part; `why` is what the others are told should its engine die."""
    will = ("collective", client, call, FAILED, source, _NOBODY, why)
    return _native.Put(("collective", client, call, HERE, source, _NOBODY, None), will=will, lives_with=session)


def left(client: str, call: int, source: int, session: str, failure: str | None) -> _native.Put:
    """The task has ended; `failure` says how, unless it was well."""
    what = LEFT if failure is None else FAILED
    return _native.Put(("collective", client, call, what, source, _NOBODY, failure), lives_with=session)
