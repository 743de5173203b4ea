"""What direct and load-balanced views share: flags, the three forms of apply and map, and delegation to the client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from . import serialize
from .async_result import AsyncResult
from .history import History

if TYPE_CHECKING:
    from .callee import Callee
    from .client import Client
    from .decorators import ParallelFunction, RemoteFunction
    from .executor import ViewExecutor


class View:
    """A way to run things on some engines.  Made by `Client.direct_view`, `Client.load_balanced_view` or ``client[...]``."""

    _flag_names: ClassVar[tuple[str, ...]] = ("block", "track", "targets", "label", "keep")

    def __init__(self, client: Client, targets: Any) -> None:
        self.client = client
        self.targets = targets
        self.block = client.block
        self.track = False
        self.label: str | None = None
        self.keep = False
        self._submitter = client.submitter
        self._reader = client.reader
        self._own: list[range] = []

    # ---- flags

    def set_flags(self, **flags: Any) -> Self:
        """Set flags for all later calls; returns the view.

        Raises: KeyError: no such flag.
        """
        for name in flags:
            if name not in self._flag_names:
                raise KeyError(f"no flag {name!r}; a {type(self).__name__} has {', '.join(self._flag_names)}")
        for name, value in flags.items():
            self._check_flag(name, value)
            setattr(self, name, value)
        return self

    def _check_flag(self, name: str, value: Any) -> None:
        if name in ("block", "track", "keep") and not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, not {value!r}")

    def _keeps(self, keep: bool | None, callee: Callee) -> bool:
        """Whether the values of a call stay on the engines: as it says, or as the flag does."""
        if keep is not None:
            self._check_flag("keep", keep)
        found = self.keep if keep is None else keep
        if found and callee.is_native:
            raise ValueError(
                f"{callee.name} is a function in C++, whose engines keep no values; call it without keep=True"
            )
        return found

    @contextmanager
    def temp_flags(self, **flags: Any) -> Iterator[None]:
        """Set flags within a ``with`` block."""
        before = {name: getattr(self, name) for name in self._flag_names}
        self.set_flags(**flags)
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    # ---- apply and map

    def apply(self, __function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run ``function(*args, **kwargs)``: the result if `block` is set, else an AsyncResult."""
        return self._apply(__function, args, kwargs, self.block)

    def apply_async(self, __function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> AsyncResult:
        """Run ``function(*args, **kwargs)`` and return an AsyncResult at once."""
        result: AsyncResult = self._apply(__function, args, kwargs, False)
        return result

    def apply_sync(self, __function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run ``function(*args, **kwargs)`` and return its result."""
        return self._apply(__function, args, kwargs, True)

    def _apply(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], block: bool) -> Any:
        raise NotImplementedError

    def map(self, __function: Callable[..., Any], /, *sequences: Any, **options: Any) -> Any:
        """`map` in parallel: the list of results if `block` is set, else an AsyncMapResult."""
        options.setdefault("block", self.block)
        return self._map(__function, sequences, options)

    def map_async(self, __function: Callable[..., Any], /, *sequences: Any, **options: Any) -> Any:
        """`map` in parallel; returns an AsyncMapResult at once (a plain list if there are no items)."""
        return self._map(__function, sequences, _without_block(options, False))

    def map_sync(self, __function: Callable[..., Any], /, *sequences: Any, **options: Any) -> Any:
        """`map` in parallel; returns the list of results."""
        return self._map(__function, sequences, _without_block(options, True))

    def imap(self, __function: Callable[..., Any], /, *sequences: Any, **options: Any) -> Iterator[Any]:
        """`map` in parallel; returns an iterator over the results, which come as they arrive, in order."""
        return iter(self.map_async(__function, *sequences, **options))

    def _map(self, function: Callable[..., Any], sequences: tuple[Any, ...], options: dict[str, Any]) -> Any:
        raise NotImplementedError

    def _began(self, result: AsyncResult, block: bool) -> Any:
        """What a call returns: the value, or the result to come."""
        if block:
            return result.get()
        self._reader.nudge()
        return result

    # ---- delegation

    @property
    def history(self) -> History:
        """Message ids of all tasks that this view has submitted, in order."""
        return History(self._submitter.session, self._own)

    @property
    def outstanding(self) -> set[str]:
        """Message ids of this view's tasks whose results have not come."""
        own = self.history
        return {id_ for id_ in self.client.outstanding if id_ in own}

    @property
    def results(self) -> Any:
        """Values by message id."""
        return self.client.results

    def wait(self, jobs: Any = None, timeout: float | None = -1) -> bool:
        """Wait for `jobs`, or all of this view; whether they are finished."""
        return self.client.wait(list(self.outstanding) if jobs is None else jobs, timeout)

    def abort(self, jobs: Any = None, targets: Any = None, block: bool | None = None) -> None:
        """Abort tasks which have not started: `jobs`, or all of this view."""
        self.client.abort(list(self.outstanding) if jobs is None else jobs, targets, block)

    def get_result(self, indices_or_msg_ids: Any = None, block: bool | None = None, owner: bool = False) -> Any:
        """As `Client.get_result`; indices are those of this view's history."""
        if indices_or_msg_ids is None:
            indices_or_msg_ids = -1
        if isinstance(indices_or_msg_ids, int):
            indices_or_msg_ids = self.history[indices_or_msg_ids]
        return self.client.get_result(indices_or_msg_ids, block, owner)

    def queue_status(self, targets: Any = None, verbose: bool = False) -> dict[Any, Any]:
        """As `Client.queue_status`, for this view's engines."""
        return self.client.queue_status(self.targets if targets is None else targets, verbose)

    def purge_results(self, jobs: Any = (), targets: Any = ()) -> None:
        """As `Client.purge_results`."""
        self.client.purge_results(jobs, targets)

    def shutdown(
        self, targets: Any = None, restart: bool = False, hub: bool = False, block: bool | None = None
    ) -> None:
        """As `Client.shutdown`, for this view's engines."""
        self.client.shutdown(self.targets if targets is None else targets, restart, hub, block)

    def spin(self) -> None:
        """Nothing; results come by themselves."""

    def remote(self, block: bool | None = None, **flags: Any) -> Callable[[Callable[..., Any]], RemoteFunction]:
        """Decorator: calls of the function run on this view."""
        from .decorators import remote

        return remote(self, block=block, **flags)

    def parallel(
        self, dist: str = "b", block: bool | None = None, **flags: Any
    ) -> Callable[[Callable[..., Any]], ParallelFunction]:
        """Decorator: calls of the function on sequences run in parts on this view."""
        from .decorators import parallel

        return parallel(self, dist=dist, block=block, **flags)

    # ---- which pickler

    def use_dill(self) -> Any:
        """Pickle everything with dill, here and on the engines of this view.

        Raises: ImportError: it is not installed here. RemoteError: it is not installed there.
        """
        return self._pickle_with(serialize.use_dill)

    def use_cloudpickle(self) -> Any:
        """Pickle everything with cloudpickle, here and on the engines of this view."""
        return self._pickle_with(serialize.use_cloudpickle)

    def use_pickle(self) -> Any:
        """Pickle as usual again, here and on the engines of this view: with pickle, and with cloudpickle what pickle cannot do."""
        return self._pickle_with(serialize.use_pickle)

    def _pickle_with(self, switch: Callable[[], None]) -> Any:
        # Engines first: if one of them cannot, nothing has changed here.
        there = self.client.direct_view(self.targets).apply_sync(switch)
        switch()
        return there

    @property
    def executor(self) -> ViewExecutor:
        """This view as a `concurrent.futures.Executor`."""
        from .executor import ViewExecutor

        return ViewExecutor(self)

    def __len__(self) -> int:
        return len(self.client.engines_of(self.targets)[0])

    def _repr_html_(self) -> str:
        from .reprs import view_html

        return view_html(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.targets}>"


def _without_block(options: dict[str, Any], block: bool) -> dict[str, Any]:
    if "block" in options:
        raise TypeError("map_async and map_sync take no block; use map")
    return {**options, "block": block}
