"""Every page in docs/decisions is in its index, under its own number, and the numbers have no gap."""

import re
from pathlib import Path

DECISIONS = Path(__file__).resolve().parents[2] / "docs" / "decisions"


def test_every_page_is_in_the_index() -> None:
    index = re.findall(
        r"^\| \[(\d{4})\]\((\1-[a-z0-9-]+\.md)\) \|", (DECISIONS / "README.md").read_text(), re.MULTILINE
    )
    pages = sorted(path.name for path in DECISIONS.glob("[0-9]*.md"))
    assert [name for _, name in index] == pages
    assert [number for number, _ in index] == [f"{n:04}" for n in range(1, len(pages) + 1)]
