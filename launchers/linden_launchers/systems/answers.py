"""How answers of commands are read, whichever system they are of.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..command import CommandFailed, Output


def last_line(output: Output, pattern: str) -> re.Match[str]:
    """The last line that is an id and nothing else: lines of a site's hooks come before.  Raises: CommandFailed: there is none."""
    for line in reversed(output.stdout.splitlines()):
        if match := re.fullmatch(pattern, line.strip()):
            return match
    raise CommandFailed(output, "printed no line with the id of a job alone")


def json_of(output: Output, opening: str = "{") -> Any:
    """What is printed, from the first bracket on; None if there is none.  Raises: ValueError: it is not JSON."""
    start = output.stdout.find(opening)
    return None if start < 0 else json.loads(output.stdout[start:].rstrip(), strict=False)


@contextmanager
def reading(output: Output, what: str) -> Iterator[None]:
    """What goes wrong in the block is that the answer is not *what*.  Raises: CommandFailed, which keeps the answer."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandFailed(output, f"printed what is not {what} ({error!r})") from error
