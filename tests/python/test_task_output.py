"""What a task printed and displayed, put together from its pieces."""

import json
from typing import Any

import pytest
from linden import datapub, serialize
from linden.execute_reply import ExecuteReply
from linden.outcome import Metadata
from linden.task_output import fold


def display(text: str, id_: str | None = None) -> str:
    transient = {"display_id": id_} if id_ else {}
    return json.dumps({"data": {"text/plain": text}, "metadata": {}, "transient": transient})


def seen(*pieces: tuple[str, Any]) -> list[str]:
    return [output["data"]["text/plain"] for output in fold(pieces).outputs]


def test_text_is_joined_by_stream() -> None:
    output = fold([("stdout", "a"), ("stderr", "x"), ("stdout", "b\r"), ("error", "{}")])
    assert (output.stdout, output.stderr, output.outputs, output.data) == ("ab\r", "x", [], {})


def test_displays_in_order() -> None:
    assert seen(("display_data", display("1")), ("stdout", "-"), ("display_data", display("2"))) == ["1", "2"]


def test_an_update_takes_the_place_of_all_of_its_id() -> None:
    pieces = [("display_data", display(text, id_)) for text, id_ in (("1", "a"), ("2", "b"), ("3", "a"))]
    assert seen(*pieces, ("update_display_data", display("new", "a"))) == ["new", "2", "new"]
    assert seen(*pieces, ("update_display_data", display("new", "c"))) == ["1", "2", "3"]


def test_clear_at_once_or_with_the_next_display() -> None:
    one, two = ("display_data", display("1")), ("display_data", display("2"))
    assert seen(one, ("clear_output", '{"wait": false}')) == []
    assert seen(one, ("clear_output", '{"wait": true}')) == ["1"]
    assert seen(one, ("clear_output", '{"wait": true}'), two) == ["2"]


def test_published_data_is_updated() -> None:
    pieces = [("data", serialize.pack(data)) for data in ({"a": 1, "b": [1]}, {"b": [2]})]
    assert fold(pieces).data == {"a": 1, "b": [2]}


def test_publish_data_checks_its_argument_and_does_nothing_at_home() -> None:
    datapub.publish_data({"a": 1})
    with pytest.raises(TypeError, match="was given a list"):
        datapub.publish_data([1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="other keys"):
        datapub.publish_data({1: 1})  # type: ignore[dict-item]


def test_a_reply_shows_itself_as_its_value_did(capsys: pytest.CaptureFixture[str]) -> None:
    reply = ExecuteReply("x", 7, {"text/plain": "y" * 40, "text/html": "<b>y</b>"}, {"text/html": {"isolated": True}})
    assert repr(reply) == f"<ExecuteReply[7]: {'y' * 29}...>"
    assert str(reply) == "y" * 40
    assert reply._repr_html_() == ("<b>y</b>", {"isolated": True})
    assert reply._repr_png_() is None
    assert reply._repr_mimebundle_() == ({"text/html": "<b>y</b>"}, {"text/html": {"isolated": True}})
    assert reply._repr_mimebundle_(exclude={"text/html"}) == ({}, {})
    reply.display()
    assert capsys.readouterr().out == "y" * 40 + "\n"


def test_a_reply_without_a_value() -> None:
    reply = ExecuteReply("x = 1", 3, {})
    assert repr(reply) == "<ExecuteReply[3]: >"
    assert reply.execute_result is None
    assert reply.stdout == ""
    reply.attach(Metadata(stdout="printed", engine_id=4))
    assert (reply.stdout, reply.metadata.engine_id) == ("printed", 4)


def test_a_reply_can_be_pickled() -> None:
    reply = ExecuteReply("1", 1, {"text/plain": "1"})
    reply.attach(Metadata(stdout="printed"))
    again = serialize.unpack(serialize.pack(reply))
    assert (repr(again), again.stdout) == ("<ExecuteReply[1]: 1>", "printed")
