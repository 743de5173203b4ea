"""meson.build files list their sources by hand; what is not listed is missing from the wheel, or never compiled."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = {
    "python/linden": "python",
    "workers/python/linden_engine": "workers/python",
    "launchers/linden_launchers": "launchers",
}
CPP = ["api", "space", "workers/cpp", "python/bindings", "python/shuffle", "tests"]


def listed(folder: Path) -> set[str]:
    """Every quoted name in the folder's meson.build, relative to that folder."""
    return set(re.findall(r"'([^'\n]+)'", (folder / "meson.build").read_text()))


@pytest.mark.parametrize("package", PYTHON)
def test_every_module_is_installed(package: str) -> None:
    base = ROOT / PYTHON[package]
    names = listed(base)
    files = [path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    missing = [
        str(path.relative_to(base))
        for path in files
        if path.suffix != ".so" and str(path.relative_to(base)) not in names
    ]
    assert not missing, f"{PYTHON[package]}/meson.build does not list {missing}"


@pytest.mark.parametrize("top", CPP)
def test_every_source_is_compiled(top: str) -> None:
    missing = []
    for path in sorted((ROOT / top).rglob("*.cpp")):
        folder = next(parent for parent in path.parents if (parent / "meson.build").exists())
        name = path.relative_to(folder)
        if not {str(name), str(name.with_suffix(""))} & listed(folder):  # a loop over programs names them without .cpp
            missing.append(str(path.relative_to(ROOT)))
    assert not missing
