"""Goes on with a MapReduce job: a thread in whatever client has the job, which puts tasks as results come.

Only one client drives, the one that has reserved the job's driver tuple; others look on, and take over when it is free: its
holder has said goodbye, was killed or is cut off.  What was done follows from tuples (mapreduce_state.py), so nothing is lost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _native, cancelling, farm, job_tuples, run_store, serialize
from .error import EngineError, TaskAborted
from .errors import LindenError, NoMatch, StaleLease, TransactionConflict
from .fields import ANY
from .job_tuples import Job
from .listing import listed
from .mapreduce_state import MAP, REDUCE, Action, Cancel, Drop, Fail, JobState, Submit, TaskId
from .mapreduce_task import runs_of
from .outcome import Failure, decode
from .result_facts import run_time
from .stored_file import take_pickled
from .task_queues import ANY_QUEUE

if TYPE_CHECKING:
    from .client import Client
    from .reservation import Reservation

_POLL_S = 0.1
_CREDIT = 1000
# Who drives, and whether somebody wants the job to end, is looked at so often.
_LOOK_S = 1.0
_SLOW_LOOK_S = 0.25
# Tasks that were cancelled are waited for so long, for what they have written is to go.
_ENDING_S = 10.0
_LEASE_S = 30.0
_PAGE = 1000


class Driver:
    """Of one job in one client.  `changed` is called after each step, in the driver's thread."""

    def __init__(self, client: Client, job: Job, changed: Callable[[], None], *, is_new: bool) -> None:
        self.job = job
        self.state = JobState(job.facts["maps"], job.facts["reduces"], replays=not is_new)
        self.error: BaseException | None = None
        self.is_over = False  # nothing more will come
        self._client = client
        self._native = client.space.native
        self._changed = changed
        self._is_new = is_new
        self._held: Reservation | None = None
        self._cancelled = False
        self._looked_at = 0.0
        self._slow_looked_at = 0.0
        self._remakes = False  # what was done and has been lost
        self._results = 0  # that have come
        self._errors: dict[TaskId, BaseException] = {}  # of attempts that have failed
        self._lock = threading.Lock()
        self._is_running = False
        self._lost: set[int] = set()  # reduce tasks whose outputs are to be made again

    def start(self) -> None:
        """Begin, in a thread of its own."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        self.is_over = False
        if not self._is_running:
            self._is_running = True
            threading.Thread(target=self._run_all, name=f"linden-mapreduce-{self.job.name}", daemon=True).start()

    def cancel(self) -> None:
        """Ask whoever drives to end the job."""
        self._cancelled = True
        self._set_phase(job_tuples.CANCELLING, unless=job_tuples.ENDED)

    def remake(self, partitions: Iterable[int]) -> None:
        """The outputs of these reduce tasks are gone; make them again."""
        with self._lock:
            self._lost.update(partitions)
            self._start()  # a thread that is about to end sees that it is not over

    # ---- the thread

    def _run_all(self) -> None:
        while True:
            self._run()
            with self._lock:
                if not self._lost or self.error is not None:
                    self._is_running = False
                    self.is_over = True
                    break
        self._changed()

    def _run(self) -> None:
        stream = None
        self._results = 0
        with self._lock:
            lost, self._lost = self._lost, set()
        for partition in sorted(lost):
            self._do(self.state.lose_reduce(partition))  # what is to run is put by _take_over
        self._remakes = bool(lost)
        try:
            stream = self._native.open_stream(_native.READ, [farm.results_form(self.job.id)], credit=_CREDIT)
            if self._is_new:  # nothing has happened before
                self._look()
            while not self._step(stream):
                self._changed()
        except Exception as error:  # noqa: BLE001  (whatever ends the thread is told to who waits)
            self.error = self.error or error
        finally:
            with suppress(LindenError):
                if stream is not None:
                    stream.close()
            self._release()

    def _step(self, stream: _native.Stream) -> bool:
        """Wait for results and act on them; whether the job is over."""
        batch = stream.next_batch(_POLL_S)
        self._results += len(batch)
        for handout in batch:
            self._do(self._on_result(handout.fields))
        if self.state.replays and not batch and self._has_all_results():
            self._settle()
        if self.state.failure is not None or self.state.is_done:
            return self._end(stream)
        if self._cancelled and self._held is not None:
            self.error = self._aborted()
            return self._end(stream)
        if not self.state.replays and time.monotonic() - self._looked_at > _LOOK_S:
            self._looked_at = time.monotonic()
            if self._look():
                return self._end(stream)
        if self._held is not None:
            self._look_for_slow_ones()
        return False

    def _has_all_results(self) -> bool:
        request = self._native.send_count(farm.results_form(self.job.id))
        return bool(self._results >= self._native.client.wait(request))

    def _settle(self) -> None:
        """What has happened before is known now, but for tasks that run."""
        for row in listed(self._native, farm.tasks_form(self.job.id)):
            self.state.note_put(TaskId.of(row["fields"][farm.TASK_NUMBER]))
        self._do(self.state.settle())
        if self.job.phase == job_tuples.FAILED and self.error is None and not self.state.is_done:
            self.error = EngineError(
                f"MapReduce {self.job.name} has failed: {self.job.facts.get('error', 'its results are gone')}"
            )

    def _on_result(self, fields: Any) -> list[Action]:
        task = TaskId.of(fields[farm.RESULT_NUMBER])
        status = fields[farm.RESULT_STATUS]
        value = decode(fields, f"{self.job.name}, {task.phase} task {task.index}")
        if isinstance(value, Failure):
            actions = self.state.on_result(task, farm.ERROR if status == farm.OK else status, None, str(value.error))
            self._errors[task] = value.error
            return actions
        return self.state.on_result(task, status, value, seconds=run_time(fields))

    def _do(self, actions: Iterable[Action]) -> None:
        puts, cancels = [], []
        for action in actions:
            if isinstance(action, Fail) and self.error is None:
                error = self._errors.get(action.task) if action.task is not None else None
                self.error = error or EngineError(f"MapReduce {self.job.name}: {action.reason}")
            if self._held is None:
                continue
            if isinstance(action, Submit):
                puts.append(self._task(action.task))
            elif isinstance(action, Cancel):
                cancels.append(action.task)
            elif isinstance(action, Drop):
                _drop_run(action.value)
        if puts:
            phase = TaskId.of(puts[0].fields[farm.TASK_NUMBER]).phase
            self._put(puts)
            if phase != self.job.phase or self._remakes:
                # A job that was done is made again in part.
                ended = [end for end in job_tuples.ENDED if not (self._remakes and end == job_tuples.DONE)]
                self._set_phase(phase, unless=(job_tuples.CANCELLING, *ended))
        if cancels and self.state.failure is None:  # else all that runs is cancelled at the end
            self._cancel(cancels)

    # ---- who drives

    def _look(self) -> bool:
        """Take over if nobody drives, and see whether the job is to end."""
        current = self._current()
        if current is None:
            self.error = self.error or TaskAborted(f"MapReduce {self.job.name} was purged")
            return True
        if current.phase in (job_tuples.CANCELLING, job_tuples.CANCELLED) or self._cancelled:
            self.error = self.error or self._aborted()
        if self._held is None:
            self._held = self._client.space.try_reserve(job_tuples.driver(self.job.id), lease=_LEASE_S)
            if self._held is not None and self.error is None:
                self._take_over()
        return self.error is not None and (self._held is not None or current.phase in job_tuples.ENDED)

    def _aborted(self) -> TaskAborted:
        return TaskAborted(f"MapReduce {self.job.name} was cancelled")

    def _take_over(self) -> None:
        """Put what should run and does not: whoever drove before may have ended anywhere."""
        here = set()
        if not self._is_new:
            for row in listed(self._native, farm.tasks_form(self.job.id)):
                here.add(TaskId.of(row["fields"][farm.TASK_NUMBER]))
        self._is_new = False
        for task in here:
            self.state.note_put(task)
        missing = [task for task in self.state.running() if task not in here]
        asked = [(task, self._native.send_count(farm.results_form(self.job.id, task.number))) for task in missing]
        actions: list[Action] = [Submit(task) for task, request in asked if not self._native.client.wait(request)]
        self._do([*actions, *self.state.go_on()])

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        with suppress(LindenError, StaleLease):
            if self.job.phase in (job_tuples.FAILED, job_tuples.CANCELLED):
                held.finish()  # there is nothing to drive any more
            else:
                held.release()

    # ---- the end

    def _end(self, stream: _native.Stream) -> bool:
        """Leave nothing that nobody needs: tasks, runs, files."""
        if self.job.phase in job_tuples.ENDED and not self._remakes:
            return True  # that was done when it ended
        if self._held is None and not self._look_once_more():
            return True  # somebody else does it
        current = self._current()
        if current is not None and current.phase in job_tuples.ENDED and not self._remakes:
            self.job = current  # whoever drove has done all this
            return True
        self._cancel(self.state.running())
        deadline = time.monotonic() + _ENDING_S
        is_there = current is not None  # else it was purged, and no more results will come
        while is_there and time.monotonic() < deadline and (self.state.running() or self._has_tasks()):
            self._take_results(stream)
        for value in self.state.values(MAP):
            _drop_run(value)
        folders = self._folders()
        run_store.drop_group(runs_of(self.job.id, MAP), folders)
        for folder in folders:
            run_store.sweep(folder)
        failed = self.error is not None
        self._remove_files(failed)
        self._forget(failed)
        return True

    def _folders(self) -> set[str]:
        values = [*self.state.values(MAP), *self.state.values(REDUCE)]
        return run_store.folders_of(value["run"] for value in values if value is not None and value["run"])

    def _take_results(self, stream: _native.Stream) -> None:
        for handout in stream.next_batch(_POLL_S):
            self._do(self._on_result(handout.fields))

    def _look_once_more(self) -> bool:
        self._held = self._client.space.try_reserve(job_tuples.driver(self.job.id), lease=_LEASE_S)
        return self._held is not None

    def _remove_files(self, failed: bool) -> None:
        """What engines that were killed had begun to write; of a job that has failed all that was written."""
        if failed:
            for value in self.state.values(REDUCE):
                _drop_run(value)
            run_store.drop_group(runs_of(self.job.id, REDUCE), self._folders())
        directory = self.job.facts["output"]
        if directory is not None:
            for path in Path(directory).glob("part-*" if failed else "part-*.tmp"):
                path.unlink(missing_ok=True)

    def _forget(self, failed: bool) -> None:
        """The farm forgets what is not needed to tell how the job has ended, or to make lost results again."""
        phase = job_tuples.DONE
        if failed:
            phase = job_tuples.CANCELLED if isinstance(self.error, TaskAborted) else job_tuples.FAILED
        is_kept = any(value is not None and value["run"] for value in self.state.values(REDUCE))
        if not self._remakes:
            self.job.facts["counters"] = self.state.counters()
        if failed:
            self.job.facts["error"] = str(self.error)
        self._set_phase(phase)
        if not failed:
            for attempt in range(1, self.state.attempts_max(MAP) + 1):
                first, last = TaskId(MAP, 0, attempt).number, TaskId(MAP, self.state.total(MAP), attempt).number
                for form in job_tuples.result_forms(self.job.id, first, last):
                    self.take_all(form)
        if failed or not is_kept:
            self.take_all(farm.shared_payload_form(self.job.id, ANY))

    # ---- words to the farm

    def counters(self) -> dict[str, int]:
        """Of all tasks that count: of the first result of each."""
        ended: dict[str, int] | None = self.job.facts.get("counters")
        return self.state.counters() if ended is None else dict(ended)

    def _task(self, task: TaskId) -> _native.Put:
        facts = self.job.facts
        payload: Any = task.index
        if task.phase != MAP:
            outputs = self.state.outputs_for_reduce()
            payload = serialize.pack(((self.job.id, task.index, outputs), {}), "the map outputs")
            take_pickled()  # runs that are shared are kept by the results of map tasks
        return farm.task(
            ANY_QUEUE,
            self.job.id,
            task.number,
            f"{self.job.name} {task.phase} {task.index}"[: farm.NAME_LENGTH_MAX],
            farm.APPLY,
            facts["functions"][task.phase],
            payload,
            retries=facts["retries"],
            priority=facts["priority"],
            submitted=time.time(),
            label=self.job.name,
        )

    def _put(self, puts: list[_native.Put]) -> None:
        for start in range(0, len(puts), _PAGE):
            self._native.client.wait(self._native.send_put(puts[start : start + _PAGE], patient=True))

    def _cancel(self, tasks: Iterable[TaskId]) -> None:
        ids = [farm.message_id(self.job.id, task.number) for task in tasks]
        if ids:
            cancelling.cancel(self._client, ids, ended=0)

    def _look_for_slow_ones(self) -> None:
        now = time.monotonic()
        if not self.state.is_near_end or now - self._slow_looked_at < _SLOW_LOOK_S:
            return
        self._slow_looked_at = now
        rows = list(listed(self._native, farm.tasks_form(self.job.id)))
        started = [TaskId.of(row["fields"][farm.TASK_NUMBER]) for row in rows if row["state"] == "started"]
        if len(started) < len(rows):
            return  # there is other work for whoever is idle
        busy = {row["holder"] for row in rows}
        idle = sum(engine.session not in busy for engine in self._client.engines() if not engine.is_native)
        self._do(self.state.speculate(started, idle, now))

    def _current(self) -> Job | None:
        rows = self._rows()
        return job_tuples.parse_job(rows[0]["fields"]) if rows else None

    def _rows(self) -> list[dict[str, Any]]:
        answer = self._native.client.wait(
            self._native.send_list(job_tuples.job_form(self.job.name, self.job.id), limit=1, all_states=True)
        )
        rows: list[dict[str, Any]] = answer["tuples"]
        return rows

    def _set_phase(self, phase: str, unless: tuple[str, ...] = ()) -> None:
        while (rows := self._rows()) and job_tuples.parse_job(rows[0]["fields"]).phase not in unless:
            job = self.job._replace(phase=phase)
            with suppress(NoMatch, TransactionConflict):  # somebody else has changed it meanwhile: look again
                self._native.client.wait(self._native.send_commit([job.put()], [], [rows[0]["id"]]))
                self.job = job
                return

    def _has_tasks(self) -> bool:
        form = farm.tasks_form(self.job.id)
        return bool(self._native.client.wait(self._native.send_list(form, limit=1, all_states=True))["tuples"])

    def take_all(self, form: tuple[Any, ...]) -> None:
        """Remove all tuples that match."""
        while True:
            request = self._native.send_take(_native.TAKE, [form], count=_PAGE, timeout=0.0)
            try:
                self._native.client.wait(request)
            except NoMatch:
                return


def _drop_run(value: Any) -> None:
    if value is not None and value.get("run"):
        run_store.drop(value["run"])
