"""Which process serves under which engine id: the space knows."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .launcher import LaunchError

_TIMEOUT_S = 10.0
_LOOK_S = 0.01


def pids_by_engine_id(connection_file: Path) -> dict[int, int]:
    """The engines of this machine that serve now.  Raises: LaunchError: the server does not answer."""
    import linden

    try:
        with linden.Client(str(connection_file), timeout=_TIMEOUT_S, reconnect=_TIMEOUT_S) as client:
            here = os.uname().nodename
            return {engine.id: engine.info["pid"] for engine in client.engines() if engine.info.get("host") == here}
    except (linden.LindenError, TimeoutError) as error:
        raise LaunchError(f"cannot ask the server which engines serve: {error}") from error


def pid_of_engine(connection_file: Path, engine_id: int) -> int:
    """Raises: KeyError: no engine of that id serves on this machine.  LaunchError."""
    pids = pids_by_engine_id(connection_file)
    if engine_id not in pids:
        raise KeyError(f"no engine {engine_id!r} serves on this machine; there are {sorted(pids) or 'none'}")
    return pids[engine_id]


def wait_until_serving(connection_file: Path, pids: Iterable[int], timeout_s: float = 60.0) -> dict[int, int]:
    """Waits until these processes serve; their engine ids by pid.  Raises: LaunchError: not in time."""
    import linden
    from linden import _native, farm

    deadline = time.monotonic() + timeout_s
    missing = set(pids)
    found: dict[int, int] = {}
    with linden.Client(str(connection_file), timeout=_TIMEOUT_S) as client:
        stream = client.space.native.open_stream(_native.READ, [farm.engines_form()], credit=1000)
        while missing:
            batch = stream.next_batch(max(0.0, deadline - time.monotonic()))
            if not batch:
                raise LaunchError(f"processes {sorted(missing)} do not serve after {timeout_s:g} s; see their logs")
            for engine in (farm.parse_engine(handout.fields) for handout in batch):
                if engine.info["pid"] in missing:
                    missing.remove(engine.info["pid"])
                    found[engine.info["pid"]] = engine.id
        stream.close()
    return found


def wait_until_gone(connection_file: Path, engine_id: int, timeout_s: float = 10.0) -> None:
    """Waits until the space does not list an engine that has ended: at once after a goodbye, after its hold time otherwise.

    Returns after *timeout_s* at the latest, and at once if the server does not answer.
    """
    import linden

    deadline = time.monotonic() + timeout_s
    with suppress(linden.LindenError, TimeoutError), linden.Client(str(connection_file), timeout=timeout_s) as client:
        while engine_id in client.ids and time.monotonic() < deadline:
            time.sleep(_LOOK_S)  # nobody tells of a tuple that goes
