"""Output of tasks while they run."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest


def wait_for_file(path: str) -> str:
    return (
        "import os, time\nend = time.monotonic() + 60\n"
        f"while not os.path.exists({path!r}):\n    assert time.monotonic() < end\n    time.sleep(0.01)\n"
    )


# F5, live: shown while the task runs, in order, and all of it once.
def test_output_is_shown_while_the_tasks_run(
    farm: Callable[..., Any], scratch: Path, capsys: pytest.CaptureFixture[str], wait_for: Callable[..., None]
) -> None:
    _, rc = farm(2)
    go = scratch / "go"
    code = (
        "print('one')\n" + wait_for_file(str(go)) + "import sys\nprint('two', file=sys.stderr)\nprint('three', end='')"
    )
    result = rc[:].execute(code, block=False)
    seen = ""
    with result.stream_output():

        def both_have_begun() -> bool:
            nonlocal seen
            seen += capsys.readouterr().out
            return sorted(seen.splitlines()) == ["[stdout:0] one", "[stdout:1] one"]

        wait_for(both_have_begun, 20)
        assert not result.done()
        go.touch()
        assert result.wait(20)
    rest = capsys.readouterr()
    assert sorted(rest.out.splitlines()) == ["[stdout:0] three", "[stdout:1] three"]
    assert sorted(rest.err.splitlines()) == ["[stderr:0] two", "[stderr:1] two"]


def test_what_was_printed_before_is_shown_first(farm: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    _, rc = farm(1)
    result = rc[:].execute("print('early')", block=False)
    assert result.wait(20)
    with result.stream_output():
        pass
    assert capsys.readouterr().out == "[stdout:0] early\n"


def test_errors_are_shown_where_they_happen(farm: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    _, rc = farm(2)
    result = rc[:].apply_async(lambda: 1 // 0)
    with result.stream_output() as live:
        assert result.wait(20)
    shown = capsys.readouterr().err
    assert live.errors_shown == 2
    assert shown.count("ZeroDivisionError") >= 2
    assert "[0:" in shown
    assert "[1:" in shown


def test_leaving_the_block_ends_it(farm: Callable[..., Any], scratch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, rc = farm(1)
    result = rc[0].execute(wait_for_file(str(scratch / "go")) + "print('late')", block=False)
    with result.stream_output():
        pass
    (scratch / "go").touch()
    assert result.wait(20)
    assert capsys.readouterr().out == ""


def test_a_screen_that_fails_is_an_error_of_the_block(
    farm: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> int:
            raise OSError("no space left")

        def flush(self) -> None: ...

    _, rc = farm(1)
    result = rc[:].execute("print(1)", block=False)
    monkeypatch.setattr("sys.stdout", Broken())
    with pytest.raises(OSError, match="no space left"):
        with result.stream_output():
            assert result.wait(20)


# The tasks of a load-balanced view have no engine that is known before their results come.
def test_tasks_without_an_engine_have_a_number(
    farm: Callable[..., Any], scratch: Path, capsys: pytest.CaptureFixture[str], wait_for: Callable[..., None]
) -> None:
    _, rc = farm(1)
    go = scratch / "go"

    def work(letter: str) -> None:
        print(letter)
        deadline = time.monotonic() + 60
        while not go.exists():
            if time.monotonic() > deadline:
                raise TimeoutError("nobody lets it go on")
            time.sleep(0.01)

    result = rc.load_balanced_view().map_async(work, ["a", "b"])
    shown = []
    with result.stream_output():
        wait_for(lambda: shown.append(capsys.readouterr().out) or "\n" in "".join(shown), 20)
        go.touch()
        assert result.wait(20)
    assert "".join(shown) == "[stdout:#0] a\n"
    assert capsys.readouterr().out in ("[stdout:#1] b\n", "[stdout:0] b\n")
    result.display_outputs()
    assert capsys.readouterr().out == "[stdout:0] a\n[stdout:0] b\n"


# Output is in the farm, so whoever knows the message id sees it.
def test_another_client_displays_the_output(farm: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    cluster, rc = farm(2)
    result = rc[:].execute("print('hello')\n6 * 7", silent=False, block=False)
    assert result.wait(20)
    with linden.Client(str(cluster.connection_file)) as other:
        again = other.get_result(result.msg_ids, block=False)
        again.display_outputs()
        again.display_outputs(result_only=True)
        with pytest.raises(ValueError, match="not 'size'"):
            again.display_outputs("size")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["[stdout:0] hello", "[stdout:1] hello"]
    assert [line.split(": ")[1] for line in lines[2:]] == ["42"] * 4


# What an engine displays, publishes and shows of errors on the way; only the last error is the cell's own.
def test_all_kinds_of_output_are_shown_once(farm: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    _, rc = farm(1)
    code = """
from IPython.display import display, update_display, clear_output
from linden.datapub import publish_data
print("begin")
publish_data({"step": 1})
handle = display("first", display_id=True)
handle.update("second")
try:
    [][1]
except IndexError:
    get_ipython().showtraceback()
clear_output()
1 / 0
"""
    result = rc[:].execute(code, block=False)
    with result.stream_output():
        assert result.wait(20)
    shown = capsys.readouterr()
    assert shown.out.splitlines() == ["[stdout:0] begin", "[output:0] 'first'", "[output:0] 'second'"]
    assert shown.err.count("IndexError: list index out of range") == 1
    assert shown.err.count("ZeroDivisionError: division by zero") == 1
    assert shown.err.index("IndexError") < shown.err.index("ZeroDivisionError")
    result.display_outputs()
    again = capsys.readouterr()
    assert again.out == shown.out
    assert "IndexError" in again.err
    assert "ZeroDivisionError" not in again.err
