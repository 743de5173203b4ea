"""A MapReduce job as whoever waits for it sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import _shuffle, job_tuples, run_store
from .errors import Closed, LindenError, NoMatch
from .fields import make_puts
from .job_tuples import Job
from .mapreduce_driver import Driver
from .mapreduce_state import MAP, REDUCE
from .mapreduce_task import runs_of

if TYPE_CHECKING:
    from .client import Client
    from .space import Space

_PAIRS = 1000
_PUTS = 1000


class MapReduceJob:
    """A job that runs, or has run.  Its results stay in the farm until `purge`.

    Iterating waits for the end, and gives (key, value) pairs: with ``sort=True`` in the order of keys, else as partitions come.
    A client that is closed leaves its job in the farm, where `linden.MapReduce.attach` finds it.
    """

    def __init__(self, client: Client, job: Job, *, is_new: bool) -> None:
        self._client = client
        self._name = job.name
        self._changed = threading.Condition()
        self._driver = Driver(client, job, self._on_change, is_new=is_new)
        self._driver.start()

    def _on_change(self) -> None:
        with self._changed:
            self._changed.notify_all()

    # ---- how it stands

    @property
    def name(self) -> str:
        """By which it is found again."""
        return self._name

    @property
    def phase(self) -> str:
        """ "map", "reduce", "done", "failed" or "cancelled"."""
        if self._driver.error is not None:
            return self._driver.job.phase if self._driver.job.phase in job_tuples.ENDED else job_tuples.FAILED
        return self._driver.state.phase

    @property
    def progress(self) -> dict[str, tuple[int, int]]:
        """By phase how many tasks are done, and how many there are."""
        state = self._driver.state
        return {phase: (state.done(phase), state.total(phase)) for phase in (MAP, REDUCE)}

    @property
    def counters(self) -> dict[str, int]:
        """What tasks have done so far ("map records", "map pairs", "map spills", "reduce keys", ...), and what
        `linden.mapreduce.increment` counted.  A task that ran more than once is counted once.
        """
        return self._driver.counters()

    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self._driver.is_over

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; False after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._driver.is_over:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                self._changed.wait(1.0 if left is None else min(left, 1.0))  # in pieces, for Ctrl-C
        return True

    def get(self, timeout: float | None = None) -> MapReduceJob:
        """Wait for the end, and return this job if all went well.

        Raises: TimeoutError; what a mapper or reducer has raised; TaskAborted: it was cancelled.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"MapReduce {self._name} is not done after {timeout:g} s: {self._shown_progress()}")
        if self._driver.error is not None:
            raise self._driver.error
        return self

    def wait_interactive(self, timeout: float | None = None) -> None:
        """`wait` with a progress bar of tasks."""
        from .progress import progress_bar

        deadline = None if timeout is None else time.monotonic() + timeout
        bar = progress_bar(sum(total for _, total in self.progress.values()), "tasks")
        shown = 0
        try:
            while True:
                done = sum(done for done, _ in self.progress.values())
                bar.update(done - shown)
                shown = done
                if self.wait(0.2) or (deadline is not None and time.monotonic() > deadline):
                    return
        finally:
            bar.close()

    def cancel(self) -> None:
        """End it: running tasks are interrupted, and nothing of it stays but the fact.  Returns once it has ended."""
        if not self._driver.is_over:
            self._driver.cancel()
            self.wait()

    # ---- results

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        if not self._driver.job.facts["sort"]:
            return self._unsorted()
        self.get()
        self._check_has_pairs()
        return _pairs_of(_shuffle.merge(self._runs(range(self._driver.state.total(REDUCE))), 0))

    def _unsorted(self) -> Iterator[tuple[Any, Any]]:
        left = list(range(self._driver.state.total(REDUCE)))
        self._check_has_pairs()
        while left:
            values = self._driver.state.values(REDUCE)
            here = [partition for partition in left if values[partition] is not None]
            left = [partition for partition in left if partition not in here]
            for partition in here:
                yield from _pairs_of(_shuffle.merge(self._runs([partition]), 0))
            if left and not here:
                if self._driver.is_over:
                    self.get()
                with self._changed:
                    self._changed.wait(0.1)
        self.get()

    def as_dict(self) -> dict[Any, Any]:
        """All pairs, waiting for the end.

        Raises: ValueError: a reducer has yielded a key twice, or keys that Python takes for equal, such as 1 and True.
        """
        pairs = {}
        count = 0
        for key, value in self:
            pairs[key] = value
            count += 1
        if len(pairs) < count:
            raise ValueError(
                f"{count} pairs have only {len(pairs)} keys: a reducer has yielded a key twice, or keys that Python takes for "
                "equal, such as 1 and True; iterate over the job instead"
            )
        return pairs

    def put_tuples(self, space: Space, *prefix: Any) -> int:
        """Put a tuple of `prefix`, key and value for each pair into `space`; returns how many."""
        count = 0
        batch: list[Any] = []
        for pair in self:
            batch.append((*prefix, *pair))
            count += 1
            if len(batch) == _PUTS:
                space.put_many(make_puts(batch))
                batch = []
        if batch:
            space.put_many(make_puts(batch))
        return count

    @property
    def paths(self) -> list[str]:
        """The files that a job with ``output`` has written, waiting for the end; one per partition."""
        self.get()
        values = self._driver.state.values(REDUCE)
        return [value["path"] for value in values if value is not None and value.get("path")]

    def _check_has_pairs(self) -> None:
        if self._driver.job.facts["output"] is not None:
            raise ValueError(f"MapReduce {self._name} writes its results to files; they are in its `paths`")

    def _runs(self, partitions: Sequence[int]) -> list[Any]:
        """The outputs of reduce tasks; what was lost with its engine is made again."""
        while True:
            runs, lost = [], []
            values = self._driver.state.values(REDUCE)
            for partition in partitions:
                value = values[partition]
                assert value is not None
                if value["data"] is not None:
                    runs.append(value["data"])
                    continue
                try:
                    runs.append(run_store.fetch(value["run"]))
                except run_store.RunLost:
                    lost.append(partition)
            if not lost:
                return runs
            self._driver.remake(lost)
            self.get()

    # ---- the end

    def purge(self) -> None:
        """Forget the job: its results, in the farm and on engines, and its name.

        Raises: RuntimeError: it runs; cancel it first.
        """
        if not self._driver.is_over:
            raise RuntimeError(f"MapReduce {self._name} runs; cancel it first")
        for value in self._driver.state.values(REDUCE):
            if value is not None and value["run"]:
                run_store.drop(value["run"])
        run_store.drop_group(runs_of(self._driver.job.id, REDUCE))
        for form in job_tuples.all_forms(self._driver.job.id):
            self._driver.take_all(form)
        self._driver.take_all(job_tuples.job_form(self._name, self._driver.job.id))

    def __enter__(self) -> MapReduceJob:
        return self

    def __exit__(self, *_: object) -> None:
        """Purges it; a job that runs is cancelled before."""
        with suppress(Closed, NoMatch, LindenError):
            self.cancel()
            self.purge()

    def _shown_progress(self) -> str:
        return ", ".join(f"{phase} {done} of {total}" for phase, (done, total) in self.progress.items())

    def __repr__(self) -> str:
        return f"<linden.MapReduceJob {self._name!r}, {self.phase}: {self._shown_progress()}>"


def _pairs_of(pairs: _shuffle.Pairs) -> Iterator[tuple[Any, Any]]:
    while some := pairs.next_pairs(_PAIRS):
        yield from some
