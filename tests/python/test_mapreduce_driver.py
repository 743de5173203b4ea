"""The driver of a MapReduce job with a farm in memory: who drives, what is put, and what goes at the end."""

import math
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from linden import _native, farm, job_tuples, mapreduce, serialize
from linden.errors import NoMatch, TransactionConflict
from linden.job_tuples import Job
from linden.mapreduce_driver import Driver
from linden.mapreduce_state import MAP, REDUCE, TaskId

ID = "a" * 32


class FakeSpace:
    """A bag of tuples with as much of a native space as a driver needs; `act` is what engines do when it waits for results."""

    def __init__(self) -> None:
        self.rows: dict[int, tuple[Any, ...]] = {}
        self.seen = 0
        self.act: Any = lambda: None
        self.before_commit: Any = None  # what another client does just then
        self.held: set[int] = set()
        self._next = 0
        self._answers: dict[int, Any] = {}
        self.client = SimpleNamespace(wait=self._wait)
        self.lock = threading.RLock()

    def put(self, fields: tuple[Any, ...]) -> int:
        with self.lock:
            self._next += 1
            self.rows[self._next] = fields
            return self._next

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [fields for fields in self.rows.values() if fields[0] == kind]

    def _matching(self, form: tuple[Any, ...]) -> list[int]:
        def fits(value: Any, wanted: Any) -> bool:
            if isinstance(wanted, _native.Between):
                low, high = map(int, repr(wanted).removeprefix("Between(").removesuffix(")").split(","))
                return bool(low <= value <= high)
            return not isinstance(wanted, (str, int)) or value == wanted

        return [id_ for id_, fields in self.rows.items() if len(fields) == len(form) and all(map(fits, fields, form))]

    def _answer(self, answer: Any) -> int:
        self._next += 1
        self._answers[self._next] = answer
        return self._next

    def _wait(self, request: int, _timeout: float | None = None) -> Any:
        answer = self._answers.pop(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    # ---- as a native space

    def send_put(self, puts: list[_native.Put], patient: bool = False) -> int:
        return self._answer([self.put(put.fields) for put in puts])

    def send_commit(self, puts: list[_native.Put], finishes: Any, takes: list[int]) -> int:
        if self.before_commit is not None:
            before, self.before_commit = self.before_commit, None
            before()
        if not self.rows.keys() >= set(takes):
            return self._answer(TransactionConflict("it is gone"))
        for id_ in takes:
            del self.rows[id_]
        return self.send_put(puts)

    def send_list(self, form: tuple[Any, ...], *, after: int = 0, limit: int = 100, all_states: bool = False) -> int:
        ids = [id_ for id_ in self._matching(form) if id_ > after]
        rows = [{"id": id_, "state": "started", "holder": "e", "fields": self.rows[id_]} for id_ in ids]
        return self._answer({"tuples": rows[:limit], "more": len(rows) > limit})

    def send_count(self, form: tuple[Any, ...]) -> int:
        return self._answer(len(self._matching(form)))

    def send_take(self, mode: int, forms: Any, count: int = 1, timeout: float | None = None) -> int:
        found = self._matching(forms[0])[:count]
        for id_ in found:
            del self.rows[id_]
        return self._answer(found or NoMatch("nothing"))

    def open_stream(self, *_args: Any, **_options: Any) -> Any:
        return SimpleNamespace(next_batch=self._next_batch, close=lambda: None)

    def _next_batch(self, _timeout: float) -> list[SimpleNamespace]:
        self.act()
        fresh = [id_ for id_ in self._matching(farm.results_form(ID)) if id_ > self.seen]
        self.seen = max(fresh, default=self.seen)
        return [SimpleNamespace(fields=self.rows[id_]) for id_ in fresh]

    # ---- as the space of a client

    def try_reserve(self, form: tuple[Any, ...], *, lease: float) -> Any:
        found = [id_ for id_ in self._matching(form) if id_ not in self.held]
        if not found:
            return None
        self.held.add(found[0])
        return SimpleNamespace(
            release=lambda: self.held.discard(found[0]), finish=lambda: self.rows.pop(found[0]), id=found[0]
        )


@pytest.fixture
def space() -> FakeSpace:
    return FakeSpace()


def job_in(space: FakeSpace, maps: int = 2, reduces: int = 1) -> Job:
    facts = {
        "maps": maps,
        "reduces": reduces,
        "sort": True,
        "output": None,
        "functions": {MAP: "m", REDUCE: "r"},
        "retries": None,
        "priority": 0,
    }
    job = Job("words", ID, "map", facts)
    space.put(job.put().fields)
    space.put(job_tuples.driver(ID))
    for index in range(maps):
        space.put(job_tuples.payload(ID, index, "split").fields)
    return job


def driver_of(space: FakeSpace, job: Job, *, is_new: bool = True) -> Driver:
    client = SimpleNamespace(space=SimpleNamespace(native=space, try_reserve=space.try_reserve), engines=list)
    return Driver(client, job, lambda: None, is_new=is_new)  # type: ignore[arg-type]


def finish(space: FakeSpace, number: int, value: Any, status: str = farm.OK) -> None:
    """What an engine does: the task goes, its result comes."""
    (id_,) = space._matching(farm.tasks_form(ID, number))
    del space.rows[id_]
    payload = serialize.pack_result(value) if status == farm.OK else value
    space.put(farm.result(ID, number, status, [0, "e" * 32, 1.0, 2.0], payload).fields)


def value(data: bytes | None = None) -> dict[str, Any]:
    return {"run": None, "data": data, "counters": {}, "pairs": 1}


def work(space: FakeSpace) -> None:
    """An engine that does whatever is there."""
    for fields in space.of("task"):
        finish(space, fields[farm.TASK_NUMBER], value(b"x"))


def test_a_job_is_driven_to_its_end_and_leaves_its_results(space: FakeSpace) -> None:
    job = job_in(space)
    driver = driver_of(space, job)
    space.act = lambda: work(space)
    driver._run_all()
    assert driver.is_over
    assert driver.error is None
    assert driver.state.is_done
    # The job, who may drive, and what was reduced; what maps have said and read is gone.
    assert [TaskId.of(fields[farm.RESULT_NUMBER]).phase for fields in space.of("result")] == [REDUCE]
    assert space.of("payload") == []
    assert [job_tuples.parse_job(fields).phase for fields in space.of("job")] == ["done"]


def test_maps_come_first_and_reduce_tasks_get_their_outputs(space: FakeSpace) -> None:
    driver = driver_of(space, job_in(space))
    driver._look()
    stream = space.open_stream()
    numbers = [fields[farm.TASK_NUMBER] for fields in space.of("task")]
    assert [TaskId.of(number) for number in numbers] == [TaskId(MAP, 0, 1), TaskId(MAP, 1, 1)]
    assert [fields[farm.TASK_PAYLOAD] for fields in space.of("task")] == [0, 1]
    for index, number in enumerate(numbers):
        finish(space, number, value() | {"run": ["host", f"run {index}", 1]})
    assert not driver._step(stream)
    (task,) = space.of("task")
    (id_, partition, outputs), _ = serialize.unpack(task[farm.TASK_PAYLOAD])
    assert (id_, partition) == (ID, 0)
    assert outputs == [(0, 1, ["host", "run 0", 1]), (1, 1, ["host", "run 1", 1])]
    assert [job_tuples.parse_job(fields).phase for fields in space.of("job")] == ["reduce"]


def test_only_one_of_two_clients_drives(space: FakeSpace) -> None:
    """The other looks on, and comes to the same end."""
    job = job_in(space)
    first, second = driver_of(space, job), driver_of(space, job, is_new=False)
    first._look()
    second._look()
    assert len(space.of("task")) == 2
    work(space)
    second._step(space.open_stream())
    assert second.state.done(MAP) == 2
    assert len(space.of("task")) == 0  # the first would put the reduce task


def test_whoever_takes_over_puts_what_is_missing_and_nothing_twice(space: FakeSpace) -> None:
    """F1: the client that drove before was killed after one of two maps had its result."""
    job = job_in(space)
    first = driver_of(space, job)
    first._look()
    finish(space, TaskId(MAP, 0, 1).number, value())
    assert first._held is not None
    first._held.release()
    second = driver_of(space, job, is_new=False)
    second._step(space.open_stream())
    second._look()
    assert [fields[farm.TASK_NUMBER] for fields in space.of("task")] == [TaskId(MAP, 1, 1).number]
    space.act = lambda: work(space)
    space.seen = 0
    second._run_all()
    assert second.state.is_done


def test_a_failure_is_told_and_the_job_says_so(space: FakeSpace) -> None:
    driver = driver_of(space, job_in(space, maps=1))
    bad = farm.error_payload([farm.ItemError(0, "ValueError", "bad line", "", None)], None)
    space.act = lambda: [finish(space, fields[farm.TASK_NUMBER], bad, farm.ERROR) for fields in space.of("task")]
    driver._run_all()
    assert "bad line" in str(driver.error)
    assert [job_tuples.parse_job(fields).phase for fields in space.of("job")] == ["failed"]
    assert space.of("payload") == space.of("job_driver") == []


def test_a_job_that_was_purged_ends_whoever_waits_for_it(space: FakeSpace) -> None:
    driver = driver_of(space, job_in(space))
    driver._look()
    for kind in ("job", "task"):
        for fields in space.of(kind):
            space.rows = {id_: row for id_, row in space.rows.items() if row is not fields}
    driver._looked_at = 0.0
    driver._run_all()
    assert "was purged" in str(driver.error)


def phases(space: FakeSpace) -> list[str]:
    return [job_tuples.parse_job(fields).phase for fields in space.of("job")]


def change_phase(space: FakeSpace, phase: str) -> None:
    """Another client does it."""
    (id_,) = space._matching(job_tuples.job_form())
    job = job_tuples.parse_job(space.rows.pop(id_))
    space.put(job._replace(phase=phase).put().fields)


def test_the_other_copy_of_the_last_reduce_task_is_cancelled(space: FakeSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = driver_of(space, job_in(space, maps=1))
    cancelled: list[TaskId] = []
    monkeypatch.setattr(driver, "_cancel", cancelled.extend)
    stream = space.open_stream()
    driver._look()
    work(space)
    driver._step(stream)
    driver._do([driver.state._submit(REDUCE, 0)])
    finish(space, TaskId(REDUCE, 0, 2).number, value(b"x"))
    space.act = lambda: [
        finish(space, task.number, b"", farm.CANCELLED)
        for task in cancelled
        if space._matching(farm.tasks_form(ID, task.number))
    ]
    assert driver._step(stream)
    assert cancelled == [TaskId(REDUCE, 0, 1)]
    assert space.of("task") == []


def test_whoever_attaches_to_a_job_that_is_done_leaves_it_as_it_is(space: FakeSpace) -> None:
    """Its counters tell of map tasks, whose results are gone."""
    job = job_in(space)
    space.act = lambda: work(space)
    driver_of(space, job)._run_all()
    (before,) = space.of("job")
    counters = job_tuples.parse_job(before).facts["counters"]
    assert counters["map pairs"] == 2
    for _ in range(2):
        space.seen = 0
        again = driver_of(space, job_tuples.parse_job(before), is_new=False)
        again._run_all()
        assert again.error is None
        assert again.counters() == counters
        assert space.of("job") == [before]


def test_whoever_attached_before_the_end_leaves_it_as_it_is_too(space: FakeSpace) -> None:
    job = job_in(space)
    watcher = driver_of(space, job, is_new=False)
    space.act = lambda: work(space)
    driver_of(space, job)._run_all()
    (before,) = space.of("job")
    space.seen = 0
    watcher._run_all()
    assert space.of("job") == [before]


def test_a_job_that_has_failed_says_why_when_no_result_does(space: FakeSpace) -> None:
    job = job_in(space, maps=1)
    failed = job._replace(phase=job_tuples.FAILED, facts={**job.facts, "error": "the output of map task 0 was lost"})
    change_phase(space, job_tuples.FAILED)
    driver = driver_of(space, failed, is_new=False)
    driver._run_all()
    assert "the output of map task 0 was lost" in str(driver.error)


def test_a_failed_copy_is_not_judged_before_all_results_are_known(space: FakeSpace) -> None:
    """F1: whoever comes later reads the failure first; the other copy, which runs or is done, counts."""
    job = job_in(space, maps=1)
    bad = farm.error_payload([farm.ItemError(0, "ValueError", "bad luck", "", None)], None)
    for attempt in (1, 2):
        space.put(driver_of(space, job)._task(TaskId(MAP, 0, attempt)).fields)
    finish(space, TaskId(MAP, 0, 1).number, bad, farm.ERROR)
    driver = driver_of(space, job, is_new=False)
    stream = space.open_stream()
    assert not driver._step(stream)
    assert not driver._step(stream)
    assert driver.error is None
    space.act = lambda: work(space)
    driver._run_all()
    assert driver.error is None
    assert phases(space) == ["done"]


def test_what_is_lost_while_the_thread_ends_is_made_again(space: FakeSpace) -> None:
    job = job_in(space)
    driver = driver_of(space, job)
    space.act = lambda: work(space)
    driver._run_all()
    driver._is_running = True  # as just before its end
    driver.remake([0])
    assert not driver.is_over
    space.seen = 0
    driver._run_all()
    assert driver.is_over
    assert driver.state.is_done
    assert driver.error is None
    assert phases(space) == ["done"]
    assert TaskId(REDUCE, 0, 2).number in [fields[farm.RESULT_NUMBER] for fields in space.of("result")]


def test_a_cancel_is_not_overwritten_by_the_next_phase(space: FakeSpace) -> None:
    driver = driver_of(space, job_in(space))
    driver._look()
    work(space)
    driver._looked_at = math.inf
    space.before_commit = lambda: change_phase(space, job_tuples.CANCELLING)
    driver._step(space.open_stream())
    assert phases(space) == [job_tuples.CANCELLING]


def test_a_cancel_is_seen_while_results_keep_coming(space: FakeSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = driver_of(space, job_in(space, maps=3))
    monkeypatch.setattr(driver, "_cancel", lambda tasks: None)
    monkeypatch.setattr("linden.mapreduce_driver._ENDING_S", 0.0)
    driver._look()
    change_phase(space, job_tuples.CANCELLING)
    finish(space, TaskId(MAP, 0, 1).number, value())
    driver._looked_at = 0.0
    assert driver._step(space.open_stream())
    assert "was cancelled" in str(driver.error)
    assert phases(space) == [job_tuples.CANCELLED]


def test_another_job_of_the_same_name_is_another(space: FakeSpace) -> None:
    other = Job("words", "b" * 32, "map", {})
    space.put(other.put().fields)
    driver = driver_of(space, job_in(space))
    space.act = lambda: work(space)
    driver._run_all()
    assert driver.error is None
    assert phases(space) == ["map", "done"]


def test_a_job_whose_input_was_begun_is_forgotten_however_much_of_it_there_is() -> None:
    left = {form[0]: 2500 for form in [*job_tuples.all_forms(ID), job_tuples.job_form()]}

    def take_many(form: tuple[Any, ...], count: int, timeout: float) -> list[Any]:
        taken = min(count, left[form[0]])
        left[form[0]] -= taken
        return [form] * taken

    mapreduce._forget(SimpleNamespace(space=SimpleNamespace(take_many=take_many)), Job("words", ID, "input", {}))  # type: ignore[arg-type]
    assert set(left.values()) == {0}
