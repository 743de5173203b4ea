"""What tasks print and display comes back whole and in order (F5), however it is printed and however the task ends."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import psutil
import pytest

Farm = Callable[..., Any]
MEBIBYTE = 1 << 20


# F5
def test_f5_threads_c_code_and_child_processes_print_in_order(farm: Farm) -> None:
    _, rc = farm(1)

    def talk() -> None:
        import ctypes
        import os
        import subprocess
        import sys
        import threading

        print("1 print")
        os.system("echo 2 shell; echo 2 shell >&2")
        print("3 print")
        ctypes.CDLL(None).puts(b"4 C code")
        thread = threading.Thread(target=print, args=("5 thread",))
        thread.start()
        thread.join(60)
        subprocess.run(["echo", "6 subprocess"], check=True)
        subprocess.run(["echo", "7 subprocess"], stdout=sys.stdout, check=True)
        os.write(1, "8 descriptor ä\n".encode())
        print("9 print", file=sys.stderr)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        print("10 original", file=sys.__stdout__)

    result = rc.load_balanced_view().apply_async(talk)
    result.get(timeout=20)
    said = ["1 print", "2 shell", "3 print", "4 C code", "5 thread", "6 subprocess", "7 subprocess", "8 descriptor ä"]
    assert result.stdout.splitlines() == [*said, "10 original"]
    assert result.stderr == "2 shell\n9 print\n"


# F5
def test_f5_what_is_printed_between_tasks_belongs_to_none(farm: Farm) -> None:
    _, rc = farm(1)

    def leave_a_thread() -> None:
        import threading

        def later() -> None:
            begin.wait(20)
            print("nobody's")
            ended.set()

        global begin, ended
        begin, ended = threading.Event(), threading.Event()
        threading.Thread(target=later).start()

    engine = rc[0]
    assert engine.apply_async(leave_a_thread).get(20) is None
    first = engine.apply_async(print, "mine")
    first.get(20)
    assert first.stdout == "mine\n"
    owner = engine.execute("begin.set(); ended.wait(20); print('after')", block=False)
    owner.get(20)
    assert owner.stdout == "nobody's\nafter\n"  # while a task runs, all of its process's output is its


# F5
@pytest.mark.parametrize("by", ["python", "child"])
def test_f5_a_hundred_megabytes_arrive_and_the_engine_stays_small(farm: Farm, by: str) -> None:
    _, rc = farm(1)

    def print_much() -> None:
        line = "x" * 1023
        for _ in range(100 * 1024):
            print(line)

    def child_prints_much() -> None:
        import os

        os.system("head -c 104857600 /dev/zero | tr '\\0' x")

    engine = rc[0]
    process = psutil.Process(engine.apply_sync(os.getpid))
    before = process.memory_info().rss
    result = engine.apply_async(print_much if by == "python" else child_prints_much)
    result.get(timeout=100)
    text = result.stdout
    assert len(text) == 100 * MEBIBYTE
    assert set(text) == ({"x", "\n"} if by == "python" else {"x"})
    assert process.memory_info().rss - before < 40 * MEBIBYTE


# F5
def test_f5_one_string_of_many_megabytes_arrives(farm: Farm) -> None:
    _, rc = farm(1)
    result = rc[0].apply_async(lambda: print("ä" * (8 << 20), end=""))
    result.get(timeout=60)
    assert result.stdout == "ä" * (8 << 20)


# F5
def test_f5_carriage_returns_arrive_as_they_were_printed_and_are_shown_as_a_terminal_does(
    farm: Farm, capsys: pytest.CaptureFixture[str]
) -> None:
    _, rc = farm(1)

    def bar() -> None:
        import sys

        for percent in range(0, 101, 10):
            sys.stdout.write(f"\r{percent}%")
        sys.stdout.write("\n")

    result = rc[0].apply_async(bar)
    result.get(20)
    assert result.stdout == "".join(f"\r{percent}%" for percent in range(0, 101, 10)) + "\n"
    result.display_outputs()
    assert capsys.readouterr().out == "100%\n"


# F5
@pytest.mark.parametrize("how", ["os._exit", "SIGKILL", "SIGTERM"])
def test_f5_a_task_that_is_killed_keeps_what_it_had_printed(
    farm: Farm, how: str, scratch: Path, wait_for: Callable[..., None]
) -> None:
    _, rc = farm(1)

    def die(how: str, gate: str) -> None:
        import os
        import signal
        import time

        print("last words", flush=True)
        os.system("echo of a child")
        if how == "os._exit":
            os._exit(3)
        deadline = time.monotonic() + 60
        while not os.path.exists(gate):
            if time.monotonic() > deadline:
                raise TimeoutError(gate)
            time.sleep(0.01)
        os.kill(os.getpid(), signal.Signals[how])
        time.sleep(60)

    view = rc.load_balanced_view().set_flags(retries=0)
    result = view.apply_async(die, how, str(scratch / "go"))
    form = linden.farm.outputs_form(*linden.farm.parse_message_id(result.msg_id))

    def printed() -> str:
        return "".join(fields[5] for fields in rc.space.iterate(form))

    # The attendant sends it a moment after it was printed; what a task ends by itself is sent before.
    wait_for(lambda: printed() == "last words\nof a child\n", 20)
    (scratch / "go").touch()
    if how == "SIGTERM":  # a clean goodbye, which gives the task back; nobody is there to run it again
        wait_for(lambda: not rc.ids, 20)
        assert printed() == "last words\nof a child\n"
        return
    with pytest.raises(linden.EngineError):
        result.get(timeout=20)
    assert result.stdout == "last words\nof a child\n"


# F5
def test_f5_published_data_is_seen_while_the_task_runs(farm: Farm) -> None:
    _, rc = farm(2)

    def publish(gate: str) -> None:
        from pathlib import Path

        from linden.datapub import publish_data

        publish_data({"step": 1, "state": "running"})
        publish_data({"step": 2, "matrix": [[1, 2], [3, 4]]})
        Path(gate).read_text()
        publish_data({"state": "done"})

    gate = f"{os.environ['LINDEN_HOME']}-gate"
    os.mkfifo(gate)
    result = rc[0].apply_async(publish, gate)
    while "matrix" not in result.data:
        result.wait(0.01)
    assert result.data == {"step": 2, "state": "running", "matrix": [[1, 2], [3, 4]]}
    assert not result.done()
    with open(gate, "w") as file:
        file.write("go on")
    result.get(20)
    assert result.data["state"] == "done"
    assert result.stdout == ""
    several = rc[:].apply_async(lambda: __import__("linden").datapub.publish_data({"a": 1}))
    several.get(20)
    assert several.data == [{"a": 1}, {"a": 1}]


def test_the_engine_says_what_it_has_to_say_to_its_own_stderr(farm: Farm) -> None:
    """Not into the output of the task that runs."""
    _, rc = farm(1)
    result = rc[0].apply_async(lambda: __import__("time").sleep(60))
    while rc.queue_status()[rc.ids[0]]["tasks"] == 0:
        result.wait(0.01)
    rc.send_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        result.get(20)
    assert result.stderr == ""
