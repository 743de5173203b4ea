"""What tasks print belongs to them, in order (F5)."""

import io
from typing import Any

from linden_engine.output import TaskOutput, TaskStream


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
    sent: list[Any] = []
    output.send_with(sent.extend)
    output.begin("c", 1)
    output.write("stdout", "early")
    output.send()
    output.write("stdout", "late")
    assert [row[5] for row in texts(sent)] == ["early"]
    assert [(row[4], row[5]) for row in texts(output.end())] == [(1, "late")]


def test_much_text_is_sent_by_whoever_prints_it() -> None:
    output = TaskOutput()
    sent: list[Any] = []
    output.send_with(sent.extend)
    output.begin("c", 1)
    for _ in range(10):
        output.write("stdout", "x" * 100_000)
    assert sent
    total = texts(sent) + texts(output.end())
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
