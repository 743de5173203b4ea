"""Data that a task publishes while it runs.

def simulate(steps):
    from linden.datapub import publish_data
    for step in range(steps):
        ...
        publish_data({"step": step, "energy": energy})

ar = view.apply_async(simulate, 1000)
ar.data["step"]     # so far
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_publish: Callable[[dict[str, Any]], None] | None = None


def publish_data(data: dict[str, Any]) -> None:
    """Update ``AsyncResult.data`` of the task that runs, from anywhere in its code.

    Args: data: names and values; each value must be picklable.  Names that were published before get their new value.
    Raises: TypeError: no dict, or a key that is no str.  NotPicklable.
    Outside of an engine it does nothing but check its argument, so that a function can be tried at home.
    """
    if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
        found = "a dict with other keys" if isinstance(data, dict) else f"a {type(data).__name__}"
        raise TypeError(f"publish_data wants a dict whose keys are str, and was given {found}")
    if _publish is not None:
        _publish(data)


def set_publisher(publish: Callable[[dict[str, Any]], None] | None) -> None:
    """For engines: how to publish."""
    global _publish
    _publish = publish
