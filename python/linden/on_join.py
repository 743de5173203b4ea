"""What every engine runs before its first task: kept in the farm as tuples, so that engines which join later find it.

An engine that serves already is asked by a task to catch up; an engine that joins looks by itself.  Both run only what this process
has not run yet, so that nothing runs twice, and an engine that was started over runs everything again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import farm, on_join_tuples
from .listing import listed
from .stored_file import take_pickled

if TYPE_CHECKING:
    from .client import Client


class OnJoinFailed(RuntimeError):
    """What engines were to run before their first task has failed; the text has the traceback."""


class OnJoin:
    """Something that engines run when they join; see `Client.on_join`."""

    def __init__(self, name: str, key: str) -> None:
        self.name = name
        self.key = key

    def __repr__(self) -> str:
        return f"<OnJoin {self.name!r}>"


def on_join(
    client: Client,
    what: Callable[..., Any] | str,
    args: Sequence[Any] = (),
    kwargs: dict[str, Any] | None = None,
    *,
    name: str | None = None,
    timeout: float | None = None,
) -> OnJoin:
    """Client.on_join."""
    kind, function, payload, own_name = _packed(client, what, tuple(args), kwargs or {})
    wanted = OnJoin(name or own_name, os.urandom(8).hex())
    before = _keys_of(client, wanted.name)
    native = client.space.native
    client.connection.native.wait(
        native.send_put([on_join_tuples.on_join(wanted.key, wanted.name, kind, function, payload)])
    )
    try:
        if client.ids:
            client.direct_view().apply_async(catch_up).get(timeout)
    except TimeoutError:
        _remove(client, before)
        raise  # it stays: engines that are busy come to it after their task
    except BaseException:
        _remove(client, [wanted.key])
        raise
    _remove(client, before)  # not sooner: one that fails replaces nothing
    return wanted


def listing(client: Client) -> list[OnJoin]:
    """All there are, the oldest first."""
    return [
        OnJoin(row["fields"][2], row["fields"][1]) for row in listed(client.space.native, on_join_tuples.on_join_form())
    ]


def remove(client: Client, what: OnJoin | str) -> None:
    """Engines that join from now on do not run it.  Raises: KeyError: there is none of that name."""
    name = what.name if isinstance(what, OnJoin) else what
    keys = _keys_of(client, name)
    if not keys:
        raise KeyError(
            f"no on_join of the name {name!r}; there are {[each.name for each in listing(client)] or 'none'}"
        )
    _remove(client, keys)


def _packed(
    client: Client, what: Callable[..., Any] | str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str, str, Any, str]:
    """Kind, function, payload and name, as those of a task."""
    if isinstance(what, str):
        if args or kwargs:
            raise TypeError("code takes no arguments; give a function, or write them into the code")
        return farm.EXECUTE, "", [what, True], "code"
    if not callable(what):
        raise TypeError(f"a function or the text of code is wanted, not {what!r}")
    from .callee import NativeCallee  # engines import this module, too
    from .submission import pack_with_results

    callee = client.submitter.callee(what)
    if isinstance(callee, NativeCallee):
        raise TypeError(
            f"{callee.name} is a function in C++, and only engines that run Python run something when they join"
        )
    # Whole, and not by reference: it is there as long as its tuple, whoever has gone.
    payload, results = pack_with_results(((*callee.first, *args), kwargs), f"the call of {callee.name}")
    if results:
        raise TypeError(f"{callee.name}: what runs at every join takes no AsyncResult as an argument; get() it first")
    if take_pickled():
        raise TypeError(
            f"{callee.name}: what runs at every join takes no file of a store as an argument; give its bytes"
        )
    return callee.kind, callee.function, payload, callee.name


def _keys_of(client: Client, name: str) -> list[str]:
    return [each.key for each in listing(client) if each.name == name]


def _remove(client: Client, keys: Sequence[str]) -> None:
    for key in keys:
        client.space.try_take(on_join_tuples.on_join_form(key))


# ---- on an engine


def _not_an_engine() -> None:
    raise RuntimeError("catch_up is for engines")


_catch_up: Callable[[], None] = _not_an_engine


def set_catch_up(action: Callable[[], None]) -> None:
    """What `catch_up` does in this process."""
    global _catch_up
    _catch_up = action


def catch_up() -> None:
    """Run what engines run when they join and this one has not.  Raises: OnJoinFailed."""
    _catch_up()
