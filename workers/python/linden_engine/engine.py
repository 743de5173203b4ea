"""The engine: joins a farm, then takes, runs and finishes one task after another until it is told to stop.

The main thread runs user code and nothing else; native threads renew leases, prefetch tasks and send results meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from linden import _native, collective, datapub, farm, serialize
from linden.connection_file import ConnectionInfo
from linden.data import FarmData, set_engine_data
from linden.engine_connection import set_engine_connection
from linden.engine_kernel import BoundKernel, set_binder
from linden.errors import Closed, ConnectionLost, SessionExpired, ShuttingDown, SpaceGone
from linden.kept import set_kept_loader
from linden.reaching import connect_to_any
from linden.reference import set_definer, set_resolver
from linden.result_argument import set_result_loader
from linden.shared import set_loader
from linden.task_queues import checked_tags

from . import forks
from .attendant import PARENT_GONE, PERIOD_S, Attendant
from .conditional import Conditional, is_final
from .execution import LAZILY, Shells
from .functions import Functions, load_payload
from .identity import identity
from .interrupts import EngineStop, Interrupts
from .keeper import Keeper
from .log import Log
from .mpi import Rank
from .namespace import Namespace
from .on_join import OnJoinRuns
from .output import TaskOutput
from .prefetch import Prefetch
from .registration import describe, register, register_as
from .restart import RESTART, Beginning
from .results import Results
from .run_task import Outcome, TaskRunner
from .sink import FarmSink
from .startup import run_startup
from .streams import capture
from .walltime import Walltime

if TYPE_CHECKING:
    from .kernel_thread import KernelThread

_LEASE_S = 30.0
# What a task printed before it calls os._exit is waited for no longer than this.
_LAST_WORDS_S = 2.0

# A task that begins so soon after the one before it is not preceded by output of nobody.
_AT_ONCE_S = 0.001

_exit = os._exit


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
        ipython: str = LAZILY,
        script: str | None = None,
        code: str | None = None,
        rank: Rank | None = None,
        tags: Sequence[str] = (),
        beginning: Beginning | None = None,
        walltime: Walltime | None = None,
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
        self._script = script
        self._code = code
        self._rank = rank
        self._tags = checked_tags(tags)
        self._joined = False
        self._beginning = beginning or Beginning()
        self._walltime = walltime
        self._namespace = Namespace()
        self._output = TaskOutput()
        self._shells = Shells(self._namespace, self._output, ipython)
        self._interrupts = Interrupts(self._output)
        self._kernel: KernelThread | None = None
        self._attendant: Attendant | None = None
        self._on_join = OnJoinRuns()
        self._ended = 0.0  # when the last task did

    def serve(self) -> bool:
        """Work until told to stop, or to start over; False if the server went away for good.

        Raises: Unreachable: no server there in the first place. StartupFailed.
        """
        self._prepare_process()
        try:
            run_startup(self._shells, self._script, self._code)
            while self._interrupts.takes_tasks:
                if not self._serve_session():
                    return False
            self._log.event("left", reason=self._interrupts.stopping or self._interrupts.leaving)
        except EngineStop:
            self._log.event("stopped", reason=self._interrupts.stopping)
        finally:
            if self._kernel is not None:
                self._kernel.close()
        if self._interrupts.stopping == RESTART:
            self._beginning.again()
        return True

    def _prepare_process(self) -> None:
        self._namespace.install()
        set_resolver(self._namespace.evaluate)
        set_definer(self._namespace.set)
        datapub.set_publisher(self._publish)
        set_binder(self._bind_kernel)
        self._beginning.first(self._remove_files)
        capture(self._output)
        forks.prepare()
        os._exit = self._exit  # type: ignore[assignment]
        self._interrupts.install()
        if self._rank is not None:
            self._namespace.provide(self._rank.names())
        self._shells.prepare()

    def _publish(self, data: dict[str, Any]) -> None:
        packed = serialize.pack(data, "the published data")
        self._output.publish(farm.DATA, packed, packed.nbytes)

    def _bind_kernel(self, options: dict[str, Any]) -> BoundKernel:
        if self._kernel is None:
            from .kernel_thread import KernelThread

            self._kernel = KernelThread(self._shells, self._output, f"engine {self._name}")
        return self._kernel.bind(options)

    def _remove_files(self) -> None:
        if self._kernel is not None:
            self._kernel.remove_files()

    def _exit(self, status: int) -> None:
        """Stands for os._exit: what the task has printed comes before its end."""
        if not forks.is_copy():
            self._remove_files()
            self._output.say_last_words(_LAST_WORDS_S)
        _exit(status)

    # ---- one session

    def _serve_session(self) -> bool:
        """Join the farm and work; True if the session has ended and a new one may begin."""
        client, address = connect_to_any(self._info.candidates(), self._connect, self._timeout)
        forks.connected_to(address)
        attendant = self._attendant = None
        data: FarmData | None = None
        try:
            space = client.open_space(self._space_name, create=True, initial=farm.initial_tuples())
            data = FarmData(space, self._info, is_engine=True)
            runner = self._prepare_session(space, data)
            # Before it registers, so that one for which this fails never seems to serve.
            self._on_join.catch_up(space, runner.run)
            before = time.monotonic()
            id_ = self._register(space)
            attendant = self._attendant = Attendant(
                client,
                space,
                id_,
                self._output,
                self._log,
                self._parent_pid,
                self._interrupts,
                self._beginning,
                registering_since=before,
                prepare=data.join,
                walltime=self._walltime,
            )
            attendant.start()
            # Whoever puts one now asks the engines that are registered to catch up; this is for what was put just before.
            self._on_join.catch_up(space, runner.run)
            self._on_join.serve(space, runner.run)
            self._work(space, id_, runner, data)
        except EngineStop:
            self._output.say_last_words(0.0)
            raise
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
            if data is not None:
                # Nobody else will look after the files if the whole cluster has died.
                has_died = self._interrupts.stopping == PARENT_GONE
                data.close(_native.Remove.IF_LAST if has_died else _native.Remove.IF_EMPTY)
            client.close()
            if data is not None:
                data.join_thread()
            if attendant is not None:
                attendant.join()
        return True

    def _connect(self, address: str, timeout: float) -> _native.Client:
        return _native.Client.connect(
            address,
            name=f"engine {self._name}",
            timeout=timeout,
            hold=self._hold,
            memory=self._memory,
            reconnect=self._reconnect,
            interrupt_check=1.0,  # signals reach the main thread, and wake it
        )

    def _register(self, space: _native.Space) -> int:
        info = {**describe(self._name, self._tags), **identity(os.environ), **(self._rank.info() if self._rank else {})}
        id_ = self._rank.take_id(space) if self._rank and not self._joined else None
        self._joined = True  # who joins anew does it without the other ranks
        if id_ is None:
            id_ = register(space, info)
        else:
            register_as(space, id_, info)
        self._log.event("registered", engine=id_, pid=os.getpid(), address=space.client.address)
        return id_

    # ---- tasks

    def _prepare_session(self, space: _native.Space, data: FarmData) -> TaskRunner:
        """Whatever user code may need of the farm, which is more than its namespace."""
        set_engine_data(data)
        set_engine_connection(self._info._replace(space=self._space_name))
        load = partial(load_payload, space)
        set_loader(load)
        functions = Functions(space, self._namespace)
        set_result_loader(Results(space, functions).load)
        return TaskRunner(functions, self._namespace, load, self._shells, data)

    def _work(self, space: _native.Space, id_: int, runner: TaskRunner, data: FarmData) -> None:
        prefetch = Prefetch()
        stream = space.open_stream(
            _native.RESERVE, farm.task_forms(id_, self._tags), credit=prefetch.credit, lease=_LEASE_S
        )
        keeper = self._make_keeper(space, id_, runner, data)
        self._attendant_wakes(stream, keeper)
        self._output.send_with(FarmSink(space))
        conditional = Conditional(space, id_, data)
        while self._interrupts.takes_tasks:
            task = self._next(stream)
            if task is None:
                continue
            given = task.fields
            if given[0] == farm.LATE:
                stream.finish(task.id, task.attempt, conditional.take_over(given))
                continue
            if task.attempt > 1 and _was_cancelled(space, given):
                self._interrupts.cancel((given[farm.TASK_CLIENT], given[farm.TASK_NUMBER]))
            fields, instead = conditional.decide(given)
            if fields is None:
                stream.finish(task.id, task.attempt, instead)
                continue
            started = time.time()
            collective.begin_task(space, fields, id_, data)
            status, payload, puts = self._run(runner, fields, started)
            collective.end_task(status, payload)
            if data.pending or keeper.has_new:
                puts += _values(given, status, payload, keeper, data)
            puts += conditional.end(given, status, payload, started, self._ended)
            stream.finish(task.id, task.attempt, puts)
            if prefetch.observe(self._ended - started):
                stream.set_credit(prefetch.credit)

    def _make_keeper(self, space: _native.Space, id_: int, runner: TaskRunner, data: FarmData) -> Keeper:
        keeper = Keeper(space, id_, runner.load_function, data)
        set_kept_loader(keeper.value)
        runner.keep = keeper.keep
        return keeper

    def _attendant_wakes(self, stream: _native.Stream, keeper: Keeper) -> None:
        if self._attendant is not None:
            self._attendant.tasks = stream
            self._attendant.keeper = keeper

    def _next(self, stream: _native.Stream) -> _native.Handout | None:
        interrupts = self._interrupts
        interrupts.waiting = True
        try:
            task = stream.next()
        except Closed:
            if interrupts.leaving is None:
                raise
            return None  # the attendant has closed it, so that we wait no longer
        finally:
            interrupts.waiting = False
        if task is not None and interrupts.leaving is not None:
            stream.release(task.id, task.attempt, started=False)  # it came in the same moment (F2)
            return None
        return task

    def _run(self, runner: TaskRunner, fields: Sequence[Any], started: float) -> tuple[str, Any, list[_native.Put]]:
        """Run a task: status and payload of its result, and what it printed that has not been sent."""
        client, number = key = fields[farm.TASK_CLIENT], fields[farm.TASK_NUMBER]
        self._output.begin(client, number, at_once=started - self._ended < _AT_ONCE_S)
        if self._attendant is not None:
            self._attendant.task_begins()
        status, payload = self._outcome(runner, fields, key)
        self._ended = time.time()
        puts = self._output.end()
        if self._interrupts.was_cancelled(key):
            status, payload = farm.CANCELLED, None
        return status, payload, puts

    def _outcome(self, runner: TaskRunner, fields: Sequence[Any], key: tuple[str, int]) -> Outcome:
        interrupts = self._interrupts
        began = time.monotonic()
        try:
            try:
                if not interrupts.begin(key):
                    return farm.CANCELLED, None
                outcome = runner.run(fields)
            finally:
                interrupts.end()
        except KeyboardInterrupt:  # it came just after the task's end, or before its start
            outcome = runner.interrupted()
        if forks.is_copy():
            forks.end_copy(runner.raised)
        if self._attendant is not None and time.monotonic() - began > PERIOD_S:
            # It may not have let the attendant run, and a wish that came in time is to be granted (F6).
            self._attendant.listen()
        return outcome


def _values(given: Sequence[Any], status: str, payload: Any, keeper: Keeper, data: FarmData) -> list[_native.Put]:
    """What is put about values beside a result; those of an attempt that is not the last are nobody's."""
    key = given[farm.TASK_CLIENT], given[farm.TASK_NUMBER]
    final = is_final(given, status)
    puts = keeper.announce(key, status if final else farm.CANCELLED)
    if final and data.pending:
        return puts + data.claim_result(*key, payload)
    data.pending.clear()
    return puts


def _was_cancelled(space: _native.Space, fields: Sequence[Any]) -> bool:
    """Whether a task that was handed out before was cancelled then, while its engine died."""
    form = farm.cancelled_form(fields[farm.TASK_CLIENT], fields[farm.TASK_NUMBER])
    return bool(space.client.wait(space.send_count(form)))
