"""The hub's database, which is the space itself: tasks that wait, results with what they keep of their tasks, and output.

A query is a template, which the server looks up, and a filter over what matches, page by page; neither side keeps anything
for it.  Functions over a Client.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from . import farm, hub_query, hub_record, listing
from .fields import number_range
from .hub_query import Query
from .listing import PAGE, batches

if TYPE_CHECKING:
    from .client import Client


class Row(NamedTuple):
    """A task or a result in the space."""

    id: int  # of the tuple
    fields: Sequence[Any]
    holder: str | None  # session of the engine that has the task


# ---- what Client offers --------------------------------------------------------------------------------------------


class Page(list[Any]):
    """A list that knows what follows it: ``after=page`` asks for that."""

    def __init__(self, items: Iterable[Any], last: Row | None) -> None:
        super().__init__(items)
        self.last = last


def history(client: Client, limit: int | None, after: str | Page | None) -> list[str]:
    """Client.hub_history."""
    everything = hub_query.parse({})
    if limit is None and after is None:
        found = {hub_record.message_id(row.fields): row for row in _rows(client, everything, PAGE, None)}
        return sorted(found, key=lambda id_: _order(found[id_].fields))
    rows = _first(_rows(client, everything, min(PAGE, _checked(limit)), after), limit)
    return Page([hub_record.message_id(row.fields) for row in rows], rows[-1] if rows else None)


def _order(fields: Sequence[Any]) -> tuple[float, str, int]:
    client, number = farm.parse_message_id(hub_record.message_id(fields))
    return hub_record.submitted(fields) or 0.0, client, number


def query(
    client: Client,
    query: Mapping[str, Any],
    keys: str | Iterable[str] | None,
    limit: int | None,
    after: str | Page | None,
) -> list[dict[str, Any]]:
    """Client.db_query."""
    parsed = hub_query.parse(query)
    wanted = _wanted_keys(keys)
    in_order = limit is None and after is None
    rows = _rows(client, parsed, PAGE if parsed.tests else min(PAGE, _checked(limit)), after)
    found = _first(_matching(client, rows, parsed, wanted), limit)
    if in_order:
        by_id = {record["msg_id"]: (row, record) for row, record in found}
        found = sorted(by_id.values(), key=lambda pair: _order(pair[0].fields))
    return Page([{key: record[key] for key in wanted} for _, record in found], found[-1][0] if found else None)


def _wanted_keys(keys: str | Iterable[str] | None) -> list[str]:
    if keys is None:
        return [key for key in hub_query.RECORD_KEYS if key not in hub_query.BUFFER_KEYS]
    names = [keys] if isinstance(keys, str) else list(keys)
    hub_query.check_keys(names)
    return list(dict.fromkeys(["msg_id", *names]))


def _checked(limit: int | None) -> int:
    if limit is None:
        return PAGE
    if type(limit) is not int or limit < 1:
        raise ValueError(f"limit must be None or a number of at least 1, not {limit!r}")
    return limit


def _first(items: Iterable[Any], limit: int | None) -> list[Any]:
    if limit is None:
        return list(items)
    return [item for _, item in zip(range(limit), items, strict=False)]


# ---- rows ----------------------------------------------------------------------------------------------------------


def _rows(client: Client, query: Query, page: int, after: str | Page | None) -> Iterator[Row]:
    """Tasks that wait or run, then results, each in the order of put.  So a task that ends meanwhile is not missed."""
    if isinstance(after, Page) and after.last is None:  # an empty page, which was the last one
        return
    named = hub_query.named_tasks(query)
    if named is not None:
        yield from find(client, [id_ for id_ in named if is_message_id(id_)])
        return
    start, in_results = _start(client, after)
    waiting = None if in_results else hub_query.waiting_form(query)
    if waiting is not None:
        yield from listed(client, waiting, page=page, after=start)
        start = 0
    for form in hub_query.finished_forms(query):
        yield from listed(client, form, page=page, after=start)


def _start(client: Client, after: str | Page | None) -> tuple[int, bool]:
    """The tuple to go on after, and whether it is a result."""
    if after is None:
        return 0, False
    # A page knows what its last task was when it was read; meanwhile that may have become a result.
    row = after.last if isinstance(after, Page) else next(find(client, [after]), None)
    if row is None:
        raise KeyError(f"no task or result {after!r} in the farm; was it purged?")
    return row.id, row.fields[0] == "result"


def is_message_id(text: Any) -> bool:
    """Whether it is one."""
    try:
        farm.parse_message_id(text)
    except (ValueError, AttributeError):
        return False
    return True


def listed(client: Client, form: tuple[Any, ...], *, page: int = PAGE, after: int = 0) -> Iterator[Row]:
    """Tuples of any state that match, page by page."""
    for row in listing.listed(client.space.native, form, page=page, after=after):
        yield Row(row["id"], row["fields"], row["holder"])


def find(client: Client, ids: Sequence[str]) -> Iterator[Row]:
    """The result, or else the task, of each of these message ids that is in the farm."""
    missing: list[str] = []
    for id_, row in _results(client, ids):
        if row is None:
            missing.append(id_)
        else:
            yield row
    if not missing:
        return
    waiting = _tasks(client, missing)
    yield from waiting.values()
    # Between the looks at results and at tasks, a task may have become a result.
    for _, row in _results(client, [id_ for id_ in missing if id_ not in waiting]):
        if row is not None:
            yield row


def _results(client: Client, ids: Iterable[str]) -> Iterator[tuple[str, Row | None]]:
    for id_, rows in ask_for_each(client, ids, farm.results_form, limit=1):
        yield id_, rows[0] if rows else None


def _tasks(client: Client, ids: Sequence[str]) -> dict[str, Row]:
    """By message id.  Tasks that are held by an engine are found by a walk only, so it is one for all of a client."""
    numbers: dict[str, list[int]] = {}
    for id_ in ids:
        session, number = farm.parse_message_id(id_)
        numbers.setdefault(session, []).append(number)
    wanted = set(ids)
    forms = [farm.tasks_form(session, number_range(min(each), max(each))) for session, each in numbers.items()]
    rows = chain.from_iterable(listed(client, form) for form in forms)
    by_id = ((hub_record.message_id(row.fields), row) for row in rows)
    return {id_: row for id_, row in by_id if id_ in wanted}


def ask_for_each(
    client: Client, ids: Iterable[str], form: Any, *, limit: int | None = None
) -> Iterator[tuple[str, list[Row]]]:
    """The free tuples that match ``form(client, number)``, or `limit` of them, for each message id; asked for many at a time."""
    native = client.space.native
    for some in batches(ids, PAGE):
        forms = [form(*farm.parse_message_id(id_)) for id_ in some]
        requests = [native.send_list(each, limit=limit or PAGE, all_states=False) for each in forms]
        for id_, each, request in zip(some, forms, requests, strict=True):
            answer = native.client.wait(request)
            rows = answer["tuples"]
            if limit is None and answer["more"]:
                rows += listing.listed(native, each, after=rows[-1]["id"], all_states=False)
            yield id_, [Row(row["id"], row["fields"], row["holder"]) for row in rows]


# ---- records -------------------------------------------------------------------------------------------------------


def _matching(
    client: Client, rows: Iterable[Row], query: Query, wanted: Sequence[str]
) -> Iterator[tuple[Row, dict[str, Any]]]:
    needed = {*wanted, *query.tests}
    for some in batches(rows, 100):
        outputs = _outputs(client, some) if needed & {"stdout", "stderr"} else {}
        again = _resubmitted(client, some) if "resubmitted" in needed else {}
        for row in some:
            id_ = hub_record.message_id(row.fields)
            record = hub_record.record_of(
                row.fields, holder=row.holder, resubmitted=again.get(id_), **outputs.get(id_, {})
            )
            if query.matches(record):
                yield row, record


def _outputs(client: Client, rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    found = {}
    for id_, pieces in ask_for_each(client, _ids(rows), farm.outputs_form):
        if pieces:
            found[id_] = {
                name: "".join(piece.fields[5] for piece in pieces if piece.fields[3] == name)
                for name in (farm.STDOUT, farm.STDERR)
            }
    return found


def _resubmitted(client: Client, rows: Sequence[Row]) -> dict[str, str]:
    again = ask_for_each(client, _ids(rows), farm.resubmitted_form)
    return {id_: found[-1].fields[3] for id_, found in again if found}


def _ids(rows: Sequence[Row]) -> list[str]:
    return [hub_record.message_id(row.fields) for row in rows]
