"""Cells without IPython, completion and inspection, and when IPython is imported."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from linden.execute_reply import ExecuteReply
from linden_engine.execution import NEVER, NOW, PlainShell, Shells
from linden_engine.namespace import Namespace
from linden_engine.output import TaskOutput
from linden_engine.remote_traceback import format_traceback


@pytest.fixture
def namespace() -> Namespace:
    return Namespace()


@pytest.fixture
def shell(namespace: Namespace) -> PlainShell:
    return PlainShell(namespace)


def test_the_value_of_the_last_expression_is_the_reply(shell: PlainShell) -> None:
    reply = shell.run("x = 6\nx * 7", silent=False)
    assert isinstance(reply, ExecuteReply)
    assert (str(reply), reply.execution_count, reply.source) == ("42", 1, "x = 6\nx * 7")
    nothing = shell.run("x = 7", silent=False)
    assert nothing is not None
    assert nothing.execute_result is None
    assert shell.run("x", silent=True) is None


def test_in_and_out_remember_cells_that_are_not_silent(shell: PlainShell) -> None:
    shell.run("40 + 2", silent=False)
    shell.run("'not kept'", silent=True)
    reply = shell.run("(In[1], Out[1], _, _1)", silent=False)
    assert str(reply) == "('40 + 2', 42, 42, 42)"
    assert reply is not None
    assert reply.execution_count == 2


def test_cells_and_functions_share_the_namespace(shell: PlainShell, namespace: Namespace) -> None:
    namespace.set("a", 5)
    shell.run("b = a + 1", silent=True)
    assert namespace.evaluate("b") == 6


def test_clear_forgets_names_and_history_and_keeps_what_the_engine_provides(
    shell: PlainShell, namespace: Namespace
) -> None:
    namespace.provide({"mpi_rank": 3})
    shell.run("x = mpi_rank = 1", silent=False)
    shell.clear()
    assert namespace.evaluate("mpi_rank") == 3
    assert str(shell.run("(len(In), Out, 'x' in globals())", silent=False)) == "(2, {}, False)"


def test_a_traceback_shows_the_lines_of_the_cell(shell: PlainShell) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        shell.run("def f():\n    return 1 / 0  # here\nf()", silent=False)
    text = format_traceback(caught.value.with_traceback(caught.value.__traceback__.tb_next))  # type: ignore[union-attr]
    assert 'File "<cell 1>", line 2, in f' in text
    assert "return 1 / 0  # here" in text
    assert "linden_engine" not in text


def test_completions(shell: PlainShell) -> None:
    shell.run("class Thing:\n    alpha = 1\n    alpine = 2\nthing = Thing()", silent=True)
    code = "print(thing.al"
    found = shell.complete(code, len(code))
    assert sorted(found["matches"]) == ["thing.alpha", "thing.alpine"]
    assert code[found["cursor_start"] : found["cursor_end"]] == "thing.al"
    assert "thing" in shell.complete("thi", 3)["matches"]
    assert shell.complete("1 + ", 4)["matches"] == []


def test_inspection(shell: PlainShell) -> None:
    shell.run('def double(x, times=2):\n    """Twice, or more."""\n    return x * times\n\nvalue = [1]', silent=True)
    short = shell.inspect("double", 6, 0)["data"]["text/plain"]
    assert "double(x, times=2)" in short
    assert "Twice, or more." in short
    assert "return x * times" not in short
    assert "return x * times" in shell.inspect("double(3, ", 10, 1)["data"]["text/plain"]
    assert "[1]" in shell.inspect("value", 2, 0)["data"]["text/plain"]
    assert shell.inspect("missing", 3, 0) == {"found": False, "data": {}, "metadata": {}}


def test_never_means_never(namespace: Namespace) -> None:
    shells = Shells(namespace, TaskOutput(), NEVER)
    shells.prepare()
    assert shells.made is None
    assert isinstance(shells.get(), PlainShell)
    assert shells.get() is shells.made


def test_without_ipython_cells_are_plain(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)  # as if it were not installed
    monkeypatch.setitem(sys.modules, "IPython.core.displayhook", None)
    monkeypatch.delitem(sys.modules, "linden_engine.ipython_shell", raising=False)
    shells = Shells(namespace, TaskOutput())
    assert isinstance(shells.get(), PlainShell)
    with pytest.raises(ImportError):
        Shells(namespace, TaskOutput(), NOW).prepare()


def run_python(source: str, tmp_path: Path) -> str:
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path / "ipython")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


MAKE = """
    import sys
    from linden_engine.execution import Shells
    from linden_engine.namespace import Namespace
    from linden_engine.output import TaskOutput
    namespace, output = Namespace(), TaskOutput()
    shells = Shells(namespace, output)
    shells.prepare()
"""


def test_ipython_is_imported_with_the_first_cell_and_not_before(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    source = MAKE + "    print('IPython' in sys.modules, shells.get().run('1', True), 'IPython' in sys.modules)"
    assert run_python(source, tmp_path) == "False None True"


def test_a_shell_is_there_once_user_code_has_imported_ipython(tmp_path: Path) -> None:
    """So that display() in a function of an apply finds one."""
    pytest.importorskip("IPython")
    source = MAKE + (
        "    import IPython.display\n"
        "    print(shells.made is not None, IPython.get_ipython().user_ns is namespace.names)\n"
    )
    assert run_python(source, tmp_path) == "True True"


def test_startup_files_make_the_shell_at_the_start(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    directory = tmp_path / "ipython" / "profile_default" / "startup"
    directory.mkdir(parents=True)
    (directory / "10-first.py").write_text("started = ['py']\n")
    (directory / "20-second.ipy").write_text("started.append('ipy')\n%config Completer.use_jedi = False\n")
    assert run_python(MAKE + "    print(namespace.evaluate('started'))", tmp_path) == "['py', 'ipy']"
