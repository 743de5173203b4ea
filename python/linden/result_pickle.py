"""AsyncResults that travel: message ids and where the farm is, from which whoever unpickles them fetches the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import farm
from .async_result import AsyncResult
from .connection_file import ConnectionInfo
from .fetched import FetchedGatherResult, FetchedMapResult, restored_class
from .gather import GatherResult
from .map_result import AsyncMapResult

if TYPE_CHECKING:
    from .client import Client


def reduced(result: AsyncResult) -> tuple[Any, ...]:
    """What `pickle` wants to know.

    Raises: TypeError: the tasks of the map are still being made, so that their names are not known.
    """
    info = result._client.info.to_dict()
    common = {"name": result._name, "label": result._label, "return_exceptions": result._return_exceptions}
    if isinstance(result, AsyncMapResult):
        if result._growing:
            raise TypeError(
                f"{result!r} cannot be pickled while its tasks are still being made; wait for it, or use a fixed chunksize"
            )
        shape = {"sizes": result._sizes, "total": len(result), "ordered": result._ordered, "join": result._join}
        return _restore_map, (info, result.msg_ids, common | shape)
    if isinstance(result, GatherResult):
        return _restore_gather, (info, result.msg_ids, common | {"single": result._single, "dist": result._dist})
    return _restore, (info, result.msg_ids, common | {"single": result._single})


def _restore(info: dict[str, Any], ids: list[str], options: dict[str, Any]) -> AsyncResult:
    client = _client_of(info)
    name = options.pop("name")
    result = restored_class(client, ids)(client, client.fetcher, ids, name=name, **options)
    client.fetcher.feed(result, ids)
    return result


def _restore_map(info: dict[str, Any], ids: list[str], options: dict[str, Any]) -> AsyncResult:
    client = _client_of(info)
    name = options.pop("name")
    result = FetchedMapResult(client, client.fetcher, name, session=None, numbers=ids, **options)  # type: ignore[arg-type]
    client.fetcher.feed(result, ids)
    return result


def _restore_gather(info: dict[str, Any], ids: list[str], options: dict[str, Any]) -> AsyncResult:
    client = _client_of(info)
    result = FetchedGatherResult(client, client.fetcher, ids, options.pop("name"), **options)
    client.fetcher.feed(result, ids)
    return result


def _client_of(values: dict[str, Any]) -> Client:
    """A client of that farm which is open in this process, or a new one, which ends with the process."""
    from .client import Client, open_clients

    info = ConnectionInfo.from_dict(values, source="the pickled AsyncResult")
    for client in open_clients():
        if (client.info.address, client.info.space) == (info.address, info.space):
            return client
    return Client(info, name=f"unpickled results, farm {info.cluster_id or farm.DEFAULT_FARM_SPACE}")
