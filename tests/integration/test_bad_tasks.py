"""Tasks that do what no task should: each ends with an error that says so, and its engine goes on."""

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest
from linden import serialize
from linden.error import EngineError, RemoteError

Farm = Callable[..., Any]


@pytest.fixture
def rc(farm: Farm) -> Any:
    _, client = farm(1)
    return client


def is_alive(rc: linden.Client, pid: int) -> bool:
    return bool(rc[0].apply_sync(os.getpid) == pid)


def test_a_task_that_returns_what_cannot_be_pickled(rc: linden.Client) -> None:
    pid = rc[0].apply_sync(os.getpid)
    with pytest.raises(TypeError, match=r"the result cannot be pickled: a _thread\.lock"):
        rc[0].apply_sync(threading.Lock)
    with pytest.raises(TypeError, match=r"item 1 is a _thread\.lock"):
        rc[0].apply_sync(lambda: [1, __import__("threading").Lock()])
    assert is_alive(rc, pid)


def test_an_argument_that_cannot_be_pickled_is_named_before_anything_is_sent(rc: linden.Client) -> None:
    with pytest.raises(linden.NotPicklable, match=r"argument 1 of len cannot be pickled: a _thread\.lock"):
        rc[0].apply_sync(len, 1, threading.Lock())
    with pytest.raises(linden.NotPicklable, match="argument 'key' of len"):
        rc.load_balanced_view().apply_async(len, key=threading.Lock())
    loop: list[Any] = []
    loop += [loop, threading.Lock()]
    with pytest.raises(linden.NotPicklable, match="cannot be pickled"):
        rc[0].apply_sync(len, loop)
    assert rc.outstanding == set()


@pytest.mark.parametrize("status", [0, 3, "with a text"])
def test_a_task_that_calls_sys_exit(rc: linden.Client, status: Any) -> None:
    pid = rc[0].apply_sync(os.getpid)

    def leave(status: Any) -> None:
        import sys

        sys.exit(status)

    with pytest.raises(RemoteError, match="SystemExit"):
        rc[0].apply_sync(leave, status)
    with pytest.raises(RemoteError, match="SystemExit"):
        rc[0].execute(f"import sys\nsys.exit({status!r})", block=True)
    assert is_alive(rc, pid)


def test_a_task_that_ends_its_process(rc: linden.Client) -> None:
    with pytest.raises(EngineError, match="died"):
        rc[0].apply_sync(os._exit, 3)


def test_a_task_that_recurses_without_end(rc: linden.Client) -> None:
    pid = rc[0].apply_sync(os.getpid)

    def even(n: int) -> bool:
        return odd(n + 1)

    def odd(n: int) -> bool:
        return even(n + 1)

    with pytest.raises(RecursionError) as caught:
        rc[0].apply_sync(even, 0)
    assert len(caught.value.traceback) < 500_000  # type: ignore[attr-defined]

    def nested() -> Any:
        value: list[Any] = []
        for _ in range(100_000):
            value = [value]
        return value

    with pytest.raises(TypeError, match="the result cannot be pickled"):
        rc[0].apply_sync(nested)
    assert is_alive(rc, pid)


def test_a_task_that_forks_has_one_result_and_its_engine_goes_on(rc: linden.Client, scratch: Path) -> None:
    pid = rc[0].apply_sync(os.getpid)

    def fork(how: str) -> str:
        import os
        import sys

        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            return f"parent saw {os.waitstatus_to_exitcode(status)}"
        print("child")
        if how == "exits":
            sys.exit(7)
        if how == "raises":
            raise ValueError("in the child")
        return "child"

    view = rc.load_balanced_view()
    returns, exits, fails = (view.apply_async(fork, how) for how in ("returns", "exits", "raises"))
    assert returns.get(20) == "parent saw 0"
    assert exits.get(20) == "parent saw 7"
    assert fails.get(20) == "parent saw 1"
    assert "ValueError: in the child" in fails.stderr
    for result in (returns, exits, fails):
        assert result.stdout == "child\n"
        form = linden.farm.results_form(*linden.farm.parse_message_id(result.msg_id))
        assert rc.space.count(form) == 1
    assert is_alive(rc, pid)


def test_a_task_that_uses_multiprocessing(rc: linden.Client) -> None:
    pid = rc[0].apply_sync(os.getpid)

    def parallel() -> tuple[list[int], list[int | None]]:
        import multiprocessing
        import time

        context = multiprocessing.get_context("fork")
        with context.Pool(2) as pool:  # leaving the block sends SIGTERM to the processes of the pool
            squares = pool.map(abs, range(-5, 0))
        print("pool done")
        process = context.Process(target=print, args=("hello from a process",))
        process.start()
        process.join()
        sleeper = context.Process(target=time.sleep, args=(60,))
        sleeper.start()
        sleeper.terminate()
        sleeper.join()
        return squares, [process.exitcode, sleeper.exitcode]

    for _ in range(2):
        result = rc[0].apply_async(parallel)
        assert result.get(60) == ([5, 4, 3, 2, 1], [0, -15])
        assert result.stdout == "pool done\nhello from a process\n"
    assert is_alive(rc, pid)


def test_an_engine_that_dies_while_its_child_lives_is_noticed_at_once(farm: Farm, scratch: Path) -> None:
    """The child has a copy of the connection, which must not keep it open."""
    _, rc = farm(1)

    def die(log: str) -> None:
        import os
        import time
        from pathlib import Path

        child = os.fork()
        if not child:
            time.sleep(30)
            os._exit(0)
        Path(log).write_text(str(child))
        os.kill(os.getpid(), 9)

    log = scratch / "child"
    with pytest.raises(EngineError):
        rc.load_balanced_view().set_flags(retries=0).apply_sync(die, str(log))
    child = int(log.read_text())
    os.kill(child, 0)  # it lives still
    os.kill(child, 9)


def test_what_a_script_defines_travels(farm: Farm, run_script: Callable[..., subprocess.Popen[str]]) -> None:
    """Functions and classes of __main__, lambdas, closures, methods, generators' makers, recursion and class hierarchies."""
    cluster, _ = farm(1)
    script = run_script(
        """
import linden, sys, functools
from dataclasses import dataclass
from enum import Enum
SCALE = 10
class Colour(Enum):
    RED = 1
class Base:
    def scale(self, x): return x * SCALE
class Derived(Base):
    def scale(self, x): return super().scale(x) + 1
@dataclass
class Point:
    x: int
    colour: Colour = Colour.RED
def factorial(n): return 1 if n < 2 else n * factorial(n - 1)
def adder(n):
    def add(x): return x + n
    return add
with linden.Client(sys.argv[1]) as rc:
    view = rc.load_balanced_view()
    assert view.apply_sync(factorial, 10) == 3628800
    assert view.apply_sync(lambda x: x * SCALE, 4) == 40
    assert view.apply_sync(adder(5), 4) == 9
    assert view.apply_sync(Derived().scale, 4) == 41
    assert view.apply_sync(functools.partial(adder(1), 1)) == 2
    assert view.apply_sync(lambda p: p, Point(3)) == Point(3)
    assert type(view.apply_sync(Point, 3)) is Point
    assert view.apply_sync(lambda c: c is Colour.RED, Colour.RED)
    assert view.map_sync(lambda p: Point(p.x + 1), [Point(1), Point(2)]) == [Point(2), Point(3)]
    class Mine(Exception): pass
    def fail(): raise Mine("here")
    try:
        view.apply_sync(fail)
    except Mine as error:
        print("caught", error.evalue)
""",
        str(cluster.connection_file),
    )
    out, err = script.communicate(timeout=60)
    assert (script.returncode, out.strip()) == (0, "caught here"), err


def test_a_module_that_the_engine_does_not_have_is_named_with_a_remedy(
    rc: linden.Client, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scratch / "only_here.py").write_text("def double(x): return 2 * x\nclass Thing: pass\n")
    monkeypatch.syspath_prepend(str(scratch))
    import only_here  # type: ignore[import-not-found]

    with pytest.raises(ModuleNotFoundError, match="only_here") as caught:
        rc[0].apply_sync(only_here.double, 2)
    assert "while unpickling the function on the engine" in caught.value.traceback  # type: ignore[attr-defined]
    with pytest.raises(ModuleNotFoundError) as caught:
        rc[0].apply_sync(lambda thing: thing, only_here.Thing())
    assert "while unpickling the arguments on the engine" in caught.value.traceback  # type: ignore[attr-defined]
    rc[0].execute(f"import sys; sys.path.insert(0, {str(scratch)!r})", block=True)
    assert rc[0].apply_sync(only_here.double, 2) == 4


def test_code_of_another_python_version_is_refused_with_both_versions(
    rc: linden.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte code of one minor version crashes another; a function of a module has none on its way."""
    pid = rc[0].apply_sync(os.getpid)
    monkeypatch.setattr(serialize, "CLOUDPICKLE", "cloudpickle:3.9")
    with pytest.raises(TypeError, match=r"Python 3\.9.* cannot run in Python 3\.\d+"):
        rc[0].apply_sync(lambda: 1)
    with pytest.raises(TypeError, match=r"Python 3\.9"):
        rc.load_balanced_view().map_sync(lambda x: x, [1])
    assert is_alive(rc, pid)
