"""A batch system in a file: it forks the jobs for real, and files in its folder make it nasty.

It follows no product (those are in tests/launchers/stubs); it is what the launcher "generic" is told of by templates, so that clusters can
be tested whole without any scheduler.

    little_queue.py FOLDER submit SCRIPT | status ID... | cancel ID...

Files in FOLDER: `full` jobs stay pending, their reason is what it contains; `held` likewise; `refuse` submissions fail with what it
contains; `forgetful` it lists no job at all; `stubborn` it cancels nothing; `calls` a line for each call.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    folder, verb, *rest = Path(sys.argv[1]), *sys.argv[2:]
    with (folder / "calls").open("a") as calls:
        calls.write(f"{verb} {' '.join(rest)}\n")
    with (folder / "lock").open("w") as lock:  # one call at a time, as a controller works
        fcntl.flock(lock, fcntl.LOCK_EX)
        return {"submit": submit, "status": status, "cancel": cancel}[verb](folder, rest)


def submit(folder: Path, rest: list[str]) -> int:
    if (folder / "refuse").exists():
        print((folder / "refuse").read_text(), file=sys.stderr)
        return 1
    id_ = 1 + max((int(path.name) for path in folder.glob("[0-9]*")), default=16)
    job = folder / str(id_)
    job.mkdir()
    (job / "script").write_text(rest[0])
    start_waiting(folder)
    print(f"Request {id_} accepted.")
    return 0


def start_waiting(folder: Path) -> None:
    """Starts what waits, if there is room."""
    if (folder / "full").exists() or (folder / "held").exists():
        return
    for job in folder.glob("[0-9]*"):
        if (job / "pid").exists() or (job / "exit").exists():
            continue
        script = (job / "script").read_text()
        log = Path(script).parent / f"job-{job.name}.log"
        # The shell notes how the job ends, since nobody of us is there by then.
        command = '"$1"; code=$?; echo $code >"$2/exit.new"; mv "$2/exit.new" "$2/exit"'
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["/bin/sh", "-c", command, "job", script, str(job)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, close_fds=True,
            )  # fmt: skip
        (job / "pid").write_text(str(process.pid))


def status(folder: Path, ids: list[str]) -> int:
    start_waiting(folder)
    if (folder / "forgetful").exists():
        return 0
    for id_ in ids:
        job = folder / id_
        if (job / "exit").exists():
            code = int((job / "exit").read_text())
            print(id_, "cancelled" if code == -1 else "done" if code == 0 else "failed", f"exit {code}" if code else "")
        elif (job / "pid").exists():
            print(id_, "running")
        else:
            why = "full" if (folder / "full").exists() else "held"
            print(id_, "pending" if why == "full" else "held", (folder / why).read_text())
    return 0


def cancel(folder: Path, ids: list[str]) -> int:
    if (folder / "stubborn").exists():
        print("the controller does not answer", file=sys.stderr)
        return 1
    for id_ in ids:
        job = folder / id_
        if not (job / "exit").exists():
            if (job / "pid").exists():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(int((job / "pid").read_text()), signal.SIGTERM)
                wait_for_end(int((job / "pid").read_text()))
            (job / "exit").write_text("-1")
    return 0


def wait_for_end(group: int) -> None:
    """Until nothing of the process group is left; SIGKILL if that takes too long."""
    for _ in range(500):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
