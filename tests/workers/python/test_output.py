"""What tasks print belongs to them, in order (F5)."""

import io
import threading
from typing import Any

import pytest
from linden import farm
from linden_engine.output import PIECE_CHARACTERS_MAX, Extent, TaskOutput
from linden_engine.streams import TaskStream


class Sink:
    """A farm that takes everything, as soon as somebody waits for it; `room`: how many puts it takes before that."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.sent: list[Any] = []
        self.waited = 0
        self._room = room
        self._open = 0

    def send(self, puts: list[Any]) -> None:
        self.sent += puts
        self._open += len(puts)

    @property
    def is_full(self) -> bool:
        return self._open > self._room

    def confirm(self, timeout: float | None = None) -> None:
        if self.is_full and timeout is None:
            self.waited += 1
            self._open = 0

    def flush(self, seconds: float) -> None:
        self._open = 0

    def settle(self) -> list[Any]:
        self._open = 0
        return []


def texts(puts: list[Any]) -> list[tuple[Any, ...]]:
    return [put.fields for put in puts]


def test_text_belongs_to_the_task_that_runs() -> None:
    output = TaskOutput()
    out = TaskStream(output, "stdout", None)
    output.begin("c", 1)
    print("one", "two", file=out)
    first = texts(output.end())
    output.begin("c", 2)
    print("three", file=out)
    second = texts(output.end())
    assert first == [("output", "c", 1, "stdout", 0, "one two\n")]
    assert second == [("output", "c", 2, "stdout", 0, "three\n")]


def test_both_streams_keep_their_order() -> None:
    output = TaskOutput()
    output.begin("c", 1)
    output.write("stdout", "a")
    output.write("stderr", "b")
    output.write("stderr", "c")
    output.write("stdout", "d")
    assert [(row[3], row[4], row[5]) for row in texts(output.end())] == [
        ("stdout", 0, "a"),
        ("stderr", 1, "bc"),
        ("stdout", 2, "d"),
    ]


def test_text_of_a_running_task_is_sent_before_its_end() -> None:
    output = TaskOutput()
    sink = Sink()
    output.send_with(sink)
    output.begin("c", 1)
    output.write("stdout", "early")
    output.send()
    output.write("stdout", "late")
    assert [row[5] for row in texts(sink.sent)] == ["early"]
    assert [(row[4], row[5]) for row in texts(output.end())] == [(1, "late")]


def test_much_text_is_sent_by_whoever_prints_it() -> None:
    output = TaskOutput()
    sink = Sink()
    output.send_with(sink)
    output.begin("c", 1)
    for _ in range(10):
        output.write("stdout", "x" * 100_000)
    assert sink.sent
    total = texts(sink.sent) + texts(output.end())
    assert sum(len(row[5]) for row in total) == 1_000_000


def test_text_of_no_task_goes_where_it_went_before() -> None:
    before = io.StringIO()
    out = TaskStream(TaskOutput(), "stdout", before)
    out.write("hello")
    assert before.getvalue() == "hello"


def test_bytes_and_odd_characters_are_welcome() -> None:
    output = TaskOutput()
    out = TaskStream(output, "stdout", None)
    output.begin("c", 1)
    out.buffer.write(b"bytes ")
    out.write("\ud800")
    assert texts(output.end())[0][5] == "bytes \\ud800"


def test_a_piece_that_is_too_large_is_cut() -> None:
    output = TaskOutput()
    output.begin("c", 1)
    text = "".join(chr(ord("a") + index % 26) for index in range(2 * PIECE_CHARACTERS_MAX + 5))
    output.write("stdout", text)
    rows = texts(output.end())
    assert [len(row[5]) for row in rows] == [PIECE_CHARACTERS_MAX, PIECE_CHARACTERS_MAX, 5]
    assert [row[4] for row in rows] == [0, 1, 2]
    assert "".join(row[5] for row in rows) == text


def test_displays_keep_their_place_between_text() -> None:
    """F5"""
    output = TaskOutput()
    output.begin("c", 1)
    output.write("stdout", "a")
    output.publish(farm.DISPLAY, '{"data": {}}', 12)
    output.write("stdout", "b")
    output.write("stdout", "c")
    assert [row[3:6] for row in texts(output.end())] == [
        ("stdout", 0, "a"),
        ("display_data", 1, '{"data": {}}'),
        ("stdout", 2, "bc"),
    ]


def test_who_prints_faster_than_the_farm_takes_waits() -> None:
    output = TaskOutput()
    sink = Sink(room=3)
    output.send_with(sink)
    output.begin("c", 1)
    for _ in range(40):
        output.write("stdout", "x" * 300_000)
    assert sink.waited >= 5
    assert sum(len(row[5]) for row in texts(sink.sent) + texts(output.end())) == 40 * 300_000


def test_who_looks_now_and_then_does_not_wait() -> None:
    output = TaskOutput()
    sink = Sink(room=0)
    output.send_with(sink)
    output.begin("c", 1)
    for text in "abc":
        output.write("stdout", text)
        output.send(wait=False)
    assert sink.waited == 0
    assert "".join(row[5] for row in texts(sink.sent) + texts(output.end())) == "abc"


class File:
    """Descriptors that others write to; gives back two characters at a time."""

    def __init__(self) -> None:
        self.text = ""
        self.position = 0

    def extent(self) -> Extent | None:
        return (len(self.text), 0) if len(self.text) > self.position else None

    def collect(self, extent: Extent) -> tuple[list[tuple[str, str]], bool]:
        start, self.position = self.position, min(self.position + 2, extent[0])
        return [("stdout", self.text[start : self.position])], self.position < extent[0]


def test_what_a_child_process_wrote_comes_before_what_is_printed_then() -> None:
    """F5"""
    output, file, elsewhere = TaskOutput(), File(), []
    output.watch(file, lambda stream, text: elsewhere.append((stream, text)))
    file.text += "none"
    output.begin("c", 1)
    output.write("stdout", "<")
    file.text += "child"
    output.write("stdout", ">")
    file.text += "end"
    assert [row[5] for row in texts(output.end())] == ["<child>end"]
    assert "".join(text for _, text in elsewhere) == "none"


def test_an_interrupt_waits_until_the_piece_is_kept() -> None:
    output = TaskOutput()
    output.begin("c", 1)
    assert not output.raise_later(KeyboardInterrupt())  # nobody is in there

    class Interrupting(File):
        def extent(self) -> Extent | None:
            with output._guard:
                assert output.raise_later(KeyboardInterrupt("now"))
            return None

    output.watch(Interrupting(), lambda *_: None)
    with pytest.raises(KeyboardInterrupt, match="now"):
        output.write("stdout", "x")
    output.watch(None, lambda *_: None)
    output.write("stdout", "y")
    assert [row[5] for row in texts(output.end())] == ["y"]


def test_a_forked_child_has_nothing_to_do_with_it_even_if_a_thread_held_the_lock() -> None:
    output = TaskOutput()
    output.begin("c", 1)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with output._guard:
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    output.abandon()
    assert not output.publish(farm.DISPLAY, "{}", 2)
    assert not output.write("stdout", "x")
    done.set()
    thread.join()
