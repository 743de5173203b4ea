"""One stream for all results: drained by whoever waits, by the completion thread if nobody does, safe against Ctrl-C."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from fake_native import FakeFarm
from linden import farm
from linden.errors import ConnectionLost, InvalidArgument, OutcomeUnknown


class Group:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.results: list[int] = []
        self.outputs: dict[int, tuple[int, str, str]] = {}
        self.error: BaseException | None = None
        self.done = threading.Event()

    def store_result(self, number: int, fields: Sequence[Any]) -> bool:
        self.results.append(number)
        return True

    def complete(self) -> None:
        self.done.set()

    def store_output(self, number: int, id: int, stream: str, text: str) -> None:
        self.outputs[id] = (number, stream, text)

    def fail(self, error: BaseException) -> None:
        self.error = error
        self.done.set()


@pytest.fixture
def fake() -> FakeFarm:
    return FakeFarm()


def test_results_go_to_the_group_that_expects_them(fake: FakeFarm) -> None:
    first, second = Group(), Group()
    fake.reader.expect(range(1, 3), first)
    fake.reader.expect(range(3, 4), second)
    for number in (3, 1, 2, 99):
        fake.deliver(number, farm.OK, None)
    assert fake.reader.wait_until(lambda: len(first.results) == 2, 1)
    assert first.results == [1, 2]
    assert second.results == [3]
    assert fake.reader.outstanding() == []


def test_output_arrives_before_the_result(fake: FakeFarm) -> None:
    """F5"""
    group = Group()
    fake.reader.expect(range(1, 2), group)
    fake.arrive(farm.output(fake.session, 1, "stdout", 0, "hello"))
    fake.deliver(1, farm.OK, None)
    fake.reader.wait_until(lambda: bool(group.results), 1)
    assert list(group.outputs.values()) == [(1, "stdout", "hello")]


def test_ctrl_c_may_consume_the_answer_to_a_put(fake: FakeFarm) -> None:
    """Nobody waits for ever for an answer that has come already."""
    waits: list[float | None] = []

    def wait(_request: int, timeout: float | None = None) -> None:
        waits.append(timeout)
        if len(waits) == 1:
            raise KeyboardInterrupt
        raise OutcomeUnknown("no answer in time")

    group = Group()
    fake.native_client.wait = wait
    fake.reader.expect(range(1, 2), group)
    fake.reader.confirm_later(7, group)
    with pytest.raises(KeyboardInterrupt):
        fake.reader.wait_until(lambda: bool(group.results), 5)
    fake.deliver(1, farm.OK, None)
    assert fake.reader.wait_until(lambda: bool(group.results), None)
    fake.reader._confirm(None)
    assert not fake.reader._unconfirmed
    assert group.error is None
    assert None not in waits[1:]  # which is for ever


def test_waiting_ends_at_its_timeout(fake: FakeFarm) -> None:
    fake.reader.expect(range(1, 2), Group())
    assert fake.reader.wait_until(lambda: False, 0.01) is False


def test_ctrl_c_loses_nothing(fake: FakeFarm) -> None:
    """The interruption comes while a result is being stored; the next wait stores it again."""
    group = Group()
    fake.reader.expect(range(1, 3), group)
    fake.deliver(1, farm.OK, None)
    fake.deliver(2, farm.OK, None)
    store = group.store_result
    interrupted = []

    def interrupt(number: int, fields: Sequence[Any]) -> bool:
        if not interrupted:
            interrupted.append(number)
            raise KeyboardInterrupt
        return store(number, fields)

    group.store_result = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        fake.reader.wait_until(lambda: len(group.results) == 2, 1)
    assert fake.reader.wait_until(lambda: len(group.results) == 2, 1)
    assert group.results == [1, 2]


def test_a_refused_put_fails_its_group(fake: FakeFarm) -> None:
    fake.refuse = lambda fields: fields[0] == "task"
    group = Group()
    fake.reader.expect(range(1, 2), group)
    fake.submitter.send([farm.task("any", fake.session, 1, "f", farm.APPLY, "", None)], group)
    assert fake.reader.wait_until(group.done.is_set, 1)
    assert isinstance(group.error, InvalidArgument)


def test_a_put_without_an_answer_yet_does_not_hold_up_a_short_wait(fake: FakeFarm) -> None:
    fake.answers_known = False
    group = Group()
    fake.reader.expect(range(1, 2), group)
    fake.submitter.send([farm.task("any", fake.session, 1, "f", farm.APPLY, "", None)], group)
    assert fake.reader.wait_until(lambda: False, 0) is False


def test_the_completion_thread_takes_over_when_nobody_waits(fake: FakeFarm) -> None:
    group = Group()
    fake.reader.expect(range(1, 2), group)
    fake.deliver(1, farm.OK, None)
    fake.reader.nudge()
    assert group.done.wait(5)
    fake.reader.close()


def test_a_callback_may_wait_for_another_result(fake: FakeFarm) -> None:
    first, second = Group(), Group()
    fake.reader.expect(range(1, 2), first)
    fake.reader.expect(range(2, 3), second)
    fake.deliver(1, farm.OK, None)
    waited = []

    def wait_for_second() -> None:
        fake.deliver(2, farm.OK, None)
        waited.append(fake.reader.wait_until(lambda: bool(second.results), 1))

    first.complete = wait_for_second  # type: ignore[method-assign]
    assert fake.reader.wait_until(lambda: bool(second.results), 5)
    assert waited == [True]
    assert (first.results, second.results) == ([1], [2])


def test_followers_are_served_by_whoever_drains(fake: FakeFarm) -> None:
    groups = [Group() for _ in range(4)]
    for number, group in enumerate(groups):
        fake.reader.expect(range(number, number + 1), group)
    answers: list[bool] = []
    threads = [
        threading.Thread(target=lambda g=group: answers.append(fake.reader.wait_until(lambda: bool(g.results), 5)))
        for group in groups
    ]
    for thread in threads:
        thread.start()
    for number in range(4):
        fake.deliver(number, farm.OK, None)
    for thread in threads:
        thread.join(60)
    assert answers == [True] * 4


def test_a_lost_connection_ends_a_wait(fake: FakeFarm) -> None:
    def lost(*_args: Any) -> Any:
        raise ConnectionLost("gone")

    fake.stream.next_batch = lost
    fake.reader.expect(range(1, 2), Group())
    with pytest.raises(ConnectionLost):
        fake.reader.wait_until(lambda: False, 1)


def test_a_lost_connection_fails_what_is_outstanding(fake: FakeFarm) -> None:
    def lost(*_args: Any) -> Any:
        raise ConnectionLost("gone")

    fake.stream.next_batch = lost
    group = Group()
    fake.reader.expect(range(1, 2), group)
    fake.reader.nudge()
    assert group.done.wait(5)
    assert isinstance(group.error, ConnectionLost)
