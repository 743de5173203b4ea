"""Waiting for engines to come."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from . import _native, farm
from .completions import AwaitableFuture
from .error import EngineError
from .progress import in_notebook, is_unattended, progress_bar

if TYPE_CHECKING:
    from .client import Client

_CREDIT = 1000
# Who comes is told of; whether somebody has gone is looked at so often.
_LOOK_S = 0.2


def wait_for_engines(
    client: Client, n: int | None, timeout: float | None, block: bool, interactive: bool | None, widget: Any
) -> Any:
    """Client.wait_for_engines."""
    wanted = getattr(client.cluster, "n", None) if n is None else n
    if wanted is None:
        raise ValueError("say how many engines to wait for; this client knows no cluster")
    waiting = _Waiting(client, wanted, None if timeout is None or timeout < 0 else timeout)
    if block:
        waiting.run(_is_watched() if interactive is None else interactive, widget)
        return None
    future = AwaitableFuture()

    def run() -> None:
        try:
            waiting.run(False, None)
        except Exception as error:  # noqa: BLE001  (the future carries it)
            future.set_exception(error)
        else:
            future.set_result(None)

    threading.Thread(target=run, name="linden-wait-for-engines", daemon=True).start()
    return future


def _is_watched() -> bool:
    """Whether a progress bar is of use to somebody."""
    if is_unattended():
        return False
    return in_notebook() or (hasattr(sys, "ps1") and sys.stderr is not None and sys.stderr.isatty())


class _Waiting:
    def __init__(self, client: Client, wanted: int, timeout: float | None) -> None:
        self._client = client
        self._wanted = wanted
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._seen: set[int] = set()
        self._had_processes = False

    def run(self, show: bool, widget: Any) -> None:
        """Wait; with a progress bar if that is worth it."""
        serving = len(self._look())
        if serving >= self._wanted:
            return
        bar = progress_bar(self._wanted, "engines", widget) if show else None
        # A standing read tells of every registration; the list tells who is still there.
        stream = self._client.space.native.open_stream(_native.READ, [farm.engines_form()], credit=_CREDIT)
        shown = 0
        try:
            while True:
                serving = len(self._look())
                if bar is not None:
                    bar.update(min(serving, self._wanted) - shown)
                    shown = min(serving, self._wanted)
                if serving >= self._wanted:
                    return
                remaining = _LOOK_S if self._deadline is None else min(_LOOK_S, self._deadline - time.monotonic())
                if remaining <= 0:
                    raise TimeoutError(f"{serving} of {self._wanted} engines serve after {self._timeout:g} s")
                stream.next_batch(remaining)
        finally:
            stream.close()
            if bar is not None:
                bar.close()

    def _look(self) -> set[int]:
        """Ids of the engines that serve now."""
        now = set(self._client.ids)
        gone = self._seen - now
        self._seen |= now
        if len(now) < self._wanted and not getattr(self._client.cluster, "restarts_engines", False):
            if gone:
                names = ", ".join(map(str, sorted(gone)))
                raise EngineError(
                    f"engine {names} has gone while {self._wanted} engines were waited for; {len(now)} serve"
                )
            self._check_processes(len(now))
        return now

    def _check_processes(self, serving: int) -> None:
        """A cluster whose engines all end before they serve will not come to more by waiting."""
        processes = getattr(self._client.cluster, "engine_pids", None)
        if processes:
            self._had_processes = True
        elif self._had_processes and processes is not None:
            raise EngineError(
                f"all engines of {self._client.cluster!r} have ended while {self._wanted} were waited for; {serving} serve; "
                "see its logs"
            )
