"""A person at a terminal: IPython, %px, a bar that moves, and Ctrl-C."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest


@pytest.fixture
def ipython(farm: Callable[..., Any], scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """IPython in a terminal of its own, with a client of two engines, at its prompt."""
    cluster, _ = farm(2)
    monkeypatch.setenv("IPYTHONDIR", str(scratch / "ipython"))
    monkeypatch.setenv("LINDEN_CONNECTION", str(cluster.connection_file))
    options = [
        "--no-banner",
        "--simple-prompt",
        "--colors=NoColor",
        "--no-confirm-exit",
        "--HistoryManager.enabled=False",
    ]
    child = pexpect.spawn(
        sys.executable, ["-m", "IPython", *options], encoding="utf-8", timeout=30, dimensions=(40, 120), echo=False
    )
    child.expect_exact("In [1]: ")
    say(child, "import linden; rc = linden.Client()")
    yield child
    child.sendline("exit")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def say(child: Any, line: str) -> str:
    """Type a line; what is shown until the next prompt."""
    child.sendline(line)
    child.expect(r"In \[\d+\]: ")
    return str(child.before)


def test_ctrl_c_reaches_the_engines(ipython: Any) -> None:
    assert "[stdout:1] hello" in say(ipython, "%px import time; print('hello')")
    ipython.sendline("%px print('begun'); time.sleep(60)")
    ipython.expect(r"\[stdout:0\] begun.*\[stdout:1\] begun|\[stdout:1\] begun.*\[stdout:0\] begun")
    ipython.sendintr()
    ipython.expect(r"In \[\d+\]: ")
    assert ipython.before.count("\nKeyboardInterrupt:") == 2
    assert "engines get SIGINT" in ipython.before
    assert "2 errors" in ipython.before
    assert "[stdout:0] 42" in say(ipython, "%px print(6 * 7)")


def test_bars_of_engines_move_in_place(ipython: Any, scratch: Path) -> None:
    say(ipython, "%px import os, time; from tqdm import tqdm")
    go = scratch / "go"
    ipython.sendline(
        f"%px for n in tqdm(range(2), mininterval=0): exec({f'while n and not os.path.exists({str(go)!r}): time.sleep(0.01)'!r})"
    )
    # Both bars are there, half done, while the engines wait.
    ipython.expect(r"\[stderr:0\] +50%.*\[stderr:1\] +50%|\[stderr:1\] +50%.*\[stderr:0\] +50%")
    go.touch()
    ipython.expect(r"In \[\d+\]: ")
    for engine in (0, 1):
        assert f"[stderr:{engine}] 100%" in ipython.before
    assert "\x1b[1A" in ipython.before
