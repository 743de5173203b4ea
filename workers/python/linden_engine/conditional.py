"""Conditional tasks: whether one may run now and here, or what becomes of it (docs/design/task-graphs.md).

The gate has said how the wait for other tasks has ended.  What is left is to read that, and to find the place: an engine that has
the task but may not run it passes it on to one that may, in the step that finishes it here.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from linden import _native, farm, kept_tuples
from linden.conditions import Conditions, Follow, choose, nearest, read
from linden.data import size_of
from linden.error import DependencyTimeout, ImpossibleDependency, TaskTimeout
from linden.errors import NoMatch
from linden.task_queues import ANY_QUEUE, engine_queue, is_engine_queue, tagged, tags_of_queue

from .run_task import UNMET

if TYPE_CHECKING:
    from linden.data import FarmData

Fields = Sequence[Any]

# So long a task waits for an engine that has its data, or for one of the host that has, and no longer while another one is free.
PATIENCE_S = 0.5
_RECALL_S = 0.2


class Conditional:
    """Decides for one engine."""

    def __init__(self, space: _native.Space, engine_id: int, data: FarmData | None = None) -> None:
        """`data`: knows what large data are here."""
        self._space = space
        self._data = data
        self._client = space.client
        self._session = space.client.session
        self._me = engine_id

    def decide(self, fields: Fields) -> tuple[Fields | None, list[_native.Put]]:
        """The task to run, which for a conditional one is another; or None, and what to put in its place."""
        if fields[farm.TASK_KIND] != farm.CONDITIONAL:
            return fields, []
        verdict = fields[farm.TASK_FUNCTION]
        conditions = read(fields[farm.TASK_PAYLOAD][3])
        if verdict == farm.ABORTED:
            return None, [farm.cancelled(fields)]
        if verdict == farm.TIMEOUT:
            error = f"what the task waits for was not there within {conditions.timeout:g} s"
            return None, [farm.failure(fields, DependencyTimeout(error))]
        if verdict != farm.AGAIN and not conditions.placed:
            if conditions.stages:
                return self._after_stage(fields, conditions, verdict)
            if self._is_late(fields, conditions):
                error = f"no engine had time for the task within {conditions.timeout:g} s"
                return None, [farm.failure(fields, TaskTimeout(error))]
        if conditions.placed:
            return farm.unconditional(fields), []
        return self._place(fields, conditions, here=verdict != farm.AGAIN)

    def _after_stage(
        self, fields: Fields, conditions: Conditions, verdict: str
    ) -> tuple[Fields | None, list[_native.Put]]:
        stage, *rest = conditions.stages
        if verdict not in stage.good:
            why = ImpossibleDependency(
                self._why(fields[farm.TASK_CLIENT], conditions.gate_of(fields[farm.TASK_NUMBER]), verdict)
            )
            return None, [farm.failure(fields, why)]
        after = conditions.but(stages=rest)
        if rest:
            return None, [farm.next_stage(fields, after)]
        met = (*fields[: farm.TASK_FUNCTION], farm.MET, fields[farm.TASK_OPTIONS])
        return self.decide((*met, [*fields[farm.TASK_PAYLOAD][:3], after.text]))

    def _why(self, client: str, gate: int, verdict: str) -> str:
        found = self._read(farm.gate_form(client, gate, verdict))
        source = found[4] if found else ""
        if not source:
            return "none of the tasks that it depends on ended as it should"
        return f"the task {source}, which it depends on, ended with status {verdict!r}"

    def _is_late(self, fields: Fields, conditions: Conditions) -> bool:
        form = farm.gate_form(fields[farm.TASK_CLIENT], fields[farm.TASK_NUMBER], farm.TIMEOUT)
        return conditions.timeout is not None and self._count(form) > 0

    # ---- the end

    def end(self, given: Fields, status: str, payload: Any, started: float, ended: float) -> list[_native.Put]:
        """What to put for a task that has run; `given` as it was taken."""
        if status == UNMET:
            if _may_go_elsewhere(given):
                return self._refused(given, farm.parse_error_payload(payload)[0][0].evalue)
            status = farm.ERROR
        retries = farm.retries_of(given)
        if status == farm.ERROR and retries:
            return [farm.retry_of(anew(given), retries - 1)]
        meta = farm.ran(self._me, self._session, started, ended, given)
        return [farm.result(given[farm.TASK_CLIENT], given[farm.TASK_NUMBER], status, meta, payload)]

    # ---- the place

    def _refused(self, fields: Fields, why: str) -> list[_native.Put]:
        """What to put for a task that this engine does not run, since what it depends on is not here."""
        if fields[farm.TASK_KIND] != farm.CONDITIONAL:
            fields = conditional(fields)
        conditions = read(fields[farm.TASK_PAYLOAD][3])
        conditions = conditions.but(stages=(), placed=False, refused=[*conditions.refused, self._me])
        return self._place(
            fields, conditions, here=False, why=f"every engine that serves now has refused the task; this one: {why}"
        )[1]

    def _place(
        self, fields: Fields, conditions: Conditions, *, here: bool, why: str = ""
    ) -> tuple[Fields | None, list[_native.Put]]:
        if here and self._has_data(fields, conditions) and self._may_run(conditions):
            return farm.unconditional(fields), []
        wanted = set(conditions.tags)
        serving = self._engines()
        engines = {engine.id: engine for engine in serving if not engine.is_native and wanted <= set(engine.tags)}
        places = [self._places(follow, engines) for follow in conditions.follow]
        best = choose(engines, self._me, conditions, places)
        if not best:
            error = ImpossibleDependency(why or _nowhere(conditions))
            return None, [farm.failure(fields, error)]
        held = self._held(conditions, engines.values(), serving)
        near = nearest(best, held)
        if here and self._me in near:
            return farm.unconditional(fields), []
        engine = engines[near[int.from_bytes(os.urandom(4)) % len(near)]]
        puts = [farm.passed_on(fields, conditions, engine)]
        if held.get(engine.id) and len(best) > 1:
            puts.append(self._late(fields, conditions))
        return None, puts

    # ---- where its data are

    def _has_data(self, fields: Fields, conditions: Conditions) -> bool:
        """Whether the task has no wish where to run, or would find all of its large arguments here."""
        if conditions.near:
            return False
        return not conditions.hosts or (self._data is not None and self._data.has(fields[farm.TASK_PAYLOAD][2]))

    def _held(
        self, conditions: Conditions, engines: Iterable[farm.Engine], serving: Iterable[farm.Engine]
    ) -> dict[int, int]:
        """How many bytes of the arguments are at which engine: in its memory, or in the store of its host."""
        keys = [farm.parse_message_id(id_) for id_ in conditions.near]
        held: Counter[int] = Counter()
        kept = [self._space.send_list(kept_tuples.kept_form(*key), limit=1_000) for key in keys]
        uses = [self._space.send_list(farm.data_use_form(None, *key, farm.RESULT), limit=100) for key in keys]
        for row in chain.from_iterable(self._client.wait(request)["tuples"] for request in kept):
            held[row["fields"][kept_tuples.KEPT_ENGINE]] += max(1, row["fields"][kept_tuples.KEPT_BYTES])
        names = [[row["fields"][1] for row in self._client.wait(request)["tuples"]] for request in uses]
        large = [(key, sum(map(size_of, some))) for key, some in zip(keys, names, strict=True) if some]
        on_hosts = Counter(dict(conditions.hosts))
        if large:
            on_hosts += self._of_results(large, serving)
        for engine in engines if on_hosts else ():
            held[engine.id] += on_hosts[_host_of(engine)]
        return held

    def _of_results(self, large: Sequence[tuple[tuple[str, int], int]], serving: Iterable[farm.Engine]) -> Counter[str]:
        """How many bytes of these results are on which host: that of the engine which gave it, as far as that serves."""
        hosts = {engine.id: _host_of(engine) for engine in serving}
        asked = [self._space.send_list(farm.results_form(*key), limit=1) for key, _ in large]
        found: Counter[str] = Counter()
        for (_, size), request in zip(large, asked, strict=True):
            for row in self._client.wait(request)["tuples"]:
                engine = farm.engine_of(row["fields"])
                if engine in hosts:
                    found[hosts[engine]] += size
        return found

    # ---- a task that waits for the engine that has its data

    def _late(self, fields: Fields, conditions: Conditions) -> _native.Put:
        queue = tagged(ANY_QUEUE, conditions.tags)
        return farm.late(queue, fields[farm.TASK_CLIENT], fields[farm.TASK_NUMBER], PATIENCE_S)

    def take_over(self, late: Fields) -> list[_native.Put]:
        """This engine is free, and a task may have waited for another one for as long as it should: move it into the own queue.

        Returns: what to put instead of `late`: as long as the task has not begun, it is looked at again.
        """
        form = farm.tasks_form(late[farm.TASK_CLIENT], late[farm.TASK_NUMBER], kind=farm.CONDITIONAL)
        rows = self._client.wait(self._space.send_list(form, limit=1, all_states=True))["tuples"]
        if not rows or rows[0]["state"] == "started":
            return []
        fields = rows[0]["fields"]
        conditions = read(fields[farm.TASK_PAYLOAD][3])
        if not conditions.placed:  # its engine has died; whoever places it anew puts another `late`
            return []
        if fields[farm.TASK_QUEUE] != engine_queue(self._me) and self._may_run(conditions):
            # The other engine may hold it ahead, and is asked for it while we wait (F4).
            request = self._space.send_take(_native.RESERVE, [form], timeout=_RECALL_S)
            with suppress(NoMatch):  # it has begun meanwhile, or was not given back in time
                task = self._client.wait(request)[0]
                moved = farm.passed_on(task.fields, conditions, farm.Engine(self._me, self._session, {}))
                self._client.wait(self._space.send_finish([((task.id, task.attempt), [moved])]))
        # Wherever it is now, something long may come before it.
        return [self._late(fields, conditions)]

    def _may_run(self, conditions: Conditions) -> bool:
        places = [self._places(follow, [self._me]) for follow in conditions.follow]
        return bool(choose([self._me], self._me, conditions, places))

    def _places(self, follow: Follow, engines: Any) -> set[int]:
        """Those of `engines` where the tasks ran that are to be followed."""
        tasks = [farm.parse_message_id(id_) for id_ in follow.of]
        asked = {
            engine: [
                self._space.send_count(farm.ran_at_form(task, status, engine))
                for task in tasks
                for status in follow.statuses
                if status in (farm.OK, farm.ERROR)  # no engine lives where tasks ended otherwise
            ]
            for engine in engines
        }
        enough = len(tasks) if follow.all else 1
        return {engine for engine, counts in asked.items() if sum(map(self._client.wait, counts)) >= enough}

    def _engines(self) -> list[farm.Engine]:
        rows = self._client.wait(self._space.send_list(farm.engines_form(), limit=10_000))["tuples"]
        return [farm.parse_engine(row["fields"]) for row in rows]

    # ---- the space

    def _count(self, form: Fields) -> int:
        return int(self._client.wait(self._space.send_count(tuple(form))))

    def _read(self, form: Fields) -> Fields | None:
        try:
            found = self._client.wait(self._space.send_take(_native.READ, [tuple(form)], timeout=0.0))
        except NoMatch:
            return None
        fields: Fields = found[0].fields
        return fields


def _host_of(engine: farm.Engine) -> str:
    return str(engine.info.get("host_id", "unknown"))


def is_final(given: Fields, status: str) -> bool:
    """Whether a task that has run and ended so gets its result now, and is not put once more."""
    if status == UNMET and _may_go_elsewhere(given):
        return False
    return status not in (farm.ERROR, UNMET) or not farm.retries_of(given)


def _may_go_elsewhere(given: Fields) -> bool:
    """A task of a direct view is for its engine, or none."""
    return given[farm.TASK_KIND] == farm.CONDITIONAL or not is_engine_queue(given[farm.TASK_QUEUE])


def anew(fields: Fields) -> Fields:
    """The task, for whichever engine may run it: nothing is chosen for a conditional one any more."""
    if fields[farm.TASK_KIND] != farm.CONDITIONAL:
        return fields
    conditions = read(fields[farm.TASK_PAYLOAD][3]).but(stages=(), placed=False)
    payload = [*fields[farm.TASK_PAYLOAD][:3], conditions.text]
    head = ("task", tagged(ANY_QUEUE, conditions.tags), *fields[farm.TASK_CLIENT : farm.TASK_FUNCTION])
    return (*head, farm.MET, fields[farm.TASK_OPTIONS], payload)


def conditional(fields: Fields) -> Fields:
    """The inverse of `farm.unconditional`, for a task without conditions."""
    kind, function, options = fields[farm.TASK_KIND], fields[farm.TASK_FUNCTION], fields[farm.TASK_OPTIONS]
    tags = tags_of_queue(fields[farm.TASK_QUEUE])
    terms = Conditions(attempts=farm.max_attempts(farm.retries_of(fields)), tags=tags).text
    payload = [kind, function, fields[farm.TASK_PAYLOAD], terms]
    return (*fields[: farm.TASK_KIND], farm.CONDITIONAL, farm.MET, options, payload)


def _nowhere(conditions: Conditions) -> str:
    if conditions.follow:
        ids = ", ".join(conditions.follow[0].of[:3])
        return (
            f"no engine that serves now is one where {'all' if conditions.follow[0].all else 'any'} of these ran: {ids}"
        )
    return "no engine that serves now may run the task"
