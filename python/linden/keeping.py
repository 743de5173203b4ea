"""What a client does about values that engines keep: have them dropped when their results are purged."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from . import _native, kept_tuples
from .errors import LindenError, NoMatch
from .listing import PAGE, listed

if TYPE_CHECKING:
    from .client import Client


def drop_values(client: Client, tasks: Iterable[tuple[str, int]] | None) -> None:
    """Engines are to forget the values of these tasks; None: of all tasks of this client."""
    native = client.space.native
    if not native.client.wait(native.send_count(kept_tuples.kept_form())):
        return  # usual
    forms = (
        [kept_tuples.kept_form(client.session)] if tasks is None else [kept_tuples.kept_form(*task) for task in tasks]
    )
    rows = chain.from_iterable(listed(native, form) for form in forms)
    words = {
        (
            fields[kept_tuples.KEPT_SESSION],
            fields[kept_tuples.KEPT_CLIENT],
            None if tasks is None else fields[kept_tuples.KEPT_NUMBER],
        )
        for fields in (row["fields"] for row in rows)
    }
    requests = [native.send_put([kept_tuples.drop(*word)]) for word in words]
    for request in requests:
        with suppress(LindenError):  # that engine has just gone, and its values with it
            native.client.wait(request)
    for form in forms if words else ():
        _take_all(native, form)


def _take_all(native: _native.Space, form: tuple[object, ...]) -> None:
    with suppress(NoMatch):
        while True:
            native.client.wait(native.send_take(_native.TAKE, [form], count=PAGE, timeout=0.0))
