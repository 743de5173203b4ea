"""The site that `./dev docs` makes has every page, and every public name of Python."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import linden
import pytest

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


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_site_is_made_without_a_warning_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", str(tmp_path / "trees")]
    made = subprocess.run([*command, str(DOCS), str(site)], capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stdout + made.stderr
    broken = []
    for page in site.rglob("*.html"):
        text = re.sub(r"<pre>.*?</pre>", "", page.read_text(), flags=re.DOTALL)
        links = [link.partition("#")[0] for link in re.findall(r'<a [^>]*?href="([^"]+)"', text)]
        targets = [page.parent / link for link in links if link and not re.match(r"[a-z]+:", link)]
        broken += [(page.name, str(target)) for target in targets if not Path(os.path.normpath(target)).exists()]
        dead = re.search(r'<span class="xref myst">', re.sub(r"<a .*?</a>", "", text, flags=re.DOTALL))
        assert not dead, page  # a link that Sphinx made plain text of
    assert not broken
    assert "contributing (<code" in (site / "index.html").read_text()
    assert "linden.Client.purge_results" in (site / "reference" / "python-api.html").read_text()
