"""An engine ends with its parent; the parent has gone as soon as it has ended, not only when somebody has reaped it."""

import os
import subprocess

from linden_engine.attendant import is_alive


def test_a_process_that_waits_to_be_reaped_is_not_alive() -> None:
    child = subprocess.Popen(["/bin/sleep", "100"])
    assert is_alive(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid)
    child.wait()
    assert not is_alive(child.pid)
