"""The examples of our documents run, and print what the page says.

A fence that begins with ```python run is an example.  Those of one page are one program, in a fresh process; a ```text fence right after
one says what it prints.  One that begins with ```sh run is given to a shell at its place in that program.  One that begins with
```ipython run is a cell of an IPython session, whose lines may come in any order, since engines are not equally fast.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATTERN = r"^```{} run\n(.*?)^```\n(?:```text\n(.*?)^```\n)?"
EXAMPLE = re.compile(PATTERN.format("(python|sh)"), re.MULTILINE | re.DOTALL)
CELL = re.compile(PATTERN.format("ipython"), re.MULTILINE | re.DOTALL)
MARK = "---- next example ----"
ALL_PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
PAGES = [page for page, text in ALL_PAGES.items() if EXAMPLE.search(text)]
SESSIONS = [page for page, text in ALL_PAGES.items() if CELL.search(text)]


def environment(scratch: Path) -> dict[str, str]:
    """Our commands are found, and what they start lives in the test's own directory."""
    return os.environ | {
        "LINDEN_HOME": str(scratch / "home"),
        "IPYTHONDIR": str(scratch / "ipython"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def as_python(language: str, code: str) -> str:
    """The code of an example as part of the page's program."""
    if language == "python":
        return code
    return f"import subprocess\nsubprocess.run(['bash', '-ec', {code!r}], stdin=subprocess.DEVNULL, check=True)\n"


@pytest.fixture
def no_cluster_stays(scratch: Path) -> Iterator[None]:
    """Whatever a page has started in the background ends, also if the page has failed before its end."""
    yield
    command = [sys.executable, "-m", "linden_launchers.cli", "stop", "--all"]
    subprocess.run(command, env=environment(scratch), capture_output=True, timeout=60)


def output_of(program: str, scratch: Path) -> list[str]:
    """What each example of the program prints."""
    path = scratch / "example.py"
    path.write_text(program)
    ran = subprocess.run(
        [sys.executable, str(path)],
        cwd=scratch,
        env=environment(scratch),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.split(f"{MARK}\n")


@pytest.mark.usefixtures("no_cluster_stays")
@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page: str, scratch: Path) -> None:
    examples = EXAMPLE.findall(ALL_PAGES[page])
    program = f"print({MARK!r}, flush=True)\n".join(as_python(language, code) for language, code, _ in examples)
    printed = output_of(program, scratch)
    for (_, code, expected), found in zip(examples, printed, strict=True):
        if expected:
            assert found == expected, code


@pytest.mark.parametrize("page", SESSIONS)
def test_ipython_sessions_run(page: str, scratch: Path) -> None:
    examples = CELL.findall(ALL_PAGES[page])
    program = "from IPython.core.interactiveshell import InteractiveShell\nshell = InteractiveShell.instance(colors='NoColor')\n"
    program += f"print({MARK!r}, flush=True)\n".join(
        f"shell.run_cell({code!r}, store_history=True)\n" for code, _ in examples
    )
    printed = output_of(program, scratch)
    for (code, expected), found in zip(examples, printed, strict=True):
        if expected:
            assert sorted(found.splitlines()) == sorted(expected.splitlines()), code
        else:
            assert "Traceback" not in found, code
