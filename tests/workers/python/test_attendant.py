"""An engine ends with its parent; the parent has gone as soon as it has ended, not only when somebody has reaped it.
And an engine that was taken for dead notices."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from linden.errors import OutcomeUnknown
from linden_engine.attendant import PARENT_GONE, Attendant, can_be_read, watched
from linden_engine.interrupts import Interrupts
from linden_engine.log import Log
from linden_engine.output import TaskOutput
from linden_engine.restart import Beginning


def test_a_process_that_waits_to_be_reaped_has_gone() -> None:
    child = subprocess.Popen(["/bin/sleep", "100"])
    with watched(child.pid) as descriptor:
        assert not can_be_read(descriptor)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert can_be_read(descriptor)
    child.wait()
    with watched(child.pid) as descriptor:
        assert can_be_read(descriptor)
    with watched(None) as descriptor:
        assert not can_be_read(descriptor)


class FarmWithout:
    """A client and a space in which the engine is not registered any more; what clients say comes by `say`."""

    session = "5" * 32
    connected = True
    reconnects = 0

    def __init__(self, silent_for: int = 0) -> None:
        self.closed = threading.Event()
        self.words: list[Any] = []
        self.ring: Any = None
        self._silent_for = silent_for

    def open_stream(self, *_arguments: Any, **_options: Any) -> Any:
        return SimpleNamespace(next=lambda _timeout: self.words.pop(0) if self.words else None, on_news=self._on_news)

    def _on_news(self, bell: Any) -> None:
        self.ring = bell.ring

    def say(self, verb: str, argument: Any) -> None:
        self.words.append(SimpleNamespace(fields=("control", self.session, verb, argument)))
        self.ring()

    def send_count(self, _form: Any) -> int:
        return 1

    def wait(self, _request: int, _timeout: float) -> int:
        if self._silent_for > 0:
            self._silent_for -= 1
            raise OutcomeUnknown("no answer in time")
        return 0

    def close(self) -> None:
        self.closed.set()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


Make = Callable[..., Attendant]


@pytest.fixture
def attendant() -> Iterator[Make]:
    """``attendant(farm, ...)``: one that has begun."""
    made: list[Attendant] = []

    def make(
        farm: Any,
        interrupts: Interrupts | None = None,
        output: TaskOutput | None = None,
        parent: int | None = None,
        since: float | None = None,
    ) -> Attendant:
        output = output or TaskOutput()
        interrupts = interrupts or Interrupts(output)
        since = time.monotonic() if since is None else since
        made.append(
            Attendant(farm, farm, 0, output, Log(quiet=True), parent, interrupts, Beginning(), registering_since=since)
        )
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.join()


@pytest.mark.parametrize("silent_for", [0, 2])
def test_a_pause_between_registering_and_the_first_look_is_noticed(attendant: Make, silent_for: int) -> None:
    """Also when the server is too busy to answer at first."""
    farm = FarmWithout(silent_for)
    given_up = attendant(farm, since=time.monotonic() - 2)
    assert farm.closed.wait(20)
    assert given_up.given_up


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Interrupts:
    """Of an engine without a task, whose attendant sleeps until it is woken."""
    monkeypatch.setattr("linden_engine.attendant.IDLE_S", 1000.0)
    interrupts = Interrupts(TaskOutput())
    interrupts.waiting = True
    return interrupts


def test_an_idle_one_hears_what_clients_say(attendant: Make, idle: Interrupts) -> None:
    farm = FarmWithout()
    attendant(farm, idle)
    farm.say("cancel", ["me", 7])
    wait_until(lambda: idle.was_cancelled(("me", 7)))


def test_an_idle_one_lets_the_engine_leave(attendant: Make, idle: Interrupts) -> None:
    closed = threading.Event()
    attendant(FarmWithout(), idle).tasks = SimpleNamespace(close=closed.set)  # type: ignore[assignment]
    idle.leave("SIGUSR1")
    assert closed.wait(20)


def test_an_idle_one_notices_that_the_server_was_away(attendant: Make, idle: Interrupts) -> None:
    """However short that was: what the engine has registered lives as long as its hold time."""
    farm = FarmWithout()
    attendant(farm, idle)
    farm.reconnects = 1
    farm.ring()
    assert farm.closed.wait(20)


def test_an_idle_one_notices_the_end_of_its_parent(
    attendant: Make, idle: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str | None] = []
    monkeypatch.setattr(Attendant, "_end", lambda _, reason: ended.append(reason))
    child = subprocess.Popen(["/bin/sleep", "100"])
    attendant(FarmWithout(), idle, parent=child.pid)
    child.kill()
    child.wait()
    wait_until(lambda: ended == [PARENT_GONE])


def test_what_a_task_prints_is_sent_though_the_attendant_sleeps(
    attendant: Make, idle: Interrupts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linden_engine.attendant.PERIOD_S", 0.01)
    output = TaskOutput()
    sent = threading.Event()
    output.send_with(SimpleNamespace(send=lambda _puts: sent.set(), is_full=False))  # type: ignore[arg-type]
    one = attendant(FarmWithout(), idle, output)
    wait_until(lambda: one._sleeps)
    output.begin("me", 7)
    one.task_begins()
    output.write("stdout", "hello")
    assert sent.wait(20)
