"""What tests of several folders share: where things are, and a place for sockets whose path must stay short."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return ROOT


@pytest.fixture
def scratch() -> Iterator[Path]:
    """An empty folder with a short name: a Unix socket's path has at most 107 bytes, which pytest's tmp_path may pass."""
    path = Path(tempfile.mkdtemp(prefix="ld-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def built_commands_come_first() -> None:
    """Tests start space-server and the others by name; these are the ones beside the Python that runs the tests."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
