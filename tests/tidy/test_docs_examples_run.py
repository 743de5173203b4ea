"""The examples of our documents run, and print what the page says.

A fence that begins with ```python run is an example.  Those of one page are one program, in a fresh process; a ```text fence right after
one says what it prints.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = re.compile(r"^```python run\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
MARK = "---- next example ----"
PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if EXAMPLE.search(path.read_text())
]


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page: str, scratch: Path) -> None:
    examples = EXAMPLE.findall((ROOT / page).read_text())
    program = scratch / "example.py"
    program.write_text(f"print({MARK!r}, flush=True)\n".join(code for code, _ in examples))
    ran = subprocess.run(
        [sys.executable, str(program)],
        cwd=scratch,
        env=os.environ | {"LINDEN_HOME": str(scratch / "home")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = ran.stdout.split(f"{MARK}\n")
    for (code, expected), found in zip(examples, printed, strict=True):
        if expected:
            assert found == expected, code
