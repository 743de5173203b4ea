"""%px and its like in an IPython shell of this process, on two real engines."""

import io
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import linden
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from linden import magic_completion
from linden.error import AlreadyDisplayedError, CompositeError, EngineError, RemoteError
from linden.live_output import LiveOutput
from linden_launchers import Cluster
from live import cluster as cluster


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    hooks = sys.displayhook, sys.excepthook
    shell = InteractiveShell.instance(colors="nocolor")
    shell.history_manager.enabled = False
    yield shell
    InteractiveShell.clear_instance()
    sys.displayhook, sys.excepthook = hooks


class Session:
    """Runs cells and keeps what they show."""

    def __init__(self, shell: InteractiveShell, rc: linden.Client) -> None:
        self.shell, self.rc = shell, rc
        self.out = self.err = ""

    def run(self, cell: str) -> ExecutionResult:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            result = self.shell.run_cell(cell)
        self.out, self.err = out.getvalue(), err.getvalue()
        return result

    def lines(self, cell: str) -> list[str]:
        """What a cell that succeeds prints, sorted, since engines are not equally fast."""
        result = self.run(cell)
        assert result.success, self.out + self.err
        return sorted(self.out.splitlines())

    def fails(self, cell: str, kind: type[BaseException], match: str) -> BaseException:
        error = self.run(cell).error_in_exec
        assert isinstance(error, kind), f"{error!r}\n{self.out}\n{self.err}"
        assert match in str(error)
        return error

    def usage_error(self, cell: str) -> str:
        self.run(cell)
        assert "UsageError" in self.err, self.out + self.err
        return self.err


@pytest.fixture
def rc(cluster: Cluster, shell: InteractiveShell) -> Iterator[linden.Client]:
    with cluster.connect_client() as client:
        client.wait_for_engines(2, timeout=30)
        yield client


@pytest.fixture
def session(shell: InteractiveShell, rc: linden.Client) -> Session:
    session = Session(shell, rc)
    session.run("%px pass")
    return session


def named(rc: linden.Client, text: str, kind: str = "stdout") -> list[str]:
    return [f"[{kind}:{id_}] {text}" for id_ in rc.ids]


# ---- %px and %%px


def test_output_has_its_engine_in_front(session: Session, rc: linden.Client) -> None:
    assert session.lines("%px print('hello')") == named(rc, "hello")
    assert session.lines("%%px\nimport sys\nprint('to stderr', file=sys.stderr)") == []
    assert sorted(session.err.splitlines()) == named(rc, "to stderr", "stderr")


def test_the_value_of_a_cell_is_shown_in_the_order_of_engines(session: Session, rc: linden.Client) -> None:
    assert session.run("%px 6 * 7").success
    assert [line.split(":")[0] for line in session.out.splitlines()] == [f"Out[{id_}" for id_ in rc.ids]
    assert [line.split("]: ")[1] for line in session.out.splitlines()] == ["42", "42"]


# IPython expands $x and {x} for other magics; what goes to engines must arrive as it was written.
def test_the_code_is_not_changed(session: Session, rc: linden.Client) -> None:
    session.shell.user_ns["x"] = "expanded"
    assert session.lines("%px print('{x} $x')") == named(rc, "{x} $x")
    assert session.lines("%%px\nprint('{x} $x')") == named(rc, "{x} $x")


def test_targets(session: Session, rc: linden.Client) -> None:
    first, second = rc.ids
    session.shell.user_ns["chosen"] = [second]
    assert session.lines(f"%%px --targets {first}\nprint(1)") == ["1"]
    for said in ("1:", "-1:", f"[{second}]", f"{second},", "chosen"):
        assert session.lines(f"%%px --targets={said}\nprint(1)") == [f"[stdout:{second}] 1"], said
    for said in ("all", ":", "::1"):
        assert session.lines(f"%%px -t {said}\nprint(1)") == named(rc, "1"), said
    assert session.lines("%px print(1)") == named(rc, "1")  # as before


@pytest.mark.parametrize("said", ["blue", "1:x", "fo(", "1.5", "[]", "['a']", "[True]"])
def test_targets_that_mean_nothing(session: Session, said: str) -> None:
    assert "must be all, an engine id, a slice such as ::2 or a list of ids" in session.usage_error(
        f"%%px -t {said}\nprint(1)"
    )


def test_a_target_that_is_not_there(session: Session, rc: linden.Client) -> None:
    assert f"there is no engine 999; there are {rc.ids}" in session.usage_error("%%px -t 999\nprint(1)")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--group-outputs=size", "invalid choice"),
        ("--signal-on-interrupt SIGNOTHING", "must be a signal such as SIGINT or 2, or 0, not 'SIGNOTHING'"),
        ("--signal-on-interrupt 999", "not '999'"),
        ("--progress-after soon", "invalid float"),
        ("-o 1a", "--out must be a name"),
        ("--nonsense", "unrecognized arguments"),
    ],
)
def test_options_that_mean_nothing(session: Session, line: str, message: str) -> None:
    assert message in session.usage_error(f"%%px {line}\nprint(1)")


def test_px_needs_something_to_run(session: Session) -> None:
    assert "needs something to run" in session.usage_error("%px")


def test_not_blocking(session: Session, rc: linden.Client) -> None:
    result = session.run("%%px --noblock -o kept\nprint('later')\n5").result
    assert isinstance(result, linden.AsyncResult)
    assert session.shell.user_ns["kept"] is result
    assert "later" not in session.out
    assert session.run("%pxresult").success
    assert session.out.splitlines()[:2] == named(rc, "later")
    assert [line.split("]: ")[1] for line in session.out.splitlines()[2:]] == ["5", "5"]
    assert session.run("%result -o again").success  # of the view without a suffix
    assert session.shell.user_ns["again"] is result


def test_px_does_not_wait_if_its_view_does_not(session: Session, rc: linden.Client) -> None:
    session.run("%pxconfig --noblock")
    assert isinstance(session.run("%px 5").result, linden.AsyncResult)
    assert session.run("%%px --block\n6").result is None
    session.run("%px 1 / 0")
    session.fails("%pxresult", CompositeError, "2 errors")


def test_pxresult_before_px(shell: InteractiveShell, rc: linden.Client) -> None:
    assert "has not run anything yet" in Session(shell, rc).usage_error("%pxresult")


def test_groupings_show_output_at_the_end(session: Session, rc: linden.Client) -> None:
    first, second = rc.ids
    session.run("%%px -e\nprint('a')\n5")
    assert [line.split(":")[0] + line[-1] for line in session.out.splitlines()] == [
        "[stdout" + "a",
        f"Out[{first}" + "5",
        "[stdout" + "a",
        f"Out[{second}" + "5",
    ]
    for said in ("--no-stream", "--group-outputs=type --no-stream", "-r"):
        session.run(f"%%px {said}\nprint('a')\nprint('b')")
        assert session.out.splitlines() == [f"[stdout:{id_}] {letter}" for id_ in rc.ids for letter in "ab"], said


def test_verbose_says_where(session: Session, rc: linden.Client) -> None:
    assert "Parallel execution on engine(s): all" in session.lines("%%px --verbose\npass")
    assert session.lines(f"%%px --verbose --targets {rc.ids[0]}\npass") == [
        f"Parallel execution on engine(s): {rc.ids[0]}"
    ]
    assert session.lines("%%px --verbose -a\npass")[0].startswith("Async parallel execution")


def test_local_runs_here_too(session: Session, rc: linden.Client) -> None:
    assert session.lines("%%px --local\nhere = 'yes'\nprint(here)") == [*named(rc, "yes"), "yes"]
    assert session.shell.user_ns["here"] == "yes"
    session.run("%%px --local --noblock\nhere = 'again'")
    assert session.shell.user_ns["here"] == "again"


# ---- errors


def test_errors_are_shown_once(session: Session, rc: linden.Client) -> None:
    error = session.fails("%px 1 / 0", AlreadyDisplayedError, "2 errors")
    shown = session.out + session.err
    assert shown.count("\nZeroDivisionError: division by zero") == 2
    assert all(f"[{id_}:execute]" in shown for id_ in rc.ids)
    assert session.out.rstrip().endswith("2 errors")
    assert isinstance(error, AlreadyDisplayedError)
    assert isinstance(error.original_error, CompositeError)


def test_one_error_is_named(session: Session, rc: linden.Client) -> None:
    session.fails(f"%%px --targets {rc.ids[0]}\n1 / 0", AlreadyDisplayedError, "ZeroDivisionError: division by zero")
    assert "[0:execute]" not in session.err.replace(f"[{rc.ids[0]}:execute] Zero", "")  # the only one needs no name


def test_errors_at_the_end(session: Session) -> None:
    error = session.fails("%%px --no-stream\nprint('before')\n1 / 0", CompositeError, "2 errors in execute")
    assert not isinstance(error, AlreadyDisplayedError)
    assert session.out.index("before") < session.out.index("division by zero")
    assert session.err == ""


def test_values_of_the_others_are_shown(session: Session, rc: linden.Client) -> None:
    rc[:].scatter("number", [0, 1], flatten=True, block=True)
    error = session.fails("%px 1 // number", AlreadyDisplayedError, "ZeroDivisionError")
    assert isinstance(error.original_error, RemoteError)  # type: ignore[attr-defined]
    assert f"Out[{rc.ids[1]}:" in session.out


def test_an_engine_that_dies_is_an_error(session: Session, rc: linden.Client) -> None:
    session.fails(f"%%px --targets {rc.ids[0]}\nimport os\nos._exit(1)", AlreadyDisplayedError, "died before")
    rc.wait_for_engines(2, timeout=30)
    assert session.lines("%px print(1)") == named(rc, "1")


# ---- Ctrl-C


def begin(folder: Path) -> str:
    """Code that says that it runs."""
    return f"import os, time\nopen({str(folder)!r} + f'/{{os.getpid()}}', 'w').close()"


def begin_and_wait(folder: Path) -> str:
    """Code that says that it runs and then takes long."""
    return f"{begin(folder)}\nfor _ in range(3000): time.sleep(0.01)"


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 20  # less than the cells take
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


def press_ctrl_c_when(condition: Any) -> threading.Thread:
    def run() -> None:
        wait_until(condition)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_ctrl_c_interrupts_the_engines(session: Session, rc: linden.Client, tmp_path: Path) -> None:
    folder = tmp_path / "began"
    folder.mkdir()
    thread = press_ctrl_c_when(lambda: len(list(folder.iterdir())) == 2)
    session.fails(f"%%px\n{begin_and_wait(folder)}", AlreadyDisplayedError, "2 errors")
    thread.join(60)
    assert "engines get SIGINT" in session.err
    assert len(re.findall(r"^KeyboardInterrupt:? *$", session.err, re.MULTILINE)) == 2
    assert session.lines("%px print('fine')") == named(rc, "fine")


# Ctrl-C may come at any moment: here when engines run the cell, and live output is just about to begin.
def test_ctrl_c_before_the_waiting_interrupts_the_engines(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "began"
    folder.mkdir()
    enter = LiveOutput.__enter__

    def interrupted(live: LiveOutput) -> LiveOutput:
        monkeypatch.setattr(LiveOutput, "__enter__", enter)
        wait_until(lambda: len(list(folder.iterdir())) == 2)
        raise KeyboardInterrupt

    monkeypatch.setattr(LiveOutput, "__enter__", interrupted)
    session.fails(f"%%px\n{begin_and_wait(folder)}", AlreadyDisplayedError, "2 errors")
    assert session.err.count("\nKeyboardInterrupt:") == 2


# And here when the cell is on its way, so that there is no result yet to wait for.
def test_ctrl_c_while_submitting_interrupts_the_engines(
    session: Session, rc: linden.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "began"
    folder.mkdir()
    view = session.shell.find_line_magic("px").__self__.view  # type: ignore[union-attr]

    def interrupted(result: Any, block: bool) -> Any:
        wait_until(lambda: len(list(folder.iterdir())) == 2)
        raise KeyboardInterrupt

    monkeypatch.setattr(view, "_began", interrupted)
    assert isinstance(session.run(f"%%px\n{begin_and_wait(folder)}").error_in_exec, KeyboardInterrupt)
    monkeypatch.undo()
    assert session.lines("%px print('fine')") == named(rc, "fine")


# A cell that has not begun has nothing to interrupt; the engine's present task, somebody else's perhaps, goes on.
def test_ctrl_c_takes_back_what_has_not_begun(session: Session, rc: linden.Client, tmp_path: Path) -> None:
    folder, go = tmp_path / "began", tmp_path / "go"
    folder.mkdir()

    def busy(folder: str, go: str) -> str:
        import os
        import time

        open(f"{folder}/{os.getpid()}", "w").close()
        while not os.path.exists(go):
            time.sleep(0.01)
        return "undisturbed"

    other = rc[0].apply_async(busy, str(folder), str(go))
    thread = press_ctrl_c_when(lambda: len(list(folder.iterdir())) == 2)
    error = session.fails(f"%%px\n{begin_and_wait(folder)}", AlreadyDisplayedError, "2 errors")
    thread.join(60)
    assert sorted(type(each).__name__ for each in error.original_error.errors) == [  # type: ignore[attr-defined]
        "KeyboardInterrupt",
        "TaskAborted",
    ]
    go.touch()
    assert other.get(20) == "undisturbed"


def test_ctrl_c_with_signal_0_ends_the_waiting_only(session: Session, tmp_path: Path) -> None:
    folder, go = tmp_path / "began", tmp_path / "go"
    folder.mkdir()
    code = f"{begin(folder)}\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n7"
    thread = press_ctrl_c_when(lambda: len(list(folder.iterdir())) == 2)
    result = session.run(f"%%px --signal-on-interrupt 0\n{code}")
    thread.join(60)
    assert isinstance(result.error_in_exec, KeyboardInterrupt)
    go.touch()
    assert session.run("%pxresult").success, session.out + session.err
    assert session.out.count(": 7") == 2


def test_another_signal(session: Session, rc: linden.Client, tmp_path: Path) -> None:
    folder = tmp_path / "began"
    folder.mkdir()
    thread = press_ctrl_c_when(lambda: len(list(folder.iterdir())) == 2)
    error = session.fails(
        f"%%px --signal-on-interrupt KILL\n{begin_and_wait(folder)}", AlreadyDisplayedError, "2 errors"
    )
    thread.join(60)
    assert all(isinstance(each, EngineError) for each in error.original_error.errors)  # type: ignore[attr-defined]
    rc.wait_for_engines(2, timeout=30)


# ---- %pxconfig


def test_pxconfig_sets_what_is_done_without_options(session: Session, rc: linden.Client) -> None:
    assert session.lines("%pxconfig") == [
        "targets=all block=True stream=True verbose=False progress-after=2 signal-on-interrupt=SIGINT"
    ]
    session.run("%pxconfig --targets 1: --verbose --progress-after -1 --signal-on-interrupt 0 --no-stream")
    assert session.lines("%pxconfig") == [
        f"targets=[{rc.ids[1]}] block=True stream=False verbose=True progress-after=-1 signal-on-interrupt=0"
    ]
    assert session.lines("%px print(1)") == [
        f"Parallel execution on engine(s): [{rc.ids[1]}]",
        f"[stdout:{rc.ids[1]}] 1",
    ]
    assert session.lines("%%px --no-verbose\nprint(1)") == [f"[stdout:{rc.ids[1]}] 1"]


@pytest.mark.parametrize("variable", ["LINDEN_NONINTERACTIVE", "IPP_NONINTERACTIVE"])
def test_programs_may_have_it_quiet(
    cluster: Cluster, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "1")
    with cluster.connect_client() as rc:
        said = Session(shell, rc).lines("%pxconfig")[0]
        assert "stream=False" in said
        assert "progress-after=-1" in said


# ---- %autopx


def test_autopx_sends_every_cell(session: Session, rc: linden.Client) -> None:
    assert session.lines("%autopx") == ["%autopx enabled"]
    assert session.lines("x = 5\nprint(x)") == named(rc, "5")
    assert "x" not in session.shell.user_ns
    session.fails("1 / 0", AlreadyDisplayedError, "2 errors")
    assert session.lines("%%px --targets 1:\nprint(x)") == [f"[stdout:{rc.ids[1]}] 5"]
    assert session.lines("%%px --local\nx = 6") == []
    assert session.shell.user_ns["x"] == 6
    assert session.lines("print('there')\n%autopx\nprint('here')") == sorted(
        [*named(rc, "there"), "%autopx disabled", "here"]
    )
    assert session.lines("print(x)") == ["6"]


# The engines cannot be asked whether a cell is complete while it is being typed.
def test_autopx_leaves_typing_alone(session: Session) -> None:
    session.run("%autopx")
    assert session.shell.check_complete("for i in range(3):")[0] == "incomplete"
    assert session.shell.check_complete("x = 1")[0] == "complete"
    assert "takes no arguments" in session.usage_error("%autopx now")


# ---- completion and help


def completions(session: Session, text: str) -> list[str]:
    """What a person is offered at the end of the text."""
    with provisionalcompleter():
        offered = list(session.shell.Completer.completions(text, len(text)))
    return [text[: each.start] + each.text for each in offered]


def test_what_runs_on_engines_is_completed_there(session: Session, rc: linden.Client) -> None:
    session.run("%px remote_name = 'text'")
    before = len(rc.history)
    assert completions(session, "%px remote_na") == ["%px remote_name"]
    assert completions(session, "%%px\nx = 1\nremote_name.isalp") == ["%%px\nx = 1\nremote_name.isalpha"]
    assert completions(session, "remote_na") == []
    assert "%pxresult" in completions(session, "%pxr")
    session.run("%autopx")
    assert completions(session, "x = 1\nremote_na") == ["x = 1\nremote_name"]
    assert len(rc.history) == before


# The engines come second: what is being typed does not wait for what they are doing.
def test_completion_does_not_wait_for_engines_that_are_busy(
    session: Session, rc: linden.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(magic_completion, "_PATIENCE_S", 0.01)
    go = tmp_path / "go"
    busy = rc[:].execute(f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)", block=False)
    session.shell.user_ns["local_name"] = 1
    assert completions(session, "%%px\nlocal_na") == ["%%px\nlocal_name"]  # by others, since we have nothing to offer
    go.touch()
    assert busy.wait(20)


def test_a_closed_client_completes_nothing(session: Session, rc: linden.Client) -> None:
    session.run("%px remote_name = 1")
    rc.close()
    assert completions(session, "%px remote_na") == []


def test_help_of_what_is_on_engines(session: Session, rc: linden.Client) -> None:
    session.run("%%px\ndef remote(x):\n    'What it says.'\n    return x")
    session.run("%%px\nremote?")
    assert session.out.count("What it says.") == 2
    session.run("%%px\nremote??")
    assert "return" in session.out


# ---- which view is active


def test_the_first_client_is_active_until_it_is_closed(cluster: Cluster, shell: InteractiveShell) -> None:
    def client_of_px() -> Any:
        return shell.find_line_magic("px").__self__.view.client

    with cluster.connect_client() as first:
        assert client_of_px() is first
        with cluster.connect_client():
            assert client_of_px() is first
    with cluster.connect_client() as third:
        assert client_of_px() is third


def test_a_magic_of_that_name_that_is_not_ours_is_left_alone(cluster: Cluster, shell: InteractiveShell) -> None:
    shell.register_magic_function(lambda line: line, magic_name="px")
    with cluster.connect_client() as rc:
        assert shell.run_line_magic("px", "x") == "x"
        rc.activate()
        assert shell.find_line_magic("px").__self__.view.client is rc


def test_several_views_are_active_under_suffixes(session: Session, rc: linden.Client) -> None:
    rc[1:].activate("_rest")
    view = rc.activate(rc.ids[:1], "_first")
    assert view.block is True
    assert session.lines("%px_first print(1)") == [f"[stdout:{rc.ids[0]}] 1"]
    assert session.lines("%%px_rest --block\nprint(2)") == [f"[stdout:{rc.ids[1]}] 2"]
    assert session.lines("%px print(3)") == named(rc, "3")
    assert session.lines("%autopx_first") == ["%autopx_first enabled"]
    assert session.lines("print(4)") == [f"[stdout:{rc.ids[0]}] 4"]
    assert session.lines("%autopx_first") == ["%autopx_first disabled"]
    assert session.run("%pxresult_first").success
    assert session.shell.find_line_magic("result_first") is None
    with pytest.raises(ValueError, match="may end a name"):
        rc.activate(suffix=" x")


def test_activating_another_view_ends_autopx(session: Session, rc: linden.Client) -> None:
    session.run("%autopx")
    rc.activate()
    assert session.lines("print('here')") == ["here"]


def test_the_extension_joins_the_running_cluster_when_it_is_needed(
    cluster: Cluster, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINDEN_CONNECTION", str(cluster.connection_file))
    session = Session(shell, None)  # type: ignore[arg-type]
    assert session.lines("%load_ext linden") == []
    assert sorted(line.split("] ")[1] for line in session.lines("%px print(1)")) == ["1", "1"]
    client = shell.find_line_magic("px").__self__.view.client
    assert session.lines("%unload_ext linden") == []
    assert shell.find_line_magic("px") is None
    assert shell.find_cell_magic("px") is None
    client.close()


def test_a_client_made_after_load_ext_is_used_with_what_was_configured(
    cluster: Cluster, shell: InteractiveShell
) -> None:
    session = Session(shell, None)  # type: ignore[arg-type]
    session.run("%load_ext linden")
    session.run("%pxconfig --verbose")
    with cluster.connect_client() as rc:
        assert session.lines("%px print(1)") == ["Parallel execution on engine(s): all", *named(rc, "1")]
        shell.run_line_magic("unload_ext", "linden")


def test_without_ipython_there_is_nothing_to_activate(cluster: Cluster) -> None:
    assert not InteractiveShell.initialized()
    with cluster.connect_client() as rc, pytest.warns(UserWarning, match="in IPython only"):
        rc.activate()


def test_an_error_that_was_displayed_can_be_pickled() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(AlreadyDisplayedError(CompositeError("two", [ValueError("a"), ValueError("b")]))))
    assert str(error) == "2 errors"
    assert error._render_traceback_() == ["2 errors"]
