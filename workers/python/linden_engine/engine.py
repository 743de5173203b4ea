"""The engine: joins a farm, then takes, runs and finishes one task after another until it is told to stop.

The main thread runs user code and nothing else; native threads renew leases, prefetch tasks and send results meanwhile.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from types import FrameType
from typing import Any

from linden import _native, farm
from linden.connection_file import ConnectionInfo
from linden.errors import Closed, ConnectionLost, NoMatch, SessionExpired, ShuttingDown, SpaceGone
from linden.reference import set_resolver
from linden.shared import set_loader

from .attendant import Attendant
from .functions import Functions, load_payload
from .log import Log
from .namespace import Namespace
from .output import TaskOutput, capture
from .prefetch import Prefetch
from .run_task import EngineStop, TaskRunner

_LEASE_S = 30.0
_REGISTER_S = 30.0


class Engine:
    """One engine process."""

    def __init__(
        self,
        info: ConnectionInfo,
        *,
        space_name: str,
        name: str = "",
        log: Log,
        timeout: float = 10.0,
        hold: float = 5.0,
        memory: float = 60.0,
        reconnect: float = 60.0,
        parent_pid: int | None = None,
    ) -> None:
        self._info = info
        self._space_name = space_name
        self._name = name or f"{os.uname().nodename}:{os.getpid()}"
        self._log = log
        self._timeout = timeout
        self._hold = hold
        self._memory = memory
        self._reconnect = reconnect
        self._parent_pid = parent_pid
        self._namespace = Namespace()
        self._output = TaskOutput()
        self._running = False  # user code
        self._stopping: str | None = None
        self._in_terminal = sys.stdin is not None and sys.stdin.isatty()

    def serve(self) -> bool:
        """Work until told to stop; False if the server went away for good.

        Raises: Unreachable: no server there in the first place.
        """
        self._prepare_process()
        try:
            while self._stopping is None:
                if not self._serve_session():
                    return False
        except EngineStop:
            self._log.event("stopped", reason=self._stopping)
        return True

    def _prepare_process(self) -> None:
        self._namespace.install()
        set_resolver(self._namespace.evaluate)
        capture(self._output)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGINT, self._on_sigint)

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = self._stopping or "SIGTERM"
        raise EngineStop

    def _on_sigint(self, _number: int, _frame: FrameType | None) -> None:
        # Interrupts the task that runs.  Between tasks it ends an engine that was started by hand; others are in the
        # process group of a session whose user means something else by Ctrl-C.
        if self._running:
            raise KeyboardInterrupt
        if self._in_terminal:
            self._stopping = "SIGINT"
            raise EngineStop

    # ---- one session

    def _serve_session(self) -> bool:
        """Join the farm and work; True if the session has ended and a new one may begin."""
        client = _native.Client.connect(
            self._info.reachable_address(),
            name=f"engine {self._name}",
            timeout=self._timeout,
            hold=self._hold,
            memory=self._memory,
            reconnect=self._reconnect,
        )
        attendant = None
        try:
            space = client.open_space(self._space_name, create=True, initial=farm.initial_tuples())
            before = time.monotonic()
            id_ = self._register(client, space)
            attendant = Attendant(
                client,
                space,
                id_,
                self._output,
                self._log,
                self._parent_pid,
                self._note_stop,
                registering_since=before,
            )
            attendant.start()
            self._work(space, id_)
        except SessionExpired:
            self._log.event("session_expired", what="joining anew under a new id")
        except (ConnectionLost, ShuttingDown, SpaceGone, Closed) as error:
            if attendant is not None and attendant.given_up:
                self._log.event("given_up", what="joining anew under a new id")
                return True
            self._log.failure(f"space-engine: the farm has gone: {error}")
            return False
        finally:
            self._output.send_with(None)
            client.close()
            if attendant is not None:
                attendant.join()
        return True

    def _note_stop(self, reason: str) -> None:
        self._stopping = self._stopping or reason

    def _register(self, client: _native.Client, space: _native.Space) -> int:
        """Take the next engine id; the counter and the engine's tuple change in one step."""
        while True:
            request = space.send_take(_native.RESERVE, [farm.engine_id_form()], timeout=_REGISTER_S)
            try:
                counter = client.wait(request)[0]
            except NoMatch:
                raise TimeoutError(
                    f"space {self._space_name!r} has no counter of engine ids; is it a farm, or does somebody hold it?"
                ) from None
            id_ = counter.fields[1]
            puts = farm.registration(id_, client.session, self._describe())
            codes = client.wait(space.send_finish([((counter.id, counter.attempt), puts)]))
            if codes[0] == 0:
                self._log.event("registered", engine=id_, pid=os.getpid(), address=client.address)
                return int(id_)

    def _describe(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "host": os.uname().nodename,
            "python": sys.version.split()[0],
            "name": self._name,
            "cores": os.cpu_count(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }

    # ---- tasks

    def _work(self, space: _native.Space, id_: int) -> None:
        prefetch = Prefetch()
        stream = space.open_stream(_native.RESERVE, farm.task_forms(id_), credit=prefetch.credit, lease=_LEASE_S)
        self._output.send_with(lambda puts: stream.put(puts, True))
        load = partial(load_payload, space)
        set_loader(load)
        runner = TaskRunner(Functions(space, self._namespace), self._namespace, load)
        session = space.client.session
        while self._stopping is None:
            task = stream.next()
            if task is None:
                continue
            started = time.time()
            puts, ended = self._run(runner, task.fields, id_, session, started)
            stream.finish(task.id, task.attempt, puts)
            if prefetch.observe(ended - started):
                stream.set_credit(prefetch.credit)

    def _run(
        self, runner: TaskRunner, fields: tuple[Any, ...], id_: int, session: str, started: float
    ) -> tuple[list[_native.Put], float]:
        """Run a task; what to put for it, and when it ended."""
        client, number = fields[farm.TASK_CLIENT], fields[farm.TASK_NUMBER]
        self._output.begin(client, number)
        self._running = True
        try:
            status, payload = runner.run(fields)
        except KeyboardInterrupt:  # it came just after the task's end, or before its start
            status, payload = runner.interrupted()
        finally:
            self._running = False
        ended = time.time()
        puts = self._output.end()
        retries = farm.retries_of(fields)
        if status == farm.ERROR and retries:
            puts.append(farm.retry_of(fields, retries - 1))
        else:
            puts.append(farm.result(client, number, status, farm.ran(id_, session, started, ended, fields), payload))
        return puts, ended
