"""Cells in IPython's shell on a real engine: magics, displays, rich values, history, introspection."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest
from linden import ExecuteReply
from linden.error import RemoteError

pytest.importorskip("IPython")
Farm = Callable[..., Any]


@pytest.fixture
def engine(farm: Farm, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A direct view of one engine."""
    monkeypatch.setenv("IPYTHONDIR", str(scratch / "ipython"))
    _, rc = farm(1)
    return rc[0]


def reply_to(engine: Any, cell: str) -> ExecuteReply:
    reply = engine.execute(cell, silent=False, block=True)
    assert isinstance(reply, ExecuteReply)
    return reply


RICH = """
class Rich:
    def __repr__(self): return "rich"
    def _repr_html_(self): return "<b>rich</b>"
    def _repr_png_(self): return b"\\x89PNG", {"width": 3}
Rich()
"""


def test_a_value_is_rich(engine: Any) -> None:
    reply = reply_to(engine, RICH)
    assert reply.data["text/plain"] == "rich"
    assert reply.data["text/html"] == reply._repr_html_() == "<b>rich</b>"
    png, metadata = reply._repr_png_()
    assert base64.b64decode(png) == b"\x89PNG"
    assert metadata == {"width": 3}
    assert repr(reply) == "<ExecuteReply[1]: rich>"
    assert reply.execute_result == {"data": reply.data, "metadata": {"image/png": {"width": 3}}, "execution_count": 1}
    assert reply.source == RICH


def test_a_reply_knows_its_task(engine: Any) -> None:
    """F5"""
    cell = "import sys\nprint('out')\nprint('err', file=sys.stderr)\ndisplay(1)\n2"
    result = engine.execute(cell, silent=False, block=False)
    reply = result.get(30)
    assert (reply.stdout, reply.stderr) == ("out\n", "err\n")
    assert reply.outputs == [{"data": {"text/plain": "1"}, "metadata": {}}]
    assert (str(reply), reply.metadata["engine_id"], reply["status"]) == ("2", engine.targets, "ok")
    assert result.metadata["execute_input"] == cell
    assert result.metadata["execute_result"] == reply.execute_result
    assert result.outputs == reply.outputs
    fetched = engine.client.get_result(result.msg_id).get(10)
    assert (fetched.stdout, fetched.outputs, str(fetched)) == (reply.stdout, reply.outputs, "2")


def test_silent_cells_have_output_but_no_value(engine: Any) -> None:
    result = engine.execute("print('seen')\n5", block=False)
    assert result.get(30) is None
    assert result.stdout == "seen\n"
    assert result.metadata["execute_result"] is None


def test_displays_are_updated_and_cleared(engine: Any) -> None:
    """F5"""
    cell = """
from IPython.display import HTML, clear_output, display
display("gone")
clear_output()
handle = display(HTML("<i>first</i>"), display_id=True)
print("between")
display("second")
handle.update(HTML("<i>updated</i>"))
"""
    result = engine.execute(cell, block=False)
    result.get(30)
    assert [output["data"].get("text/html", output["data"]["text/plain"]) for output in result.outputs] == [
        "<i>updated</i>",
        "'second'",
    ]
    assert result.stdout == "between\n"


def test_display_works_in_functions_too(engine: Any) -> None:
    def show() -> None:
        from IPython.display import HTML, display

        display(HTML("<b>here</b>"))

    result = engine.apply_async(show)
    result.get(30)
    assert [output["data"]["text/html"] for output in result.outputs] == ["<b>here</b>"]


def test_a_forked_child_displays_as_text(engine: Any) -> None:
    cell = "import os\nfrom IPython.display import HTML, display\nif os.fork() == 0:\n    display('child')\n    os._exit(0)\nos.wait()"
    result = engine.execute(cell, block=False)
    result.get(30)
    assert result.stdout == "'child'\n"
    assert result.outputs == []


def test_magics_and_commands(engine: Any) -> None:
    reply = reply_to(engine, "%env LINDEN_TEST_MAGIC=1\nfiles = !echo one; echo two\n%time sum(range(10))")
    assert "Wall time" in reply.stdout
    assert engine["list(files)"] == ["one", "two"]
    assert reply_to(engine, "!echo shouted").stdout.split() == ["shouted"]
    with pytest.raises(RemoteError, match="not found"):
        engine.execute("%no_such_magic", block=True)


def test_history(engine: Any) -> None:
    reply_to(engine, "40 + 2")
    engine.execute("'silent cells are not kept'", block=True)
    assert str(reply_to(engine, "(In[1], Out[1], _, _1)")) == "('40 + 2', 42, 42, 42)"
    engine.clear(block=True)
    reply = reply_to(engine, "(len(In), Out, 'reply' in globals())")
    assert (str(reply), reply.execution_count) == ("(2, {}, False)", 1)


def test_apply_and_execute_share_names_and_leak_none(engine: Any) -> None:
    engine.execute("shared = 3", block=True)
    before = set(engine["list(globals())"])

    def use(argument: int) -> int:
        temporary = argument + shared  # type: ignore[name-defined]  # noqa: F821
        return int(temporary)

    assert engine.apply_sync(use, 4) == 7
    assert set(engine["list(globals())"]) == before


def test_an_error_is_shown_as_ipython_shows_it(engine: Any) -> None:
    """The traceback is plain text; what people are to see in colour is an output of its own."""
    result = engine.execute("def divide(x):\n    return x / 0\n\ndivide(1)", block=False)
    with pytest.raises(ZeroDivisionError) as caught:
        result.get(30)
    text = caught.value.traceback  # type: ignore[attr-defined]
    assert "ZeroDivisionError" in text
    assert "----> 2     return x / 0" in text
    assert "Cell In[" in text
    assert "\x1b" not in text
    session, number = linden.farm.parse_message_id(result.msg_id)
    row = engine.client.space.read(("output", session, number, "error", int, str), timeout=10)
    assert '"ename": "ZeroDivisionError"' in row[5]


def test_the_traceback_of_an_interrupt_ends_in_the_cell(engine: Any) -> None:
    result = engine.execute("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: pass", block=False)
    with pytest.raises(KeyboardInterrupt) as caught:
        result.get(30)
    text = caught.value.traceback  # type: ignore[attr-defined]
    assert "os.kill(os.getpid(), signal.SIGINT)" in text
    assert "linden_engine" not in text
    assert text.splitlines()[-1].startswith("KeyboardInterrupt")


def test_a_syntax_error_and_top_level_await(engine: Any) -> None:
    with pytest.raises(SyntaxError):
        engine.execute("1 +", block=True)
    cell = "import asyncio\nawait asyncio.sleep(0, 'awaited')"
    assert str(reply_to(engine, cell)) == "'awaited'"


def test_completion_and_inspection(engine: Any) -> None:
    engine.execute('def double(x):\n    """Twice."""\n    return 2 * x\n', block=True)
    found = engine.complete("print(doub", block=True)
    assert "double" in found["matches"]
    assert (found["cursor_start"], found["cursor_end"]) == (6, 10)
    assert "%timeit" in engine.complete("%time", block=True)["matches"]
    told = engine.inspect("double", block=True)
    assert told["found"]
    assert "Twice." in told["data"]["text/plain"]
    assert "return 2 * x" in engine.inspect("double(", detail_level=1, block=True)["data"]["text/plain"]
    assert not engine.inspect("no_such_name", block=True)["found"]


def test_a_cell_that_would_end_the_engine_or_want_a_window(engine: Any) -> None:
    with pytest.raises(RemoteError, match="cannot end its engine"):
        engine.execute("exit()", block=True)
    with pytest.raises(ValueError, match="no user interface"):
        engine.execute("get_ipython().enable_gui('qt')", block=True)
    with pytest.raises(EOFError, match="nobody can type anything in"):
        engine.execute("input('name? ')", block=True)
    with pytest.raises(EOFError):
        engine.apply_sync(lambda: input())


def test_figures_come_inline(engine: Any) -> None:
    pytest.importorskip("matplotlib")
    cell = "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])"
    result = engine.execute(cell, block=False)
    result.get(60)
    assert [output for output in result.outputs if "image/png" in output["data"]]
