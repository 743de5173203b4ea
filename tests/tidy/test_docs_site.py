"""The site that `./dev docs` makes has every page, and every public name of Python."""

import inspect
import re
from pathlib import Path

import linden

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_page_is_in_the_contents() -> None:
    trees = re.findall(r"^```{toctree}\n(.*?)^```", (DOCS / "index.md").read_text(), re.MULTILINE | re.DOTALL)
    entries = [line for tree in trees for line in tree.split("\n\n", 1)[1].split()]
    listed = {page.relative_to(DOCS) for entry in entries for page in DOCS.glob(f"{entry}.md")}
    pages = {page.relative_to(DOCS) for page in DOCS.rglob("*.md")} - {Path("index.md")}
    assert listed == pages
    assert all(any(DOCS.glob(f"{entry}.md")) for entry in entries)


def test_every_public_name_is_in_the_api() -> None:
    text = (DOCS / "reference" / "python-api.md").read_text()
    documented = re.findall(r"^\.\. auto(?:class|function|module):: linden\.(\w+)$", text, re.MULTILINE)
    public = [getattr(linden, name) for name in linden.__all__]
    kinds = (inspect.isclass, inspect.isfunction, inspect.ismodule)
    names = [name for name, it in zip(linden.__all__, public, strict=True) if any(kind(it) for kind in kinds)]
    assert sorted(documented) == sorted(names)
