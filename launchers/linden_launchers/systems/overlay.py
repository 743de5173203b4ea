"""Changes single places of a tree of dicts and lists by their paths, as "spec.template.spec.nodeSelector.disk=ssd".  Pure."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from ..launcher import LaunchError


def overlaid(tree: dict[str, Any], given: Sequence[str], skipped: Sequence[str]) -> dict[str, Any]:
    """A copy of *tree* without what *skipped* names, and with what *given* sets.

    A number in a path is the place in a list.  Values are JSON where they can be, otherwise texts.  Raises: LaunchError.
    """
    made = copy.deepcopy(tree)
    for path in skipped:
        *way, last = path.split(".")
        node = _walk(made, way, path, make=False)
        if isinstance(node, dict):
            node.pop(last, None)
    for line in given:
        path, equals, value = line.partition("=")
        if not equals:
            raise LaunchError(f"directive {line!r}: a path in the manifest is wanted, as spec.backoffLimit=3")
        *way, last = path.strip().split(".")
        node = _walk(made, way, line, make=True)
        if not isinstance(node, dict):
            raise LaunchError(f"directive {line!r}: there is no such place in the manifest")
        node[last] = _value(value.strip())
    return made


def _walk(node: Any, way: Sequence[str], what: str, *, make: bool) -> Any:
    for name in way:
        if isinstance(node, list) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        elif isinstance(node, dict) and (make or name in node):
            node = node.setdefault(name, {})
        elif make:
            raise LaunchError(f"directive {what!r}: there is no {name!r} in a list or text of the manifest")
        else:
            return None
    return node


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
