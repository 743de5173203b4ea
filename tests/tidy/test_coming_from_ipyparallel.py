"""The page for those who come from ipyparallel tells of every name that is missing or differs."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "howto" / "coming-from-ipyparallel.md").read_text()
TABLE = tomllib.loads((ROOT / "tests" / "python" / "public_names.toml").read_text())


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found[1]


def names(*kinds: str) -> set[str]:
    parts = [TABLE["top_level"], TABLE["error"], *TABLE["class"]]
    return {name for part in parts for kind in kinds for name in part.get(kind, ())}


@pytest.mark.parametrize("name", sorted(names("missing", "left_out")))
def test_what_is_missing_is_listed_as_missing(name: str) -> None:
    assert re.search(rf"\b{name}\b", section("Missing"))


@pytest.mark.parametrize("name", sorted(names("differs")))
def test_what_differs_is_told_of(name: str) -> None:
    assert re.search(rf"\b{name}\b", section("Other meanings"))


def test_the_page_claims_nothing_missing_that_is_there() -> None:
    rows = [row.split("|")[1] for row in section("Missing").splitlines() if row.startswith("| `")]
    listed = {name.removeprefix("Client.") for row in rows for name in re.findall(r"`((?:Client\.)?[a-z_]\w+)`", row)}
    assert listed <= names("missing", "left_out") | {"__init__"}
