"""``client.results`` and ``client.metadata``: dictionaries over a client's history that read the farm when asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .outcome import Metadata

if TYPE_CHECKING:
    from .client import Client


class LocalResults(Mapping[str, Any]):
    """Values of finished tasks by message id."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getitem__(self, id_: str) -> Any:
        if id_ in self._client.outstanding:
            raise KeyError(id_)
        return self._client.get_result(id_, block=False).get()

    def __iter__(self) -> Iterator[str]:
        outstanding = self._client.outstanding
        return (id_ for id_ in self._client.history if id_ not in outstanding)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class LocalMetadata(LocalResults):
    """Metadata of finished tasks by message id."""

    def __getitem__(self, id_: str) -> Metadata:
        if id_ in self._client.outstanding:
            raise KeyError(id_)
        result = self._client.get_result(id_, block=False)
        result.wait()
        metadata: Metadata = result.metadata
        return metadata
