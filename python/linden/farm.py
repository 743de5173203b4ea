"""The farm's tuples: their shapes, built and read in this one place.  ``docs/reference/farm-schema.md`` describes them.

    ("engine_id", next)                                          a counter
    ("engine", id, session, info)                                an engine; lives with its session
    ("task", queue, client, number, name, kind, function, options, payload)
    ("result", client, number, status, meta, payload)            the one final result of a task
    ("output", client, number, stream, n, payload)               what a task printed or displayed, before its result
    ("resubmitted", client, number, new message id)              a task that was given once more
    ("function", digest, payload)                                sent once, read by engines
    ("payload", client, number, payload)                         of several tasks of a call, the first of which has that number
    ("control", session, verb, argument)                         to an engine
    ("cancelled", client, number)                                a task that is not to be started once more
    ("late", queue, client, number)                              a task may have waited long enough for an engine of its choice
    ("data", name, client, number, role)                         keeps large data that a task, or its result, names

Those of tasks that wait for others are in gate_tuples.py, of values that engines keep in kept_tuples.py, of tasks that work together in
collective_tuples.py, of what engines run when they join in on_join_tuples.py, and of MapReduce jobs in job_tuples.py.
What queues are called says task_queues.py.

Everything in here is pure.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native
from .connection_file import DEFAULT_FARM_SPACE as DEFAULT_FARM_SPACE
from .fields import ANY, OneOf
from .serialize import BY_REFERENCE, PackedFunction
from .task_queues import ANY_QUEUE, engine_queue, queues_served, tagged

if TYPE_CHECKING:
    from .conditions import Conditions

CPP = "C++"  # the language of engines that have registered functions, and run no Python

APPLY = "apply"  # payload: (args, kwargs)
MAP = "map"  # payload: one column of arguments per parameter; result: a list
EXECUTE = "execute"  # payload: source text
PUSH = "push"  # payload: dict of names
PULL = "pull"  # payload: list of names or expressions
CLEAR = "clear"  # payload: nothing
COMPLETE = "complete"  # payload: source text, position of the cursor
INSPECT = "inspect"  # payload: source text, position of the cursor, level of detail
CALL = "call"  # function: a name in C++, or package.module:function in Python; payload and result: plain values
CALL_MAP = "call_map"  # the same; payload: rows of arguments; result: a list
CALLS = (CALL, CALL_MAP)
CONDITIONAL = "conditional"  # function: the verdict of its gate; payload: kind, function, payload, conditions

OK = "ok"
ERROR = "error"
CANCELLED = "cancelled"
ENGINE_DIED = "engine_died"
EXPIRED = "expired"

# Verdicts of gates, beside the statuses of results.
MET = "met"  # all have ended
TIMEOUT = "timeout"
ABORTED = "aborted"
AGAIN = "again"  # the engine that was chosen has died
FAILURES = (ERROR, CANCELLED, ENGINE_DIED, EXPIRED)
STATUSES = (OK, *FAILURES)

SHUTDOWN = "shutdown"
RESTART = "restart"  # as argument of shutdown: and start over
DRAIN = "drain"  # finish what runs, take nothing more, leave
SIGNAL = "signal"
CANCEL = "cancel"
GIVE = "give"  # a kept value to another engine: client, number and item (or None) of it, who asks, under which number
TAKEN = "taken"  # what was given: the session that has asked for it, and the number
DROP = "drop"  # kept values: client and number, or a client and None for all of it
# So long it is remembered that a task was cancelled, lest another engine starts it once more.
CANCELLED_TTL_S = 3600.0

# Streams of output: text for the first two; for the next four the content of Jupyter's message of that name, as JSON text; for the
# messages of widgets, more of each; an object.
STDOUT = "stdout"
STDERR = "stderr"
DISPLAY = "display_data"
UPDATE = "update_display_data"  # instead of what was displayed under the same display id
CLEAR_OUTPUT = "clear_output"
TRACEBACK = "error"  # for a person to see; the error itself is in the result
COMM_OPEN = "comm_open"
COMM_MESSAGE = "comm_msg"
COMM_CLOSE = "comm_close"
COMMS = frozenset({COMM_OPEN, COMM_MESSAGE, COMM_CLOSE})
DATA = "data"  # a dict of what publish_data publishes

# How often a task is started at most if its `retries` is None: death of an engine is forgiven, an exception is final.
DEFAULT_ATTEMPTS = 3
NAME_LENGTH_MAX = 200

_INT = _native.Typed("int")
_TEXT = _native.Typed("text")
_OBJECT = _native.Typed("object")
_BYTES = _native.Typed("bytes")

# Positions in a task tuple.
TASK_QUEUE, TASK_CLIENT, TASK_NUMBER, TASK_NAME, TASK_KIND, TASK_FUNCTION, TASK_OPTIONS, TASK_PAYLOAD = range(1, 9)
# Positions in a task's options list.
OPTION_RETRIES, OPTION_SUBMITTED, OPTION_LABEL, OPTION_CALL, OPTION_KEEP = range(5)
# Positions in a result tuple.
RESULT_CLIENT, RESULT_NUMBER, RESULT_STATUS, RESULT_META, RESULT_PAYLOAD = range(1, 6)
# Positions in a result's meta list.
META_ENGINE, META_SESSION, META_STARTED, META_COMPLETED, META_RECORD = range(5)
# A result keeps the arguments of its task up to this size, so that the task can be given once more.
RECORD_PAYLOAD_BYTES_MAX = 64 << 10


# ---- Message ids ---------------------------------------------------------------------------------------------------


def message_id(client: str, number: int) -> str:
    """The name of a task that anybody can use to ask for its result."""
    return f"{client}_{number}"


def parse_message_id(text: str) -> tuple[str, int]:
    """Client and number of a message id.

    Raises: ValueError: it is none.
    """
    client, separator, number = text.rpartition("_")
    if not separator or not client or not number.isdigit():
        raise ValueError(f"{text!r} is no message id; one looks like 0123456789abcdef0123456789abcdef_17")
    return client, int(number)


# ---- Engines -------------------------------------------------------------------------------------------------------


class Engine(NamedTuple):
    """An engine as its tuple tells."""

    id: int
    session: str
    info: dict[str, Any]

    @property
    def is_native(self) -> bool:
        """Whether it runs functions in C++, and no Python."""
        return self.info.get("language") == CPP

    @property
    def functions(self) -> list[str]:
        """What an engine in C++ can run, by name."""
        return list(self.info.get("functions", ()))

    @property
    def tags(self) -> list[str]:
        """What tasks find it by that ask for tags."""
        return list(self.info.get("tags", ()))

    @property
    def threads(self) -> int:
        """How many tasks it runs at a time."""
        return int(self.info.get("threads", 1))


def initial_tuples() -> list[_native.Put]:
    """What a new farm space starts with."""
    return [engine_counter(0)]


def engine_counter(next_id: int) -> _native.Put:
    """The counter of engine ids."""
    return _native.Put(("engine_id", next_id))


def engine_id_form() -> tuple[Any, ...]:
    """The counter of engine ids."""
    return ("engine_id", _INT)


def registration(id_: int, session: str, info: dict[str, Any]) -> _native.Put:
    """An engine; gone with its session."""
    return _native.Put(("engine", id_, session, json.dumps(info)), lives_with=session)


def first_rank(world: str, id_: int, session: str) -> _native.Put:
    """Which engine id rank 0 of an MPI program has; the other ranks' follow.  Gone with rank 0's session."""
    return _native.Put(("mpi_ids", world, id_), lives_with=session)


def first_rank_form(world: str) -> tuple[Any, ...]:
    """The same."""
    return ("mpi_ids", world, _INT)


def engines_form() -> tuple[Any, ...]:
    """All engines."""
    return ("engine", _INT, _TEXT, _TEXT)


def engine_form(id_: int, session: str) -> tuple[Any, ...]:
    """One engine."""
    return ("engine", id_, session, _TEXT)


def parse_engine(fields: Sequence[Any]) -> Engine:
    """The engine of an engine tuple."""
    return Engine(fields[1], fields[2], json.loads(fields[3]))


# ---- Tasks ---------------------------------------------------------------------------------------------------------


def max_attempts(retries: int | None) -> int:
    """How often a task may be started."""
    return DEFAULT_ATTEMPTS if retries is None else retries + 1


def task_forms(engine: int, tags: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    """What an engine with these tags serves: its own queue and everybody's, and what becomes late."""
    rest = (_TEXT, _INT, _TEXT, _TEXT, _TEXT, ANY, ANY)
    queues = queues_served(ANY_QUEUE, tags)
    late = queues[0] if len(queues) == 1 else OneOf(queues)
    return [*(("task", queue, *rest) for queue in (engine_queue(engine), *queues)), (LATE, late, _TEXT, _INT)]


def tasks_form(client: Any = ANY, number: Any = ANY, queue: Any = ANY, kind: Any = ANY) -> tuple[Any, ...]:
    """Tasks that have no result yet."""
    return ("task", queue, client, number, ANY, kind, ANY, ANY, ANY)


def task(
    queue: str,
    client: str,
    number: int,
    name: str,
    kind: str,
    function: str,
    payload: Any,
    *,
    retries: int | None = None,
    priority: int = 0,
    engine: Engine | None = None,
    submitted: float | None = None,
    label: str | None = None,
    conditions: Conditions | None = None,
    call: range | None = None,
    keep: bool = False,
) -> _native.Put:
    """A task; for the one `engine`, it ends with that engine's session.  With `conditions` it is a conditional task.

    `submitted`, seconds since 1970, and `label` are for those who ask about it later.  `call`: the tasks that run side by side with it.
    `keep`: the engine keeps the value.
    """
    guards = None
    if conditions is not None:
        payload = [kind, function, payload, conditions.text]
        kind, function = CONDITIONAL, MET
        guards = _guards_of(client, number, conditions)
    options: list[Any] = [retries if engine is None else 0, submitted, label]
    if call is not None or keep:
        options += [None if call is None else [call.start, len(call)], *((True,) if keep else ())]
    if engine is not None:
        return _native.Put(
            ("task", queue, client, number, name, kind, function, options, payload),
            priority=priority,
            max_attempts=1,
            will=_died(client, number, engine),
            lives_with=engine.session,
            when=guards,
        )
    return _native.Put(
        ("task", queue, client, number, name, kind, function, options, payload),
        priority=priority,
        max_attempts=DEFAULT_ATTEMPTS if retries is None else retries + 1,
        will=("result", client, number, ENGINE_DIED, [], None),
        when=guards,
    )


def gate_form(client: str, number: Any, verdict: Any = ANY) -> tuple[Any, ...]:
    """Gates of tasks, or of groups, whose numbers are negative."""
    return ("gate", client, number, verdict, _TEXT)


def _guards_of(client: str, number: int, conditions: Conditions) -> Any:
    """The gate of the first stage, whose verdict fills the field `function`."""
    if not conditions.stages:
        return None
    return [(gate_form(client, conditions.gate_of(number), conditions.verdicts), [(3, TASK_FUNCTION)])]


def unconditional(fields: Sequence[Any]) -> Sequence[Any]:
    """The task that a conditional one becomes; any other as it is."""
    if fields[TASK_KIND] != CONDITIONAL:
        return fields
    kind, function, payload, _ = fields[TASK_PAYLOAD]
    return (*fields[:TASK_KIND], kind, function, fields[TASK_OPTIONS], payload)


def passed_on(fields: Sequence[Any], conditions: Conditions, engine: Engine) -> _native.Put:
    """A conditional task, for that engine and no other; should the engine die before its end, `attempts` say what becomes of it."""
    client, number = fields[TASK_CLIENT], fields[TASK_NUMBER]
    kind, function, payload, _ = fields[TASK_PAYLOAD]

    def row(queue: str, verdict: str, terms: Conditions) -> tuple[Any, ...]:
        again = [kind, function, payload, terms.text]
        return ("task", queue, *fields[TASK_CLIENT:TASK_FUNCTION], verdict, fields[TASK_OPTIONS], again)

    left = conditions.attempts - 1
    will: tuple[Any, ...] = ("result", client, number, ENGINE_DIED, [engine.id, engine.session, 0.0, 0.0], None)
    if left > 0:
        will = row(tagged(ANY_QUEUE, conditions.tags), AGAIN, conditions.but(attempts=left, placed=False))
    return _native.Put(
        row(engine_queue(engine.id), MET, conditions.but(placed=True)),
        max_attempts=1,
        will=will,
        lives_with=engine.session,
    )


def next_stage(fields: Sequence[Any], conditions: Conditions) -> _native.Put:
    """A conditional task whose first stage is over, guarded by the gate of the next."""
    client, number = fields[TASK_CLIENT], fields[TASK_NUMBER]
    payload = [*fields[TASK_PAYLOAD][:3], conditions.text]
    return _native.Put(
        (*fields[:TASK_FUNCTION], None, fields[TASK_OPTIONS], payload),
        max_attempts=conditions.attempts,
        will=("result", client, number, ENGINE_DIED, [], None),
        when=_guards_of(client, number, conditions),
    )


def retry_of(fields: Sequence[Any], retries: int) -> _native.Put:
    """The task once more, with `retries` left: what an engine puts when a task has failed that may be run again."""
    client, number = fields[TASK_CLIENT], fields[TASK_NUMBER]
    options = fields[TASK_OPTIONS]
    rest = options[OPTION_RETRIES + 1 :] if type(options) is list else []
    again = (*fields[:TASK_OPTIONS], [retries, *rest], fields[TASK_PAYLOAD])
    will: tuple[Any, ...] = ("result", client, number, ENGINE_DIED, [], None)
    return _native.Put(again, max_attempts=retries + 1, will=will)


def retries_of(fields: Sequence[Any]) -> int | None:
    """How often a task may be run again after an exception; None: not for that."""
    options = fields[TASK_OPTIONS]
    retries = options[OPTION_RETRIES] if type(options) is list else options
    return None if retries is None else int(retries)


def call_of(fields: Sequence[Any]) -> range | None:
    """The numbers of the tasks that run side by side with this one, itself included; None: it is by itself."""
    options = fields[TASK_OPTIONS]
    if type(options) is not list or len(options) <= OPTION_CALL or options[OPTION_CALL] is None:
        return None
    first, count = options[OPTION_CALL]
    return range(first, first + count)


def is_kept(fields: Sequence[Any]) -> bool:
    """Whether the engine that runs this task keeps its value."""
    options = fields[TASK_OPTIONS]
    return type(options) is list and len(options) > OPTION_KEEP and bool(options[OPTION_KEEP])


def _died(client: str, number: int, engine: Engine) -> tuple[Any, ...]:
    return ("result", client, number, ENGINE_DIED, [engine.id, engine.session, 0.0, 0.0], None)


# ---- Tasks that wait for the engine of their data -----------------------------------------------------------------------

LATE = "late"
_LAST = -(2**31)  # whoever is handed it has nothing else to do


def late(queue: str, client: str, number: int, seconds: float) -> _native.Put:
    """In so many seconds any engine that is free may take over the task, unless it has begun."""
    return _native.Put((LATE, queue, client, number), delay=seconds, priority=_LAST)


# ---- Results and output --------------------------------------------------------------------------------------------


def result(client: str, number: int, status: str, meta: list[Any], payload: Any) -> _native.Put:
    """The final result of a task."""
    return _native.Put(("result", client, number, status, meta, payload))


def ran(engine: int, session: str, started: float, ended: float, task: Sequence[Any]) -> list[Any]:
    """The meta list of a result that an engine gives, with what `task` was."""
    return [engine, session, started, ended, record(task)]


def never_ran(task: Sequence[Any]) -> list[Any]:
    """The meta list of a result of a task that no engine has begun."""
    return [None, None, 0.0, 0.0, record(task)]


def record(task: Sequence[Any]) -> list[Any]:
    """What a result keeps of its task: queue, name, kind, function, options, payload, whether the payload was kept."""
    if task[TASK_KIND] == CONDITIONAL:
        task = unconditional(task)
    payload = task[TASK_PAYLOAD]
    kept = _size(payload) <= RECORD_PAYLOAD_BYTES_MAX
    return [task[TASK_QUEUE], *task[TASK_NAME:TASK_PAYLOAD], payload if kept else None, kept]


def _size(payload: Any) -> int:
    """Of a payload: objects and texts are what may be large."""
    if type(payload) is _native.Object:
        # What it names goes with the result, so that it could not be given once more.
        return RECORD_PAYLOAD_BYTES_MAX + 1 if payload.codec.endswith(BY_REFERENCE) else payload.nbytes
    if type(payload) is list:
        return sum(map(_size, payload))
    return len(payload) if type(payload) in (str, bytes) else 8


def failure(task: Sequence[Any], error: Exception) -> _native.Put:
    """The final result of a task that could not run because of `error`."""
    what = ItemError(0, type(error).__name__, str(error), "", pickle.dumps(error))
    return result(task[TASK_CLIENT], task[TASK_NUMBER], ERROR, never_ran(task), error_payload([what], None))


def cancelled(task: Sequence[Any]) -> _native.Put:
    """The final result of a task that was aborted before it had started."""
    return result(task[TASK_CLIENT], task[TASK_NUMBER], CANCELLED, never_ran(task), None)


def results_form(client: Any = ANY, number: Any = ANY, status: Any = ANY) -> tuple[Any, ...]:
    """Results of a client's tasks."""
    return ("result", client, number, status, ANY, ANY)


def ran_at_form(task: tuple[str, int], status: str, engine: int) -> tuple[Any, ...]:
    """The result of a task that ended so on that engine."""
    return ("result", *task, status, [engine, ANY, ANY, ANY, ANY], ANY)


def engine_of(result: Sequence[Any]) -> int | None:
    """The engine that a result came from; None if none had the task."""
    meta = result[RESULT_META]
    return meta[META_ENGINE] if meta else None


def results_of_engine_forms(engine: int) -> list[tuple[Any, ...]]:
    """Results that an engine gave; results of tasks that ended with it."""
    metas = [[engine, ANY, ANY, ANY, ANY], [engine, ANY, ANY, ANY]]
    return [("result", ANY, ANY, ANY, meta, ANY) for meta in metas]


def task_of(result: Sequence[Any]) -> tuple[Any, ...] | None:
    """The fields of the task that a result belongs to, without its payload if that was large; None: not known."""
    meta = result[RESULT_META]
    if len(meta) <= META_RECORD:
        return None
    queue, *rest, payload, _kept = meta[META_RECORD]
    return ("task", queue, result[RESULT_CLIENT], result[RESULT_NUMBER], *rest, payload)


def is_cell(result: Sequence[Any]) -> bool:
    """Whether a result is known to be that of a cell."""
    task = task_of(result)
    return task is not None and task[TASK_KIND] == EXECUTE


def has_payload(result: Sequence[Any]) -> bool:
    """Whether a result has kept the arguments of its task."""
    meta = result[RESULT_META]
    return len(meta) > META_RECORD and bool(meta[META_RECORD][-1])


def resubmitted(client: str, number: int, new_id: str) -> _native.Put:
    """A task was given once more, and is called `new_id` now."""
    return _native.Put(("resubmitted", client, number, new_id))


def resubmitted_form(client: Any = ANY, number: Any = ANY) -> tuple[Any, ...]:
    """Tasks that were given once more."""
    return ("resubmitted", client, number, _TEXT)


def output(client: str, number: int, stream: str, n: int, payload: Any) -> _native.Put:
    """The `n`-th piece of output of the task; `payload` is text, but for the stream `DATA` an object."""
    if isinstance(payload, str):
        payload = safe_text(payload)
    return _native.Put(("output", client, number, stream, n, payload))


def outputs_form(client: Any = ANY, number: Any = ANY) -> tuple[Any, ...]:
    """What a client's tasks have printed."""
    return ("output", client, number, ANY, ANY, ANY)


def client_forms(client: str) -> list[tuple[Any, ...]]:
    """All that a client wants to hear of: its results and their output."""
    return [("result", client, _INT, ANY, ANY, ANY), ("output", client, _INT, ANY, ANY, ANY)]


class ItemError(NamedTuple):
    """What one item of a task raised; `item` is 0 unless the task is a chunk of a map."""

    item: int
    ename: str
    evalue: str
    traceback: str
    pickled: bytes | None


def error_payload(errors: Iterable[ItemError], values: Any) -> list[Any]:
    """The payload of a result with status "error": the errors, and for a chunk the packed list of all values."""
    rows = [[e.item, safe_text(e.ename), safe_text(e.evalue), safe_text(e.traceback), e.pickled] for e in errors]
    return [rows, values]


def parse_error_payload(payload: Sequence[Any]) -> tuple[list[ItemError], Any]:
    """The inverse of `error_payload`."""
    rows, values = payload
    return [ItemError(*row) for row in rows], values


def safe_text(text: str) -> str:
    """`text` without what UTF-8 cannot say."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


# ---- Large data ----------------------------------------------------------------------------------------------------
#
# The other tuples about them (data_farm, data_holder, data_wanted, data_part) are C++'s alone: api/data/farm_tuples.h.

ARGUMENT = "argument"
RESULT = "result"


def data_use(name: str, client: str, number: int, role: str) -> _native.Put:
    """The task, or its result, needs the data of that name."""
    return _native.Put(("data", name, client, number, role))


def data_use_form(name: str | None, client: Any, number: Any, role: Any = ANY) -> tuple[Any, ...]:
    """Uses of data by a client's tasks; a name of None is any."""
    return ("data", _TEXT if name is None else name, client, number, role)


def data_farm_form(farm_id: str) -> tuple[Any, ...]:
    """What a space holds if large data of that farm are spoken of in it."""
    return ("data_farm", farm_id, _BYTES)


def data_uses_form(client: str, number: Any) -> tuple[Any, ...]:
    """All uses of data by tasks."""
    return data_use_form(None, client, number)


# ---- Functions and control -----------------------------------------------------------------------------------------


def function(packed: PackedFunction) -> _native.Put:
    """A function for engines to read."""
    return _native.Put(("function", packed.digest, packed.field))


def function_form(digest: str) -> tuple[Any, ...]:
    """The function of that digest."""
    return ("function", digest, _OBJECT)


def shared_payload(client: str, number: int, payload: Any) -> _native.Put:
    """A payload for all tasks of one call, the first of which is `number`; each of them carries that number instead."""
    return _native.Put(("payload", client, number, payload))


def shared_payload_form(client: str, number: Any) -> tuple[Any, ...]:
    """The payload that tasks share, the first of which is `number`."""
    return ("payload", client, number, ANY)


def control(session: str, verb: str, argument: Any = None) -> _native.Put:
    """A word to the engine of that session; gone with it."""
    return _native.Put(("control", session, verb, argument), lives_with=session)


def control_form(session: str) -> tuple[Any, ...]:
    """Words to the engine of that session."""
    return ("control", session, _TEXT, ANY)


def cancel(session: str, client: str, number: int) -> list[_native.Put]:
    """To the engine of that session, which has the task; and to the next one, should that engine die of it."""
    mark = _native.Put(cancelled_form(client, number), ttl=CANCELLED_TTL_S)
    return [control(session, CANCEL, [client, number]), mark]


def cancelled_form(client: str, number: int) -> tuple[Any, ...]:
    """Whether a task was cancelled after it had started."""
    return ("cancelled", client, number)
