"""Functions that programs in other languages name: looked up in one way, whether for a task or for a job."""

from __future__ import annotations

import os.path
from pathlib import Path

import pytest
from linden import mapreduce_remote
from linden.function_path import function_at


def test_a_path_leads_to_what_lies_in_a_module_or_in_a_class() -> None:
    assert function_at("os.path:join") is os.path.join
    assert function_at("builtins:str.upper")("text") == "TEXT"


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("no_such_module:f", ModuleNotFoundError, "this engine has no module 'no_such_module'"),
        ("os.no_such:f", ModuleNotFoundError, "os.no_such"),
        ("math:no_such", AttributeError, "there is no 'no_such' in the module 'math'"),
        ("math:pi", TypeError, "cannot be called"),
        ("math", ValueError, "names no function in Python"),
        (":f", ValueError, "names no function in Python"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error_that_says_so(path: str, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        function_at(path)
    with pytest.raises(kind, match=text):
        mapreduce_remote.start("words", "0" * 32, [["python", path], ["sum"], None], [], ["records", []])


def test_a_module_that_is_written_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError):
        function_at("linden_test_late:f")
    (tmp_path / "linden_test_late.py").write_text("def f(): return 17")
    assert function_at("linden_test_late:f")() == 17


def test_a_module_that_imports_what_is_not_there_says_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "linden_test_needs.py").write_text("import no_such_module")
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'no_such_module'"):
        function_at("linden_test_needs:f")
