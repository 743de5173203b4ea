"""What a task has printed and displayed, put together from its pieces.  Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from . import farm, serialize

Piece = tuple[str, Any]
# What people see while a task runs; the error that ends it is shown from its result.
SHOWN = farm.COMMS | {farm.STDOUT, farm.STDERR, farm.DISPLAY, farm.UPDATE, farm.CLEAR_OUTPUT, farm.TRACEBACK}


class TaskOutput(NamedTuple):
    """The output of one task so far.

    `stdout` and `stderr` are all that was printed, carriage returns and all.  `outputs` are the displays that are to be seen
    now, each ``{"data": {MIME type: ...}, "metadata": {...}}``, with those that have a display id also ``"transient"``.  `data` is
    what `publish_data` has published.
    """

    stdout: str
    stderr: str
    outputs: list[dict[str, Any]]
    data: dict[str, Any]


def fold(pieces: Iterable[Piece]) -> TaskOutput:
    """Pieces (stream, payload of an output tuple), in order, as a whole."""
    texts: dict[str, list[str]] = {farm.STDOUT: [], farm.STDERR: []}
    displays = Displays()
    data: dict[str, Any] = {}
    for stream, payload in pieces:
        if stream in texts:
            texts[stream].append(payload)
        elif stream == farm.DATA:
            data.update(serialize.unpack(payload))
        else:
            displays.add(stream, payload)
    return TaskOutput("".join(texts[farm.STDOUT]), "".join(texts[farm.STDERR]), displays.seen, data)


class Displays:
    """The displays that are to be seen after all that was displayed, updated and cleared."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self._clear_next = False

    def add(self, stream: str, payload: str) -> None:
        """One more piece; streams that are no displays change nothing."""
        if stream == farm.DISPLAY:
            if self._clear_next:
                self.seen.clear()
                self._clear_next = False
            self.seen.append(_shown(json.loads(payload)))
        elif stream == farm.UPDATE:
            self._update(_shown(json.loads(payload)))
        elif stream == farm.CLEAR_OUTPUT:
            self._clear_next = bool(json.loads(payload)["wait"])
            if not self._clear_next:
                self.seen.clear()

    def _update(self, display: dict[str, Any]) -> None:
        id_ = display.get("transient", {}).get("display_id")
        for position, known in enumerate(self.seen):
            if known.get("transient", {}).get("display_id") == id_:
                self.seen[position] = display


def _shown(content: dict[str, Any]) -> dict[str, Any]:
    display = {"data": content["data"], "metadata": content.get("metadata") or {}}
    if content.get("transient"):
        display["transient"] = content["transient"]
    return display
