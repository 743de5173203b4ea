"""Decorators that make a function run on a view: `remote` and `parallel`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .direct_view import DirectView
from .gather import check_dist, join, partition
from .view import View


class RemoteFunction:
    """A function whose calls run on a view."""

    def __init__(self, view: View, f: Callable[..., Any], block: bool | None = None, **flags: Any) -> None:
        self.view = view
        self.func = f
        self.block = view.block if block is None else block
        self.flags = flags
        functools.update_wrapper(self, f)
        self.__doc__ = f"RemoteFunction wrapping:\n{f.__doc__ or ''}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function on the view."""
        with self.view.temp_flags(block=self.block, **self.flags):
            return self.view.apply(self.func, *args, **kwargs)


class ParallelFunction(RemoteFunction):
    """A function of sequences: a call cuts them, runs the function on each part, and joins the results.

    `dist`: "b" cuts contiguous blocks, "r" deals round robin. `chunksize`: items per part; without it there is a part per engine.
    """

    def __init__(
        self,
        view: View,
        f: Callable[..., Any],
        dist: str = "b",
        block: bool | None = None,
        chunksize: int | None = None,
        ordered: bool = True,
        return_exceptions: bool = False,
        **flags: Any,
    ) -> None:
        super().__init__(view, f, block, **flags)
        check_dist(dist)
        if chunksize is not None and not (type(chunksize) is int and chunksize >= 1):
            raise ValueError(f"chunksize must be a number of at least 1, or None, not {chunksize!r}")
        self.dist = dist
        self.ordered = ordered
        self.chunksize = chunksize
        self.return_exceptions = return_exceptions
        self.__doc__ = f"ParallelFunction wrapping:\n{f.__doc__ or ''}"

    def __call__(self, *sequences: Sequence[Any]) -> Any:
        """Run the function on parts of the sequences.

        Raises: ValueError: they are not of equal length.
        """
        if not sequences:
            raise ValueError("a parallel function takes at least one sequence; for a single call use remote")
        lengths = {len(sequence) for sequence in sequences}
        if len(lengths) != 1:
            raise ValueError(
                f"all sequences must have the same length, got lengths {sorted(lengths)}; map takes the shortest"
            )
        count = self._parts(len(sequences[0]))
        parts = [partition(sequence, count, self.dist) if count else [] for sequence in sequences]
        return self._run(parts, join=functools.partial(join, dist=self.dist))

    def map(self, *sequences: Any) -> Any:
        """Run the function on each item, as `map` does."""
        return self._run(sequences, join=None)

    def _parts(self, length: int) -> int:
        if self.chunksize:
            return -(-length // self.chunksize)
        return min(length, len(self.view))

    def _run(self, sequences: Sequence[Any], join: Callable[[list[Any]], Any] | None) -> Any:
        options: dict[str, Any] = {"return_exceptions": self.return_exceptions, "join": join}
        if not isinstance(self.view, DirectView):
            options["ordered"] = self.ordered
            if join is None and self.chunksize:
                options["chunksize"] = self.chunksize
        with self.view.temp_flags(block=self.block, **self.flags):
            return self.view._map(self.func, tuple(sequences), options | {"block": self.block})


def remote(view: View, block: bool | None = None, **flags: Any) -> Callable[[Callable[..., Any]], RemoteFunction]:
    """Decorator: calls of the function run on `view`."""
    return lambda function: RemoteFunction(view, function, block, **flags)


def parallel(
    view: View, dist: str = "b", block: bool | None = None, ordered: bool = True, **flags: Any
) -> Callable[[Callable[..., Any]], ParallelFunction]:
    """Decorator: calls of the function on sequences run in parts on `view`.

    Flags: `chunksize` and `return_exceptions` of ParallelFunction, and those of the view.
    """
    return lambda function: ParallelFunction(view, function, dist, block, ordered=ordered, **flags)
