"""How busy a farm is: what the space says of its tasks and engines at one moment."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from linden import farm
from linden.task_queues import ANY_QUEUE, engine_queue

if TYPE_CHECKING:
    import linden

_GROUPS_MAX = 100_000


@dataclass(frozen=True)
class FarmLoad:
    """Of all engines."""

    engines: list[farm.Engine]
    waiting: int  # tasks for any engine that nobody has begun
    waited_s: float  # how long the oldest of them has
    held: Mapping[int, int] = field(default_factory=dict)  # tasks that an engine has, begun or not, by its id
    own: Mapping[int, int] = field(default_factory=dict)  # tasks that wait for this engine alone, by its id

    def is_idle(self, engine_id: int) -> bool:
        """Whether it has nothing to do."""
        return not self.held.get(engine_id) and not self.own.get(engine_id)


def look_at_farm(client: linden.Client) -> FarmLoad:
    """Three short questions to the server, which has all counts ready."""
    native = client.space.native
    wait = native.client.wait
    engines = client.engines()
    rows = [row for row in wait(native.send_summarize(2, _GROUPS_MAX))["groups"] if row["first_fields"][0] == "task"]
    held = {row["id"]: row["held"] for row in wait(native.send_sessions())}
    queues = {row["first_fields"][1]: row for row in rows}
    anybody = queues.get(ANY_QUEUE)
    ready = int(anybody["ready"]) if anybody else 0
    return FarmLoad(
        engines,
        ready + (int(anybody["reserved"]) if anybody else 0),
        _oldest_s(client) if ready else 0.0,
        {engine.id: held.get(engine.session, 0) for engine in engines},
        {engine.id: int(row["ready"]) for engine in engines if (row := queues.get(engine_queue(engine.id)))},
    )


def _oldest_s(client: linden.Client) -> float:
    """How long the task has waited that is the oldest; by the clock of the client that has put it."""
    native = client.space.native
    rows = native.client.wait(native.send_list(farm.tasks_form(queue=ANY_QUEUE), limit=1))["tuples"]
    options = rows[0]["fields"][farm.TASK_OPTIONS] if rows else None
    if not isinstance(options, (list, tuple)) or len(options) <= farm.OPTION_SUBMITTED:
        return 0.0
    return max(0.0, time.time() - float(options[farm.OPTION_SUBMITTED]))
