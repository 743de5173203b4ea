"""The C++ package as it is installed, once for all tests: in a folder of its own, as a distribution's package would have it."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import linden
import pytest

from tests.conftest import ROOT

BUILD = ROOT / "build"
PREFIX = "usr/local"
WITHIN_S = 60


@dataclass(frozen=True)
class Installed:
    """An installed package; `folder` is what `DESTDIR` was."""

    folder: Path

    @property
    def prefix(self) -> Path:
        return self.folder / PREFIX

    @property
    def include(self) -> Path:
        return self.prefix / "include"

    @property
    def libraries(self) -> Path:
        return next(self.prefix.rglob("pkgconfig")).parent

    @property
    def environment(self) -> dict[str, str]:
        """For pkg-config and CMake, as if the folder were the root of the machine; compilers go through ccache."""
        return os.environ | {
            "PKG_CONFIG_SYSROOT_DIR": str(self.folder),
            "PKG_CONFIG_LIBDIR": str(self.libraries / "pkgconfig"),
            "CMAKE_PREFIX_PATH": str(self.prefix),
            "CMAKE_CXX_COMPILER_LAUNCHER": "ccache",
            "LD_LIBRARY_PATH": str(self.libraries),
        }


def run(*command: object, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """What the command prints; it must succeed."""
    words = [str(word) for word in command]
    ran = subprocess.run(words, env=env, cwd=cwd, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, f"{' '.join(words)}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The package of this build: its tag is `devel`."""
    folder = tmp_path_factory.mktemp("root")
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--tags", "devel", "--destdir", folder)
    yield Installed(folder)
    shutil.rmtree(folder)


def built(source: str, name: str, installed: Installed, folder: Path) -> Path:
    """A program of one file, made outside of the tree."""
    flags = run("pkg-config", "--cflags", "--libs", "linden", env=installed.environment).split()
    (folder / "main.cpp").write_text(source)
    run("ccache", "g++", "-std=c++20", "-Wall", "-Wextra", "-c", folder / "main.cpp", "-o", folder / "main.o", *flags)
    run("g++", folder / "main.o", "-o", folder / name, *flags)
    return folder / name


def wait_until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


@pytest.fixture
def farm(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[linden.Client]:
    """Its temporary files are its own: every job of this user removes what it finds of engines that have gone."""
    monkeypatch.setenv("LINDEN_HOME", str(scratch / "home"))
    (scratch / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", str(scratch / "tmp"))
    with linden.start(2) as client:
        yield client
