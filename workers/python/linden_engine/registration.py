"""How an engine becomes known to its farm, under an id that nobody had before."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from linden import _native, farm
from linden.data_hosts import host_id
from linden.errors import NoMatch

_LOOK_S = 10.0
_REGISTER_S = 300.0  # thousands that begin at once take ids one after the other


def describe(name: str, tags: Sequence[str] = ()) -> dict[str, Any]:
    """What an engine says of itself in its tuple."""
    return {
        "pid": os.getpid(),
        "host": os.uname().nodename,
        "host_id": host_id(),
        "python": sys.version.split()[0],
        "name": name,
        "cores": os.cpu_count(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **({"tags": list(tags)} if tags else {}),
    }


def register(space: _native.Space, info: dict[str, Any]) -> int:
    """Take the next engine id; the counter and the engine's tuple change in one step."""
    session = space.client.session
    return _advance(space, 1, lambda first: [farm.registration(first, session, info)])


def register_as(space: _native.Space, id_: int, info: dict[str, Any]) -> None:
    """Register under an id that was set aside."""
    space.client.wait(space.send_put([farm.registration(id_, space.client.session, info)]))


def set_aside(space: _native.Space, count: int) -> int:
    """Set `count` ids aside, in a row; the first of them."""
    return _advance(space, count, lambda _: [])


def _advance(space: _native.Space, count: int, also: Any) -> int:
    deadline = time.monotonic() + _REGISTER_S
    while True:
        request = space.send_take(_native.RESERVE, [farm.engine_id_form()], timeout=_LOOK_S)
        try:
            counter = space.client.wait(request)[0]
        except NoMatch:
            if time.monotonic() < deadline and _has_counter(space):
                continue  # others register just now
            raise TimeoutError(
                f"space {space.name!r} has no counter of engine ids; is it a farm, or does somebody hold it?"
            ) from None
        first = int(counter.fields[1])
        puts = [farm.engine_counter(first + count), *also(first)]
        if space.client.wait(space.send_finish([((counter.id, counter.attempt), puts)]))[0] == 0:
            return first


def _has_counter(space: _native.Space) -> bool:
    """Whether it is there, if only in somebody's hands."""
    listed = space.client.wait(space.send_list(farm.engine_id_form(), limit=1, all_states=True))
    return bool(listed["tuples"])
