"""An engine imports what every task needs, and the rest when a task needs it: four at once on two cores wait for each other's imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What it has been found to import for nothing: all together longer than what it needs.
UNWANTED = (
    *(
        "ast",
        "asyncio",
        "concurrent.futures",
        "dataclasses",
        "hashlib",
        "inspect",
        "logging",
        "pathlib",
        "random",
        "tokenize",
    ),
    *("numpy", "cloudpickle", "IPython"),
    *("linden.client", "linden.async_result", "linden.submission", "linden.task_graph"),
)


@pytest.mark.parametrize("module", ["linden_engine.engine", "linden_engine.__main__"])
def test_an_engine_imports_only_what_every_task_needs(module: str) -> None:
    code = f"import {module}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert sorted(set(done.stdout.split()) & set(UNWANTED)) == []
