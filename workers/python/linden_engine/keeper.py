"""Values that stay on this engine when their task has ended (the flag `keep`), and those of other engines as arguments of tasks here.

A value is never pickled where it is used.  An engine that has none says so by a tuple `kept` that lives with its session, so what the farm
says of who has what is true.  Where a value is nowhere any more, the task that has made it is run again, here and now.
"""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from linden import _native, farm, kept_tuples, serialize
from linden.error import KeptResultLost, UnmetDependency
from linden.errors import LindenError, NoMatch
from linden.kept import Kept
from linden.once_more import NotRepeatable, task_to_repeat

from .results import run_once_more

if TYPE_CHECKING:
    from linden.data import FarmData

Key = tuple[str, int]

# Copies of what others keep, for further tasks here; the ones that were used last.
_COPIES_MAX = 8
# How often it is looked whether the engine that is to give a value still has it.
_LOOK_S = 1.0
# The attendant of an engine answers even while a task runs, unless that does not let go of the interpreter.
_GIVE_S = kept_tuples.GIVEN_TTL_S
_PUT_S = 60.0
_WHAT_LENGTH_MAX = 80
_MISSING = object()


class Keeper:
    """Keeps values for one session of an engine."""

    def __init__(
        self,
        space: _native.Space,
        engine_id: int,
        load_function: Callable[[str], Callable[..., Any]],
        data: FarmData | None = None,
    ) -> None:
        """`data`: where large parts go of what others ask for."""
        self._space = space
        self._client = space.client
        self._me = farm.Engine(engine_id, space.client.session, {})
        self._load_function = load_function
        self._values: dict[Key, Any] = {}
        self._copies: OrderedDict[tuple[Key, int | None], Any] = OrderedDict()
        self._new: list[Key] = []
        self._lock = threading.Lock()  # of the main thread, and the attendant's
        self._asked = itertools.count(1)
        self._data = data
        self._lent: OrderedDict[tuple[str, int], tuple[float, Any]] = OrderedDict()  # the attendant's

    # ---- by the main thread

    def keep(self, key: Key, value: Any, items: bool) -> Any:
        """Keep the value of the task `key`; what stands for it, or for each of its `items`."""
        with self._lock:
            self._values[key] = value
            self._new.append(key)
        id_ = farm.message_id(*key)
        if items:
            return [Kept(id_, n, self._me.id, describe(each), size_of(each)) for n, each in enumerate(value)]
        return Kept(id_, None, self._me.id, describe(value), size_of(value))

    @property
    def has_new(self) -> bool:
        """Whether there is something to announce."""
        return bool(self._new)

    def announce(self, key: Key, status: str) -> list[_native.Put]:
        """What says that values are here, to be put when the task `key` has ended so; CANCELLED if its own is nobody's.

        Values of other tasks, which it had made again, are here in any case.
        """
        with self._lock:
            new, self._new = self._new, []
            if status not in (farm.OK, farm.ERROR) and key in new:
                self._values.pop(key, None)
            there = [(each, self._values[each]) for each in dict.fromkeys(new) if each in self._values]
        return [kept_tuples.kept(*each, self._me, size_of(value), describe(value)) for each, value in there]

    def value(self, kept: Kept) -> Any:
        """What it stands for.

        Raises: KeptResultLost; UnmetDependency: it is where it is, and cannot be pickled.
        """
        key = farm.parse_message_id(kept.msg_id)
        value = self._values.get(key, _MISSING)
        if value is not _MISSING:
            return value if kept.item is None else value[kept.item]
        copy = key, kept.item
        if copy not in self._copies:
            found = self._fetched(kept, key)
            if found is _MISSING:
                whole = self._made_again(kept, key)
                return whole if kept.item is None else whole[kept.item]
            self._copies[copy] = found
            while len(self._copies) > _COPIES_MAX:
                self._copies.popitem(last=False)
        self._copies.move_to_end(copy)
        return self._copies[copy]

    def _fetched(self, kept: Kept, key: Key) -> Any:
        """The value from an engine that has it; _MISSING: none has."""
        rows = self._client.wait(self._space.send_list(kept_tuples.kept_form(*key), limit=100))["tuples"]
        for row in rows:
            n = next(self._asked)
            holder = row["fields"][kept_tuples.KEPT_SESSION]
            if holder == self._me.session:
                continue
            try:
                self._client.wait(
                    self._space.send_put([kept_tuples.give(holder, *key, kept.item, self._me.session, n)])
                )
            except LindenError:  # its session has just ended
                continue
            answer = self._answer(key, holder, n)
            if answer is None:
                continue
            ok, payload = answer
            if not ok:
                raise UnmetDependency(f"the value of {kept.msg_id} cannot leave the engine that keeps it: {payload}")
            value = serialize.unpack_result(payload)
            with suppress(LindenError):  # it has gone meanwhile
                self._client.wait(self._space.send_put([kept_tuples.taken(holder, self._me.session, n)]))
            return value
        return _MISSING

    def _answer(self, key: Key, holder: str, n: int) -> tuple[bool, Any] | None:
        deadline = time.monotonic() + _GIVE_S
        form = kept_tuples.given_form(self._me.session, n)
        while time.monotonic() < deadline:
            request = self._space.send_take(_native.TAKE, [form], timeout=_LOOK_S)
            try:
                fields = self._client.wait(request)[0].fields
            except NoMatch:
                if not self._client.wait(self._space.send_count(kept_tuples.kept_form(*key, holder))):
                    return None  # it has gone, or has dropped it
                continue
            except BaseException:  # the task is cancelled
                self._space.cancel(request)
                raise
            return fields[3], fields[4]
        return None

    # ---- once more

    def _made_again(self, kept: Kept, key: Key) -> Any:
        """The value of the task, which is run here; it is kept from now on.

        Raises: KeptResultLost.
        """
        task = self._task_of(kept, key)
        try:
            value = self._run(task, kept)
        except KeptResultLost:
            raise  # of itself, or of an argument of its own
        except Exception as error:
            raise _lost(kept, f"its task was run again, and raised {type(error).__name__}: {error}") from error
        with self._lock:
            self._values[key] = value
            self._new.append(key)
        return value

    def _task_of(self, kept: Kept, key: Key) -> Sequence[Any]:
        request = self._space.send_take(_native.READ, [farm.results_form(*key)], timeout=0.0)
        try:
            fields = self._client.wait(request)[0].fields
        except NoMatch:
            raise _lost(kept, "its result was purged") from None
        try:
            return task_to_repeat(fields)
        except NotRepeatable as why:
            raise _lost(kept, str(why)) from None

    def _run(self, task: Sequence[Any], kept: Kept) -> Any:
        """What the task returns; of a part of a map all items, and None for those that raise, as at the first time.

        Raises: whatever the task does. KeptResultLost: the wanted item raises.
        """
        value, errors = run_once_more(task, self._load_function)
        for error in errors:
            if error.item == kept.item:
                raise _lost(kept, f"its task was run again, and raised {error.ename}: {error.evalue}")
        return value

    # ---- by the attendant

    def give(self, client: str, number: int, item: int | None, asker: str, n: int) -> None:
        """Put a value for another engine; that its tuple tells of it and it is not here, happens while it is being dropped."""
        value = self._values.get((client, number), _MISSING)
        answer = kept_tuples.given(asker, n, False, "it was dropped just now")
        if value is not _MISSING:
            try:
                answer = kept_tuples.given(
                    asker, n, True, self._packed(value if item is None else value[item], (asker, n))
                )
            except Exception as error:  # noqa: BLE001  (pickling runs the code of any class)
                answer = kept_tuples.given(asker, n, False, f"{type(error).__name__}: {error}")
        with suppress(LindenError):  # nobody waits for it any more
            self._client.wait(self._space.send_put([answer], patient=True), _PUT_S)

    def _packed(self, value: Any, loan: tuple[str, int]) -> Any:
        """`value` as a payload; what of it goes by reference is there until it has been taken."""
        if self._data is None:
            return serialize.pack_result(value)
        now = time.monotonic()
        while self._lent and next(iter(self._lent.values()))[0] < now - _GIVE_S:  # whoever has asked for it has died
            self._lent.popitem(last=False)
        packed, held = self._data.lend(value)
        if held:
            self._lent[loan] = now, held
        return packed

    def taken(self, asker: str, n: int) -> None:
        """It is where it should be."""
        self._lent.pop((asker, n), None)

    def drop(self, client: str, number: int | None) -> None:
        """Forget the value of a task, or those of all tasks of a client."""
        with self._lock:
            for key in [key for key in self._values if key[0] == client and number in (None, key[1])]:
                del self._values[key]


def _lost(kept: Kept, why: str) -> KeptResultLost:
    item = "" if kept.item is None else f" (item {kept.item})"
    return KeptResultLost(
        f"the value of {kept.msg_id}{item}, {kept.what}, which engine {kept.engine_id} kept, is on no engine any more, and {why}"
    )


def describe(value: Any) -> str:
    """What it is, in a few words."""
    name = type(value).__name__
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if type(shape) is tuple:
        text = f"{name} {shape}" if dtype is None else f"{name} {shape} of {dtype}"
    elif isinstance(value, (list, tuple, dict, set, frozenset, bytes, bytearray, str)):
        text = f"{name} of {len(value)}"
    else:
        text = name
    return text[:_WHAT_LENGTH_MAX]


def size_of(value: Any) -> int:
    """About how many bytes it takes; of what is in a list of arrays, too."""
    size = getattr(value, "nbytes", None)
    if type(size) is int:
        return size
    if type(value) in (list, tuple):
        return sys.getsizeof(value) + sum(map(_shallow_size, value))
    return _shallow_size(value)


def _shallow_size(value: Any) -> int:
    size = getattr(value, "nbytes", None)
    return size if type(size) is int else sys.getsizeof(value, 0)
