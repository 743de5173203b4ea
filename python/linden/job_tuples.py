"""The tuples of a MapReduce job, beside its tasks and their results.  ``docs/reference/farm-schema.md`` describes them.

    ("job", name, kind, id, phase, facts)      facts: JSON; phase: see PHASES
    ("job_driver", id)                         whoever has reserved it goes on with the job

The id stands in the place of the client in the job's tasks, results and payloads, so everything of a job is found by it.
Everything in here is pure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from . import _native, farm
from .fields import ANY, Between

KIND = "mapreduce"
INPUT = "input"  # its splits are being put
DONE, FAILED, CANCELLING, CANCELLED = "done", "failed", "cancelling", "cancelled"
ENDED = (DONE, FAILED, CANCELLED)

_TEXT = _native.Typed("text")


class Job(NamedTuple):
    """A job as its tuple tells."""

    name: str
    id: str
    phase: str
    facts: dict[str, Any]

    def put(self) -> _native.Put:
        """Its tuple."""
        return _native.Put(("job", self.name, KIND, self.id, self.phase, json.dumps(self.facts)))


def job_form(name: Any = ANY, job_id: Any = _TEXT) -> tuple[Any, ...]:
    """Jobs of that name, or the one of that id."""
    return ("job", name, KIND, job_id, _TEXT, _TEXT)


def parse_job(fields: Sequence[Any]) -> Job:
    """The job of a job tuple."""
    return Job(fields[1], fields[3], fields[4], json.loads(fields[5]))


def driver(job_id: str) -> tuple[Any, ...]:
    """What stands for the right to go on with a job."""
    return ("job_driver", job_id)


def payload(job_id: str, index: int, split: Any) -> _native.Put:
    """What map task `index` reads."""
    from . import serialize

    return farm.shared_payload(job_id, index, serialize.pack(((job_id, split), {}), f"split {index}"))


def result_forms(job_id: str, first: int, last: int) -> list[tuple[Any, ...]]:
    """What the farm keeps of tasks whose numbers lie between these."""
    numbers = Between(first, last)
    return [form(job_id, numbers) for form in (farm.results_form, farm.outputs_form)]


def all_forms(job_id: str) -> list[tuple[Any, ...]]:
    """All that the farm keeps of a job, but for its own tuple."""
    return [
        farm.tasks_form(job_id),
        farm.results_form(job_id),
        farm.outputs_form(job_id),
        farm.shared_payload_form(job_id, ANY),
        ("cancelled", job_id, ANY),
        driver(job_id),
    ]
