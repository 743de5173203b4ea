"""Large data by reference: what a pickle has beside its bytes goes into the store of this host, and the tuple only names it.

A payload of codec ``pickle+data`` has as its first part a table: a line with the id of the farm's data, and one for each part, ``-``
for the next of the parts that follow or ``= name store`` for bytes that are read where they are needed.  ``+ name store`` is named by
a handle inside of the pickle (stored_file.py).  ``docs/design/data-path.md``; in C++ api/data/payload.h.
"""

from __future__ import annotations

import math
import os
import threading
import time
import weakref
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native, farm, serialize
from .data_hosts import EngineHosts
from .errors import LindenError, NoMatch, Overloaded, StorageFailed
from .fields import ANY
from .listing import batches, listed
from .plain import LARGE_BYTES
from .serialize import BY_REFERENCE
from .stored_file import StoredFile, take_pickled

if TYPE_CHECKING:
    from .connection_file import ConnectionInfo
    from .result_reader import TaskGroup

# A peer, or the space, may take so long to give what a task or a result needs.
_FETCH_S = 300.0
# How often the store is looked through for what nobody uses, at first and at most.
_SWEEP_S = 2.0
_SWEEP_MAX_S = 60.0
# What is pending for so long is not going to be put.
_FORGOTTEN_S = 600.0
_JOIN_S = 2.0
# How often arguments are looked for whose client has died.
_ORPHANS_S = 60.0
# A finish is on its way to the server no later than this, if it can be reached.
_FLUSHED_S = 1.0
_PAGE = 1000
# How lines of a table begin.
_INLINE = "-"
_ELSEWHERE = "="
_NAMED = "+"


class DataLost(LindenError, LookupError):
    """Large data of a task or a result that cannot be had any more: whoever had it is gone, or it was purged."""


class DataRef(NamedTuple):
    """Where bytes are: their name, and the id of a host's store, or "" if they are in the space."""

    name: str
    store: str

    @property
    def size(self) -> int:
        """Bytes."""
        return size_of(self.name)


def size_of(name: str) -> int:
    """Bytes of the data of that name."""
    return int(name.rpartition("-")[2])


# Bytes that stay as long as this process has it.
Held = _native.DataRef | StoredFile


# ---- Payloads ------------------------------------------------------------------------------------------------------


def is_by_reference(codec: str) -> bool:
    """Whether some parts of an object field are only named."""
    return codec.endswith(BY_REFERENCE)


def refs_in(payload: Any) -> Iterator[DataRef]:
    """What a payload names; lists are looked through."""
    if type(payload) is list:
        for item in payload:
            yield from refs_in(item)
    elif type(payload) is _native.Object and is_by_reference(payload.codec):
        _, lines = _table(payload.parts)
        yield from (named for _, named in lines if named is not None)


def _table(parts: Sequence[Any]) -> tuple[str, list[tuple[str, DataRef | None]]]:
    """The farm's id, and of each line its mark and what it names."""
    farm_id, *lines = bytes(parts[0]).decode().splitlines()
    rows: list[tuple[str, DataRef | None]] = []
    for line in lines:
        mark, _, rest = line.partition(" ")
        name, _, store = rest.partition(" ")
        rows.append((mark, DataRef(name, store) if name else None))
    return farm_id, rows


# All of this process: clients, and the engine that it may be.
_all: weakref.WeakSet[FarmData]
_listing = threading.Lock()


def resolve(codec: str, parts: Sequence[Any]) -> tuple[str, list[Any]]:
    """Codec and parts as they were before some of them went by reference; arrays made of them are views of shared memory.

    Raises: DataLost.
    """
    farm_id, lines = _table(parts)
    inline = iter(parts[1:])
    whole = [next(inline) if ref is None else node_of(farm_id).get(ref) for mark, ref in lines if mark != _NAMED]
    return codec.removesuffix(BY_REFERENCE), whole


def node_of(farm_id: str) -> FarmData:
    """The data of a farm that this process has a client of, or an engine in.

    Raises: DataLost: it has none.
    """
    with _listing:
        known = list(_all)
    closed = [data for data in known if data.is_closed]
    ready = [data for data in known if data.is_joined and not data.is_closed]
    # These have had nothing to do with large data so far; a farm that does not answer is not waited for before one that does.
    others = sorted((data for data in known if not data.is_joined and not data.is_closed), key=_does_not_answer)
    # A closed one still has what is on this host.
    for data in [*ready, *others, *(data for data in closed if data.is_joined)]:
        with suppress(LindenError):
            if data.is_of(farm_id):
                return data
    raise DataLost("this value has large parts in a farm of which this process has no open client; connect to it first")


def _does_not_answer(data: FarmData) -> bool:
    return not data.is_connected


def adopt(path: str | os.PathLike[str]) -> StoredFile:
    """Move a file into the store of this host: to be called in a task, which returns what it gets.  Equal files are stored once.

    Raises: RuntimeError: not called in a task. OSError. Overloaded: the store is full.
    """
    if _of_engine is None:
        raise RuntimeError("linden.data.adopt moves a file into the store of an engine's host; call it in a task")
    return _of_engine.adopt(path)


# ---- A process in a farm -------------------------------------------------------------------------------------------


class FarmData:
    """The large data of a farm, as one client or engine of it has to do with them.  Safe to use from several threads."""

    def __init__(self, space: _native.Space, info: ConnectionInfo | None = None, *, is_engine: bool = False) -> None:
        # What has no tuple yet that keeps it.
        self.pending: defaultdict[str, list[tuple[float, Held]]] = defaultdict(list)
        self._space = space
        self._is_engine = is_engine
        self._info = info
        self._node: _native.DataNode | None = None
        self._joining = threading.RLock()
        self.hosts = EngineHosts(space)
        self._kept: deque[tuple[float, list[Held]]] = deque()
        self._released: deque[tuple[list[tuple[str, int]], list[str]]] = deque()
        self._uploading = threading.Lock()
        self._uploaded: Counter[str] = Counter()  # by name: payloads that name what was put into the space
        self._orphans_sought = time.monotonic()
        self._keeper: threading.Thread | None = None
        self._work = threading.Event()
        self._closed = False
        with _listing:
            _all.add(self)

    # ---- bytes in

    def offload(self, codec: str, parts: list[Any], files: Sequence[StoredFile] = ()) -> tuple[str, list[Any]]:
        """Codec and parts with large parts by reference, if there are any; `files` are named inside of the parts."""
        codec, parts, held = self.refer(codec, parts, files)
        for each in held:
            self.pending[each.name].append((time.monotonic(), each))
        if held:
            self._start_keeper()
        return codec, parts

    def refer(
        self, codec: str, parts: list[Any], files: Sequence[StoredFile] = ()
    ) -> tuple[str, list[Any], list[Held]]:
        """As `offload`, for who has no tuple that keeps them: what went by reference is there as long as the third result lives."""
        if self._closed or not (files or any(_size(part) >= LARGE_BYTES for part in parts)):
            return codec, parts, []
        refs: list[_native.DataRef | None] = []
        try:
            refs += [self._store(part) if _size(part) >= LARGE_BYTES else None for part in parts]
        except (Overloaded, StorageFailed):  # neither this host nor the space has room by reference: as small data go
            return codec, parts, []
        inline = [part for part, ref in zip(parts, refs, strict=True) if ref is None]
        lines = [self.node.farm_id]
        lines += [_INLINE if ref is None else f"{_ELSEWHERE} {ref.name} {ref.store}" for ref in refs]
        lines += [f"{_NAMED} {file.name} {file.store}" for file in files]
        table = "".join(f"{line}\n" for line in lines)
        return codec + BY_REFERENCE, [table.encode(), *inline], [*filter(None, refs), *files]

    def lend(self, value: Any, what: str = "the value") -> tuple[Any, list[Held]]:
        """`value` as a payload for somebody who reads it soon, and what has to live until he has.

        Raises: NotPicklable.
        """
        if type(value) in serialize.PLAIN_TYPES:
            return serialize.pack_result(value), []
        codec, parts = serialize.dumps(value, what)
        codec, parts, held = self.refer(codec, parts, take_pickled())
        return _native.Object(codec, parts), held

    def _store(self, part: Any) -> _native.DataRef:
        if self._is_engine or self.hosts.share:  # it is at hand there, and stays when this process ends
            return self.node.put(part)
        with self._uploading:  # what is there already must not be dropped for another call that has just ended
            ref = self.node.upload(part)
            self._uploaded[ref.name] += 1
        return ref

    def _drop_upload(self, name: str) -> None:
        """A payload that names it is needed no longer."""
        with self._uploading:
            self._uploaded[name] -= 1
            if self._uploaded[name] <= 0:
                del self._uploaded[name]
                self.node.drop_uploaded(name)

    def hosts_of(self, payload: Any) -> list[tuple[str, int]]:
        """The host that has what a payload of this process names, and how many bytes, if engines of that host and of others serve."""
        if type(payload) is not _native.Object or not is_by_reference(payload.codec) or not self.hosts.own:
            return []
        size = sum(ref.size for ref in refs_in(payload) if ref.store == self.node.store_id)
        return [(self.hosts.own, size)] if size else []

    def has(self, payload: Any) -> bool:
        """Whether all that a payload names is on this host."""
        return all(self.node.is_here(ref.name) for ref in refs_in(payload))

    # ---- the tuples that keep them

    def claim(self, puts: Iterable[_native.Put], call: TaskGroup) -> list[_native.Put]:
        """The tuples that keep the arguments of the tasks among `puts`, until `call` has all of its results."""
        uses: list[_native.Put] = []
        keys: list[tuple[str, int]] = []
        held: list[Held] = []
        for put in puts:
            fields = put.fields
            if fields[0] != "task":
                continue
            key = fields[farm.TASK_CLIENT], fields[farm.TASK_NUMBER]
            if own := self.claim_payload(*key, fields[farm.TASK_PAYLOAD], held):
                uses += own
                keys.append(key)
        if keys:
            call.when_done(lambda _: self.release(keys, held))
        return uses

    def claim_payload(self, client: str, number: int, payload: Any, held: list[Held]) -> list[_native.Put]:
        """The tuples that keep what a payload names, until `release`; `held` gets what this process is to hold as long."""
        found = dict.fromkeys(ref.name for ref in refs_in(payload))
        held += self._take_pending(found)
        return [farm.data_use(name, client, number, farm.ARGUMENT) for name in found]

    def _take_pending(self, names: Iterable[str]) -> list[Held]:
        """What was put under these names by the payload that is being claimed; equal bytes may be pending for others, too."""
        taken: list[Held] = []
        for name in names:
            if waiting := self.pending.get(name):
                taken.append(waiting.pop()[1])
                if not waiting:
                    self.pending.pop(name, None)
        return taken

    def claim_result(self, client: str, number: int, payload: Any) -> list[_native.Put]:
        """The tuples that keep what the result of that task names."""
        found = dict.fromkeys(ref.name for ref in refs_in(payload))
        held = self._take_pending(found)
        self.pending.clear()  # of results that were not to be, because their task was cancelled
        if found:
            self._kept.append((time.monotonic(), held))
            self._start_keeper()
        return [farm.data_use(name, client, number, farm.RESULT) for name in found]

    def release(self, keys: list[tuple[str, int]], held: list[Held]) -> None:
        """What the payloads of these numbers name is needed no longer."""
        self._released.append((keys, [ref.name for ref in held if not ref.store]))
        held.clear()
        self.nudge()

    # ---- bytes out

    def get(self, ref: DataRef) -> memoryview:
        """The bytes, as a view of shared memory that cannot be written to.

        Raises: DataLost.
        """
        try:
            return self.node.get(ref.name, ref.store, _FETCH_S)
        except NoMatch as error:
            raise DataLost(str(error)) from None

    def empty_array(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """An array for something large that is to be written, in memory that this host has used before: fresh pages are dear."""
        import numpy

        size = math.prod(shape)
        scratch: Any = None  # mypy of Python 3.11 does not know of the buffer protocol
        if self._node is not None and not self._closed:
            scratch = self._node.scratch(size * dtype.itemsize)
        if scratch is None:
            return numpy.empty(shape, dtype)
        return numpy.frombuffer(scratch, dtype, size).reshape(shape)

    # ---- files

    def adopt(self, path: str | os.PathLike[str]) -> StoredFile:
        """Move a file into the store of this host."""
        ref = self.node.adopt(os.fspath(path))
        return StoredFile(ref.name, ref.store, self.node.farm_id, ref)

    # ---- life

    @property
    def node(self) -> _native.DataNode:
        """This process's part; joined at first use."""
        if self._node is None:
            self.join()
        assert self._node is not None
        return self._node

    @property
    def is_joined(self) -> bool:
        """Whether it has this host's store open."""
        return self._node is not None

    @property
    def is_connected(self) -> bool:
        """Whether its server can be reached now."""
        return self._space.client.connected

    @property
    def is_closed(self) -> bool:
        """Whether it cannot speak to its farm any more."""
        return self._closed

    def join(self) -> None:
        """Open this host's store, which then stays at least as long as this process."""
        with self._joining:
            if self._node is not None:
                return
            address = self._space.client.address
            listen = _listening_host(self._info, address)
            node = _native.DataNode.join(self._space, listen, serve=self._is_engine and address.startswith("tcp:"))
            self._node = node
            if self._closed:  # meanwhile, so nobody else will
                node.leave()

    def is_of(self, farm_id: str) -> bool:
        """Whether these are that farm's; joins it if so, and opens no store of another one."""
        if self._node is None:
            if not self._space.client.wait(self._space.send_count(farm.data_farm_form(farm_id))):
                return False
            self.join()
        return self.node.farm_id == farm_id

    def nudge(self) -> None:
        """Something that a tuple kept may be superfluous now."""
        if self._node is not None:
            self._start_keeper()
            self._work.set()

    def _start_keeper(self) -> None:
        with self._joining:
            if self._keeper is None and not self._closed:
                self._keeper = threading.Thread(target=self._keep_house, name="linden-data", daemon=True)
                self._keeper.start()

    def _keep_house(self) -> None:
        pause = _SWEEP_S
        while True:
            told = self._work.wait(pause)
            self._work.clear()
            if self._closed:
                return
            pause = min(2 * pause, _SWEEP_MAX_S)
            with suppress(LindenError):
                self._drop_released()
                self._drop_orphans()
                self._confirm_kept()
                self._drop_forgotten()
                if self.node.sweep() or told:
                    pause = _SWEEP_S

    def _drop_released(self) -> None:
        """Take back what kept the arguments of tasks that have results.  A client that is closed before leaves these tuples to the
        tasks; they go when the results are purged.
        """
        wait = self._space.client.wait
        while self._released:
            keys, uploaded = self._released[0]
            forms = [farm.data_use_form(None, client, number, farm.ARGUMENT) for client, number in keys]
            for request in [self._space.send_take(_native.TAKE, [form], count=_PAGE, timeout=0.0) for form in forms]:
                with suppress(NoMatch):
                    wait(request)
            while uploaded:
                self._drop_upload(uploaded.pop())
            self._released.popleft()

    def _drop_orphans(self) -> None:
        """Take back what keeps arguments of tasks that have results and whose client has died before it could."""
        if time.monotonic() - self._orphans_sought < _ORPHANS_S:
            return
        self._orphans_sought = time.monotonic()
        wait = self._space.client.wait
        form = farm.data_use_form(None, ANY, ANY, farm.ARGUMENT)
        for some in batches((row["fields"][1:4] for row in listed(self._space, form, all_states=False)), _PAGE):
            foreign = [use for use in some if use[1] != self._space.client.session]
            asked = [self._space.send_count(farm.results_form(client, number)) for _, client, number in foreign]
            ended = [use for use, request in zip(foreign, asked, strict=True) if wait(request)]
            forms = [farm.data_use_form(name, client, number, farm.ARGUMENT) for name, client, number in ended]
            for request in [self._space.send_take(_native.TAKE, [form], timeout=0.0) for form in forms]:
                with suppress(NoMatch):
                    wait(request)
            for name in {name for name, _, _ in ended}:
                self.drop_uploaded(name)

    def drop_uploaded(self, name: str) -> None:
        """Remove from the space what nobody names any more; nothing happens to what is elsewhere, or of a call of ours."""
        with self._uploading:
            if not self._closed and not self._uploaded[name]:
                self.node.drop_uploaded(name)

    def _confirm_kept(self) -> None:
        """Let go of results whose tuples are known to have been put: requests take effect in order (P9), so with the answer to one."""
        sent = time.monotonic() - _FLUSHED_S
        if self._kept and self._kept[0][0] < sent:
            self._space.client.wait(self._space.send_count(farm.data_uses_form("", 0)))
            while self._kept and self._kept[0][0] < sent:
                self._kept.popleft()

    def _drop_forgotten(self) -> None:
        """Let go of what was to be named by tuples that never came, because something else of the call could not be pickled."""
        oldest = time.monotonic() - _FORGOTTEN_S
        for name, waiting in list(self.pending.items()):
            if waiting and waiting[0][0] < oldest:
                self.pending.pop(name, None)
                for _, each in waiting:
                    if not each.store:
                        self._drop_upload(name)

    def close(self, remove: _native.Remove = _native.Remove.IF_EMPTY) -> None:
        """Stop serving others; what has arrived can be read still, if it is on this host.  `remove`: when to remove the store."""
        self._closed = True
        self._work.set()
        if self._node is not None:
            with suppress(LindenError):
                self._node.leave(remove)

    def join_thread(self) -> None:
        """To be called when the connection is closed: our thread must not be in C++ when the interpreter ends."""
        if self._keeper is not None and self._keeper is not threading.current_thread():
            self._keeper.join(_JOIN_S)


_all = weakref.WeakSet()


def _forget_all() -> None:
    """In a forked child: none of the parent's is any good here, and the lock may have been held."""
    global _all, _listing, _of_engine
    _all, _listing, _of_engine = weakref.WeakSet(), threading.Lock(), None


os.register_at_fork(after_in_child=_forget_all)
# That of the engine which this process is.
_of_engine: FarmData | None = None


def set_engine_data(data: FarmData | None) -> None:
    """From now on `adopt` in this process gives files to `data`."""
    global _of_engine
    _of_engine = data


def _size(part: Any) -> int:
    return part.nbytes if type(part) is memoryview else len(part)


def _listening_host(info: ConnectionInfo | None, address: str) -> str:
    """Where other hosts are to find this process; "" for the interface by which it reaches the server."""
    if info is None or not address.startswith("unix:"):
        return ""
    published = [*info.addresses, *([info.tcp] if info.tcp else [])]
    hosts = {where.removeprefix("tcp:").rpartition(":")[0].strip("[]") for where in published}
    return hosts.pop() if len(hosts) == 1 else "0.0.0.0" if hosts else ""
