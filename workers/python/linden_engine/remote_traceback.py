"""An exception as it travels: its name, text, traceback as text, and itself if it can be pickled."""

from __future__ import annotations

import os
from types import TracebackType

from linden import farm, function_path, serialize

# Files of frames between a task and the user's code begin so.
_OWN = (os.path.dirname(os.path.abspath(__file__)) + os.sep, function_path.__file__)


def item_error(index: int, error: BaseException, traceback: str | None = None) -> farm.ItemError:
    """What item `index` of a task raised.  `traceback`: its text; None: as Python writes it."""
    text = format_traceback(error) if traceback is None else traceback
    return farm.ItemError(index, type(error).__name__, _text(error), text, _pickled(error))


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001  (__str__ is the user's)
        return f"<its text raises {type(second).__name__}>"


def _pickled(error: BaseException) -> bytes | None:
    try:
        _, parts = serialize.dumps(error)
    except serialize.NotPicklable:
        return None
    # Buffers beside the pickle are not worth a second field: no usual exception has any.
    return bytes(parts[0]) if len(parts) == 1 else None


def drop_own_end(error: BaseException) -> None:
    """Let the traceback end with the user's last frame: an interrupt is raised by the engine's handler, several frames further."""
    last, trace = None, error.__traceback__
    while trace is not None:
        if not _is_own(trace):
            last = trace
        trace = trace.tb_next
    if last is not None:
        last.tb_next = None


def format_traceback(error: BaseException) -> str:
    """The traceback from the user's first frame on."""
    import traceback

    drop_own_end(error)
    try:
        lines = traceback.format_exception(type(error), error, _user_frames(error.__traceback__))
    except Exception as second:  # noqa: BLE001  (__str__ and __repr__ are the user's)
        return f"{type(error).__name__} (its traceback cannot be shown: {type(second).__name__})"
    return "".join(lines).rstrip("\n")


def _user_frames(trace: TracebackType | None) -> TracebackType | None:
    first = trace
    while first is not None and _is_own(first):
        first = first.tb_next
    return first


def _is_own(trace: TracebackType) -> bool:
    return trace.tb_frame.f_code.co_filename.startswith(_OWN)
