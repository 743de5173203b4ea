"""What clients have pickled, brought back on an engine; an error says what to do if the engine lacks a module."""

from __future__ import annotations

from typing import Any

from linden import _native, serialize


def unpickle(field: _native.Object, what: str) -> Any:
    """The object of a field; `what` names it in a note of the error.

    Raises: whatever unpickling raises.
    """
    try:
        return serialize.unpack(field)
    except (ImportError, AttributeError) as error:
        # pickle's own words for a module that is here but has another content.
        if isinstance(error, ImportError) or "Can't get attribute" in str(error):
            error.add_note(
                f"while unpickling {what} on the engine, which imports what the client imported: install the module or a newer "
                "version of it there, or put it where the engine looks (its current directory and PYTHONPATH); what is defined in "
                "the script or notebook itself travels along"
            )
        raise
