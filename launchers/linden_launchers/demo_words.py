"""What the demo sends to the engines: words and identifiers of one Python file.  Plain functions of the standard library only."""

from __future__ import annotations

import io
import keyword
import re
import sysconfig
import tokenize
from collections import Counter
from pathlib import Path

Counts = tuple[dict[str, int], dict[str, int]]  # words, identifiers

_WORD = re.compile(r"[^\W\d_]+")
_NAME = re.compile(r"[^\W\d]\w*")


def standard_library_files() -> list[str]:
    """Every .py file of this Python's standard library that can be read, in a fixed order."""
    root = Path(sysconfig.get_path("stdlib"))
    foreign = {"site-packages", "dist-packages"}  # installed into the library's folder, but no part of it
    return [str(path) for path in sorted(root.rglob("*.py")) if not foreign & set(path.parts) and _is_readable(path)]


def count_file(path: str) -> Counts:
    """How often each word (letters, in lower case) and each identifier (no keyword) occurs in a file."""
    content = Path(path).read_bytes()
    words = Counter(word.lower() for word in _WORD.findall(content.decode("utf-8", errors="replace")))
    return dict(words), dict(Counter(name for name in _names(content) if not keyword.iskeyword(name)))


def merge(parts: list[Counts]) -> tuple[Counter[str], Counter[str]]:
    """The sums over all files."""
    words: Counter[str] = Counter()
    identifiers: Counter[str] = Counter()
    for file_words, file_identifiers in parts:
        words.update(file_words)
        identifiers.update(file_identifiers)
    return words, identifiers


def _names(content: bytes) -> list[str]:
    try:
        return [
            token.string for token in tokenize.tokenize(io.BytesIO(content).readline) if token.type == tokenize.NAME
        ]
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError):
        # The library's tests hold files that are wrong on purpose: there, whatever looks like a name is one.
        return _NAME.findall(content.decode("utf-8", errors="replace"))


def _is_readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False
