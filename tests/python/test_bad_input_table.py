"""Every operation of Python's spaces with every kind of bad input: a clear error, no effect, and the next request works (P38).

The table is by argument: what may be wrong with a template, a timeout, a token. Methods are found by looking at the classes,
so a new operation is tried with all that is known about its arguments, and one with an argument of a new name fails
`test_every_argument_has_its_rows` until its rows are written here.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import linden
import pytest
from linden import aio, errors
from linden.completions import RequestFuture
from linden.errors import InvalidArgument, LimitExceeded, StaleLease, TransactionConflict
from linden.fields import PutAttributes

from tests.conftest import SpaceServer

# What is wrong, the argument, the exact exception, and what its message says: wanted or found, and the remedy.
Bad = tuple[str, Any, type[Exception], str]


def nested(levels: int) -> list[Any]:
    """A list in a list in a list."""
    deep: list[Any] = []
    for _ in range(levels):
        deep = [deep]
    return deep


# Never touched, so the machine gives no memory for it.
GIBIBYTE = bytes(1 << 30)
NO_ID = 1_000_000_000

# ---- The table

ROW: list[Bad] = [
    ("number", 5, TypeError, r"wanted a row of fields.*found the int 5; a single field is written \(field,\)"),
    ("none", None, TypeError, "wanted a row of fields.*found the NoneType None"),
    ("text", "task", TypeError, "wanted a row of fields.*found the str 'task'"),
    ("bytes", b"task", TypeError, "wanted a row of fields.*found the bytes"),
    ("dict", {"task": 1}, TypeError, "wanted a row of fields.*found the dict"),
    ("set", {"task"}, TypeError, "wanted a row of fields.*found the set"),
    ("1000-fields", (1,) * 1000, LimitExceeded, "at most 64 fields, found .*; (match|put) several"),
    ("10000-deep", (nested(10_000),), LimitExceeded, "field 0 .*nested deeper than 64; (use|put it)"),
    ("int-of-65-bits", (1 << 64,), OverflowError, "65 bits does not fit in 64 bits; put it as text"),
    ("int-of-9000-bits", (1 << 9000,), OverflowError, "9001 bits does not fit in 64 bits; put it as text"),
    ("no-utf-8", ("\ud800",), UnicodeEncodeError, "surrogates not allowed; a text is UTF-8, use bytes"),
    ("1-gibibyte", (GIBIBYTE,), LimitExceeded, "message of 1073741[0-9]{3} bytes .*limit is 1073741824.*; send less"),
]
TEMPLATE: list[Bad] = [
    *ROW,
    ("complex", (1j,), TypeError, "field 0 .*complex.*cannot match by value; use ANY or object"),
    ("type", (complex,), TypeError, "field 0 .*type complex; a formal is one of int, float"),
    ("between-of-two-types", (linden.Between(1, "a"),), InvalidArgument, "Between wants two ints.*found int and text"),
    ("one-of-65537", (linden.OneOf(list(range(65_537))),), LimitExceeded, "at most 65536 values, found 65537; use"),
]
FIELDS: list[Bad] = [
    *ROW,
    ("unpicklable", ((i for i in ()),), linden.NotPicklable, "field 0 of the tuple cannot be pickled.*generator"),
    ("formal", (linden.ANY,), linden.NotPicklable, "field 0 of the tuple cannot be pickled.*AnyField"),
    ("unbound-variable", (linden.Var("x"),), linden.NotPicklable, "bound by a template of when="),
]
SEVERAL: list[Bad] = [
    ("number", 5, TypeError, r"wanted a list.*found the int 5; a single one is written \["),
    ("none", None, TypeError, "wanted a list.*found the NoneType"),
    ("text", "task", TypeError, "wanted a list.*found the str 'task'"),
    ("dict", {"task": 1}, TypeError, "wanted a list.*found the dict"),
    ("one-row", ("task", 1), TypeError, "wanted a row of fields.*found the str 'task'"),
]
# A good one goes first, which must not be put either.
TUPLES: list[Bad] = [
    *SEVERAL,
    *((what, [("good", 1), bad], error, words) for what, bad, error, words in FIELDS),
    (
        "100001",
        [()] * 100_001,
        LimitExceeded,
        "100001 tuples.*the limits? (is|are) 100000.*; .*raise limits.put_tuples_max",
    ),
]
TEMPLATES: list[Bad] = [
    *SEVERAL,
    *((what, [("never",), bad], error, words) for what, bad, error, words in TEMPLATE),
    ("empty", [], InvalidArgument, "no template; give at least one"),
    ("65", [("never",)] * 65, LimitExceeded, "65 templates, the limit is 64; ask for them apart"),
]
NO_NUMBER: list[Bad] = [
    ("text", "soon", TypeError, "the str 'soon'; it must be a number of seconds"),
    ("list", [1], TypeError, "the list .*; it must be a number of seconds"),
]
TIMEOUT: list[Bad] = [
    *NO_NUMBER,
    ("negative", -1, ValueError, "timeout.* -1.*(0 does not wait|0 or more)"),
    ("very-negative", -(10**400), ValueError, "timeout.* of 1329 bits; 0 does not wait"),
    ("nan", math.nan, ValueError, "timeout.* nan"),
]
DURATION: list[Bad] = [
    *NO_NUMBER,
    ("zero", 0, ValueError, "is 0; it must be a positive number of seconds, or None"),
    ("negative", -1, ValueError, "is -1; it must be a positive"),
    ("very-negative", -(10**400), ValueError, "of 1329 bits; it must be a positive"),
    ("nan", math.nan, ValueError, "is nan; it must be a positive"),
    ("below-10-ms", 0.001, InvalidArgument, "1000 us, the shortest is 10 ms; "),
]
NO_COUNT: list[Bad] = [
    ("text", "many", TypeError, "is the str 'many'; it must be an int"),
    ("float", 1.5, TypeError, "is the float 1.5; it must be an int"),
    ("negative", -1, ValueError, "is -1; it must be at least [01]"),
    ("41-bits", 1 << 40, ValueError, "is 1099511627776; it must be at most 4294967295"),
    ("9000-bits", 1 << 9000, ValueError, "is of 9001 bits; it must be at most 4294967295"),
]
COUNT: list[Bad] = [
    *NO_COUNT,
    ("zero", 0, ValueError, "is 0; it must be at least 1"),
    ("100001", 100_001, LimitExceeded, "count of 100001, possible are 1 to 100000; ask for fewer"),
]
ID: list[Bad] = [
    ("text", "one", TypeError, "id of a tuple is the str 'one'; it must be an int"),
    ("float", 1.5, TypeError, "id of a tuple is the float 1.5; it must be an int"),
    ("negative", -1, ValueError, "id of a tuple is -1; ids are from 1"),
    ("9000-bits", 1 << 9000, ValueError, "id of a tuple is of 9001 bits; ids are from 1"),
]
NAME: list[Bad] = [
    ("number", 5, ValueError, "wanted text of at least one character that UTF-8 can carry, found 5"),
    ("empty", "", ValueError, "wanted text of at least one character.*found ''"),
    ("no-utf-8", "\ud800", ValueError, r"wanted text .*that UTF-8 can carry, found '\\ud800'"),
    ("1025-bytes", "x" * 1025, LimitExceeded, "of 1025 bytes, the limit is 1024; choose a shorter one"),
]
SPACE_NAME: list[Bad] = [
    ("number", 5, TypeError, "space name: wanted a str, found the int 5"),
    ("no-utf-8", "\ud800", ValueError, r"space name: wanted text .*found '\\ud800'; choose another one"),
]
INT_ATTRIBUTE: list[Bad] = [
    ("text", "high", TypeError, "wanted an int, found the str 'high'"),
    ("float", 1.5, TypeError, "wanted an int, found the float 1.5"),
    ("41-bits", 1 << 40, ValueError, "wanted an int from .*, found 1099511627776"),
    ("9000-bits", 1 << 9000, ValueError, "wanted an int from .*, found one of 9001 bits"),
]
ANYTHING_IS_TRUE_OR_FALSE: list[Bad] = []

ROWS: dict[str, list[Bad]] = {
    "template": TEMPLATE,
    "templates": TEMPLATES,
    "fields": FIELDS,
    "tuples": TUPLES,
    "puts": TUPLES,
    "will": [row for row in FIELDS if row[0] not in ("none", "formal", "unpicklable", "unbound-variable")],
    "when": [
        *(row for row in SEVERAL if row[0] != "none"),
        *((what, [bad], error, words) for what, bad, error, words in TEMPLATE),
        ("10001", [("never",)] * 10_001, LimitExceeded, "10001 guards, the limit is 10000; join them in steps"),
    ],
    "timeout": TIMEOUT,
    "lease": DURATION,
    "ttl": DURATION,
    "delay": DURATION,
    "key_window": DURATION[:-1],
    "n": COUNT,
    "limit": NO_COUNT,
    "first_fields": NO_COUNT,
    "groups": NO_COUNT,
    "credit": [
        *NO_COUNT,
        ("zero", 0, ValueError, "credit is 0; it must be at least 1"),
        ("huge", 1_000_001, LimitExceeded, "credit of 1000001, the limit is 1000*; ask for less"),
    ],
    "priority": INT_ATTRIBUTE,
    "max_attempts": [*INT_ATTRIBUTE, ("negative", -1, ValueError, "wanted an int from 0 to .*, found -1")],
    "key": [*NAME, ("used-before", "used", linden.KeyConflict, "key 'used' was used for another.*; use a new key")],
    "group": NAME,
    "id": [*ID, ("of-no-tuple", NO_ID, linden.NoMatch, f"no tuple {NO_ID} in space .*; it was taken or has expired")],
    "takes": [
        *(row for row in SEVERAL if row[0] != "one-row"),
        *((what, [bad], error, words) for what, bad, error, words in ID),
        ("of-no-tuple", [NO_ID], TransactionConflict, f"tuple {NO_ID} is gone; nothing was done"),
        ("one-twice", [1, 1], InvalidArgument, "removed twice; name each once"),
        ("100001", range(1, 100_002), LimitExceeded, "100001 to remove, the limits are .*; commit less at once"),
    ],
    "finishes": [
        *(row for row in SEVERAL if row[0] != "one-row"),
        ("no-tokens", [5], TypeError, r"wanted a Reservation or its token \(tuple id, attempt\), found the int 5"),
        ("half-a-token", [(1,)], TypeError, "wanted a Reservation or its token"),
        ("texts", [("a", "b")], TypeError, "id of a tuple is the str 'a'; it must be an int"),
        ("negative", [(-1, 1)], ValueError, "id of a tuple is -1"),
        ("attempt-of-41-bits", [(1, 1 << 40)], ValueError, "attempt of a token is 1099511627776; it must be at most"),
        ("of-no-tuple", [(NO_ID, 1)], StaleLease, f"tuple {NO_ID}, attempt 1: the reservation has ended or is not"),
    ],
    "ids": [
        *(row for row in SEVERAL if row[0] not in ("none", "one-row")),
        *((what, [bad], error, words) for what, bad, error, words in ID),
        ("100001", range(1, 100_002), LimitExceeded, "100001 .*the limit is 100000; .*raise limits.put_tuples_max"),
    ],
    "to": [
        ("number", 5, TypeError, "to: wanted a Space of the same connection, found the int 5"),
        ("name", "archive", TypeError, "to: wanted a Space of the same connection, found the str 'archive'"),
    ],
    "copy": ANYTHING_IS_TRUE_OR_FALSE,
    "dead": ANYTHING_IS_TRUE_OR_FALSE,
    "all": ANYTHING_IS_TRUE_OR_FALSE,
    "session": ANYTHING_IS_TRUE_OR_FALSE,
    "initial": ANYTHING_IS_TRUE_OR_FALSE,
    "all_states": ANYTHING_IS_TRUE_OR_FALSE,
    "started": ANYTHING_IS_TRUE_OR_FALSE,
    "create": ANYTHING_IS_TRUE_OR_FALSE,
    "name": [
        *SPACE_NAME,
        ("empty", "", InvalidArgument, "wanted 1 to 200 bytes, found 0; choose another name"),
        ("300-bytes", "x" * 300, InvalidArgument, "wanted 1 to 200 bytes, found 300; choose another name"),
        ("control-character", "a\nb", InvalidArgument, "wanted UTF-8 without control characters; choose another name"),
    ],
    "durability": [("unheard-of", "solid", InvalidArgument, "durability 'solid' is none of memory, process, sync")],
}
# Where an argument of that name means something else.
SPECIAL: dict[tuple[str, str], list[Bad]] = {
    ("drop_space", "name"): [
        *SPACE_NAME,
        ("unknown", "nobody's", linden.NoSuchSpace, "none of that name"),
    ],
    ("space", "initial"): [
        ("number", 5, TypeError, "wanted a sequence of Put"),
        ("rows", [("task", 1)], TypeError, "wanted a sequence of Put, found tuple in it"),
    ],
    ("space", "timeout"): [
        ("negative", -1, ValueError, "timeout: wanted seconds of 0 or more, or None for ever, found -1"),
        ("text", "soon", TypeError, "timeout: wanted seconds as a number or None, found str"),
    ],
    # A tuple of a transaction has no id, and its key is looked at by the commit.
    ("Transaction.put", "key"): NAME,
}

# ---- Which operations there are

CLASSES: dict[str, type] = {
    "Connection": linden.Connection,
    "Space": linden.Space,
    "Transaction": linden.Transaction,
    "Reservation": linden.Reservation,
    "Subscription": linden.Subscription,
    "aio.Connection": aio.Connection,
    "aio.Space": aio.Space,
    "aio.Transaction": aio.Transaction,
    "aio.Reservation": aio.Reservation,
}
# Between modules of the package, with arguments of our own.
INTERNAL = {"Space.submit", "Transaction.submit", "Reservation.finished_elsewhere"}


def operations() -> list[tuple[str, str]]:
    """Class and method of each."""
    found = []
    for kind, cls in CLASSES.items():
        for name, _ in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith("_") and f"{kind}.{name}" not in INTERNAL:
                found.append((kind, name))
    return found


def arguments(kind: str, method: str) -> dict[str, inspect.Parameter]:
    """The arguments of an operation by name, those it passes on included."""
    found: dict[str, inspect.Parameter] = {}
    for name, parameter in list(inspect.signature(getattr(CLASSES[kind], method)).parameters.items())[1:]:
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            found[name] = parameter
            continue
        passed_on = (
            PutAttributes.__annotations__ if method.startswith("put") and "many" not in method else ("priority", "ttl")
        )
        for attribute in passed_on:
            found[attribute] = inspect.Parameter(attribute, inspect.Parameter.KEYWORD_ONLY, default=None)
    return found


def rows_of(kind: str, method: str, argument: str, parameter: inspect.Parameter) -> list[Bad]:
    """What is tried, without None where it is the argument's default."""
    plain = method.removesuffix("_async")
    special = SPECIAL.get((plain, argument)) or SPECIAL.get((f"{kind.removeprefix('aio.')}.{plain}", argument))
    rows = ROWS[argument] if special is None else special
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:  # a stream is given its templates one by one
        rows = [(what, [bad], error, words) for what, bad, error, words in TEMPLATE]
        rows.append(("empty", [], ValueError, "a stream needs at least one template"))
    return [row for row in rows if row[1] is not None or parameter.default is not None]


def all_arguments() -> list[tuple[str, str, str]]:
    """Class, method and argument."""
    return [(kind, method, argument) for kind, method in operations() for argument in arguments(kind, method)]


# What the other arguments are meanwhile: such that the call would do something, and would not wait.
GOOD: dict[str, Any] = {
    "template": ("never", int),
    "templates": [("never", int)],
    "fields": ("good", 1),
    "tuples": [("good", 1)],
    "n": 1,
    "ttl": 5.0,
    "timeout": 0,
    "name": "another",
    "key": "new",
}
NEEDED_BESIDE = {"key_window": "key"}


def good_arguments(kind: str, method: str, beside: str = "") -> dict[str, Any]:
    good = {}
    for name, parameter in arguments(kind, method).items():
        if name == beside:
            continue
        if name == "timeout" and method == "space":
            continue  # how long the server may take
        if name == "timeout" or parameter.default is inspect.Parameter.empty or name == NEEDED_BESIDE.get(beside):
            good[name] = GOOD[name]
    return good


# ---- The bench


class Bench:
    """A space with tuples in several states, and one of each thing that has operations."""

    def __init__(self, address: str) -> None:
        self.connection = linden.connect(address)
        self.space = self.connection.space("bench", durability="memory")
        self.kept = self.space.put(("kept", 1))
        self.space.put(("kept", 2), key="used")
        self.space.put(("held", 1), max_attempts=5)
        self.held = self.space.reserve(("held", int), timeout=0)
        self.other = linden.connect(address)
        GOOD["to"] = self.connection.space("another", durability="memory")

    def state(self) -> Any:
        """All that an effect would show in."""
        tuples = [(row["id"], row["state"], row["attempt"], row["fields"]) for row in self.space.describe()]
        counts = [
            {name: value for name, value in space.items() if name != "scans"} for space in self.connection.spaces()
        ]
        return tuples, counts, self.space.summarize()

    def call(self, kind: str, method: str, given: dict[str, Any]) -> Any:
        """Do it and wait for what comes of it."""
        if kind.startswith("aio."):
            return asyncio.run(self._call_aio(kind, method, given))
        if kind == "Subscription":
            with self.space.subscribe(("never", int)) as told:
                return getattr(told, method)(**given)
        if kind == "Transaction":
            with self.space.transaction() as transaction:
                try:
                    return settle(getattr(transaction, method)(**given))
                finally:
                    transaction.abort()
        subject = {"Connection": self.connection, "Space": self.space, "Reservation": self.held}[kind]
        return settle(getattr(subject, method)(**given))

    async def _call_aio(self, kind: str, method: str, given: dict[str, Any]) -> Any:
        space = aio.Space(self.space)
        if isinstance(given.get("to"), linden.Space):
            given["to"] = aio.Space(given["to"])
        if kind == "aio.Transaction":
            transaction = await space.transaction()
            try:
                return await getattr(transaction, method)(**given)
            finally:
                await transaction.abort()
        subject = {
            "aio.Connection": aio.Connection(self.connection),
            "aio.Space": space,
            "aio.Reservation": aio.Reservation(self.held),
        }[kind]
        positional = given.pop("templates") if method.endswith("_stream") else []
        return await settle_aio(getattr(subject, method)(*positional, **given))


def settle(value: Any) -> Any:
    if isinstance(value, RequestFuture):
        return value.result(20)
    return list(value) if inspect.isgenerator(value) else value


async def settle_aio(value: Any) -> Any:
    if isinstance(value, aio.Stream):
        async with value:
            return await anext(value)
    if inspect.isasyncgen(value):
        return [item async for item in value]
    return await value


@pytest.fixture(scope="module")
def server() -> Iterator[SpaceServer]:
    with tempfile.TemporaryDirectory(prefix="ld-", dir="/tmp") as folder:
        server = SpaceServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="module")
def bench(server: SpaceServer) -> Iterator[Bench]:
    bench = Bench(server.address)
    yield bench
    bench.other.close()
    bench.connection.close()


def refused(call: Callable[[], Any], error: type[Exception], words: str, what: str = "") -> None:
    found: Exception | None = None
    answer = None
    try:
        answer = call()
    except Exception as raised:  # noqa: BLE001  (which one it is, is the question)
        found = raised
    assert found is not None, f"{what}: was done, and answered {answer!r}"
    assert type(found) is error, f"{what}: {found!r}"
    assert re.search(words, str(found), re.DOTALL), f"{what}: {found}"


# ---- Arguments


def test_every_argument_has_its_rows() -> None:
    named = {argument for kind, method in operations() for argument in arguments(kind, method)}
    assert named - set(ROWS) == set(), "write what can be wrong with these into ROWS"
    needed = {
        argument
        for kind, method in operations()
        for argument, parameter in arguments(kind, method).items()
        if parameter.default is inspect.Parameter.empty
    }
    assert needed - {"id", "to"} - set(GOOD) == set(), "write what these usually are into GOOD"


# P38: no row has an effect, and after each the same connection serves the next request.
@pytest.mark.parametrize(("kind", "method", "argument"), all_arguments())
def test_p38_a_bad_argument(bench: Bench, kind: str, method: str, argument: str) -> None:
    GOOD["id"] = bench.kept
    before = bench.state()
    for what, bad, error, words in rows_of(kind, method, argument, arguments(kind, method)[argument]):
        given = good_arguments(kind, method, beside=argument) | {argument: bad}
        refused(lambda given=given: bench.call(kind, method, given), error, words, what)
        assert bench.state() == before, what
        assert not bench.held.over, what
    assert bench.space.read(("kept", int), timeout=0) == ("kept", 1)


@pytest.mark.parametrize(("kind", "method"), operations())
def test_p38_too_many_arguments(bench: Bench, kind: str, method: str) -> None:
    before = bench.state()
    given = good_arguments(kind, method) | {"colour": "blue"}
    refused(lambda: bench.call(kind, method, given), TypeError, "unexpected keyword argument 'colour'")
    assert bench.state() == before


# ---- Formals


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: linden.Prefix(5), TypeError, "Prefix: wanted a str, found the int 5"),  # type: ignore[arg-type]
        (lambda: linden.Prefix("\ud800"), UnicodeEncodeError, "use bytes for what is not text"),
        (lambda: linden.OneOf(5), TypeError, r"OneOf: wanted a list of fields, found the int 5; .*\[field\]"),  # type: ignore[arg-type]
        (lambda: linden.OneOf("ab"), TypeError, "OneOf: wanted a list of fields, found the str 'ab'"),
        (lambda: linden.OneOf([1, 1j]), TypeError, "OneOf: wanted None, a bool, .* found the complex 1j"),
        (lambda: linden.OneOf([int]), TypeError, "OneOf: wanted None, a bool, .* found the type"),
        (lambda: linden.OneOf([nested(10_000)]), LimitExceeded, "nested deeper than 64"),
        (lambda: linden.OneOf([1 << 64]), OverflowError, "65 bits does not fit"),
        (lambda: linden.Between(1j, 2j), TypeError, "Between: wanted None, a bool, .* found the complex 1j"),
    ],
)
def test_formals_that_are_none(make: Callable[[], Any], error: type[Exception], words: str) -> None:
    refused(make, error, words)


# NaN is a value that can be stored, but no key to find it by (P2).
def test_nan_is_found_by_no_value(bench: Bench) -> None:
    id = bench.space.put(("nan", math.nan))
    for wanted in (math.nan, [math.nan], linden.OneOf([math.nan]), linden.Between(math.nan, math.nan)):
        assert bench.space.count(("nan", wanted)) == 0
        assert bench.space.try_take(("nan", wanted)) is None
    bench.space.commit(takes=[id])


# ---- States: of the space, the connection, the transaction, the reservation


def in_space(kind: str) -> list[str]:
    return [method for found, method in operations() if found == kind]


@pytest.mark.parametrize("method", in_space("Space"))
def test_p40_an_operation_on_a_space_that_was_dropped(bench: Bench, method: str) -> None:
    gone = bench.connection.space("gone", durability="memory")
    bench.connection.drop_space("gone")
    GOOD["id"] = 1
    refused(
        lambda: settle(getattr(gone, method)(**good_arguments("Space", method))),
        errors.NoSuchSpace,
        "space number [0-9]+: there is none; open it by name",
    )
    assert bench.space.count(("kept", int)) == 2


@pytest.mark.parametrize("method", in_space("Space"))
def test_an_operation_of_a_connection_that_was_closed(server: SpaceServer, method: str) -> None:
    with linden.connect(server.address) as connection:
        GOOD["to"] = space = connection.space("bench")
    GOOD["id"] = 1
    refused(
        lambda: settle(getattr(space, method)(**good_arguments("Space", method))),
        errors.Closed,
        "the client was closed",
    )


@pytest.mark.parametrize("method", [m for m in in_space("Transaction") if not m.startswith("abort")])
@pytest.mark.parametrize("end", ["commit", "abort"])
def test_p27_an_operation_of_a_transaction_that_has_ended(bench: Bench, end: str, method: str) -> None:
    before = bench.state()
    transaction = bench.space.transaction()
    getattr(transaction, end)()
    refused(
        lambda: settle(getattr(transaction, method)(**good_arguments("Transaction", method))),
        StaleLease,
        "transaction [0-9]+ has ended: .*; nothing of it was done.*so begin a new one",
    )
    transaction.abort()  # says nothing
    assert bench.state() == before


@pytest.mark.parametrize("method", in_space("Reservation"))
def test_p17_the_end_of_a_reservation_that_has_ended(bench: Bench, method: str) -> None:
    bench.space.put(("work", 1))
    old = bench.space.reserve(("work", int), timeout=0)
    bench.space.native.client.wait(bench.space.native.send_release([old.token]))
    held = bench.space.reserve(("work", int), timeout=0)
    assert held.id == old.id
    before = bench.state()
    refused(
        lambda: settle(getattr(old, method)()),
        StaleLease,
        "attempt 1: the reservation had ended.*; nothing has happened",
    )
    assert bench.state() == before
    held.finish()


# A token is good for the session that it was given to.
def test_p16_the_token_of_somebody_else(bench: Bench) -> None:
    bench.space.put(("theirs", 1))
    theirs = bench.other.space("bench").reserve(("theirs", int), timeout=0)
    before = bench.state()
    native = bench.space.native
    for item in (native.send_finish([(theirs.token, [])]), native.send_release([theirs.token])):
        assert bench.connection.native.wait(item) == [StaleLease.code]
    words = f"tuple {theirs.id}, attempt 1: the reservation has ended or is not this session's; nothing was done"
    refused(lambda: bench.space.commit([("good", 1)], [theirs.token]), StaleLease, words)
    refused(
        lambda: bench.space.commit([("good", 1)], takes=[theirs.id]), TransactionConflict, "is reserved; its holder"
    )
    assert bench.state() == before
    theirs.finish()


# P38: what is refused leaves the reservation held, and the next word about it counts.
def test_p38_a_reservation_outlives_a_refused_end(bench: Bench) -> None:
    bench.space.put(("again", 1))
    with bench.space.reserve(("again", int), timeout=0) as held:
        refused(lambda: held.release(delay=0.001), InvalidArgument, "the shortest is 10 ms")
        assert not held.over
        refused(lambda: held.release_async(delay=0.001).result(20), InvalidArgument, "the shortest is 10 ms")
        assert not held.over
        refused(lambda: held.finish_async([(GIBIBYTE,)]), LimitExceeded, "send less at once")
        assert not held.over
    assert bench.space.try_read(("again", int)) is None  # the end of the block has finished it


# P23, by each way in: the same key for something else.
def test_p23_a_key_that_was_used_for_something_else(bench: Bench) -> None:
    other = linden.with_attributes(("other", 1), key="used")
    before = bench.state()
    words = "key 'used' was used for another tuple or other attributes; use a new key"
    for call in (
        lambda: bench.space.put(("other", 1), key="used"),
        lambda: bench.space.put(("kept", 2), key="used", priority=1),
        lambda: bench.space.put_many([("good", 1), other]),
        lambda: bench.space.commit([("good", 1), other]),
    ):
        refused(call, linden.KeyConflict, words)
    refused(lambda: bench.held.finish([other]), linden.KeyConflict, "a key was used for another tuple.*; nothing has")
    transaction = bench.space.transaction()
    transaction.put(("other", 1), key="used")
    refused(transaction.commit, linden.KeyConflict, f"{words}.*; the transaction was aborted")
    assert bench.state() == before


def test_a_subscription_that_was_closed(bench: Bench) -> None:
    told = bench.space.subscribe(("never", int))
    told.close()
    refused(lambda: told.next(0), errors.Closed, "subscription was closed")
    assert list(told) == []


# ---- Large


def resident_kib(pid: int | str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0])


# P38: a body of a gibibyte is refused before it is touched, on both sides.
def test_p38_a_gibibyte_takes_no_memory(bench: Bench, server: SpaceServer) -> None:
    before = resident_kib("self"), resident_kib(server.pid)
    for _ in range(3):
        with suppress(LimitExceeded):
            bench.space.put(("body", GIBIBYTE))
        with suppress(LimitExceeded):
            bench.space.take(("body", GIBIBYTE))
    after = resident_kib("self"), resident_kib(server.pid)
    assert after[0] - before[0] < 100_000
    assert after[1] - before[1] < 100_000


# The client knows the limit of its server, and the connection outlives what was too large for it.
def test_p38_a_body_beyond_the_limit_of_the_server(scratch: Path) -> None:
    server = SpaceServer(scratch, "--frame-mebibytes-max", "1")
    server.start()
    with linden.connect(server.address) as connection:
        space = connection.space("small")
        session = connection.session
        for call in (
            lambda: space.put(("body", bytes(2 << 20))),
            lambda: space.put(("body", "x" * (2 << 20))),
            lambda: space.take(("body", bytes(2 << 20))),
            lambda: space.subscribe(("body", bytes(2 << 20))),
            lambda: space.commit([("body", bytes(2 << 20))]),
        ):
            refused(
                call, LimitExceeded, "a message of 2097[0-9]{3} bytes .*limit is 1048576 bytes.*; send less at once"
            )
        assert space.count(("body", linden.ANY)) == 0
        assert connection.session == session
        assert connection.connected
    server.stop()


# ---- Connections


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"name": 5}, TypeError, "client name: wanted a str, found the int 5"),
        ({"name": "\ud800"}, ValueError, "client name: wanted text that UTF-8 can carry"),
        ({"name": "x" * 100_000}, LimitExceeded, "frame of 1000[0-9]{2} bytes is larger than the limit of 65536"),
        ({"hold": -1}, ValueError, "hold: wanted seconds of 0 or more"),
        ({"hold": math.nan}, ValueError, "hold: wanted seconds of 0 or more"),
        ({"memory": -1}, ValueError, "memory: wanted seconds of 0 or more"),
        ({"reconnect": "soon"}, TypeError, "reconnect: wanted seconds as a number or None, found str"),
        ({"timeout": -1}, ValueError, "timeout: wanted seconds of 0 or more"),
    ],
)
def test_a_connection_with_bad_options(
    server: SpaceServer, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    refused(lambda: linden.connect(server.address, **options), error, words)
    linden.connect(server.address).close()
