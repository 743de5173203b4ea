"""An engine ends with its parent; the parent has gone as soon as it has ended, not only when somebody has reaped it.
And an engine that was taken for dead notices."""

import os
import subprocess
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from linden.errors import OutcomeUnknown
from linden_engine.attendant import Attendant, is_alive
from linden_engine.interrupts import Interrupts
from linden_engine.log import Log
from linden_engine.output import TaskOutput
from linden_engine.restart import Beginning


def test_a_process_that_waits_to_be_reaped_is_not_alive() -> None:
    child = subprocess.Popen(["/bin/sleep", "100"])
    assert is_alive(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid)
    child.wait()
    assert not is_alive(child.pid)


class FarmWithout:
    """A client and a space in which the engine is not registered any more."""

    session = "5" * 32
    connected = True

    def __init__(self, silent_for: int = 0) -> None:
        self.closed = threading.Event()
        self._silent_for = silent_for

    def open_stream(self, *_arguments: Any, **_options: Any) -> Any:
        return SimpleNamespace(next=lambda _timeout: None)

    def send_count(self, _form: Any) -> int:
        return 1

    def wait(self, _request: int, _timeout: float) -> int:
        if self._silent_for > 0:
            self._silent_for -= 1
            raise OutcomeUnknown("no answer in time")
        return 0

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("silent_for", [0, 2])
def test_a_pause_between_registering_and_the_first_look_is_noticed(silent_for: int) -> None:
    """Also when the server is too busy to answer at first."""
    farm: Any = FarmWithout(silent_for)
    output = TaskOutput()
    attendant = Attendant(
        farm,
        farm,
        0,
        output,
        Log(quiet=True),
        None,
        Interrupts(output),
        Beginning(),
        registering_since=time.monotonic() - 2,
    )
    attendant.start()
    assert farm.closed.wait(20)
    assert attendant.given_up
    attendant.join()
