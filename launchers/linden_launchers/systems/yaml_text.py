"""Writes plain values as YAML that people like to read.  Texts are quoted as in JSON, which YAML 1.2 holds, so none is mistaken."""

from __future__ import annotations

import json
from typing import Any


def to_yaml(value: Any) -> str:
    """Of dicts, lists, texts, numbers and booleans."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict) and value:
        return [line for name, one in value.items() for line in _entry(f"{_key(name)}:", one)]
    if isinstance(value, list) and value:
        return [line for one in value for line in _item(one)]
    return [json.dumps(value)]


def _entry(head: str, value: Any) -> list[str]:
    if isinstance(value, str) and "\n" in value:
        return [f"{head} |-", *(f"  {line}".rstrip() for line in value.splitlines())]
    lines = _lines(value)
    if isinstance(value, dict | list) and value:
        return [head, *(f"  {line}" for line in lines)]
    return [f"{head} {lines[0]}"]


def _item(value: Any) -> list[str]:
    if isinstance(value, str) and "\n" in value:
        return ["- |-", *(f"  {line}".rstrip() for line in value.splitlines())]
    first, *rest = _lines(value)
    return [f"- {first}", *(f"  {line}" for line in rest)]


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() else json.dumps(name)
