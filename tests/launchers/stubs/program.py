"""How the commands of a stand-in begin and end: the nasty things that any of them may do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from queue_of_jobs import Queue

Command = Callable[[Queue, list[str]], int]


def main(commands: Mapping[str, Command]) -> int:
    """``python SYSTEM.py FOLDER COMMAND ARGUMENTS``: one of the system's commands."""
    folder, name, *arguments = sys.argv[1:]
    queue = Queue(Path(folder))
    verb = next((word for word in arguments if not word.startswith("-")), "")

    def switch(what: str) -> Any:
        """Of this command, or of this verb of it: "qsub", "kubectl create"."""
        found = queue.switch(what, {})
        return found.get(name, found.get(f"{name} {verb}"))

    time.sleep(switch("slow") or 0.0)  # a scheduler that is busy
    if away := switch("away"):  # it does not answer, or refuses, in its own words
        print(away, file=sys.stderr)
        return 1
    if banner := switch("banner"):
        print(banner)
    code = commands[name](queue, arguments)
    sys.stdout.flush()
    return int(switch("exit") or code)  # says what it says, and fails all the same


def directives(script: str, prefix: str) -> list[str]:
    """The rest of each line that begins with the prefix, up to the first line that is none of comments."""
    found = []
    for line in script.splitlines()[1:]:
        if line.startswith(f"{prefix} "):
            found.append(line.removeprefix(f"{prefix} ").strip())
        elif line.strip() and not line.startswith("#"):
            break
    return found


def seconds(text: str) -> float:
    """Of "h:mm:ss", "mm:ss" or "ss"."""
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total


def user() -> str:
    return os.environ.get("USER", "root")
