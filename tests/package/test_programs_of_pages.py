"""The C++ in our documents compiles and runs, and prints what the page says.

The fences of a page that begin with ```cpp run are one program, which is given the address of a server with an engine in Python; the
```text fences right after one say what it prints.
"""

import re
from pathlib import Path

import linden
import pytest

from tests.conftest import ROOT
from tests.package.conftest import Installed, run

FENCE = re.compile(r"^```cpp run\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
PAGES = {
    path.relative_to(ROOT).as_posix(): fences
    for path in sorted((ROOT / "docs").rglob("*.md"))
    if (fences := FENCE.findall(path.read_text()))
}


def test_there_are_such_pages() -> None:
    assert "docs/reference/cpp-api.md" in PAGES


@pytest.mark.parametrize("page", PAGES)
def test_the_program_of_a_page_prints_what_it_says(
    page: str, installed: Installed, farm: linden.Client, tmp_path: Path
) -> None:
    source, program = tmp_path / "main.cpp", tmp_path / "main"
    source.write_text("".join(code for code, _ in PAGES[page]))
    flags = run("pkg-config", "--cflags", "--libs", "linden", env=installed.environment).split()
    # As `g++ -std=c++20 main.cpp $(pkg-config ...)`, in two steps so that ccache knows it again.
    run("ccache", "g++", "-std=c++20", "-Wall", "-Wextra", "-c", source, "-o", tmp_path / "main.o", *flags)
    run("g++", tmp_path / "main.o", "-o", program, *flags)
    printed = run(program, farm.connection.address, env=installed.environment)
    assert printed == "".join(text for _, text in PAGES[page])
