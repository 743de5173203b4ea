"""An exception as it travels: its name, text, traceback as text, and itself if it can be pickled."""

from __future__ import annotations

import os
from types import TracebackType

from linden import farm, serialize

_OWN_DIRECTORY = os.path.dirname(os.path.abspath(__file__)) + os.sep


def item_error(index: int, error: BaseException) -> farm.ItemError:
    """What item `index` of a task raised."""
    return farm.ItemError(index, type(error).__name__, _text(error), format_traceback(error), _pickled(error))


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


def format_traceback(error: BaseException) -> str:
    """The traceback from the user's first frame on."""
    import traceback

    try:
        lines = traceback.format_exception(type(error), error, _user_frames(error.__traceback__))
    except Exception as second:  # noqa: BLE001  (__str__ and __repr__ are the user's)
        return f"{type(error).__name__} (its traceback cannot be shown: {type(second).__name__})"
    return "".join(lines).rstrip("\n")


def _user_frames(trace: TracebackType | None) -> TracebackType | None:
    first = trace
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_OWN_DIRECTORY):
        first = first.tb_next
    return first
