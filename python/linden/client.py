"""Client: a farm as seen by the one who gives it work."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import engine_waiting, farm, housekeeping, hub, on_join, purging, resubmission
from .async_result import AsyncResult
from .broadcast_view import BroadcastView
from .connection import Connection, open_native
from .connection_file import ConnectionInfo, find_connection
from .direct_view import DirectView
from .error import NoEnginesRegistered
from .executor import ViewExecutor
from .fetched import Fetcher
from .history import History
from .hub import Page
from .load_balanced_view import LoadBalancedView
from .local_results import Forgotten, LocalMetadata, LocalResults
from .mpi_worlds import worlds
from .native_function import check_function
from .on_join import OnJoin
from .reprs import client_html
from .result_reader import ResultReader
from .space import Space
from .submission import Submitter

if TYPE_CHECKING:
    from .dask import DaskFarm
    from .remaking import Remaking

_LIST_LIMIT = 10_000


class Client:
    """A client of a farm, with the names of ipyparallel's.

    Args: connection_info: an address, the path of a connection file, its content as a dict, or None for the running
        cluster. url_file: the same, as older programs say it. timeout: seconds to wait for the connection file and the
        server. cluster_id: which cluster of this user. profile: as cluster_id. cluster: the Cluster that belongs to this
        client; ``shutdown(hub=True)`` stops it. debug: log what this client does. reconnect: how long calls wait for a
        server that is away. profile_dir, ipython_dir, context: ipyparallel's, without effect.
    Raises: TimeoutError: no connection file. Unreachable: no server there. ValueError: sshserver, sshkey, password or
        paramiko, in the place of which there are tunnels of ``ssh -L``.

    ``client[0]``, ``client[:]`` are direct views, `load_balanced_view()` gives work to whoever is free.  Closing the client
    leaves its tasks and results in the farm.  A context manager, in ``with`` and ``async with`` alike.
    """

    def __init__(
        self,
        connection_info: str | os.PathLike[str] | Mapping[str, Any] | ConnectionInfo | None = None,
        *,
        url_file: str | os.PathLike[str] | None = None,
        profile: str | None = None,
        profile_dir: str | None = None,  # noqa: ARG002
        ipython_dir: str | None = None,  # noqa: ARG002
        context: Any = None,  # noqa: ARG002
        debug: bool = False,
        sshserver: str | None = None,
        sshkey: str | None = None,
        password: str | None = None,
        paramiko: bool | None = None,
        timeout: float = 10.0,
        cluster_id: str | None = None,
        cluster: Any = None,
        name: str = "",
        reconnect: float = 60.0,
    ) -> None:
        if sshserver or sshkey or password or paramiko:
            raise ValueError(
                "this client opens no tunnels: run `ssh -L 4000:localhost:PORT HOST`, where PORT is that of the connection "
                'file\'s "tcp" on HOST, and connect to "tcp:localhost:4000"'
            )
        where = connection_info if connection_info is not None else url_file
        self.info = find_connection(where, cluster_id=cluster_id or profile, timeout=timeout)
        native = open_native(self.info, name or f"client pid={os.getpid()}", timeout, reconnect=reconnect)
        self.debug = debug
        self.profile = profile or self.info.cluster_id or ""
        self.block = False
        self.cluster = cluster
        self.owns_cluster = False  # whether leaving the `with` block stops it, too
        self.connection = Connection(native, self.info)
        self._native = native
        self.space: Space = self.connection.space(self.info.space, initial=farm.initial_tuples(), timeout=timeout)
        self.reader = ResultReader(native, self.space.native)
        self.submitter = Submitter(native, self.space.native, self.reader, self.info)
        self.fetcher = Fetcher(self)
        self.forgotten = Forgotten()
        self._known_engines: dict[int, farm.Engine] = {}
        self._known_functions: set[str] = set()  # in C++
        self._dask: DaskFarm | None = None
        self._closed = False
        _open_clients.add(self)
        if "IPython" in sys.modules:
            from .magics import activate_first

            activate_first(self)

    # ---- engines

    def engines(self) -> list[farm.Engine]:
        """All engines that serve now, by id; those in C++, which run no Python, have ``is_native``."""
        request = self.space.native.send_list(farm.engines_form(), limit=_LIST_LIMIT, all_states=False)
        rows = self._native.wait(request)["tuples"]
        engines = sorted(farm.parse_engine(row["fields"]) for row in rows)
        self._known_engines.update((engine.id, engine) for engine in engines)
        return engines

    @property
    def ids(self) -> list[int]:
        """Ids of the engines that serve now and run Python.  `engines` tells of those in C++, too."""
        return [engine.id for engine in self.engines() if not engine.is_native]

    def engines_of(self, targets: Any, *, native: bool | None = False) -> tuple[list[farm.Engine], bool]:
        """The engines that `targets` means, and whether it is a single one.

        Args: native: whether "all" means engines in C++, or those that run Python; None: both.
        Raises: NoEnginesRegistered; IndexError: there never was an engine of that id.
        """
        if targets is None or (isinstance(targets, str) and targets == "all"):
            engines = [engine for engine in self.engines() if native is None or engine.is_native is native]
            if not engines and native:
                raise NoEnginesRegistered(
                    "no engine in C++ serves this farm; start one with `space-worker --load LIBRARY`"
                )
            if not engines:
                raise NoEnginesRegistered(
                    "no engine serves this farm; start some with `space-cluster start -n 4` or `space-engine`"
                )
            return engines, False
        single = isinstance(targets, int)
        ids = [targets] if single else self._ids_in(targets)
        if any(id_ not in self._known_engines for id_ in ids):
            self.engines()
        missing = [id_ for id_ in ids if id_ not in self._known_engines]
        if missing:
            raise IndexError(f"no engine {missing[0]}; there are {sorted(self._known_engines) or 'none'}")
        return [self._known_engines[id_] for id_ in ids], single

    def check_native(self, name: str) -> None:
        """Refuse the name of a function in C++ that none of the engines in C++ has.

        Raises: NoSuchFunction.  Where there are no engines in C++ yet, whoever comes may have it.
        """
        if name not in self._known_functions:
            engines = self.engines()
            check_function(engines, name)
            self._known_functions.update(name for engine in engines for name in engine.functions)

    def _ids_in(self, targets: Any) -> list[int]:
        if isinstance(targets, slice):
            return self.ids[targets]
        if isinstance(targets, (list, tuple, range, set, frozenset)) and all(type(id_) is int for id_ in targets):
            if not targets:
                raise NoEnginesRegistered("the list of targets is empty")
            return list(targets)
        raise TypeError(f"targets must be 'all', an engine id or a list of these, not {targets!r}")

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[DirectView]:
        return iter([self.direct_view(id_) for id_ in self.ids])

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: int | slice | Sequence[int] | range) -> DirectView:
        """A direct view of the engines at these places of `ids`; ``[:]`` is the engines of now.

        Raises: IndexError; TypeError.
        """
        ids = self.ids
        if isinstance(key, bool) or not isinstance(key, (int, slice, list, tuple, range)):
            raise TypeError(f"a client is indexed by int, slice, list or tuple, not {type(key).__name__}")
        if isinstance(key, int):
            if not -len(ids) <= key < len(ids):
                raise IndexError(f"no engine at place {key}; there are {len(ids)} engines: {ids}")
            return self.direct_view(ids[key])
        if isinstance(key, slice):
            return self.direct_view(ids[key])
        return self.direct_view([ids[index] for index in key])

    def wait_for_engines(
        self,
        n: int | None = None,
        *,
        timeout: float = -1,
        block: bool = True,
        interactive: bool | None = None,
        widget: Any = None,
    ) -> Any:
        """Wait until `n` engines serve (None: as many as `cluster` starts).

        Args: timeout: seconds; negative waits for ever. block: False returns a future, which may be awaited. interactive:
            show a progress bar; None: in terminals and notebooks, unless ``$LINDEN_NONINTERACTIVE`` is set. widget: force or
            forbid its form for notebooks.
        Raises: TimeoutError; EngineError: an engine has gone meanwhile, or all of the cluster's have, and nothing starts
            them again. ValueError: no `n`, and no cluster that knows.
        """
        return engine_waiting.wait_for_engines(self, n, timeout, block, interactive, widget)

    # ---- views

    def direct_view(self, targets: Any = "all", **flags: Any) -> DirectView:
        """A view that runs each call on all of `targets`; "all" is looked up at every call."""
        if targets is None:
            targets = "all"
        if not isinstance(targets, (str, int)):
            targets = self._ids_in(targets)
        if targets != "all":
            self.engines_of(targets)
        return DirectView(self, targets).set_flags(**flags)

    def mpi_views(self, **flags: Any) -> list[DirectView]:
        """A direct view for each MPI program all of whose ranks serve (``space-engine --mpi``), rank 0 first."""
        return [self.direct_view(ids, **flags) for ids in worlds(self.engines())]

    def load_balanced_view(self, targets: Any = None, **flags: Any) -> LoadBalancedView:
        """A view that gives each task to whichever engine is free, or is one of `targets`."""
        if targets is not None and targets != "all" and not isinstance(targets, int):
            targets = self._ids_in(targets)
        return LoadBalancedView(self, targets).set_flags(**flags)

    def broadcast_view(self, targets: Any = "all", is_coalescing: bool = False, **flags: Any) -> BroadcastView:
        """A view that runs each call on all of `targets`; "all" is whoever serves now.

        Raises: NoEnginesRegistered; IndexError: there never was an engine of that id.
        """
        return BroadcastView(self, "all" if targets is None else targets, is_coalescing).set_flags(**flags)

    def activate(self, targets: Any = "all", suffix: str = "") -> DirectView:
        """A view of `targets` that waits for its calls, active for IPython's %px: see `DirectView.activate`.

        The first client in an IPython session does so by itself.
        """
        view = self.direct_view(targets, block=True)
        view.activate(suffix)
        return view

    def executor(self, targets: Any = None) -> ViewExecutor:
        """A `concurrent.futures.Executor` over a load-balanced view."""
        return self.load_balanced_view(targets).executor

    # ---- results

    @property
    def session(self) -> str:
        """Names this client in message ids."""
        return self._native.session

    @property
    def history(self) -> History:
        """Message ids of all tasks that this client has submitted, in order."""
        return History(self.session, self.submitter.history)

    @property
    def outstanding(self) -> set[str]:
        """Message ids of this client's tasks whose results have not come."""
        self.reader.poll()
        return {farm.message_id(self.session, number) for number in self.reader.outstanding()}

    @property
    def results(self) -> LocalResults:
        """Values of this client's finished tasks by message id, read from the farm when they are asked for."""
        return LocalResults(self)

    @property
    def metadata(self) -> LocalMetadata:
        """Metadata of this client's finished tasks by message id, read from the farm when they are asked for."""
        return LocalMetadata(self)

    def get_result(
        self,
        indices_or_msg_ids: Any = None,
        block: bool | None = None,
        owner: bool = True,  # noqa: ARG002  (results are in the farm, whoever asks)
    ) -> Any:
        """The results of tasks, of this client or any other, by message id or index of `history`; default: the last.

        Args: block: return the value, and not a result to come; None: as the flag `block` of this client.
        Returns: an AsyncResult, for tasks of others an AsyncHubResult; one id gives a value, several a list.
        Raises: KeyError: neither a task nor a result of that id is in the farm. ValueError: no message id.
        """
        ids, single = self._named(indices_or_msg_ids)
        result = self.fetcher.fetch(ids, single=single)
        return result.get() if (self.block if block is None else block) else result

    def resubmit(
        self,
        indices_or_msg_ids: Any = None,
        metadata: Any = None,  # noqa: ARG002  (the name is ipyparallel's, which ignores it, too)
        block: bool | None = None,
    ) -> Any:
        """Run tasks once more, of this client or any other, finished, aborted or waiting; default: the last one.

        A task for one engine goes there again if it still serves.
        Returns: an AsyncResult with new message ids, or with `block` its value.
        Raises: KeyError: no such task. ValueError: the farm has not kept its arguments, which were large.
            EngineError: what was for one engine alone, such as a push, whose engine has gone.
        """
        ids, single = self._named(indices_or_msg_ids)
        result = resubmission.resubmit(self, ids, single=single)
        return result.get() if (self.block if block is None else block) else result

    def _named(self, indices_or_msg_ids: Any) -> tuple[list[str], bool]:
        return housekeeping.message_ids(self, -1 if indices_or_msg_ids is None else indices_or_msg_ids)

    def wait(self, jobs: Any = None, timeout: float | None = -1) -> bool:
        """Wait for `jobs`: message ids, indices of `history`, AsyncResults, any futures; None: all that is outstanding.

        Returns: whether all of them are finished.
        """
        return housekeeping.wait(self, jobs, timeout)

    def wait_any(self, results: Sequence[AsyncResult], timeout: float | None = None) -> bool:
        """Wait until one of the results is here."""
        return self.reader.wait_until(lambda: any(result._is_complete() for result in results), timeout)

    def wait_interactive(self, jobs: Any = None, interval: float = 1.0, timeout: float = -1.0) -> None:
        """`wait` with a progress bar."""
        from .progress import wait_interactive

        results = housekeeping.results_of(self, jobs)
        wait_interactive(results, interval, None if timeout < 0 else timeout)

    def spin(self) -> None:
        """Nothing: results come by themselves."""

    def spin_thread(self, interval: float = 1) -> None:
        """Nothing: results come by themselves."""

    def stop_spin_thread(self) -> None:
        """Nothing: there is no such thread."""

    def abort(self, jobs: Any = None, targets: Any = None, block: bool | None = None) -> None:  # noqa: ARG002
        """Abort tasks which have not started: `jobs`, or all that is outstanding; their results are TaskAborted.

        Args: jobs: message ids, indices of `history` or AsyncResults. targets: only tasks that wait for these engines,
            or that these hold. Started ones go on.
        """
        housekeeping.abort(self, jobs, targets)

    # ---- the hub's database, which is the space

    def result_status(self, msg_ids: Any, status_only: bool = True) -> dict[str, Any]:
        """Which of the tasks are "pending" and which "completed", as lists of message ids.

        With `status_only=False` also the values of the completed ones, or their errors, by message id.
        Raises: KeyError: no such task.
        """
        return housekeeping.result_status(self, msg_ids, status_only)

    def queue_status(self, targets: Any = "all", verbose: bool = False) -> dict[Any, Any]:
        """How much is to be done, and by whom.

        Returns: by engine id how many tasks wait for that engine alone ("queue"), how many it holds ("tasks") and has
            finished ("completed"); and how many wait for any ("unassigned"). Of one engine, given as an int, its part
            only. `verbose`: message ids in place of numbers.
        """
        return housekeeping.queue_status(self, targets, verbose)

    def hub_history(self, *, limit: int | None = None, after: str | Page | None = None) -> list[str]:
        """Message ids of all tasks in the farm, of all clients, in the order of submission.

        Args: limit, after: a page of at most `limit` ids, those that follow `after`, which is the page before, or the id
            of a task that has ended. Pages are in the order of the space: first tasks without a result, then finished
            ones in the order in which they ended.
        Raises: KeyError: the task `after` is not there any more.
        """
        return hub.history(self, limit, after)

    def db_query(
        self,
        query: Mapping[str, Any],
        keys: str | Iterable[str] | None = None,
        *,
        limit: int | None = None,
        after: str | Page | None = None,
    ) -> list[dict[str, Any]]:
        """Records of tasks, of all clients, that fulfil `query`; see ``docs/reference/hub-database.md``.

        Args: query: a dict of record keys with the value that each must have, or a dict of operators: $eq $ne $gt $gte
            $lt $lte $in $nin $glob $all $mod $exists. ``{}`` means every task. keys: what of each record is wanted;
            None: all but buffers. limit, after: a page, as for `hub_history`.
        Returns: dicts, always with "msg_id"; moments are datetimes with a time zone, and None if they have not come.
        Raises: KeyError: records have no such key. ValueError: no such operator.
        """
        return hub.query(self, query, keys, limit, after)

    def purge_local_results(self, jobs: Any = (), targets: Any = ()) -> None:
        """Remove results from `results` and `metadata` of this client; the farm still has them.

        Args: jobs: message ids, indices, AsyncResults, or "all". targets: engines whose results are meant.
        Raises: RuntimeError: a task has no result yet. ValueError: nothing named.
        """
        purging.purge_local_results(self, jobs, targets)

    def purge_hub_results(self, jobs: Any = (), targets: Any = ()) -> None:
        """Remove results and output from the farm: of `jobs` ("all": all of this client) or of engines `targets`.

        Raises: RuntimeError: a task has no result yet. ValueError: nothing named.
        """
        purging.purge_hub_results(self, jobs, targets)

    def purge_results(self, jobs: Any = (), targets: Any = ()) -> None:
        """`purge_local_results` and `purge_hub_results`."""
        purging.purge_local_results(self, jobs, targets)
        purging.purge_hub_results(self, jobs, targets)

    def purge_everything(self) -> None:
        """Remove all results and output of this client, and its history.

        Raises: RuntimeError: a task has no result yet.
        """
        self.purge_results("all")
        self.submitter.history.clear()

    # ---- engines, from above

    def clear(self, targets: Any = None, block: bool | None = None) -> Any:
        """Empty the namespaces of engines."""
        return self.direct_view("all" if targets is None else targets).clear(block=block)

    def send_signal(self, sig: int | str, targets: Any = None, block: bool | None = None) -> None:  # noqa: ARG002
        """Send a signal (number or name) to engines; SIGINT interrupts what they run."""
        housekeeping.send_signal(self, sig, targets)

    def shutdown(
        self,
        targets: Any = "all",
        restart: bool = False,
        hub: bool = False,
        block: bool | None = None,  # noqa: ARG002
    ) -> None:
        """Stop engines; with `hub` also the server, and close this client.

        Args: targets: which engines. restart: start them over, in the same processes, with empty namespaces and new ids;
            returns when they serve again. Tasks that they have begun run again if they may.
        Raises: EngineError: an engine did not stop, or did not come back, in time. ValueError: restart with hub, or of
            engines that are ranks of an MPI program.
        """
        housekeeping.shutdown(self, targets, restart, hub)

    def on_join(
        self,
        what: Callable[..., Any] | str,
        *args: Any,
        name: str | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> OnJoin:
        """Have every engine run a function, or the text of code, before its first task; also those that come later.

        Engines that serve now run it once they have finished what they run, which is waited for. Engines that are started
        over run it again. It is kept in the farm, so it holds until `remove_on_join`, also without this client. One whose run
        fails does not join; its log says why. name: a second one of a name (default: the function's, or "code") replaces the first.
        Raises: OnJoinFailed: it has failed on an engine that serves, and is not kept. TimeoutError: not in time; it is kept.
        """
        return on_join.on_join(self, what, args, kwargs, name=name, timeout=timeout)

    def remove_on_join(self, what: OnJoin | str) -> None:
        """Engines that come from now on do not run it: what `on_join` gave, or its name.  Raises: KeyError: there is none."""
        on_join.remove(self, what)

    # ---- dask

    def become_dask(
        self,
        targets: Any = "all",
        port: int = 0,
        nanny: bool = False,
        scheduler_args: dict[str, Any] | None = None,
        **worker_args: Any,
    ) -> Any:
        """Start a dask worker in each of `targets`, and a scheduler in this process; returns a distributed.Client of them.

        Args: port: of the scheduler; 0 is any. nanny: workers are processes of their own, started again when they die.
            scheduler_args, worker_args: of distributed's Scheduler and Worker; a worker has one thread unless `nthreads` says
            otherwise. The engines go on serving the farm.
        Raises: ImportError: no distributed, here or on an engine. EngineError: engines that cannot reach the scheduler.
        """
        if self._dask is None:
            from .dask import DaskFarm

            self._dask = DaskFarm(self, port, scheduler_args)
        return self._dask.add_workers(targets, nanny, worker_args)

    def stop_dask(self, targets: Any = "all") -> None:
        """End the dask workers of `targets`; with "all" also the scheduler and its clients.  Idempotent."""
        if self._dask is None:
            return
        self._dask.remove_workers(targets)
        if isinstance(targets, str) and targets == "all":
            self._dask.close()
            self._dask = None

    become_distributed = become_dask
    stop_distributed = stop_dask

    # ---- the end

    def close(self, linger: float | None = None) -> None:  # noqa: ARG002  (the name is ipyparallel's)
        """Say goodbye to the server.  Tasks go on, results stay in the farm.  Idempotent."""
        if self._closed:
            return
        self._closed = True
        _open_clients.discard(self)
        if self._dask is not None:
            self._dask.close()
            self._dask = None
        self.submitter.data.close()
        self.connection.close()
        self.reader.close()
        self.submitter.data.join_thread()

    @cached_property
    def remaking(self) -> Remaking:
        """For AsyncResult only: makes again what is lost."""
        from .remaking import Remaking

        return Remaking(self)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.owns_cluster:
            self.shutdown(hub=True)
        self.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.__exit__, kind, value, traceback)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def _repr_html_(self) -> str:
        return client_html(self)

    def __repr__(self) -> str:
        if self._closed:
            return "<linden.Client, closed>"
        return f"<linden.Client of {self._native.address}: {len(self.reader.outstanding())} tasks outstanding>"


_open_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def open_clients() -> list[Client]:
    """All clients of this process that have not been closed."""
    return list(_open_clients)


@atexit.register
def _close_all() -> None:
    for client in list(_open_clients):
        client.close()
