"""What a space can refuse or fail, one exception per code of ``api/include/linden/error.h`` (a test compares the two).

Errors of the farm, such as an exception of a task, are in ``linden.error``, which has the names of ipyparallel.
"""

from __future__ import annotations

from . import _native


class LindenError(Exception):
    """Whatever a space refuses.  `code` is the number that every layer uses."""

    code: int = 0


class NoMatch(LindenError, TimeoutError):
    """Nothing matched in time; nothing was removed."""


class Cancelled(LindenError):
    """The request was cancelled; nothing was removed."""


class InvalidArgument(LindenError, ValueError):
    """The request makes no sense; no effect."""


class LimitExceeded(LindenError, ValueError):
    """More than a stated limit; no effect."""


class StaleLease(LindenError):
    """The reservation has ended: its lease ran out, or the tuple was handed to somebody else; no effect."""


class NoSuchSpace(LindenError, LookupError):
    """There is no space of that name."""


class SpaceGone(LindenError):
    """The space was dropped."""


class SessionExpired(LindenError):
    """The session was away for longer than the server remembers it."""


class ProtocolMismatch(LindenError):
    """The other side speaks another version of the protocol."""


class Malformed(LindenError):
    """Bytes that are no valid message."""


class OutcomeUnknown(LindenError, TimeoutError):
    """The caller's own deadline passed before the answer came; the request may have had its effect."""


class ConnectionLost(LindenError, ConnectionError):
    """The server went away and did not come back in time."""


class Unreachable(LindenError, ConnectionError):
    """There is no server at that address."""


class StorageFailed(LindenError, OSError):
    """The server's disk said no."""


class Overloaded(LindenError):
    """A bounded queue is full; try again later."""


class NotAllowed(LindenError, PermissionError):
    """The principal has no right to do this."""


_CLIENT_CLOSED = "the client was closed"


class Closed(LindenError):
    """The object was closed by its owner."""

    def __init__(self, message: str = "") -> None:
        if message == _CLIENT_CLOSED:
            message += "; make a new one: what was put is still there, and get_result(msg_id) fetches results"
        super().__init__(message)


class ShuttingDown(LindenError, ConnectionError):
    """The server is about to stop."""


class KeyConflict(LindenError):
    """The idempotency key was used with another content."""


class TransactionConflict(LindenError):
    """What the transaction relied on has changed."""


class InternalError(LindenError):
    """A bug of Linden; please report it."""


# In the order of the codes, from 1.
_IN_ORDER: tuple[type[LindenError], ...] = (
    NoMatch,
    Cancelled,
    InvalidArgument,
    LimitExceeded,
    StaleLease,
    NoSuchSpace,
    SpaceGone,
    SessionExpired,
    ProtocolMismatch,
    Malformed,
    OutcomeUnknown,
    ConnectionLost,
    Unreachable,
    StorageFailed,
    Overloaded,
    NotAllowed,
    Closed,
    ShuttingDown,
    KeyConflict,
    TransactionConflict,
    InternalError,
)
CLASS_OF_CODE: dict[int, type[LindenError]] = {}
for _code, _class in enumerate(_IN_ORDER, start=1):
    _class.code = _code
    CLASS_OF_CODE[_code] = _class

_native.set_error_classes(dict(CLASS_OF_CODE), LindenError)

__all__ = ["CLASS_OF_CODE", "LindenError", *(_class.__name__ for _class in _IN_ORDER)]
