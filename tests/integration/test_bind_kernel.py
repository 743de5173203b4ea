"""linden.bind_kernel: a Jupyter front end in a running engine, beside its tasks."""

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import linden
import pytest
from linden.error import RemoteError

pytest.importorskip("ipykernel")
from jupyter_client import BlockingKernelClient

Farm = Callable[..., Any]
Wait = Callable[..., None]
Connect = Callable[[Any], BlockingKernelClient]


@pytest.fixture
def cluster(farm: Farm, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A cluster of one engine, and a client of it."""
    monkeypatch.setenv("IPYTHONDIR", str(scratch / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(scratch / "runtime"))
    return farm(1)


@pytest.fixture
def engine(cluster: Any) -> Any:
    return cluster[1][0]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """A front end, connected by the file."""
    made: list[BlockingKernelClient] = []

    def make(kernel: linden.BoundKernel) -> BlockingKernelClient:
        client = BlockingKernelClient(connection_file=kernel.connection_file)
        client.load_connection_file()
        client.start_channels()
        made.append(client)
        client.wait_for_ready(timeout=30)
        return client

    yield make
    for client in made:
        client.stop_channels()


def bind(engine: Any, **options: Any) -> linden.BoundKernel:
    kernel = engine.apply_async(linden.bind_kernel, **options).get(60)
    assert isinstance(kernel, linden.BoundKernel)
    return kernel


def run(client: BlockingKernelClient, code: str, **options: Any) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """The reply to a cell, and what came of it: (kind, content)."""
    outputs: list[tuple[str, Any]] = []
    reply = client.execute_interactive(
        code,
        timeout=30,
        output_hook=lambda message: outputs.append((message["msg_type"], message["content"])),
        **options,
    )
    return reply["content"], [output for output in outputs if output[0] not in ("status", "execute_input")]


def text_of(outputs: list[tuple[str, Any]], name: str = "stdout") -> str:
    return "".join(content["text"] for kind, content in outputs if kind == "stream" and content["name"] == name)


def wait_until_begun(result: Any, wait_for: Wait) -> None:
    """Until the task has said that it runs."""
    wait_for(lambda: "begun" in result.stdout, 30)


WAITING = """
import time
def waits_for(name):
    print("begun", flush=True)
    deadline = time.monotonic() + 60
    while name not in globals() and time.monotonic() < deadline:
        time.sleep(0.01)
    print("still captured")
    return globals()[name]
"""


def test_a_console_shares_the_engines_namespace_and_history(engine: Any, connect: Connect) -> None:
    engine.push({"pushed": 20}, block=True)
    engine.execute("'a cell of a client'", silent=False, block=True)
    client = connect(bind(engine))
    reply, outputs = run(
        client, "typed = pushed + 1\nprint('seen', typed)\ntyped", user_expressions={"twice": "2 * typed"}
    )
    assert (reply["status"], text_of(outputs)) == ("ok", "seen 21\n")
    [value] = [content for kind, content in outputs if kind == "execute_result"]
    assert value["data"]["text/plain"] == "21"
    assert value["execution_count"] == reply["execution_count"] == 2
    assert reply["user_expressions"]["twice"]["data"]["text/plain"] == "42"
    assert engine.pull("typed", block=True) == 21
    assert str(engine.execute("(In[1], Out[2], get_ipython() is not None)", silent=False).get(30)) == (
        "(\"'a cell of a client'\", 21, True)"
    )


def test_tasks_go_on_and_keep_their_output(engine: Any, connect: Connect, wait_for: Wait) -> None:
    """F5: what is printed in the console is not the task's, and the other way round."""
    client = connect(bind(engine))
    engine.execute(WAITING, block=True)
    task = engine.apply_async(linden.Reference("waits_for"), "gift")
    wait_until_begun(task, wait_for)
    # The main thread is busy, and the console works all the same.
    reply, outputs = run(client, "print('in the console')\ndisplay('shown')\n!echo shouted\ngift = 'given'")
    assert reply["status"] == "ok"
    assert text_of(outputs).split() == ["in", "the", "console", "shouted"]
    assert [content["data"]["text/plain"] for kind, content in outputs if kind == "display_data"] == ["'shown'"]
    assert task.get(30) == "given"
    assert task.stdout == "begun\nstill captured\n"
    assert task.outputs == []


def test_cells_that_overlap_have_numbers_of_their_own(engine: Any, connect: Connect, wait_for: Wait) -> None:
    client = connect(bind(engine))
    engine.execute(WAITING, block=True)
    cell = engine.execute("waits_for('gift')", silent=False, block=False)
    wait_until_begun(cell, wait_for)
    assert run(client, "'typed'")[0]["execution_count"] == 2
    assert run(client, "gift = 'given'")[0]["execution_count"] == 3
    reply = cell.get(30)
    assert (reply.execution_count, str(reply)) == (1, "'given'")
    assert engine["[dict(Out), In[1:]]"] == [
        {1: "given", 2: "typed"},
        ["waits_for('gift')", "'typed'", "gift = 'given'"],
    ]


def test_errors_awaits_and_questions(engine: Any, connect: Connect) -> None:
    client = connect(bind(engine))
    reply, outputs = run(client, "def divide(x):\n    return x / 0\ndivide(1)")
    assert (reply["status"], reply["ename"]) == ("error", "ZeroDivisionError")
    [error] = [content for kind, content in outputs if kind == "error"]
    assert "return x / 0" in re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error["traceback"]))
    assert run(client, "1 +")[0]["ename"] == "SyntaxError"
    _, outputs = run(client, "import asyncio\nawait asyncio.sleep(0, 'awaited')")
    assert [content["data"]["text/plain"] for kind, content in outputs if kind == "execute_result"] == ["'awaited'"]
    reply, _ = run(client, "name = input('name? ')", allow_stdin=True, stdin_hook=lambda _: client.input("Linda"))
    assert (reply["status"], engine["name"]) == ("ok", "Linda")
    with pytest.raises(EOFError):  # tasks have nobody to ask, as before
        engine.apply_sync(lambda: input())


def test_a_cell_that_forks_has_one_end(engine: Any, connect: Connect) -> None:
    client = connect(bind(engine))
    reply, _ = run(client, "import os\nchild = os.fork()\nif child: ended = os.waitpid(child, 0)[1]")
    assert (reply["status"], engine["ended"]) == ("ok", 0)
    assert text_of(run(client, "print('once')")[1]) == "once\n"


def test_what_a_console_asks_beside_cells(engine: Any, connect: Connect) -> None:
    engine.execute('def double(x):\n    """Twice."""\n    return 2 * x\n', silent=False, block=True)
    client = connect(bind(engine))
    assert "double" in client.complete("doub", reply=True, timeout=30)["content"]["matches"]
    assert "Twice." in client.inspect("double", reply=True, timeout=30)["content"]["data"]["text/plain"]
    client.is_complete("for x in y:")
    assert client.get_shell_msg(timeout=30)["content"] == {"status": "incomplete", "indent": "    "}
    history = client.history(hist_access_type="tail", n=5, reply=True, timeout=30)["content"]["history"]
    assert [(number, "double" in text) for _, number, text in history] == [(1, True)]
    reply, _ = run(client, "exit")
    assert [(payload["source"], payload["keepkernel"]) for payload in reply["payload"]] == [("ask_exit", True)]
    info = client.kernel_info(reply=True, timeout=30)["content"]
    assert (info["implementation"], info["supported_features"]) == ("linden", [])


def test_asked_again_it_says_so(engine: Any) -> None:
    first = bind(engine)
    again = engine.apply_async(linden.bind_kernel)
    assert again.get(30) == first
    assert again.stdout == f"this engine has a kernel already: {first.command}\n"
    assert (first.transport, first.ip, first.pid) == ("tcp", "127.0.0.1", engine.apply_sync(os.getpid))
    assert Path(first.connection_file).stat().st_mode & 0o777 == 0o600
    assert first.command == f"jupyter console --existing {first.connection_file}"


def test_signals_reach_tasks_and_interrupts_the_console(engine: Any, connect: Connect, wait_for: Wait) -> None:
    client = connect(bind(engine))
    engine.execute(WAITING, block=True)
    before = engine.apply_sync(lambda: __import__("signal").getsignal(2).__qualname__)
    task = engine.apply_async(linden.Reference("waits_for"), "gift")
    wait_until_begun(task, wait_for)
    # An interrupt of the console ends its cell and leaves the task alone ...
    client.execute("print('looping')\nwhile True: pass")
    wait_for(lambda: client.get_iopub_msg(timeout=30)["content"].get("text") == "looping", 30)
    client.control_channel.send(client.session.msg("interrupt_request", {}))
    assert client.get_shell_msg(timeout=30)["content"]["ename"] == "KeyboardInterrupt"
    assert not task.done()
    # IPython's kernel drops what comes right behind a cell that has failed.
    wait_for(lambda: run(client, "pass")[0]["status"] == "ok", 30)
    # ... and a signal to the engine ends the task and leaves the console alone.
    engine.client.send_signal(signal.SIGINT, targets=engine.targets, block=True)
    with pytest.raises(KeyboardInterrupt):
        task.get(30)
    assert text_of(run(client, "print('here')")[1]) == "here\n"
    assert engine.apply_sync(lambda: __import__("signal").getsignal(2).__qualname__) == before
    # F6
    cancelled = engine.apply_async(linden.Reference("waits_for"), "gift")
    wait_until_begun(cancelled, wait_for)
    cancelled.cancel()
    assert engine.apply_async(abs, -1).get(30) == 1


def test_a_front_end_ends_the_kernel_and_not_the_engine(engine: Any, connect: Connect, wait_for: Wait) -> None:
    first = bind(engine)
    client = connect(first)
    children = engine.apply_async(lambda: __import__("subprocess").Popen(["sleep", "100"]).pid).get(30)
    client.shutdown(reply=True, timeout=30)
    wait_for(lambda: not Path(first.connection_file).exists(), 10)
    os.kill(children, 0)  # as it would raise, had the kernel ended the children of tasks
    os.kill(children, signal.SIGTERM)
    engine.push({"kept": 1}, block=True)
    wait_for(lambda: bind(engine) != first, 10)
    assert text_of(run(connect(bind(engine)), "print(kept)")[1]) == "1\n"


@pytest.mark.parametrize("how", ["shutdown", "restart", "exit", "busy"])
def test_nothing_is_left_behind(cluster: Any, connect: Connect, how: str, wait_for: Wait) -> None:
    _, rc = cluster
    kernel = bind(rc[0])
    client = connect(kernel)
    file = Path(kernel.connection_file)
    assert file.exists()
    if how == "busy":  # with a cell that does not end by itself
        client.execute("print('looping')\nwhile True: pass")
        wait_for(lambda: client.get_iopub_msg(timeout=30)["content"].get("text") == "looping", 30)
    if how == "restart":
        rc.shutdown(0, restart=True, block=True)
    elif how == "exit":
        with pytest.raises(linden.EngineDied):
            rc[0].apply_async(lambda: os._exit(3)).get(60)
    else:
        rc.shutdown(0, block=True)
    wait_for(lambda: not file.exists(), 20)
    assert not list(file.parent.iterdir())


def test_sockets_of_files(engine: Any, connect: Connect, scratch: Path, wait_for: Wait) -> None:
    kernel = bind(engine, transport="ipc", connection_file=str(scratch / "k" / "kernel.json"))
    assert (kernel.transport, kernel.connection_file) == ("ipc", str(scratch / "k" / "kernel.json"))
    assert text_of(run(connect(kernel), "print(1)")[1]) == "1\n"
    engine.client.shutdown(engine.targets, block=True)
    wait_for(lambda: not list((scratch / "k").iterdir()), 10)


def test_arguments_that_make_no_sense(engine: Any, scratch: Path) -> None:
    with pytest.raises(ValueError, match=r"loopback address only, and ip is '0\.0\.0\.0'"):
        bind(engine, ip="0.0.0.0")
    with pytest.raises(ValueError, match="transport is 'tcp' or 'ipc', and was given as 'udp'"):
        bind(engine, transport="udp")
    with pytest.raises(ValueError, match="shell_port is a port"):
        bind(engine, shell_port=-1)
    with pytest.raises(TypeError, match="no argument 'port'; it has connection_file"):
        bind(engine, port=1)
    (scratch / "there.json").write_text("{}")
    with pytest.raises(FileExistsError, match="exists already"):
        bind(engine, connection_file=str(scratch / "there.json"))
    assert (scratch / "there.json").read_text() == "{}"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(RemoteError, match="ZMQError: Address already in use"):
            bind(engine, shell_port=taken.getsockname()[1])
    assert bind(engine).ip == "127.0.0.1"  # and none of these is in the way of the next
    with pytest.raises(RuntimeError, match="this process is none"):
        linden.bind_kernel()


def test_an_engine_without_ipykernel_or_shell_says_what_is_missing(farm: Farm) -> None:
    _, rc = farm(1)
    rc[0].execute("import sys; sys.modules['ipykernel'] = None", block=True)
    with pytest.raises(ImportError, match="bind_kernel needs ipykernel where the engine runs"):
        bind(rc[0])
