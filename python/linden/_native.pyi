"""The C++ client as Python sees it: thin, untyped by purpose, wrapped by space.py and farm code.

C++ never calls Python.  Every call that may wait releases the GIL, and notices Ctrl-C within 0.1 s.  Times are seconds; a timeout of
None waits for ever.  Errors raise ``Error`` subclasses as registered by ``set_error_classes``.

A *field* is None, bool, int (64 bits), float, str, bytes, list of fields, or ``Object``; anything else raises ``NotEncodable``
and the caller packs it into an Object first.  A *form* is a row of actual fields and formals; a formal is one of the classes below, or a list that holds some.
"""

from collections.abc import Sequence
from typing import Any, Final

Field = Any
Fields = tuple[Any, ...]
Forms = Sequence[Fields]

READ: Final[int]
TAKE: Final[int]
RESERVE: Final[int]
VERSION: Final[str]
PROTOCOL_VERSION: Final[int]

class NotEncodable(TypeError):
    """A field is of no type that the space knows.  ``args[0]`` is a message, ``args[1]`` the index of the top-level field."""

def set_error_classes(classes: dict[int, type[Exception]], fallback: type[Exception]) -> None:
    """Classes to raise per error code; each is called with (message)."""

class Object:
    """Opaque value: ``codec`` and ``parts``, where parts[0] is the payload and the rest are out-of-band buffers.

    ``parts`` accepts bytes-like objects, which are copied unless they are bytes; received parts support the buffer protocol
    without copying.
    """
    def __init__(self, codec: str, parts: Sequence[Any]) -> None: ...
    @property
    def codec(self) -> str: ...
    @property
    def parts(self) -> list[memoryview]: ...
    @property
    def nbytes(self) -> int: ...

class AnyField: ...  # singleton-like formals, used inside a form

class Typed:
    def __init__(self, type: str) -> None: ...  # "nil", "bool", "int", "float", "text", "bytes", "list", "object"

class Between:
    def __init__(self, low: Field, high: Field) -> None: ...

class Prefix:
    def __init__(self, text: str) -> None: ...

class OneOf:
    def __init__(self, values: Sequence[Field]) -> None: ...

class Put:
    """A tuple to put, encoded at once (later changes to its parts are not seen) and reusable."""
    def __init__(
        self,
        fields: Fields,
        *,
        priority: int = 0,
        ttl: float | None = None,
        max_attempts: int = 0,
        will: Fields | None = None,
        lives_with: str | None = None,  # a session's hexadecimal id
        key: str | None = None,
        key_window: float | None = None,  # None: an hour
        delay: float | None = None,
        group: str | None = None,
        when: Sequence[tuple[Fields, Sequence[tuple[int, int]]]] | None = None,  # form, and fills (from, to)
    ) -> None: ...
    @property
    def fields(self) -> Fields: ...  # as whoever takes them will see them; decoded each time
    @property
    def nbytes(self) -> int: ...

class Handout:
    """A tuple that was handed over."""

    id: int
    attempt: int
    index: int  # of the form that matched
    @property
    def fields(self) -> Fields: ...  # decoded at first use

class Client:
    """One session with a server; reconnects by itself and repeats what was not answered (P36)."""
    @staticmethod
    def connect(
        address: str,  # "unix:/path/to.sock" or "tcp:host:port"
        *,
        name: str = "",
        timeout: float = 10.0,  # for the first connection
        hold: float = 5.0,  # P18
        memory: float = 60.0,  # P36
        reconnect: float = 60.0,  # how long calls outlive a server that is away; then ConnectionLost
        interrupt_check: float = 0.1,  # how often a call that waits looks for signals that did not wake it
    ) -> Client: ...
    @property
    def session(self) -> str: ...  # 32 hexadecimal digits
    @property
    def address(self) -> str: ...
    @property
    def connected(self) -> bool: ...  # now; False while reconnecting
    @property
    def reconnects(self) -> int: ...  # how often it has lost the server and found it again
    @property
    def failure(self) -> str | None: ...  # why the session has ended for good (expired, closed), or None
    @property
    def server_pid(self) -> int: ...
    def open_space(
        self,
        name: str,
        *,
        create: bool = False,
        durability: str | None = None,
        initial: Sequence[Put] = (),
        timeout: float | None = 10.0,
    ) -> Space: ...
    def drop_space(self, name: str, timeout: float | None = 10.0) -> None: ...
    def spaces(self, timeout: float | None = 10.0) -> list[dict[str, Any]]: ...
    def status(self, timeout: float | None = 10.0) -> dict[str, Any]: ...
    def wait(self, request: int, timeout: float | None = None) -> Any:
        """The answer of a request made with queue=False.  The calling thread reads the socket itself.  OutcomeUnknown after timeout
        (the request goes on; cancel() it if it waits)."""
    def completions(self, timeout: float | None = None) -> list[tuple[int, bool, Any]]:
        """Answers of requests made with queue=True: (request, ok, value or exception).  Empty after timeout or close()."""
    def close(self, goodbye: bool = True) -> None:
        """Idempotent; wakes every waiting call with Closed."""

class Space:
    """Requests to one space.  ``send_*`` return a request id; its answer comes from Client.wait, or from Client.completions if
    queue=True.  Values: put -> list of ids; take -> list of Handout; finish, release, renew, revive, pause and
    resume -> list of error codes (0 ok);
    count -> int; list, summarize, sessions -> plain dicts and lists."""
    @property
    def name(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def durability(self) -> str: ...
    @property
    def created(self) -> bool: ...
    @property
    def client(self) -> Client: ...
    def send_put(
        self, puts: Sequence[Put], *, transaction: int = 0, queue: bool = False, patient: bool = False
    ) -> int: ...
    def send_take(
        self,
        mode: int,
        forms: Forms,
        *,
        count: int = 1,
        timeout: float | None = None,
        lease: float = 30.0,
        transaction: int = 0,
        queue: bool = False,
    ) -> int: ...
    def send_finish(
        self, items: Sequence[tuple[tuple[int, int] | None, Sequence[Put]]], *, queue: bool = False
    ) -> int: ...  # items: ((id, attempt) or None, puts)
    def send_release(
        self,
        tokens: Sequence[tuple[int, int]],
        *,
        started: bool = True,
        delay: float | None = None,
        queue: bool = False,
    ) -> int: ...
    def send_renew(self, ids: Sequence[int], ttl: float | None = None, *, queue: bool = False) -> int: ...
    def send_revive(
        self, ids: Sequence[int] | None, form: Fields | None = None, *, queue: bool = False
    ) -> int: ...  # ids None: all dead ones that match
    def send_pause(self, form: Fields | None, *, drain: bool = False, queue: bool = False) -> int: ...
    def send_resume(self, form: Fields | None, *, all: bool = False, queue: bool = False) -> int: ...
    def send_pauses(self, *, queue: bool = False) -> int: ...  # -> [{"kind","template","set_by","set_for","tuples"}]
    def send_commit(
        self, puts: Sequence[Put], finishes: Sequence[tuple[int, int]], takes: Sequence[int], *, queue: bool = False
    ) -> int: ...  # finishes: (id, attempt); takes: ids -> list of ids of puts
    def send_begin(self, *, lease: float = 30.0, queue: bool = False) -> int: ...  # names the transaction from then on
    def send_end(self, transaction: int, *, commit: bool = True, queue: bool = False) -> int: ...  # -> ids, or None
    def send_collect(
        self, form: Fields, to: int, *, copy: bool = False, queue: bool = False
    ) -> int: ...  # to: the number of another space -> list of ids there
    def send_count(self, form: Fields, *, transaction: int = 0, queue: bool = False) -> int: ...
    def send_explain(
        self, form: Fields, *, queue: bool = False
    ) -> int: ...  # -> {"index","learned","tuples","candidates","matches","scans"}
    def send_list(
        self,
        form: Fields | None = None,
        *,
        after: int = 0,
        limit: int = 100,
        all_states: bool = False,
        dead: bool = False,
        queue: bool = False,
    ) -> int: ...
    # -> {"tuples": [{"id","state","attempt","priority","holder","expires_in","lease_left","fields"}], "more": bool}
    def send_summarize(self, first_fields: int = 2, groups: int = 1000, *, queue: bool = False) -> int: ...
    def send_sessions(self, *, queue: bool = False) -> int: ...
    def cancel(self, request: int) -> None:
        """Ends a waiting take; its answer is the exception Cancelled unless a tuple was on its way already."""
    def open_stream(
        self, mode: int, forms: Forms, *, credit: int = 1, lease: float = 30.0, after: int = 0
    ) -> Stream: ...
    def subscribe(
        self, forms: Forms, *, initial: bool = False, follow: bool = True, credit: int = 1000
    ) -> Subscription:
        """Returns once the space tells of puts; follow=False: only what is there, a snapshot."""

class Subscription:
    """Tells of every matching put, once and in order; survives reconnects (P30)."""
    @property
    def initial_count(self) -> int: ...  # how many of the first items were there already
    def next_batch(self, timeout: float | None = None, count: int = 1000) -> list[tuple[int, Handout | int]]:
        """What is there, at least one and at most ``count``, as (number, Handout) or, for a gap, (first number, count), where a count
        of 0 is unknown; [] after timeout.  Raises Closed after close(), SpaceGone."""
    def announce(self) -> int:
        """Client.completions answers None to the returned id once next_batch would not wait."""
    def close(self) -> None: ...

class Stream:
    """A standing take, read or reservation.  Survives reconnects: nothing is lost, nothing comes twice.

    READ: consumed batches are acknowledged by themselves.  RESERVE: each hand-out is acknowledged by finish() or release(); the hand-out
    that next() gave last counts as started, later ones in the local queue do not, and are given back by the native thread when the
    space recalls them for somebody idle (F4).
    """
    def next(self, timeout: float | None = None) -> Handout | None:
        """The next tuple, or None after timeout.  The calling thread reads the socket itself when the queue is empty.
        Raises Closed after close(), SessionExpired."""
    def next_batch(self, timeout: float | None = None, count: int = 100_000) -> list[Handout]:
        """All that is there, at least one; [] after timeout."""
    def finish(self, id: int, attempt: int, puts: Sequence[Put] = (), flush: bool | None = None) -> None:
        """Queues one atomic finish (P17).  Sent together with others: at once if the local queue is empty or ``flush``, otherwise within a
        millisecond or so.  A stale token is dropped silently: the tuple belongs to somebody else now."""
    def put(self, puts: Sequence[Put], flush: bool = False) -> None:
        """Puts that keep their order with finishes (output of tasks)."""
    def release(self, id: int, attempt: int, started: bool = False) -> None: ...
    def flush(self) -> None: ...
    def set_credit(self, credit: int) -> None: ...
    @property
    def queued(self) -> int: ...  # hand-outs that wait in the local queue
    def on_news(self, bell: Bell) -> None:
        """Rings when next() would not wait any more, or would raise; and when the client has reached the server again."""
    def close(self) -> None:
        """Cancels; un-started hand-outs are given back."""

class Bell:
    """Wakes a thread that looks after several things, whichever of them wants it."""

    def __init__(self) -> None: ...
    def ring(self) -> None: ...
    def ring_within(self, delay: float) -> None:
        """Ring in so many seconds, or earlier if that was said before.  Nobody is woken now."""
    def wait(self, timeout: float | None = None, descriptor: int = -1) -> bool:
        """Until it is rung, or `descriptor` has something to read; False after `timeout` or a signal.  Runs no signal handlers."""

class DataRef:
    """Names bytes of a farm, and keeps them while it lives."""

    @property
    def name(self) -> str: ...
    @property
    def store(self) -> str: ...  # "" for the space
    @property
    def size(self) -> int: ...

class Remove:
    """When the store of a host is to be removed."""

    IF_EMPTY: Final[Remove]
    IF_LAST: Final[Remove]
    ALWAYS: Final[Remove]
    @property
    def name(self) -> str: ...
    @property
    def value(self) -> int: ...

class Scratch:
    """Memory to be written to, through the buffer protocol."""

class DataNode:
    """What this process has to do with the large data of a farm."""
    @staticmethod
    def join(farm: Space, listen: str = "", serve: bool = False) -> DataNode: ...
    @property
    def farm_id(self) -> str: ...
    @property
    def store_id(self) -> str: ...
    def put(self, buffer: Any) -> DataRef: ...
    def upload(self, buffer: Any) -> DataRef: ...
    def adopt(self, path: str) -> DataRef: ...
    def scratch(self, size: int) -> Scratch | None: ...
    def get(self, name: str, store: str, timeout: float | None = None) -> memoryview: ...
    def is_here(self, name: str) -> bool: ...
    def drop_uploaded(self, name: str) -> None: ...
    def sweep(self) -> int: ...
    def usage(self) -> dict[str, int]: ...
    def leave(self, remove: Remove = ...) -> None: ...
    def preserve(self) -> None: ...

def sweep_data_stores() -> int: ...
def remove_preserved_data(farm_id: str) -> None: ...
