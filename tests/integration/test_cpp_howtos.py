"""The howtos of engines in C++: their sources compile, and the page on calling them prints what it says."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest
from linden_launchers.server_command import find_program

ROOT = Path(__file__).resolve().parents[2]
HOWTO = ROOT / "docs" / "howto"
SOURCES = dict(
    re.findall(r"^```cpp (\S+)\n(.*?)^```", (HOWTO / "engine-in-cpp.md").read_text(), re.MULTILINE | re.DOTALL)
)
PAGE = (HOWTO / "call-cpp-from-python.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```\n```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMPILER = [
    *("g++", "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror"),
    *(f"-I{ROOT / folder}" for folder in ("api/include", "workers/cpp/include")),
]
TIMEOUT_S = 60

Farm = Callable[..., tuple[Any, linden.Client]]


def compile_source(name: str, folder: Path, *options: str) -> Path:
    source = folder / name
    source.write_text(SOURCES[name])
    made = folder / f"{source.stem}.so"
    ran = subprocess.run(
        [*COMPILER, str(source), "-o", str(made), *options], capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return made


@pytest.mark.slow
def test_the_library_of_the_howto_is_called_as_the_other_howto_says(
    farm: Farm, scratch: Path, wait_for: Callable[..., None]
) -> None:
    library = compile_source("functions.cpp", scratch, "-shared", "-fPIC")
    cluster, rc = farm(1)
    environment = os.environ | {"LINDEN_CONNECTION": str(cluster.connection_file)}
    worker = subprocess.Popen(
        [find_program("space-worker"), "--load", str(library), "--threads", "2", "--quiet"],
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: len(rc.engines()) == 2, TIMEOUT_S)
        mark = "---- next block ----"
        program = f"print({mark!r})\n".join(code for code, _ in BLOCKS)
        ran = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.split(f"{mark}\n") == [output for _, output in BLOCKS]
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(TIMEOUT_S) == 0


@pytest.mark.slow
def test_the_engine_of_the_howto_compiles() -> None:
    source = SOURCES["engine.cpp"]
    ran = subprocess.run(
        [*COMPILER, "-fsyntax-only", "-x", "c++", "-"],
        input=source,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
