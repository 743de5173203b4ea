"""The thread beside the one that runs tasks: sends what running tasks print, listens to clients (signals, cancelled tasks,
shutdown), watches the parent, and notices when the farm has given this engine up.

It takes no part in reading the socket, so that the main thread's way to its next task stays as short as it can be: whoever reads
rings its bell when a client has said something, or the server was lost and found again.  While a task runs it looks ten
times a second, for output that C code and child processes have written tells nobody; otherwise it sleeps.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from linden import _native, farm
from linden.errors import LindenError, OutcomeUnknown

from .interrupts import Interrupts, Key
from .keeper import Keeper
from .log import Log
from .output import STDERR, TaskOutput
from .restart import RESTART, Beginning
from .walltime import Walltime

# How often it looks while a task runs, and while none does.
PERIOD_S = 0.1
IDLE_S = 1.0
# Why an engine ends.
PARENT_GONE = "parent_gone"
# A task that does not let go of the interpreter is not waited for any longer than this.
_GRACE_S = 5.0
# A pause of this process that is longer than this may have cost it its registration.
_PAUSE_S = 1.0
_ANSWER_S = 5.0


class Attendant:
    """Serves one session of an engine."""

    def __init__(
        self,
        client: _native.Client,
        space: _native.Space,
        engine_id: int,
        output: TaskOutput,
        log: Log,
        parent_pid: int | None,
        interrupts: Interrupts,
        beginning: Beginning,
        *,
        registering_since: float,
        prepare: Callable[[], None] = lambda: None,
        walltime: Walltime | None = None,
    ) -> None:
        """`registering_since`: the monotonic moment before the engine registered; pauses count from there. `prepare`: what is
        to be done once, while the first task may run already.
        """
        self._prepare = prepare
        self.tasks: _native.Stream | None = None  # from which the main thread takes them
        self.keeper: Keeper | None = None  # of values that others may ask for
        self._walltime = walltime
        self._client = client
        self._space = space
        self._form = farm.engine_form(engine_id, client.session)
        self._control = space.open_stream(_native.TAKE, [farm.control_form(client.session)], credit=8)
        self._bell = _native.Bell()
        self._control.on_news(self._bell)
        self._reconnects = client.reconnects
        self._sleeps = False  # for long, so that a task which begins has to shorten it
        self._output = output
        self._log = log
        self._parent_pid = parent_pid
        self._interrupts = interrupts
        self._beginning = beginning
        self._given_up = False
        self._looked_at = registering_since
        self._period_s = 0.0  # how much later the next look was to be
        self._listening = threading.RLock()
        self._ending: str | None = None  # why this engine is to end
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="linden-attendant", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._interrupts.on_leave = self._bell.ring
        self._thread.start()

    def join(self) -> None:
        """End."""
        self._over.set()
        self._bell.ring()
        if self._thread is not threading.current_thread():
            self._thread.join(2.0)

    @property
    def given_up(self) -> bool:
        """Whether the farm has taken this engine for dead, so that it has to join anew."""
        return self._given_up

    def task_begins(self) -> None:
        """To be called by the main thread; wakes nobody, which would cost the task time."""
        if self._sleeps:
            self._sleeps = False
            self._bell.ring_within(PERIOD_S)

    def _run(self) -> None:
        try:
            self._prepare()
        except LindenError as error:
            self._log.event("data_store", failed=str(error))
        with watched(self._parent_pid) as parent:
            self._look_after(parent)

    def _look_after(self, parent: int) -> None:
        suspicious = False
        while not self._over.is_set():
            self._sleep(parent, IDLE_S if not suspicious and self._interrupts.leaving is None else PERIOD_S)
            now = time.monotonic()
            suspicious = suspicious or self._was_away(now)
            self._looked_at = now
            try:
                self._output.send(wait=False)
                self.listen()
                if self._ending is not None:
                    self._end(self._ending)
                    return
                self._interrupts.insist(self._report)
                self._watch_walltime(now)
                if self._interrupts.leaving is not None and self._interrupts.waiting and self.tasks is not None:
                    self.tasks.close()  # what waits there goes back un-started, and the main thread sees that it may go
                if suspicious and self._client.connected:
                    suspicious = not self._is_registered()
            except LindenError:  # the main thread meets the same error and decides
                return
            if can_be_read(parent):
                self._end(PARENT_GONE)
                return

    def _sleep(self, parent: int, idle_s: float) -> None:
        self._sleeps = True
        # In this order: the main thread does it the other way round, so that one of the two sees the other.
        if not self._interrupts.waiting:
            self._sleeps = False
        self._period_s = idle_s if self._sleeps else PERIOD_S
        self._bell.wait(self._period_s, parent)
        self._sleeps = False

    def _was_away(self, now: float) -> bool:
        """Whether this process was cut off, or did not run, since the look before this one."""
        reconnects, self._reconnects = self._reconnects, self._client.reconnects
        paused_s = now - self._looked_at - self._period_s
        return self._reconnects != reconnects or not self._client.connected or paused_s > _PAUSE_S

    def _watch_walltime(self, now: float) -> None:
        if self._walltime is None:
            return
        if now >= self._walltime.over:
            self._end("walltime")
        elif now >= self._walltime.leave:
            self._interrupts.leave("walltime")

    def _is_registered(self) -> bool:
        """Whether our tuple is known to be there still: after a pause longer than the hold time it is not, though the session is.

        If it is not, closes the client, so that the main thread comes to know at its next word to the space.
        """
        try:
            count = self._client.wait(self._space.send_count(self._form), _ANSWER_S)
        except OutcomeUnknown:  # a server that is slow or away just now; asked again at the next look
            return False
        if count == 0:
            self._given_up = True
            self._client.close()
        return bool(count)

    def listen(self) -> None:
        """Act on what clients have said; returns when all that has come is done, whichever thread does it."""
        with self._listening:
            while self._ending is None and (word := self._control.next(0.0)) is not None:
                self._obey(word.fields[2], word.fields[3])

    def _obey(self, verb: str, argument: Any) -> None:
        self._log.event("control", verb=verb, argument=argument)
        if verb == farm.SHUTDOWN:  # by our own thread, at its next look
            self._ending = RESTART if argument == farm.RESTART else "shutdown"
            self._bell.ring()
        elif verb == farm.DRAIN:
            self._interrupts.leave("drained")
        elif verb == farm.SIGNAL and isinstance(argument, int):
            os.kill(os.getpid(), argument)
        elif verb == farm.CANCEL and isinstance(argument, list) and len(argument) == 2:
            self._interrupts.cancel((argument[0], argument[1]))
        elif verb == farm.GIVE and self.keeper is not None and isinstance(argument, list) and len(argument) == 5:
            self.keeper.give(*argument)
        elif verb == farm.TAKEN and self.keeper is not None and isinstance(argument, list) and len(argument) == 2:
            self.keeper.taken(*argument)
        elif verb == farm.DROP and self.keeper is not None and isinstance(argument, list) and len(argument) == 2:
            self.keeper.drop(*argument)

    def _report(self, key: Key) -> None:
        self._log.event("cancel_ignored", task=farm.message_id(*key))
        note = (
            "\n[linden: this task was cancelled and goes on: it catches KeyboardInterrupt, or is in code that does not come "
            "back to Python; it is interrupted again now, and send_signal('SIGKILL', engine) ends it with its engine]\n"
        )
        self._output.write(STDERR, note)

    def _end(self, reason: str) -> None:
        self._interrupts.stop(reason)
        os.kill(os.getpid(), signal.SIGTERM)
        if not self._over.wait(_GRACE_S):
            self._log.event("stopped", reason=reason, task="did not stop in time")
            self._client.close()
            if reason == RESTART:
                self._beginning.again()
            os._exit(0)


@contextmanager
def watched(pid: int | None) -> Iterator[int]:
    """A descriptor that can be read once there is no process of that id, or one that only waits to be reaped.

    -1: there is nothing to watch.
    """
    try:
        descriptor = -1 if pid is None else os.pidfd_open(pid)
    except ProcessLookupError:
        descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        descriptor = -1
    try:
        yield descriptor
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def can_be_read(descriptor: int) -> bool:
    """Whether it can be, now."""
    if descriptor < 0:
        return False
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))
