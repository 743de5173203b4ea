"""All tuples that match a template, in whatever state, page by page: what the farm's modules look through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from . import _native

PAGE = 1000


def listed(
    space: _native.Space, form: tuple[Any, ...], *, page: int = PAGE, after: int = 0, all_states: bool = True
) -> Iterator[dict[str, Any]]:
    """Rows of `send_list` in order of id, above the id `after`.  Not a snapshot: what is put meanwhile comes, too."""
    more = True
    while more:
        answer = space.client.wait(space.send_list(form, after=after, limit=page, all_states=all_states))
        rows = answer["tuples"]
        yield from rows
        more = answer["more"] and bool(rows)
        if more:
            after = rows[-1]["id"]


def batches(items: Iterable[Any], size: int) -> Iterator[tuple[Any, ...]]:
    """`items` in rows of `size`, the last of which may be shorter."""
    iterator = iter(items)
    while some := tuple(islice(iterator, size)):
        yield some
