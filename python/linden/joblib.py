"""A joblib backend: ``joblib.Parallel``, and so scikit-learn, on the engines of a farm.

    linden.register_joblib_backend()
    with joblib.parallel_config(backend="linden"):
        search.fit(x, y)

Each batch of joblib is one task of a load-balanced view, and so survives the death of its engine.  Parallel calls inside a
batch run one after the other: the engines are what is shared out, and each is one process.
"""

from __future__ import annotations

import copy
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import joblib.parallel
from joblib.parallel import AutoBatchingMixin, ParallelBackendBase, SequentialBackend

from .async_result import AsyncResult
from .error import NoEnginesRegistered
from .shared import SharedValues

if TYPE_CHECKING:
    from .client import Client
    from .load_balanced_view import LoadBalancedView

_CONNECT_S = 10.0
# As joblib does with its own processes, which map such arrays from files.
_LARGE_BYTES = 1 << 20


def run_batch(batch: Callable[[], Any], threads: int | None) -> Any:
    """What an engine runs; `threads`: at most so many of BLAS, OpenMP and the like at a time."""
    with _limited(threads):
        return batch()


def _limited(threads: int | None) -> Any:
    if threads is None:
        return nullcontext()
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:  # then nothing is known to limit them with
        return nullcontext()
    return threadpool_limits(threads)


class LindenBackend(AutoBatchingMixin, ParallelBackendBase):
    """Runs batches on `view`.

    Without a view it joins the running cluster of this user (``$LINDEN_CONNECTION`` or the default one), or starts one with
    an engine per processor; `terminate`, which joblib calls at the end of a call or of a ``with Parallel()`` block, closes
    the client and stops the cluster that it has started.
    """

    default_n_jobs = -1
    supports_retrieve_callback = True
    supports_inner_max_num_threads = True

    def __init__(self, view: LoadBalancedView | None = None, **options: Any) -> None:
        super().__init__(**options)
        self._given = view
        self._view = view
        self._client: Client | None = None  # our own
        self._jobs = 1
        self._pending: weakref.WeakSet[AsyncResult] = weakref.WeakSet()
        self._call = 0  # what was submitted for an earlier one is not told of
        self._telling = threading.RLock()
        self._values: SharedValues | None = None

    @property
    def view(self) -> LoadBalancedView:
        """Where batches run; joins or starts a cluster if there is none yet."""
        if self._view is None:
            self._client = _own_client()
            self._view = self._client.load_balanced_view()
        return self._view

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """How many batches run at a time: `n_jobs`, at most one per engine; -1 is all engines, -2 all but one.

        Raises: ValueError: 0.
        """
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning; -1 uses all engines")
        engines = self._engines()
        if n_jobs is None:
            return engines
        return min(n_jobs, engines) if n_jobs > 0 else max(engines + 1 + n_jobs, 1)

    def _engines(self) -> int:
        try:
            return len(self.view)
        except NoEnginesRegistered:  # batches wait until somebody serves
            return 1

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_options: Any) -> int:
        """For joblib: the next call begins."""
        self.parallel = parallel
        self._jobs = self.effective_n_jobs(n_jobs)
        self.reset_batch_stats()
        return self._jobs

    def start_call(self) -> None:
        """For joblib: calls of one kind begin, which may have arguments in common."""
        self._values = SharedValues(self.view.client)
        # joblib 1.5 keeps what it had cut into batches for a call that was aborted, and would run it in this one.
        leftovers = getattr(self.parallel, "_ready_batches", None)
        while leftovers is not None and not leftovers.empty():
            leftovers.get(block=False)

    def stop_call(self) -> None:
        """For joblib: they have ended."""
        values, self._values = self._values, None
        if values is not None:
            values.release()

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> AsyncResult:
        """For joblib: run a batch.  `callback` is called with its AsyncResult in the thread that stores it."""
        batch = _sharing(func, self._values)
        result = self.view.apply_async(run_batch, batch, self.inner_max_num_threads or self._fair_threads())
        self._pending.add(result)
        if callback is not None:
            result.add_done_callback(partial(self._tell, self._call, callback))
        return result

    def _tell(self, call: int, callback: Callable[[Any], None], result: Any) -> None:
        # joblib would go on with the call that was aborted, in the middle of the next one.
        with self._telling:
            if call == self._call:
                callback(result)

    apply_async = submit  # its name before joblib 1.5

    def _fair_threads(self) -> int | None:
        # As joblib does for its own processes: engines on one machine share its processors.
        if "OMP_NUM_THREADS" in os.environ:
            return None
        return max(1, (os.cpu_count() or 1) // self._jobs)

    def retrieve_result_callback(self, out: AsyncResult) -> Any:
        """For joblib: the values of a batch, or its error."""
        return out.get()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """For joblib: what has not started is not wanted any more."""
        with self._telling:
            self._call += 1
        pending = [result for result in self._pending if not result.done()]
        self._pending.clear()
        if pending:
            self.view.client.abort(pending)
        if not ensure_ready:
            self.terminate()

    def terminate(self) -> None:
        """For joblib: the end of a call.  Closes what this backend has opened."""
        client, self._client = self._client, None
        if client is None:
            return
        self._view = self._given
        if client.owns_cluster:
            client.shutdown(hub=True)
        client.close()

    def get_nested_backend(self) -> tuple[Any, None]:
        """For joblib: calls inside a batch run one after the other in their engine."""
        return SequentialBackend(nesting_level=(self.nesting_level or 0) + 1), None


def _sharing(batch: Any, values: SharedValues | None) -> Any:
    """The batch with something small in the place of each large argument."""
    items = getattr(batch, "items", None)
    if values is None or not isinstance(items, list):
        return batch

    def small(argument: Any) -> Any:
        return values.share(argument) if _size(argument) >= _LARGE_BYTES else argument

    shared = copy.copy(batch)
    shared.items = [
        (function, tuple(map(small, args)), {name: small(argument) for name, argument in kwargs.items()})
        for function, args, kwargs in items
    ]
    return shared


def _size(argument: Any) -> int:
    """Bytes of an array, a sparse matrix or a data frame; 0 for what else there is."""
    for holder in (argument, getattr(argument, "data", None)):
        size = getattr(holder, "nbytes", 0)
        if isinstance(size, int) and size:
            return size
    usage = getattr(argument, "memory_usage", None)
    return int(usage(index=True).sum()) if callable(usage) and hasattr(argument, "columns") else 0


def _own_client() -> Client:
    from linden_launchers import LaunchError, RunningCluster

    import linden

    from .connection_file import CONNECTION_VARIABLE

    if os.environ.get(CONNECTION_VARIABLE):
        return linden.Client(timeout=_CONNECT_S)
    try:
        running = RunningCluster.find().status(ask_server_s=None).state != "dead"
    except LaunchError:
        running = False
    return linden.Client(timeout=_CONNECT_S) if running else linden.start()


def register(name: str = "linden", make_default: bool = False, view: LoadBalancedView | None = None) -> None:
    """Make ``joblib.parallel_config(backend=name)`` use `view`, or the running cluster, or one that is started for it.

    Under the default name it answers to "ipyparallel" as well.  `make_default`: use it where nobody names a backend.
    """
    factory = LindenBackend if view is None else partial(LindenBackend, view)
    if name == "linden":
        joblib.parallel.register_parallel_backend("ipyparallel", factory)
    joblib.parallel.register_parallel_backend(name, factory, make_default=make_default)


IPythonParallelBackend = LindenBackend  # ipyparallel's name
