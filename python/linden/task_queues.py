"""The names of queues, which say what engines serve a task, and the tags of engines in them (docs/reference/farm-schema.md).

    any, native       any engine in Python; any in C++ that has the function
    any+big+gpu       one of these that has the tags big and gpu
    engine:3          that engine and no other

Everything in here is pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import combinations

ANY_QUEUE = "any"
NATIVE_QUEUE = "native"  # any engine in C++ that has the function
# A tag's name, and how many an engine may have: it serves the queues of all of their combinations.
_TAG = re.compile(r"[A-Za-z0-9_.:-]{1,32}")
TAGS_MAX = 5


def engine_queue(engine: int) -> str:
    """The queue that only that engine serves."""
    return f"engine:{engine}"


def is_engine_queue(queue: str) -> bool:
    """Whether only one engine serves it."""
    return queue.startswith("engine:")


def checked_tags(tags: str | Iterable[str] | None) -> list[str]:
    """Tags in order, each once.

    Raises: ValueError: what cannot be a tag, or too many.
    """
    found = sorted({tags} if isinstance(tags, str) else set(tags or ()))
    for tag in found:
        if not isinstance(tag, str) or not _TAG.fullmatch(tag):
            raise ValueError(f"a tag has 1 to 32 letters, digits or any of _.:- and is not {tag!r}")
    if len(found) > TAGS_MAX:
        raise ValueError(f"{len(found)} tags, and there may be {TAGS_MAX}: {', '.join(found)}")
    return found


def tagged(queue: str, tags: Iterable[str]) -> str:
    """The queue of tasks that want engines with these (checked) tags."""
    return "+".join([queue, *tags])


def tags_of_queue(queue: str) -> list[str]:
    """What a task of that queue asks for."""
    return [] if is_engine_queue(queue) else queue.split("+")[1:]


def queues_served(queue: str, tags: Sequence[str]) -> list[str]:
    """That queue as an engine with these (checked) tags serves it: with each combination of them."""
    return [tagged(queue, some) for count in range(len(tags) + 1) for some in combinations(tags, count)]
