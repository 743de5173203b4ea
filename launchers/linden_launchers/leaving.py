"""Who leaves when a set is to have fewer engines.  Pure.

What still waits in a queue costs nobody anything, so it is given up first; then engines that have nothing to do; then those with the
fewest tasks, the youngest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .cluster_file import JobRecord
from .launcher import Job, JobStatus, LaunchError

if TYPE_CHECKING:
    from linden import farm

    from .farm_load import FarmLoad


@dataclass
class Leavers:
    """Members of jobs to be given up at once, and engines to be drained."""

    members: dict[Job, list[int]] = field(default_factory=dict)
    engines: list[farm.Engine] = field(default_factory=list)
    count: int = 0  # engines fewer in all
    all_served: bool = True  # engines serve from each of these members

    def give_up(self, record: JobRecord, member: int, engines: Sequence[farm.Engine]) -> None:
        """One member, and the engines that serve from it."""
        self.members.setdefault(record.job, []).append(member)
        self.engines += engines
        self.count += record.engines_of(member)
        self.all_served = self.all_served and bool(engines)


def choose_engines(engines: Iterable[farm.Engine], load: FarmLoad, count: int) -> list[farm.Engine]:
    """Those *count* of them that are missed least."""
    return sorted(engines, key=lambda engine: _missed(engine, load))[: max(0, count)]


def choose_members(
    records: Sequence[JobRecord], statuses: Mapping[Job, JobStatus], load: FarmLoad, count: int
) -> Leavers:
    """Whole members of jobs with *count* engines together, or fewer where one member more would be too many.

    Raises: LaunchError: no member is so small, as that of one MPI program.
    """
    serving: dict[tuple[Job, int], list[farm.Engine]] = {}
    for engine in load.engines:
        if (place := place_of(engine, records)) is not None:
            serving.setdefault(place, []).append(engine)
    candidates = []
    for record in records:
        members = statuses[record.job].members if record.job in statuses else {}
        for member in record.open_members:
            if member in members and members[member].state.is_over:
                continue
            own = serving.get((record.job, member), [])
            candidates.append(((max((_missed(each, load) for each in own), default=(-1,)), -member), record, member))
    leavers = Leavers()
    for _, record, member in sorted(candidates, key=lambda candidate: candidate[0]):
        if leavers.count + record.engines_of(member) <= count:
            leavers.give_up(record, member, serving.get((record.job, member), []))
    if not leavers.count and candidates:
        smallest = min(record.engines_of(member) for _, record, member in candidates)
        raise LaunchError(
            f"the set cannot have {count} engines fewer: {smallest} engines start and end together in a job; "
            "stop the set, or scale it by as many"
        )
    return leavers


def places_of(engines: Iterable[farm.Engine], records: Sequence[JobRecord]) -> set[tuple[Job, int]]:
    """The members of jobs from which these engines serve."""
    return {place for engine in engines if (place := place_of(engine, records)) is not None}


def place_of(engine: farm.Engine, records: Iterable[JobRecord]) -> tuple[Job, int] | None:
    """The job and member that this engine comes from, as it said when it registered; None: from none of these."""
    for record in records:
        if engine.info.get("set") == record.job.engine_set:
            said = str(engine.info.get("job", ""))
            if len(record.job.ids) > 1 and said in record.job.ids:
                return record.job, record.job.ids.index(said)
            return record.job, min(int(engine.info.get("index", 0)), record.job.members - 1)
    return None


def _missed(engine: farm.Engine, load: FarmLoad) -> tuple[int, int]:
    return load.held.get(engine.id, 0) + load.own.get(engine.id, 0), -engine.id
