"""``client.results`` and ``client.metadata``: dictionaries over a client's history that read the farm when asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import farm
from .outcome import Metadata

if TYPE_CHECKING:
    from .client import Client


class Forgotten:
    """Numbers of this client's tasks whose results were purged locally."""

    def __init__(self) -> None:
        self._before = 0
        self._numbers: set[int] = set()

    def add(self, number: int) -> None:
        """Forget one."""
        self._numbers.add(number)

    def add_all_before(self, number: int) -> None:
        """Forget all up to `number`, excluded."""
        self._before = number
        self._numbers.clear()

    def __contains__(self, number: int) -> bool:
        return number < self._before or number in self._numbers


class LocalResults(Mapping[str, Any]):
    """Values of this client's finished tasks by message id, without those that were purged.

    Nothing is kept here: a value is read from the farm when it is asked for.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getitem__(self, id_: str) -> Any:
        return self._fetch(id_).get()

    def _fetch(self, id_: str) -> Any:
        if not self._is_here(id_) or id_ in self._client.outstanding:
            raise KeyError(id_)
        return self._client.get_result(id_, block=False)

    def _is_here(self, id_: str) -> bool:
        return id_ in self._client.history and farm.parse_message_id(id_)[1] not in self._client.forgotten

    def __iter__(self) -> Iterator[str]:
        outstanding = self._client.outstanding
        return (id_ for id_ in self._client.history if id_ not in outstanding and self._is_here(id_))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} finished tasks>"


class LocalMetadata(LocalResults):
    """Metadata of this client's finished tasks by message id."""

    def __getitem__(self, id_: str) -> Metadata:
        result = self._fetch(id_)
        result.wait()
        metadata: Metadata = result.metadata
        return metadata
