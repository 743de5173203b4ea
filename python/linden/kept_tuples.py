"""The tuples of values that engines keep (docs/reference/farm-schema.md): who has which, and how another engine gets one.

    ("kept", client, number, engine, session, bytes, what)       an engine has the value of a task's result in its memory
    ("given", session, n, ok, payload)                           such a value, or why not, for the engine that has asked for it

Everything in here is pure.
"""

from __future__ import annotations

from typing import Any

from . import _native, farm
from .fields import ANY

# Nobody waits longer for a kept value, and who has stopped waiting does not take it.
GIVEN_TTL_S = 600.0
KEPT_CLIENT, KEPT_NUMBER, KEPT_ENGINE, KEPT_SESSION, KEPT_BYTES = range(1, 6)


def kept(client: str, number: int, engine: farm.Engine, size: int, what: str) -> _native.Put:
    """The engine has the value of that task's result, of so many bytes, in its memory."""
    fields = ("kept", client, number, engine.id, engine.session, size, farm.safe_text(what))
    return _native.Put(fields, lives_with=engine.session)


def kept_form(client: Any = ANY, number: Any = ANY, session: Any = ANY) -> tuple[Any, ...]:
    """Who has the values of results."""
    return ("kept", client, number, ANY, session, ANY, ANY)


def give(holder: str, client: str, number: int, item: int | None, asker: str, n: int) -> _native.Put:
    """To the engine of the session `holder`: give a kept value to the session `asker`, as its number `n`."""
    return farm.control(holder, farm.GIVE, [client, number, item, asker, n])


def drop(holder: str, client: str, number: int | None) -> _native.Put:
    """To the engine of the session `holder`: forget the value of a task, or of all of the client's."""
    return farm.control(holder, farm.DROP, [client, number])


def given(asker: str, n: int, ok: bool, payload: Any) -> _native.Put:
    """A kept value for whoever has asked for it under that number, or in words why there is none."""
    return _native.Put(("given", asker, n, ok, payload), ttl=GIVEN_TTL_S, lives_with=asker)


def taken(holder: str, asker: str, n: int) -> _native.Put:
    """To the engine of the session `holder`: what it has given under that number is where it should be."""
    return farm.control(holder, farm.TAKEN, [asker, n])


def given_form(asker: str, n: int) -> tuple[Any, ...]:
    """The answer to what was asked for under that number."""
    return ("given", asker, n, ANY, ANY)
