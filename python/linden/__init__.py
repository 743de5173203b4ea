"""Linden: a durable tuple space for parallel computing.

    import linden

    with linden.start(4) as rc:
        view = rc.load_balanced_view()
        print(view.map_sync(pow, range(10), range(10)))

``Client`` and its views follow ipyparallel (``import linden as ipp``); ``connect`` opens spaces of tuples.  Names are loaded
when they are first used, so that an engine, which needs few of them, starts quickly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import _native

if TYPE_CHECKING:
    from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION

    from linden_launchers import Cluster, ClusterManager

    from . import aio, collective, datapub, error, errors, mapreduce, recipes
    from .async_result import AsyncResult
    from .broadcast_view import BroadcastView
    from .canning import (
        PrePickled,
        can,
        can_map,
        deserialize_object,
        pack_apply_message,
        serialize_object,
        uncan,
        uncan_map,
        unpack_apply_message,
    )
    from .client import Client
    from .connection import Connection, connect
    from .connection_file import ConnectionInfo
    from .decorators import ParallelFunction, RemoteFunction, parallel, remote
    from .dependency import Dependency, depend, dependent, interactive, require
    from .direct_view import DirectView
    from .engine_kernel import BoundKernel, bind_kernel
    from .error import (
        AlreadyDisplayedError,
        CollectiveError,
        CollectiveTimeout,
        CompositeError,
        DependencyTimeout,
        EngineDied,
        EngineError,
        ImpossibleDependency,
        InvalidDependency,
        IPythonError,
        KeptResultLost,
        KernelError,
        NoEnginesRegistered,
        NoGroup,
        NoSuchFunction,
        RankFailed,
        RanksDisagree,
        RemoteError,
        TaskAborted,
        TaskRejectError,
        TaskTimeout,
        UnmetDependency,
    )
    from .errors import (
        Cancelled,
        Closed,
        ConnectionLost,
        KeyConflict,
        LindenError,
        NoMatch,
        NoSuchSpace,
        OutcomeUnknown,
        SessionExpired,
        SpaceGone,
        StaleLease,
        TransactionConflict,
        Unreachable,
    )
    from .execute_reply import ExecuteReply
    from .executor import ViewExecutor
    from .fetched import AsyncHubResult
    from .fields import ANY, Between, OneOf, Prefix, Var, with_attributes
    from .kept import Kept
    from .load_balanced_view import LoadBalancedView
    from .map_result import AsyncMapResult
    from .mapreduce import MapReduce, TextFiles
    from .mapreduce_job import MapReduceJob
    from .native_function import NativeFunction, native
    from .outcome import Metadata
    from .plain import NotPlain
    from .reference import Reference
    from .reservation import Reservation
    from .serialize import NotPicklable, use_cloudpickle, use_dill, use_pickle
    from .space import Space
    from .subscription import Gap, Notification, Subscription
    from .transaction import Transaction

__version__ = _native.VERSION
version_info: tuple[int, ...] = tuple(int(part) for part in __version__.split(".")[:3])

__all__ = [
    # spaces
    "connect",
    "Connection",
    "ConnectionInfo",
    "Space",
    "Reservation",
    "Transaction",
    "Subscription",
    "Notification",
    "Gap",
    "ANY",
    "Between",
    "Prefix",
    "OneOf",
    "aio",
    "collective",
    "datapub",
    "recipes",
    "Var",
    "with_attributes",
    # farms
    "Client",
    "DirectView",
    "LoadBalancedView",
    "BroadcastView",
    "ViewExecutor",
    "AsyncResult",
    "AsyncMapResult",
    "AsyncHubResult",
    "ExecuteReply",
    "Metadata",
    "Reference",
    "native",
    "NativeFunction",
    "Kept",
    "MapReduce",
    "MapReduceJob",
    "TextFiles",
    "mapreduce",
    "Dependency",
    "depend",
    "dependent",
    "interactive",
    "PrePickled",
    "can",
    "uncan",
    "can_map",
    "uncan_map",
    "serialize_object",
    "deserialize_object",
    "pack_apply_message",
    "unpack_apply_message",
    "use_dill",
    "use_cloudpickle",
    "use_pickle",
    "require",
    "remote",
    "parallel",
    "register_joblib_backend",
    "RemoteFunction",
    "ParallelFunction",
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    # clusters
    "start",
    "bind_kernel",
    "BoundKernel",
    "Cluster",
    "ClusterManager",
    # errors
    "error",
    "errors",
    "LindenError",
    "NoMatch",
    "Cancelled",
    "StaleLease",
    "TransactionConflict",
    "KeyConflict",
    "NoSuchSpace",
    "SpaceGone",
    "SessionExpired",
    "OutcomeUnknown",
    "ConnectionLost",
    "Unreachable",
    "Closed",
    "NotPicklable",
    "NotPlain",
    "IPythonError",
    "KernelError",
    "EngineError",
    "EngineDied",
    "NoEnginesRegistered",
    "NoSuchFunction",
    "TaskAborted",
    "TaskRejectError",
    "TaskTimeout",
    "UnmetDependency",
    "ImpossibleDependency",
    "DependencyTimeout",
    "InvalidDependency",
    "KeptResultLost",
    "CollectiveError",
    "CollectiveTimeout",
    "NoGroup",
    "RankFailed",
    "RanksDisagree",
    "RemoteError",
    "CompositeError",
    "AlreadyDisplayedError",
    # versions
    "__version__",
    "version_info",
]

_MODULES = {
    ".connection": ("connect", "Connection"),
    ".connection_file": ("ConnectionInfo",),
    ".space": ("Space",),
    ".reservation": ("Reservation",),
    ".subscription": ("Subscription", "Notification", "Gap"),
    ".transaction": ("Transaction",),
    ".fields": ("ANY", "Between", "Prefix", "OneOf", "Var", "with_attributes"),
    ".client": ("Client",),
    ".direct_view": ("DirectView",),
    ".broadcast_view": ("BroadcastView",),
    ".load_balanced_view": ("LoadBalancedView",),
    ".executor": ("ViewExecutor",),
    ".async_result": ("AsyncResult",),
    ".map_result": ("AsyncMapResult",),
    ".fetched": ("AsyncHubResult",),
    ".mapreduce": ("MapReduce", "MapReduceJob", "TextFiles"),
    ".engine_kernel": ("bind_kernel", "BoundKernel"),
    ".execute_reply": ("ExecuteReply",),
    ".outcome": ("Metadata",),
    ".reference": ("Reference",),
    ".native_function": ("native", "NativeFunction"),
    ".plain": ("NotPlain",),
    ".kept": ("Kept",),
    ".dependency": ("Dependency", "depend", "dependent", "require", "interactive"),
    ".serialize": ("NotPicklable", "use_dill", "use_cloudpickle", "use_pickle"),
    ".canning": (
        *("PrePickled", "can", "uncan", "can_map", "uncan_map", "serialize_object", "deserialize_object"),
        *("pack_apply_message", "unpack_apply_message"),
    ),
    ".decorators": ("remote", "parallel", "RemoteFunction", "ParallelFunction"),
    ".magics": ("load_ipython_extension", "unload_ipython_extension"),
    "linden_launchers": ("Cluster", "ClusterManager"),
    "concurrent.futures": ("ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"),
    ".error": (
        *(
            "IPythonError",
            "TaskRejectError",
            "KernelError",
            "EngineError",
            "EngineDied",
            "NoEnginesRegistered",
            "NoSuchFunction",
            "TaskAborted",
            "RemoteError",
        ),
        *("CompositeError", "AlreadyDisplayedError", "LindenError", "NoMatch", "Cancelled", "StaleLease"),
        *("TransactionConflict", "KeyConflict", "NoSuchSpace", "SpaceGone", "SessionExpired", "OutcomeUnknown"),
        *("ConnectionLost", "Unreachable", "Closed", "TaskTimeout", "UnmetDependency", "ImpossibleDependency"),
        *("DependencyTimeout", "InvalidDependency"),
        *("KeptResultLost", "CollectiveError", "CollectiveTimeout", "NoGroup", "RankFailed", "RanksDisagree"),
    ),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def start(n: int | None = None, **options: Any) -> Client:
    """Start a server and `n` engines on this machine, one per processor by default, and connect to them.

    Returns: a client that owns the cluster: leaving its ``with`` block, ``shutdown(hub=True)`` or the end of this process
        ends server and engines. Options: see linden_launchers.start.
    """
    from linden_launchers import start as start_cluster

    client = start_cluster(n, **options)
    client.owns_cluster = True
    return client


def register_joblib_backend(name: str = "linden", make_default: bool = False) -> None:
    """Make ``joblib.parallel_config(backend=name)`` run on the running cluster, or on one that is started for it.

    Under the default name it answers to "ipyparallel" as well.  `make_default`: use it where nobody names a backend.
    Raises: ImportError: joblib is not installed.
    """
    from .joblib import register

    register(name, make_default)


def __getattr__(name: str) -> Any:
    if name in ("aio", "collective", "datapub", "error", "errors", "mapreduce", "recipes"):
        return importlib.import_module(f".{name}", __name__)
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
