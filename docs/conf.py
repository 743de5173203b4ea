"""How Sphinx makes a site of these pages and of the docstrings; `./dev docs` runs it."""

import re
from pathlib import Path
from typing import Any

import linden

project = "Linden"
author = "The Linden authors"
release = linden.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["images"]
default_role = "code"  # `name` in a docstring
html_theme = "furo"
html_title = f"Linden {release}"
myst_heading_anchors = 4  # links to headings are those of GitHub
autodoc_typehints = "signature"
autodoc_member_order = "bysource"

DOCS = Path(__file__).resolve().parent
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s:#]+)(?:#[^)\s]*)?\)")
SECTION = re.compile(r"^(Args|Returns|Yields|Raises|Source): ?(.*)")


def without_links_out(page: Path, text: str) -> str:
    """`text` of `page`, where links to files outside docs/, which a site does not have, say the file's name instead."""

    def shown(link: re.Match[str]) -> str:
        target = (page.parent / link[2]).resolve()
        if target.is_relative_to(DOCS):
            return link[0]
        path = target.relative_to(DOCS.parent).as_posix()
        return f"`{path}`" if path.endswith(link[1].strip("`")) else f"{link[1]} (`{path}`)"

    parts = FENCE.split(text)
    return "".join(part if FENCE.fullmatch(part) else LINK.sub(shown, part) for part in parts)


def house_source(app: Any, docname: str, source: list[str]) -> None:
    source[0] = without_links_out(Path(app.env.doc2path(docname)), source[0])


def house_docstring(*event: Any) -> None:
    """Makes reStructuredText of our docstrings: `Args: ...` with hanging lines, and code that is indented."""
    lines: list[str] = event[-1]
    shown: list[str] = []
    in_section = False
    for line in lines:
        section = SECTION.match(line)
        indented = line.startswith(" ")
        if section:
            in_section = True
            shown += ["", f"**{section[1]}:** {section[2]}"]
        elif in_section and indented:
            shown.append(line.strip())
        else:
            in_section = False
            if indented and shown and shown[-1] and not shown[-1].startswith(" "):
                shown += ["", "::", ""]
            elif indented and shown and not shown[-1] and len(shown) > 1 and not shown[-2].startswith((" ", "::")):
                shown += ["::", ""]
            elif line and not indented and shown and shown[-1].startswith(" "):
                shown.append("")
            shown.append(line)
    lines[:] = [*shown, ""]


def setup(app: Any) -> None:
    app.connect("source-read", house_source)
    app.connect("autodoc-process-docstring", house_docstring)
