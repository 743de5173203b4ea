"""Output on its way to the farm: bounded, in order, and not lost in a full space (F5)."""

from typing import Any

import pytest
from linden import farm
from linden.errors import OutcomeUnknown, Overloaded
from linden_engine.sink import FarmSink


class Space:
    """Answers puts when somebody waits for them; `full`: it refuses them; `silent`: it does not answer in time."""

    def __init__(self) -> None:
        self.puts: list[Any] = []
        self.waited: list[int] = []
        self.full = self.silent = False
        self.client = self

    def send_put(self, puts: list[Any]) -> int:
        self.puts += puts
        return len(self.puts)

    def wait(self, request: int, timeout: float | None = None) -> None:
        if self.silent and timeout is not None:
            raise OutcomeUnknown("no answer in time")
        self.waited.append(request)
        if self.full:
            raise Overloaded("the space is full")


@pytest.fixture
def space() -> Space:
    return Space()


@pytest.fixture
def sink(space: Space) -> FarmSink:
    return FarmSink(space)  # type: ignore[arg-type]


def piece(n: int, size: int = 100_000) -> list[Any]:
    return [farm.output("c" * 32, 1, "stdout", n, "x" * size)]


def test_who_sends_more_than_the_window_waits_for_the_oldest(sink: FarmSink, space: Space) -> None:
    for n in range(10):
        sink.send(piece(n))
        assert not sink.is_full
        sink.confirm()
    assert space.waited == []
    sink.send(piece(10))
    assert sink.is_full
    sink.confirm()
    assert not sink.is_full
    assert space.waited == [1]


def test_who_does_not_want_to_wait_does_not(sink: FarmSink, space: Space) -> None:
    space.silent = True
    for n in range(20):
        sink.send(piece(n))
    sink.confirm(0.0)
    assert sink.is_full
    space.silent = False
    sink.confirm(0.0)
    assert not sink.is_full


def test_before_a_result_all_of_it_has_arrived(sink: FarmSink, space: Space) -> None:
    for n in range(3):
        sink.send(piece(n, 10))
    assert sink.settle() == []
    assert space.waited == [1, 2, 3]
    assert sink.settle() == []


def test_what_a_full_space_refuses_goes_with_the_result(sink: FarmSink, space: Space) -> None:
    space.full = True
    for n in range(3):
        sink.send(piece(n, 10))
    assert [put.fields[4] for put in sink.settle()] == [0, 1, 2]
    assert sink.settle() == []


def test_what_is_too_much_for_that_is_replaced_by_a_note(sink: FarmSink, space: Space) -> None:
    space.full = True
    for n in range(60):
        sink.send(piece(n))
        sink.confirm()
    refused = [put.fields for put in sink.settle()]
    assert sum(row[3] == "stdout" for row in refused) == 41
    notes = [row[5] for row in refused if row[3] == "stderr"]
    assert len(notes) == 19
    assert "bytes of output are missing here, the space was full" in notes[0]


def test_an_interrupted_wait_leaves_the_account_right(sink: FarmSink, space: Space) -> None:
    def interrupt(_request: int, _timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    answer, space.wait = space.wait, interrupt  # type: ignore[method-assign]
    for n in range(11):
        sink.send(piece(n))
    with pytest.raises(KeyboardInterrupt):
        sink.confirm()
    space.wait = answer  # type: ignore[method-assign]
    assert not sink.is_full
    assert sink.settle() == []
    assert space.waited == list(range(2, 12))
