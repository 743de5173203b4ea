"""The demo on a part of its input: three identical results, with and without a terminal."""

import os
import pty
import subprocess
import sys

COMMAND = [sys.executable, "-m", "linden_launchers.demo", "--files", "120"]


def test_in_a_pipe() -> None:
    done = subprocess.run(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].startswith("All three results are identical")
    assert "killed the server with -9" in done.stdout
    assert "space-admin queues" in done.stdout
    assert "\r" not in done.stdout


def test_in_a_terminal() -> None:
    master, terminal = pty.openpty()
    with subprocess.Popen(COMMAND, stdin=terminal, stdout=terminal, stderr=terminal) as demo:
        os.close(terminal)
        shown = b""
        try:
            while part := os.read(master, 65536):
                shown += part
        except OSError:  # Linux says EIO when the last writer has gone
            pass
    os.close(master)
    assert demo.returncode == 0, shown.decode()
    assert b"All three results are identical" in shown
