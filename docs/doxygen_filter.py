"""Shows Doxygen our comments: `python docs/doxygen_filter.py HEADER` prints the header as Doxygen wants it, line for line.

Our headers are written for people who read them.  A comment says what follows it, up to the next empty line or comment; one at the end of
a line says what is in that line; one before an empty line heads a section.  Doxygen wants a mark of its own for each of these, and
a comment at each name.
"""

import re
import sys
from pathlib import Path

TRAILING = re.compile(r"^(?P<code>\s*\S.*?[;,{}>)\w])\s+// (?P<text>(?!NOLINT).*)$")
COMMENT = re.compile(r"^(?P<indent>\s*)//(?P<text>.*)$")
# What our headers do not say, because every reader knows.
OF_COURSE = {
    " By value.": re.compile(r"\boperator(==|<=>)\("),
    " An implicit conversion.": re.compile(r"NOLINT\(google-explicit-constructor\)"),
}
# Where no declaration begins that could have a comment.
NO_DECLARATION = re.compile(r"^\s*(public:|private:|protected:|#|\}|namespace\b|friend class|class \w+;|struct \w+;)")
NAMESPACE = re.compile(r"^namespace (linden(::farm|::encoding)?) \{$")
NAMESPACES = {
    "linden": "A tuple space for parallel computing.",
    "linden::farm": "The farm's tuples, as they are built and read.",
    "linden::encoding": "The fields of a tuple where they lie.",
}
ENDS = (";", "}", "{", ":", ",")
INDENT_OF_TRAILING = 6  # a comment that begins further right goes on with the one at the end of the line above


def shown(lines: list[str]) -> list[str]:
    """The header for Doxygen."""
    out: list[str] = []
    said: list[str] = []  # by the last comment of this paragraph
    fresh = trailing = False
    begins = True
    for number, line in enumerate(lines):
        if line.startswith("}  // namespace linden"):  # what follows is for the standard library
            return [*out, line]
        comment = COMMENT.match(line)
        if line == "#pragma once":  # ends what is said of the file
            line = "/// \\file"
        if namespace := NAMESPACE.match(line):
            line = f"/** {NAMESPACES[namespace[1]]} */ {line}"
        if not line.strip():
            said, fresh, trailing = [], False, False
            out.append("")
        elif comment and trailing and len(comment["indent"]) > INDENT_OF_TRAILING:
            out.append(f"{comment['indent']}///<{comment['text']}")
        elif comment:
            said = [*said, comment["text"]] if fresh else [comment["text"]]
            fresh, trailing = True, False
            out.append(f"{comment['indent']}///{comment['text']}" if belongs(lines, number) else "")
        else:
            at_end = TRAILING.match(line)
            trailing = at_end is not None
            words = said or of_course(lines, number)
            if at_end and at_end["code"].endswith("{"):  # of what begins here
                line = before(at_end["code"], [f" {at_end['text']}"])
                trailing = False
            elif at_end:
                line = f"{at_end['code']}  ///< {at_end['text']}"
            elif begins and words and not fresh and not NO_DECLARATION.match(line):
                line = before(line, words)
            out.append(line)
            fresh = False
            code = (at_end["code"] if at_end else line.partition("  // NOLINT")[0]).rstrip()
            begins = code.endswith(ENDS) or code.lstrip().startswith("#")
    return out


def of_course(lines: list[str], number: int) -> list[str]:
    """What every reader knows of the declaration that begins in that line."""
    end = next(
        i for i in range(number, len(lines)) if i == len(lines) - 1 or lines[i].partition("  //")[0].endswith(ENDS)
    )
    declaration = " ".join(lines[number : end + 1])
    return [words for words, pattern in OF_COURSE.items() if pattern.search(declaration)]


def before(line: str, words: list[str]) -> str:
    """The line with a comment in front."""
    indent = len(line) - len(line.lstrip())
    return f"{line[:indent]}/**{' '.join(words)} */ {line[indent:]}"


def belongs(lines: list[str], number: int) -> bool:
    """Whether the comment in that line stands right before something that is declared."""
    following = (line for line in lines[number:] if not COMMENT.match(line))
    following_line = next(following, "")
    return bool(following_line.strip())


def main() -> int:
    print("\n".join(shown(Path(sys.argv[1]).read_text().splitlines())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
