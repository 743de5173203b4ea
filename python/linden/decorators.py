"""Decorators that make a function run on a view: `remote` and `parallel`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .direct_view import DirectView
from .view import View


class RemoteFunction:
    """A function whose calls run on a view."""

    def __init__(self, view: View, function: Callable[..., Any], block: bool | None = None, **flags: Any) -> None:
        self.view = view
        self.func = function
        self.block = view.block if block is None else block
        self.flags = flags
        functools.update_wrapper(self, function)
        self.__doc__ = f"RemoteFunction wrapping:\n{function.__doc__ or ''}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function on the view."""
        with self.view.temp_flags(block=self.block, **self.flags):
            return self.view.apply(self.func, *args, **kwargs)


class ParallelFunction(RemoteFunction):
    """A function of sequences: a call cuts them, runs the function on each part, and joins the results."""

    def __init__(
        self,
        view: View,
        function: Callable[..., Any],
        dist: str = "b",
        block: bool | None = None,
        ordered: bool = True,
        chunksize: int | None = None,
        return_exceptions: bool = False,
        **flags: Any,
    ) -> None:
        super().__init__(view, function, block, **flags)
        if dist != "b":
            raise ValueError(f"dist is {dist!r}; parallel functions cut their sequences into blocks: 'b'")
        self.ordered = ordered
        self.chunksize = chunksize
        self.return_exceptions = return_exceptions
        self.__doc__ = f"ParallelFunction wrapping:\n{function.__doc__ or ''}"

    def __call__(self, *sequences: Sequence[Any]) -> Any:
        """Run the function on parts of the sequences, which must be of equal length."""
        lengths = {len(sequence) for sequence in sequences}
        if len(lengths) != 1:
            raise ValueError(f"all sequences must have the same length, got lengths {sorted(lengths)}")
        parts = [_cut(sequence, self._parts(len(sequence))) for sequence in sequences]
        return self._run(functools.partial(_call_on_part, self.func), parts, join=True)

    def map(self, *sequences: Sequence[Any]) -> Any:
        """Run the function on each item, as `map` does."""
        return self._run(self.func, sequences, join=False)

    def _parts(self, length: int) -> int:
        if self.chunksize:
            return max(1, -(-length // self.chunksize))
        return max(1, min(length, len(self.view)))

    def _run(self, function: Callable[..., Any], sequences: Any, join: bool) -> Any:
        options: dict[str, Any] = {"return_exceptions": self.return_exceptions}
        if not isinstance(self.view, DirectView):
            options["ordered"] = self.ordered
            if not join and self.chunksize:
                options["chunksize"] = self.chunksize
        with self.view.temp_flags(block=self.block, **self.flags):
            options |= {"block": self.block, "join": _flatten if join else None}
            return self.view._map(function, tuple(sequences), options)


def _call_on_part(function: Callable[..., Any], *parts: Any) -> Any:
    return function(*parts)


def _flatten(parts: list[Any]) -> list[Any]:
    return [value for part in parts for value in part]


def _cut(sequence: Sequence[Any], parts: int) -> list[Any]:
    from .chunking import even_parts

    return [sequence[start:stop] for start, stop in even_parts(len(sequence), parts)]


def remote(view: View, block: bool | None = None, **flags: Any) -> Callable[[Callable[..., Any]], RemoteFunction]:
    """Decorator: calls of the function run on `view`."""
    return lambda function: RemoteFunction(view, function, block, **flags)


def parallel(
    view: View, dist: str = "b", block: bool | None = None, ordered: bool = True, **flags: Any
) -> Callable[[Callable[..., Any]], ParallelFunction]:
    """Decorator: calls of the function on sequences run in parts on `view`."""
    return lambda function: ParallelFunction(view, function, dist, block, ordered, **flags)
