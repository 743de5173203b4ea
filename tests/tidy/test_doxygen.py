"""Every name of the public C++ headers has a word about it: Doxygen, which `./dev docs` runs, has nothing to complain of."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILTER = ROOT / "docs" / "doxygen_filter.py"


def filtered(text: str, folder: Path) -> str:
    header = folder / "made_up.h"
    header.write_text(text)
    command = [sys.executable, str(FILTER), str(header)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout


def complaints(out: Path, *more: str) -> str:
    """What Doxygen says, with its pages in that folder."""
    settings = (ROOT / "docs" / "Doxyfile").read_text() + f"\nOUTPUT_DIRECTORY = {out}\nHTML_OUTPUT = html\n"
    settings += "\n".join(more)
    ran = subprocess.run(["doxygen", "-"], input=settings, cwd=ROOT, capture_output=True, text=True, timeout=100)
    return ran.stderr if ran.returncode else ""


needs_doxygen = pytest.mark.skipif(not shutil.which("doxygen"), reason="doxygen is installed by ./dev docs")


@needs_doxygen
def test_all_public_headers_are_documented(tmp_path: Path) -> None:
    assert not complaints(tmp_path)
    assert re.search(r"what it waits for|Kill|lease", (tmp_path / "html" / "classlinden_1_1Space.html").read_text())


@needs_doxygen
def test_what_is_missing_is_seen(tmp_path: Path) -> None:
    (tmp_path / "made_up.h").write_text(
        "// made_up.h: a header.\n#pragma once\n\n// Told.\nvoid told();\n\nvoid untold();\n"
    )
    assert "untold" in complaints(tmp_path, f"INPUT = {tmp_path}")


def test_the_filter_keeps_lines_and_says_whose_a_comment_is(tmp_path: Path) -> None:
    text = "\n".join(
        [
            "// made_up.h: a header.",
            "#pragma once",
            "",
            "// ---- Section",
            "",
            "// Of both.",
            "void first(int a,",
            "           int b);",
            "void second();",
            "int third;  // of this one",
            "            // and more of it",
            "",
            "void fourth();",
        ]
    )
    assert filtered(text, tmp_path).splitlines() == [
        "/// made_up.h: a header.",
        "/// \\file",
        "",
        "",
        "",
        "/// Of both.",
        "void first(int a,",
        "           /** Of both. */ int b);",
        "/** Of both. */ void second();",
        "int third;  ///< of this one",
        "            ///< and more of it",
        "",
        "void fourth();",
    ]
