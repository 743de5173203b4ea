"""What this engine runs before its first task, because the farm says so (linden.on_join)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from linden import _native, farm, on_join_tuples
from linden.listing import listed
from linden.on_join import OnJoinFailed, set_catch_up

from .run_task import Outcome

Run = Callable[[Sequence[Any]], Outcome]


class OnJoinRuns:
    """Which of them this process has run: its namespace outlives a session, and so does this."""

    def __init__(self) -> None:
        self._done: set[str] = set()

    def catch_up(self, space: _native.Space, run: Run) -> None:
        """Run, in the order in which they were put, those that are new here.  Raises: OnJoinFailed."""
        for row in listed(space, on_join_tuples.on_join_form()):
            _, key, name, kind, function, payload = row["fields"]
            if key in self._done:
                continue
            self._done.add(key)  # one that fails is not tried again: half of it may have happened
            status, outcome = run(on_join_tuples.as_task(name, kind, function, payload))
            if status != farm.OK:
                raise OnJoinFailed(f"on_join {name!r} has failed:\n{_traceback(outcome)}")

    def serve(self, space: _native.Space, run: Run) -> None:
        """From now on clients may ask by a task."""
        set_catch_up(lambda: self.catch_up(space, run))


def _traceback(payload: Any) -> str:
    errors, _ = farm.parse_error_payload(payload)
    return "\n".join(error.traceback for error in errors)
