"""The extension against a real server: answers, errors, streams, interruption, fork, and what the collector does."""

import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from linden import _native, errors

ANY = _native.AnyField()
INT = _native.Typed("int")
OBJECT = _native.Typed("object")
FIRST = [("first", INT)]


class Server(Protocol):
    """The fixture of tests/conftest.py."""

    address: str
    pid: int

    def start(self) -> None: ...
    def kill(self) -> None: ...


@pytest.fixture
def client(space_server: Server) -> Iterator[_native.Client]:
    client = _native.Client.connect(space_server.address, name="test", timeout=20)
    yield client
    client.close()


@pytest.fixture
def space(client: _native.Client) -> _native.Space:
    return client.open_space("test", create=True, durability="memory")


def put(space: _native.Space, *rows: tuple[Any, ...], **attributes: Any) -> list[int]:
    ids: list[int] = space.client.wait(space.send_put([_native.Put(row, **attributes) for row in rows]), 20)
    return ids


def take(space: _native.Space, form: tuple[Any, ...], mode: int = _native.TAKE, **options: Any) -> Any:
    return space.client.wait(space.send_take(mode, [form], **{"timeout": 0, **options}), 20)


def count(space: _native.Space, form: tuple[Any, ...]) -> int:
    number: int = space.client.wait(space.send_count(form), 20)
    return number


# ---- Requests and their answers


def test_what_was_put_is_taken(space: _native.Space) -> None:
    first, second = put(space, ("first", 1), ("first", 2))
    assert second == first + 1
    (handout,) = take(space, ("first", INT))
    assert (handout.id, handout.index, handout.fields) == (first, 0, ("first", 1))
    assert handout.fields is handout.fields
    assert repr(handout).endswith("('first', 1)>")
    assert count(space, ("first", ANY)) == 1


def test_p14_the_index_says_which_form_matched(space: _native.Space) -> None:
    put(space, ("b", 1))
    request = space.send_take(_native.READ, [("a", ANY), ("b", ANY)], timeout=0)
    (handout,) = space.client.wait(request, 20)
    assert handout.index == 1


def test_formals_match_as_they_say(space: _native.Space) -> None:
    put(space, ("text", 3, None))
    for form, matches in [
        ((_native.Prefix("te"), ANY, ANY), 1),
        ((_native.Prefix("x"), ANY, ANY), 0),
        ((ANY, _native.Between(1, 3), ANY), 1),
        ((ANY, _native.Between(4, 9), ANY), 0),
        ((ANY, _native.OneOf([1, 2, 3]), ANY), 1),
        ((ANY, _native.OneOf(["3"]), ANY), 0),
        ((ANY, INT, None), 1),
        ((ANY, 3.0, None), 0),
        ((ANY, INT, _native.Typed("nil")), 1),
    ]:
        assert count(space, form) == matches


def test_take_hands_over_at_most_count(space: _native.Space) -> None:
    put(space, *[("first", number) for number in range(10)])
    assert len(take(space, ("first", INT), count=4)) == 4
    assert len(take(space, ("first", INT), count=100)) == 6


def test_p17_finish_answers_one_code_per_item(space: _native.Space) -> None:
    put(space, ("first", 1))
    (handout,) = take(space, ("first", INT), _native.RESERVE, lease=30.0)
    token = (handout.id, handout.attempt)
    items = [(token, [_native.Put(("result", 1))]), (None, [_native.Put(("output",))]), (token, [])]
    codes = space.client.wait(space.send_finish(items), 20)
    assert codes == [0, 0, errors.StaleLease.code]
    assert count(space, ("result", 1)) == 1
    assert space.client.wait(space.send_release([token]), 20) == [errors.StaleLease.code]


def test_objects_arrive_whole(space: _native.Space) -> None:
    parts = [b"payload", os.urandom(100_000), b"", os.urandom(5_000)]
    put(space, ("object", _native.Object("pickle", parts)))
    (handout,) = take(space, ("object", OBJECT))
    received = handout.fields[1]
    assert received.codec == "pickle"
    assert [bytes(part) for part in received.parts] == parts


def test_received_bytes_are_not_copied(space: _native.Space) -> None:
    put(space, ("object", _native.Object("raw", [bytes(1 << 20)])))
    (handout,) = take(space, ("object", OBJECT))
    one, other = handout.fields[1].parts[0], handout.fields[1].parts[0]
    assert addressof(one) == addressof(other)
    put(space, ("again", _native.Object("raw", [one])))
    (again,) = take(space, ("again", OBJECT))
    assert again.fields[1].parts[0] == one


def addressof(view: memoryview) -> int:
    buffer = (ctypes.c_char * 80)()  # a Py_buffer, whose first word is the address
    assert ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), buffer, 0) == 0
    address = ctypes.c_void_p.from_buffer(buffer).value
    ctypes.pythonapi.PyBuffer_Release(buffer)
    assert address is not None
    return address


def test_lists_summaries_and_sessions_are_plain(space: _native.Space, client: _native.Client) -> None:
    put(space, ("first", 1), ("first", 2), ttl=60.0)
    (reserved,) = take(space, ("first", 1), _native.RESERVE)
    listed = client.wait(space.send_list(("first", ANY), all_states=True), 20)
    assert listed["more"] is False
    held, free = listed["tuples"]
    assert held["id"] == reserved.id
    assert held["holder"] == client.session
    assert free["holder"] is None
    assert (free["state"], free["priority"], free["fields"]) == ("ready", 0, ("first", 2))
    assert 0 < free["expires_in"] <= 60
    summary = client.wait(space.send_summarize(), 20)
    assert summary["tuples"] == 2
    group = next(group for group in summary["groups"] if group["first_fields"][:1] == ("first",))
    assert group["arity"] == 2
    sessions = client.wait(space.send_sessions(), 20)
    (mine,) = [session for session in sessions if session["id"] == client.session]
    assert mine["name"] == "test"
    assert mine["connected"] is True
    assert mine["held"] == 1


def test_the_server_tells_of_itself(client: _native.Client, space: _native.Space, space_server: Server) -> None:
    assert client.server_pid == space_server.pid
    assert client.address == space_server.address
    assert client.connected
    assert client.failure is None
    assert len(client.session) == 32
    status = client.status()
    assert status["pid"] == space_server.pid
    assert status["version"] == _native.VERSION
    assert [one["name"] for one in client.spaces()] == ["test"]
    assert (space.name, space.durability, space.created) == ("test", "memory", True)
    assert not client.open_space("test").created
    client.drop_space("test")
    assert client.spaces() == []


def test_a_space_starts_with_what_its_maker_says(client: _native.Client) -> None:
    for _ in range(2):
        space = client.open_space("initial", create=True, initial=[_native.Put(("engine_id", 0))])
    assert count(space, ("engine_id", 0)) == 1


def test_answers_can_be_queued(space: _native.Space, client: _native.Client) -> None:
    good = space.send_put([_native.Put(("first", 1))], queue=True)
    bad = space.send_take(_native.TAKE, [("nothing",)], timeout=0, queue=True)
    answers: dict[int, tuple[bool, Any]] = {}
    while len(answers) < 2:
        for request, ok, value in client.completions(20):
            answers[request] = (ok, value)
    assert answers[good][0] is True
    assert answers[bad][0] is False
    assert isinstance(answers[bad][1], errors.NoMatch)
    assert client.completions(0) == []


# ---- Refusals and deadlines


def test_refusals_are_raised_as_their_class(space: _native.Space, client: _native.Client) -> None:
    with pytest.raises(errors.NoMatch):
        take(space, ("nothing",))
    with pytest.raises(errors.NoSuchSpace, match="nowhere"):
        client.open_space("nowhere")
    with pytest.raises(errors.InvalidArgument, match="durability 'forever'"):
        client.open_space("x", create=True, durability="forever")
    with pytest.raises(errors.LimitExceeded):
        _native.Put(tuple(range(65)))
    with pytest.raises(errors.InvalidArgument):
        space.send_count((_native.Object("raw", []),))


def test_p37_no_answer_in_time_is_outcome_unknown(space: _native.Space, client: _native.Client) -> None:
    request = space.send_take(_native.TAKE, FIRST, timeout=60)
    with pytest.raises(errors.OutcomeUnknown):
        client.wait(request, 0.05)
    put(space, ("first", 7))
    (handout,) = client.wait(request, 20)
    assert handout.fields == ("first", 7)


def test_p11_a_cancelled_take_removes_nothing(space: _native.Space, client: _native.Client) -> None:
    request = space.send_take(_native.TAKE, FIRST)
    space.cancel(request)
    with pytest.raises(errors.Cancelled):
        client.wait(request, 20)
    put(space, ("first", 1))
    assert count(space, ("first", 1)) == 1


def test_p12_a_negative_timeout_is_an_error(space: _native.Space, client: _native.Client) -> None:
    with pytest.raises(ValueError, match="timeout: wanted seconds of 0 or more"):
        space.send_take(_native.TAKE, FIRST, timeout=-1)
    with pytest.raises(ValueError, match="timeout"):
        client.completions(-0.5)


def test_an_unreachable_server_is_said_to_be_so(scratch: Any) -> None:
    with pytest.raises(errors.Unreachable):
        _native.Client.connect(f"unix:{scratch}/none", timeout=0.1)
    with pytest.raises(errors.InvalidArgument):
        _native.Client.connect("nowhere")


def test_after_close_everything_is_refused(space: _native.Space, client: _native.Client) -> None:
    client.close()
    client.close()
    with pytest.raises(errors.Closed):
        space.send_put([_native.Put(("a",))])
    assert client.failure is not None
    assert client.completions(0) == []


def test_close_wakes_whoever_waits(space: _native.Space, client: _native.Client) -> None:
    ended: list[str] = []

    def wait() -> None:
        with pytest.raises(errors.Closed):
            client.wait(space.send_take(_native.TAKE, FIRST))
        ended.append("take")

    thread = threading.Thread(target=wait)
    thread.start()
    while not any(session["waiting"] for session in client.wait(space.send_sessions(), 20)):
        pass
    client.close()
    thread.join(20)
    assert ended == ["take"]


# ---- Streams


def test_a_stream_hands_over_and_finishes(space: _native.Space, client: _native.Client) -> None:
    stream = space.open_stream(_native.RESERVE, FIRST, credit=2)
    put(space, *[("first", number) for number in range(20)])
    for number in range(20):
        handout = stream.next(20)
        assert handout is not None
        assert handout.fields == ("first", number)
        stream.put([_native.Put(("output", number))])
        stream.finish(handout.id, handout.attempt, [_native.Put(("result", number))])
    stream.flush()
    assert count(space, ("result", ANY)) == 20
    assert count(space, ("output", ANY)) == 20
    assert count(space, ("first", ANY)) == 0
    assert stream.next(0) is None
    assert stream.next_batch(0.01) == []


def test_a_reading_stream_shows_what_is_there_and_what_comes(space: _native.Space) -> None:
    put(space, ("first", 0))
    stream = space.open_stream(_native.READ, FIRST, credit=1000)
    seen = [handout.fields[1] for handout in stream.next_batch(20)]
    put(space, *[("first", number) for number in range(1, 500)])
    while len(seen) < 500:
        seen += [handout.fields[1] for handout in stream.next_batch(20, 50)]
    assert seen == list(range(500))
    assert count(space, ("first", ANY)) == 500


def test_p18_a_lease_is_renewed_while_python_code_keeps_the_interpreter(space: _native.Space) -> None:
    """Another client would be given the tuple as soon as the lease was over, which is shorter than the server's heartbeat."""
    put(space, ("first", 1))
    (held,) = take(space, ("first", INT), _native.RESERVE, lease=0.3)
    rival = _native.Client.connect(space.client.address)
    waiting = rival.open_space("test").send_take(_native.RESERVE, FIRST)
    ctypes.PyDLL(None).usleep(1_500_000)  # without letting go of the interpreter
    assert space.client.wait(space.send_finish([((held.id, held.attempt), [])]), 20) == [0]
    with pytest.raises(errors.OutcomeUnknown):
        rival.wait(waiting, 0)
    rival.close()


def test_a_released_tuple_goes_to_somebody_else(space: _native.Space) -> None:
    stream = space.open_stream(_native.RESERVE, FIRST)
    put(space, ("first", 1))
    handout = stream.next(20)
    assert handout is not None
    stream.set_credit(0)
    stream.release(handout.id, handout.attempt, started=True)
    (taken,) = take(space, ("first", 1), timeout=20)
    assert taken.id == handout.id


def test_a_closed_stream_gives_back_what_it_had_not_begun(space: _native.Space) -> None:
    stream = space.open_stream(_native.RESERVE, FIRST, credit=5)
    put(space, *[("first", number) for number in range(5)])
    begun = stream.next(20)
    assert begun is not None
    stream.close()
    assert len(take(space, ("first", ANY), timeout=20, count=10)) == 4
    with pytest.raises(errors.Closed):
        stream.next(1)


def test_a_collected_stream_is_closed(space: _native.Space) -> None:
    stream = space.open_stream(_native.RESERVE, FIRST, credit=5)
    put(space, ("first", 1))
    while not stream.queued:
        time.sleep(0.001)
    del stream
    (taken,) = take(space, ("first", 1), timeout=20)
    assert taken.fields == ("first", 1)


# ---- Python around it


def test_a_collected_client_says_goodbye(space_server: Server) -> None:
    watcher = _native.Client.connect(space_server.address)
    watched = watcher.open_space("test", create=True)
    client = _native.Client.connect(space_server.address)
    session = client.session
    put(client.open_space("test"), ("bound",), lives_with=session)
    del client
    gc.collect()
    request = watched.send_take(_native.READ, [("bound",)], timeout=0)
    with pytest.raises(errors.NoMatch):
        watcher.wait(request, 20)
    watcher.close()


def test_bytes_that_were_sent_are_let_go(space: _native.Space) -> None:
    payload = os.urandom(1 << 20)
    references = sys.getrefcount(payload)
    for _ in range(20):
        put(space, ("object", _native.Object("raw", [payload]), payload))
    deadline = time.monotonic() + 20
    while sys.getrefcount(payload) > references and time.monotonic() < deadline:
        count(space, ("object", ANY, ANY))
    assert sys.getrefcount(payload) == references


def test_other_threads_run_while_one_waits(space: _native.Space, client: _native.Client) -> None:
    started = threading.Event()

    def wait_for_first() -> None:
        started.set()
        results.append(take(space, ("first", INT), timeout=20)[0].fields)

    results: list[tuple[Any, ...]] = []
    threads = [threading.Thread(target=wait_for_first) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    put(space, *[("first", number) for number in range(4)])
    for thread in threads:
        thread.join(20)
    assert sorted(results) == [("first", number) for number in range(4)]


@pytest.mark.parametrize("call", ["wait", "completions", "next", "next_batch"])
def test_ctrl_c_ends_a_wait_and_loses_nothing(space: _native.Space, client: _native.Client, call: str) -> None:
    request = space.send_take(_native.TAKE, FIRST)
    stream = space.open_stream(_native.TAKE, [("second", INT)])
    waiting = {
        "wait": lambda: client.wait(request),
        "completions": client.completions,
        "next": stream.next,
        "next_batch": stream.next_batch,
    }[call]
    main = threading.get_ident()
    timer = threading.Timer(0.05, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        waiting()
    assert time.monotonic() - began < 2
    put(space, ("first", 1), ("second", 2))
    assert client.wait(request, 20)[0].fields == ("first", 1)
    handout = stream.next(20)
    assert handout is not None
    assert handout.fields == ("second", 2)


def test_ctrl_c_in_another_threads_time_is_not_swallowed(client: _native.Client) -> None:
    """A handler that does not raise leaves the wait alone."""
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
    try:
        threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert client.completions(0.3) == []
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


def test_p36_a_killed_server_is_not_noticed(space_server: Server) -> None:
    client = _native.Client.connect(space_server.address)
    space = client.open_space("kept", create=True, durability="process")
    put(space, ("before", 1))
    waiting = space.send_take(_native.TAKE, [("after", INT)])
    space_server.kill()
    sent = space.send_put([_native.Put(("after", 2))])
    space_server.start()
    client.wait(sent, 20)
    assert client.wait(waiting, 20)[0].fields == ("after", 2)
    assert count(space, ("before", 1)) == 1
    client.close()


def test_after_a_fork_the_child_is_told_to_connect_itself(space: _native.Space, client: _native.Client) -> None:
    stream = space.open_stream(_native.RESERVE, FIRST)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            refused = 0
            for use in (lambda: space.send_put([_native.Put(("a",))]), client.spaces, lambda: stream.next(0)):
                try:
                    use()
                except errors.Closed as error:
                    refused += "before the process was forked" in str(error)
            client.close()
            del stream, space
            gc.collect()
            code = 0 if refused == 3 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    put(space, ("first", 1))  # the parent's goes on
    handout = stream.next(20)
    assert handout is not None


def test_the_interpreter_ends_with_an_open_client(space_server: Server) -> None:
    """Neither a hang nor a crash, whatever is still open and shared."""
    program = f"""
from linden import _native
client = _native.Client.connect({space_server.address!r})
space = client.open_space("test", create=True)
stream = space.open_stream(_native.RESERVE, [("first", _native.Typed("int"))])
space.send_put([_native.Put(("object", _native.Object("raw", [bytes(1 << 20)])))], queue=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
