"""The tuples by which tasks wait for others (docs/reference/farm-schema.md).

    ("gate", client, number, verdict, source)

A conditional task is guarded by its gate (P24), and whichever gate tuple of its number comes first releases it and says why.
A relay turns the result of one task, or the verdict of a group, into its gate.  A group has an edge for each of several tasks, which
comes with that task's result and says its status, and one tuple MET, which comes when all have ended, after their edges.

Everything in here is pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _native, farm
from .fields import ANY

_TEXT = _native.Typed("text")
ANY_VERDICT = _TEXT
_GUARDS_MAX = 5_000  # of one tuple; the space allows more


def gate(client: str, number: int, verdict: str, *, source: str = "", delay: float | None = None) -> _native.Put:
    """Releases the conditional task `number`, or all that relay group `number`."""
    return _native.Put(("gate", client, number, verdict, source), delay=delay)


def relay_of_result(client: str, number: int, of: tuple[str, int]) -> _native.Put:
    """The gate `number` opens with the result of the task `of`, and its verdict is that status."""
    guard = (("result", *of, _TEXT, ANY, ANY), [(farm.RESULT_STATUS, 3)])
    return _native.Put(("gate", client, number, None, farm.message_id(*of)), when=[guard])


def relay_of_group(client: str, number: int, group: int, verdicts: Any) -> _native.Put:
    """The gate `number` opens with the first verdict of the group that matches `verdicts`."""
    guard = (("gate", client, group, verdicts, _TEXT), [(3, 3), (4, 4)])
    return _native.Put(("gate", client, number, None, None), when=[guard])


def group(client: str, numbers: Sequence[int], of: Sequence[tuple[str, int]]) -> list[_native.Put]:
    """The edges and the MET of the group `numbers[0]`; the other numbers, as many as `group_numbers` says, are for parts of it."""
    edges = [relay_of_result(client, numbers[0], task) for task in of]
    parts = [of[start : start + _GUARDS_MAX] for start in range(0, len(of), _GUARDS_MAX)]
    if len(parts) == 1:
        return [*edges, _when_ended(client, numbers[0], parts[0])]
    mets = [_when_ended(client, number, part) for number, part in zip(numbers[1:], parts, strict=True)]
    guards: list[Any] = [(farm.gate_form(client, number, farm.MET), []) for number in numbers[1:]]
    return [*edges, *mets, _native.Put(("gate", client, numbers[0], farm.MET, ""), when=guards)]


def group_numbers(size: int) -> int:
    """How many numbers a group of `size` tasks needs."""
    return 1 if size <= _GUARDS_MAX else 1 + -(-size // _GUARDS_MAX)


def _when_ended(client: str, number: int, of: Sequence[tuple[str, int]]) -> _native.Put:
    guards: list[Any] = [(("result", *task, _TEXT, ANY, ANY), []) for task in of]
    return _native.Put(("gate", client, number, farm.MET, ""), when=guards)
