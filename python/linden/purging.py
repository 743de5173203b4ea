"""Forgetting results: in this process, in the farm, or in both.  Functions over a Client."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

from . import _native, collective_tuples, farm, hub, hub_record
from .errors import NoMatch
from .fields import ANY
from .housekeeping import message_ids
from .keeping import drop_values
from .listing import PAGE, batches

if TYPE_CHECKING:
    from .client import Client

# All that the farm keeps of a task that has ended.
_FORMS = (
    *(farm.results_form, farm.outputs_form, farm.resubmitted_form, farm.shared_payload_form, farm.gate_form),
    *(collective_tuples.collective_form, farm.data_uses_form),
)


def purge_local_results(client: Client, jobs: Any, targets: Any) -> None:
    """Client.purge_local_results."""
    _must_name_something(jobs, targets)
    if _is_all(jobs) or _is_all(targets):
        _refuse_outstanding(client.outstanding)
        client.forgotten.add_all_before(client.submitter.next_number)
        return
    ids = _ids_of(client, jobs, targets)
    _refuse_outstanding(client.outstanding & ids)
    for id_ in ids:
        session, number = farm.parse_message_id(id_)
        if session == client.session:
            client.forgotten.add(number)


def purge_hub_results(client: Client, jobs: Any, targets: Any) -> None:
    """Client.purge_hub_results."""
    _must_name_something(jobs, targets)
    if _is_all(jobs) or _is_all(targets):
        _refuse_outstanding(client.outstanding)
        for form in _FORMS:
            _drop(client, form(client.session, ANY))
        client.submitter.graph.forget()
        client.submitter.data.nudge()
        drop_values(client, None)
        return
    ids = _ids_of(client, jobs, targets)
    _refuse_outstanding({hub_record.message_id(row.fields) for row in hub.find(client, sorted(ids)) if _waits(row)})
    _drop_each(client, ids)
    client.submitter.data.nudge()
    drop_values(client, list(map(farm.parse_message_id, ids)))


def _waits(row: hub.Row) -> bool:
    return row.fields[0] == "task"


def _must_name_something(jobs: Any, targets: Any) -> None:
    if not jobs and jobs != 0 and not targets and targets != 0:
        raise ValueError("name the jobs or the engines whose results are to be purged, or 'all'")


def _is_all(jobs: Any) -> bool:
    return isinstance(jobs, str) and jobs == "all"


def _refuse_outstanding(ids: set[str]) -> None:
    if ids:
        raise RuntimeError(
            f"{len(ids)} of the tasks have no result yet, {min(ids)} for one; wait for them or abort them"
        )


def _ids_of(client: Client, jobs: Any, targets: Any) -> set[str]:
    """Message ids of `jobs`, and of the finished tasks of the engines `targets`."""
    ids = set(message_ids(client, jobs)[0]) if jobs or jobs == 0 else set()
    if targets or targets == 0:
        engines, _ = client.engines_of(targets)
        forms = (form for engine in engines for form in farm.results_of_engine_forms(engine.id))
        rows = chain.from_iterable(hub.listed(client, form) for form in forms)
        ids |= {hub_record.message_id(row.fields) for row in rows}
    return ids


def _drop_each(client: Client, ids: Iterable[str]) -> None:
    native = client.space.native
    for some in batches(ids, PAGE):
        keys = [farm.parse_message_id(id_) for id_ in some]
        forms = [form(*key) for key in keys for form in _FORMS]
        requests = [_take(native, form) for form in forms]
        for form, request in zip(forms, requests, strict=True):
            taken = _taken(native, request)
            _drop_data(client, taken)
            if len(taken) > 1:  # an answer has a bound, and some tasks print much
                _drop(client, form)


def _drop(client: Client, form: tuple[Any, ...]) -> None:
    native = client.space.native
    while taken := _taken(native, _take(native, form)):
        _drop_data(client, taken)


def _drop_data(client: Client, taken: list[_native.Handout]) -> None:
    """Large data that lie in the space itself, and that nothing names any more."""
    for name in {each.fields[1] for each in taken if each.fields[0] == "data"}:
        client.submitter.data.drop_uploaded(name)


def _take(native: _native.Space, form: tuple[Any, ...]) -> int:
    return native.send_take(_native.TAKE, [form], count=PAGE, timeout=0.0)


def _taken(native: _native.Space, request: int) -> list[_native.Handout]:
    try:
        return native.client.wait(request)
    except NoMatch:
        return []
