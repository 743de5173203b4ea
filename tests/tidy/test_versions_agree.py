"""One version in every place that states it: meson.build decides, the others follow."""

import re
import tomllib
from pathlib import Path

import linden

ROOT = Path(__file__).resolve().parents[2]


def version_of_build() -> str:
    found = re.search(r"^\s*version: '([^']+)'", (ROOT / "meson.build").read_text(), re.MULTILINE)
    assert found
    return found.group(1)


def test_the_package_says_what_the_build_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == version_of_build()


def test_the_public_header_says_what_the_build_says() -> None:
    assert f'kVersion = "{version_of_build()}"' in (ROOT / "api/include/linden/version.h").read_text()


def test_the_extension_says_what_the_build_says() -> None:
    assert linden.__version__ == linden._native.VERSION == version_of_build()


def test_the_changelog_has_a_section_for_it() -> None:
    assert re.search(rf"^## {re.escape(version_of_build())}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
