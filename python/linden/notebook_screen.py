"""A screen in the output of a notebook's cell: each engine's text and displays have places of their own, which are updated."""

from __future__ import annotations

import html
import uuid
from collections.abc import Iterable
from typing import Any

from .comm_relay import relay
from .execute_reply import ExecuteReply
from .farm import CLEAR_OUTPUT, COMMS, TRACEBACK, UPDATE
from .output_display import TEXTS, Label, Labels, Piece
from .output_text import OpenText

# A place that has come to hold this many characters is left as it is and the text goes on in a new one, since an update
# sends the whole place.
_PLACE_CHARACTERS = 1 << 15
_TEXT, _HTML = "text/plain", "text/html"


class NotebookScreen:
    """Shows on a kernel's display publisher.

    Args: publisher: with the ``publish(data, metadata, transient=, update=)`` of IPython's DisplayPublisher.
    """

    def __init__(self, publisher: Any, labels: Labels) -> None:
        self._labels = labels
        self._publisher = publisher
        self._blocks: dict[tuple[Label, str], _Block] = {}
        self._shown: dict[Label, list[str]] = {}  # the places of each engine, in order
        self._empty: dict[Label, list[str]] = {}  # those that clear_output has emptied
        self._clear_later: set[Label] = set()
        self._bar: Any = None
        self._bar_done = 0

    # ---- text and displays

    def show(self, pieces: Iterable[Piece]) -> None:
        """More output.  However many pieces, each place is updated once, and displays keep their order."""
        for piece in pieces:
            if piece.stream == CLEAR_OUTPUT:
                self._clear(piece.engine, later=bool(piece.content.get("wait")))
            elif piece.stream == UPDATE:
                self._update(piece)
            elif piece.stream in COMMS:
                relay(piece.stream, piece.content)
            else:
                if piece.engine in self._clear_later:
                    self._clear(piece.engine, later=False)
                if piece.stream in TEXTS:
                    self._feed(piece)
                elif piece.stream == TRACEBACK:
                    self._end_blocks(piece.engine)
                    lines = self._labels.traceback_lines(piece.engine, piece.content)
                    self._place(piece.engine, {_TEXT: "\n".join(lines)})
                else:
                    self._display(piece)
        for key in list(self._blocks):
            self._update_block(key)

    def _feed(self, piece: Piece) -> None:
        key = (piece.engine, piece.stream)
        block = self._blocks.setdefault(key, _Block())
        block.feed(self._labels.prefix(piece.stream, piece.engine), piece.content)
        if block.size > _PLACE_CHARACTERS:
            self._update_block(key)
            self._blocks[key] = block.successor()

    def _update_block(self, key: tuple[Label, str]) -> None:
        block, engine = self._blocks[key], key[0]
        text = block.text(self._labels.prefix(key[1], engine))
        if not block.is_new or not text:
            return
        block.is_new = False
        if block.place is None:
            block.place = self._place(engine, {_TEXT: text})
        else:
            self._publish({_TEXT: text}, {}, block.place, update=True)

    def _end_blocks(self, engine: Label) -> None:
        """Something else of this engine follows; later text comes after that."""
        for key in list(self._blocks):
            self._update_block(key)  # others', too, so that places come in the order of what is in them
            if key[0] == engine:
                del self._blocks[key]

    def _display(self, piece: Piece) -> None:
        engine, content = piece.engine, piece.content
        data, metadata = content.get("data", {}), content.get("metadata") or {}
        self._end_blocks(engine)
        if self._labels.named and set(data) - {_TEXT}:
            self._place(engine, {_TEXT: self._labels.prefix("output", engine).rstrip()})
        else:
            data = _with_prompt(data, self._labels.prefix("output", engine))
        own = _display_id(content)
        if own is None:
            self._place(engine, data, metadata)
        else:
            shared = _shared_id(engine, own)
            self._publish(data, metadata, shared, update=False)
            self._shown.setdefault(engine, []).append(shared)

    def _update(self, piece: Piece) -> None:
        own = _display_id(piece.content)
        if own is None:
            return
        data = piece.content.get("data", {})
        if not set(data) - {_TEXT}:
            data = _with_prompt(data, self._labels.prefix("output", piece.engine))
        self._publish(data, piece.content.get("metadata") or {}, _shared_id(piece.engine, own), update=True)

    def _clear(self, engine: Label, *, later: bool) -> None:
        """Empty the places of this engine only; what it shows next comes into them.  `later`: with its next output."""
        if later:
            self._clear_later.add(engine)
            return
        self._clear_later.discard(engine)
        for key in [key for key in self._blocks if key[0] == engine]:
            del self._blocks[key]
        places = self._shown.pop(engine, [])
        for place in places:
            self._publish({_TEXT: ""}, {}, place, update=True)
        self._empty[engine] = places + self._empty.get(engine, [])

    def _place(self, engine: Label, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> str:
        """Show data in the next place of an engine, one that was emptied or a new one; its display id."""
        empty = self._empty.get(engine)
        is_new = not empty
        place = empty.pop(0) if empty else uuid.uuid4().hex
        self._publish(data, metadata or {}, place, update=not is_new)
        self._shown.setdefault(engine, []).append(place)
        return place

    def _publish(self, data: dict[str, Any], metadata: dict[str, Any], place: str, *, update: bool) -> None:
        self._publisher.publish(data, metadata, transient={"display_id": place}, update=update)

    # ---- values, errors, progress

    def value(self, engine: Label, reply: ExecuteReply) -> None:
        """The value of a cell, as ``Out[engine:count]: value``."""
        self._end_blocks(engine)
        self._place(engine, _with_prompt(reply.data, self._labels.out_prompt(engine, reply.execution_count)))

    def error(self, engine: Label, error: BaseException, *, whole: bool = True) -> None:
        """What a task raised."""
        self._end_blocks(engine)
        self._place(engine, {_TEXT: "\n".join(self._labels.error_lines(engine, error, whole))})

    def progress(self, done: int, total: int, elapsed_s: float) -> None:  # noqa: ARG002  (the bar counts time itself)
        """How many tasks are done, as a bar of tqdm: a widget where ipywidgets is installed."""
        from .progress import progress_bar

        if self._bar is None:
            self._bar = progress_bar(total, "tasks")
        self._bar.update(done - self._bar_done)
        self._bar_done = done

    def close(self) -> None:
        """Nothing more will come."""
        for key in list(self._blocks):
            self._update_block(key)
        if self._bar is not None:
            self._bar.close()


class _Block:
    """Text of one stream of one engine, shown in one place."""

    def __init__(self, open_text: OpenText | None = None) -> None:
        self._open = open_text or OpenText()
        self._lines: list[str] = []
        self.size = 0
        self.place: str | None = None
        self.is_new = False  # there is text that is not shown yet

    def feed(self, before: str, text: str) -> None:
        """More text; `before` stands before each line."""
        for line in self._open.feed(text):
            self._lines.append(before + line)
            self.size += len(before) + len(line)
        self.is_new = True

    def text(self, before: str) -> str:
        """All of it."""
        return "\n".join([*self._lines, *(before + row for row in self._open.rows)])

    def successor(self) -> _Block:
        """An empty block in which the unfinished line goes on."""
        self._open, following = OpenText(), self._open
        return _Block(following)


def _display_id(content: dict[str, Any]) -> str | None:
    own = (content.get("transient") or {}).get("display_id")
    return None if own is None else str(own)


def _shared_id(engine: Label, own: str) -> str:
    # Engines may use the same id, each for a display of its own.
    return f"engine-{engine}-{own}"


def _with_prompt(data: dict[str, Any], prompt: str) -> dict[str, Any]:
    """The data with `prompt` before what people may see of it."""
    shown = dict(data)
    if _TEXT in shown:
        text = str(shown[_TEXT])
        shown[_TEXT] = prompt + ("\n" if prompt and "\n" in text else "") + text
    if prompt and _HTML in shown:
        shown[_HTML] = f"<div><code>{html.escape(prompt.rstrip())}</code></div>{shown[_HTML]}"
    return shown
