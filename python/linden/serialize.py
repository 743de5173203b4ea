"""Python objects and functions to bytes and back.

Trust: unpickling runs code.  Whoever may put tuples into a space can run code in every Python process that reads them, so
give access to a farm only to people who may use your account.  Servers and admin tools never unpickle.

Plain pickle (protocol 5, large buffers out of band) is tried first because it is quick.  It would store what is defined in
``__main__`` by name only, which means something else in another process; so bytes that mention ``__main__``, and whatever
pickle refuses (lambdas, local functions), go through cloudpickle, which stores definitions by value.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable
from operator import is_
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native, plain
from .stored_file import take_pickled

if TYPE_CHECKING:
    from .data import FarmData

PICKLE = "pickle"
# What cloudpickle stores by value holds byte code, which no other minor version of Python understands.
_CLOUDPICKLE = "cloudpickle"
_DILL = "dill"
PYTHON_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
CLOUDPICKLE = f"{_CLOUDPICKLE}:{PYTHON_VERSION}"
DILL = f"{_DILL}:{PYTHON_VERSION}"
_BYTE_CODE = b"CodeType"
BY_REFERENCE = "+data"

_PROTOCOL = 5
# So deep the culprit is looked for among the items of items.
_DESCRIBED_DEPTH = 5
# Values of these exact types are fields of their own and need no pickle.
PLAIN_TYPES = frozenset({type(None), bool, int, float, str})

# The codec, the pickle, and its buffers, which are out of band unless it is to be whole.
Pickled = tuple[str, bytes, list[pickle.PickleBuffer]]

_dumps = pickle.dumps
_loads = pickle.loads


class NotPicklable(TypeError):
    """An object that neither pickle nor cloudpickle can turn into bytes."""


class OtherPythonVersion(TypeError):
    """An object that holds byte code of another minor version of Python."""


def dumps(value: Any, what: str = "the value") -> tuple[str, list[Any]]:
    """The codec and the parts (pickle, then out-of-band buffers) of `value`.

    Raises: NotPicklable: its message begins with `what`.
    """
    if _always is not None:
        return _dumps_always(value, what)
    codec, data, buffers = _dumps_usual(value, what)
    if buffers:
        return codec, [data, *(buffer.raw() for buffer in buffers)]
    return codec, [data]


def dumps_whole(value: Any, what: str = "the value") -> bytes:
    """`value` in one piece, which pickle.loads reads.

    Raises: NotPicklable: its message begins with `what`.
    """
    return _dumps_usual(value, what, whole=True)[1]


def _dumps_usual(value: Any, what: str, *, whole: bool = False) -> Pickled:
    """With pickle, or with cloudpickle what pickle cannot do.

    Raises: NotPicklable.
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        data = _dumps(value, _PROTOCOL, buffer_callback=None if whole else buffers.append)
        if b"__main__" not in data:
            return PICKLE, data, buffers
    except Exception:  # noqa: BLE001  (objects raise whatever they like here; what follows says why it cannot be)
        pass
    try:
        return _dumps_by_value(value, whole=whole)
    except Exception as error:
        raise NotPicklable(f"{what} cannot be pickled: {_describe(value)}: {error}") from error


def _dumps_by_value(value: Any, *, whole: bool = False) -> Pickled:
    import cloudpickle

    buffers: list[pickle.PickleBuffer] = []
    data = cloudpickle.dumps(value, protocol=_PROTOCOL, buffer_callback=None if whole else buffers.append)
    return CLOUDPICKLE, data, buffers


# ---- Which pickler -------------------------------------------------------------------------------------------------

# What pickles everything in this process, cloudpickle or dill; None: pickle where it does, else cloudpickle.
_always: str | None = None


def use_pickle() -> None:
    """From now on this process pickles as usual: with pickle, and with cloudpickle what pickle cannot do."""
    _use(None)


def use_cloudpickle() -> None:
    """From now on this process pickles everything with cloudpickle."""
    _use(CLOUDPICKLE)


def use_dill() -> None:
    """From now on this process pickles everything with dill.

    Raises: ImportError: it is not installed.
    """
    import dill  # noqa: F401  (to see that it is there)

    _use(DILL)


def _use(codec: str | None) -> None:
    global _always
    _always = codec
    _cache.clear()


def _dumps_always(value: Any, what: str) -> tuple[str, list[Any]]:
    buffers: list[pickle.PickleBuffer] = []
    try:
        if _always == DILL:
            import dill

            data = dill.dumps(value, protocol=_PROTOCOL, recurse=True, buffer_callback=buffers.append)
        else:
            _, data, buffers = _dumps_by_value(value)
    except Exception as error:
        raise NotPicklable(
            f"{what} cannot be pickled with {str(_always).partition(':')[0]}: {_describe(value)}: {error}"
        ) from error
    return str(_always), [data, *(buffer.raw() for buffer in buffers)]


def _describe(value: Any, depth: int = 0) -> str:
    # The items of a row of arguments are tried one by one, so that the message names the culprit.
    rows: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, (tuple, list)) and depth < _DESCRIBED_DEPTH:
        rows = enumerate(value)
    elif isinstance(value, dict) and depth < _DESCRIBED_DEPTH:
        rows = value.items()
    for key, item in rows:
        if not _can_be_pickled(item):
            return f"item {key!r} is {_describe(item, depth + 1)}"
    return f"a {type(value).__module__}.{type(value).__qualname__}"


def _can_be_pickled(value: Any) -> bool:
    try:
        _dumps_by_value(value)
    except Exception:  # noqa: BLE001  (objects raise whatever they like here)
        return False
    return True


def loads(codec: str, parts: list[Any]) -> Any:
    """The inverse of `dumps`, and of `FarmData.offload`.

    Raises: ValueError: an unknown codec. OtherPythonVersion. DataLost. Whatever unpickling raises.
    """
    if codec not in (PICKLE, CLOUDPICKLE):
        if codec == plain.NDARRAY:
            return plain.array_of(parts)
        if codec == plain.BYTES:
            return bytes(parts[0])
        if codec.endswith(BY_REFERENCE):
            from . import data

            return loads(*data.resolve(codec, parts))
        _check_codec(codec, parts)
        if codec.startswith(_DILL):
            return _loads_dill(parts)
    if len(parts) == 1:
        return _loads(parts[0])
    return _loads(parts[0], buffers=parts[1:])


def _check_codec(codec: str, parts: list[Any]) -> None:
    name, _, version = codec.partition(":")
    if name not in (_CLOUDPICKLE, _DILL):
        raise ValueError(f"cannot read an object of codec {codec!r}; this version knows pickle, cloudpickle and dill")
    is_code = name == _DILL or _BYTE_CODE in bytes(parts[0])
    if version not in ("", PYTHON_VERSION) and is_code:
        raise OtherPythonVersion(
            f"this was defined in Python {version}, and its byte code cannot run in Python {PYTHON_VERSION}; use the same "
            "minor version of Python for clients and engines (Client.engines() tells theirs), or put the function or class "
            "into a module that both can import"
        )


def _loads_dill(parts: list[Any]) -> Any:
    try:
        import dill
    except ImportError:
        raise ImportError("this object was pickled with dill, which is not installed here: pip install dill") from None
    return dill.loads(bytes(parts[0]), buffers=parts[1:])


def pack(value: Any, what: str = "the value", data: FarmData | None = None) -> _native.Object:
    """`value` as an object field; with `data` its large parts by reference."""
    if data is None:
        return _native.Object(*dumps(value, what))
    take_pickled()  # what user code has pickled by itself
    return _native.Object(*by_reference(*dumps(value, what), data))


def by_reference(codec: str, parts: list[Any], data: FarmData) -> tuple[str, list[Any]]:
    """What `dumps` gave, with large parts by reference."""
    files = take_pickled()
    if files or len(parts) > 1 or len(parts[0]) >= plain.LARGE_BYTES:
        return data.offload(codec, parts, files)
    return codec, parts


def unpack(field: _native.Object) -> Any:
    """The inverse of `pack`."""
    return loads(field.codec, field.parts)


def pack_result(value: Any, data: FarmData | None = None) -> Any:
    """`value` as a payload: plain values as they are, so that nothing is pickled for a None or a number."""
    kind = type(value)
    if kind in PLAIN_TYPES and (kind is not int or -(2**63) <= value < 2**63) and kind is not str:
        return value
    return pack(value, "the result", data)


def unpack_result(payload: Any) -> Any:
    """The inverse of `pack_result`, and of what tasks of kind "call" return."""
    kind = type(payload)
    if kind is _native.Object:
        return unpack(payload)
    return plain.unpack(payload) if kind is list else payload


# ---- Functions -----------------------------------------------------------------------------------------------------


class PackedFunction(NamedTuple):
    """A function as it travels: once, under its digest."""

    digest: str
    name: str
    field: _native.Object


_MISSING = object()
_CACHE_SIZE = 256
# function -> (what its pickle depends on, the pickle).  The oldest leaves first.
_cache: dict[FunctionType, tuple[list[Any], PackedFunction]] = {}
# The hash of a code object is dear, so names are kept by its id together with the object, which keeps the id in use.
_names_of_code: dict[int, tuple[CodeType, tuple[str, ...]]] = {}


def pack_function(function: Callable[..., Any]) -> PackedFunction:
    """The function, its name and digest.

    A function is pickled again at each call, for its closure and globals may have changed, unless all that its pickle
    depends on is immutable and the same as last time.
    """
    if type(function) is not FunctionType:
        return _pack_function(function)
    state: list[Any] = []
    if not _collect_state(function, state, set()):
        return _pack_function(function)
    known = _cache.get(function)
    if known is not None and len(known[0]) == len(state) and all(map(is_, known[0], state)):
        return known[1]
    packed = _pack_function(function)
    while len(_cache) >= _CACHE_SIZE:
        _cache.pop(next(iter(_cache)), None)
    _cache[function] = (state, packed)
    return packed


def _pack_function(function: Callable[..., Any]) -> PackedFunction:
    from hashlib import sha256

    codec, parts = dumps(function, f"the function {function_name(function)}")
    digest = sha256(codec.encode())
    for part in parts:
        digest.update(part)
    return PackedFunction(digest.hexdigest(), function_name(function), _native.Object(codec, parts))


def function_name(function: Any) -> str:
    """What people call it."""
    return getattr(function, "__name__", None) or type(function).__name__


def is_importable(function: Any) -> bool:
    """Whether another process finds the same object under its module and name."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    if module is None or name is None or module == "__main__":
        return False
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is function


def _collect_state(function: FunctionType, state: list[Any], seen: set[FunctionType]) -> bool:
    """Append to `state` all that the pickle of `function` depends on; False if any of it is mutable."""
    if function in seen:
        return True
    seen.add(function)
    state.append(function.__code__)
    if is_importable(function):
        return True
    if function.__dict__:
        return False
    values: list[Any] = []
    if function.__defaults__:
        values += function.__defaults__
    if function.__kwdefaults__:
        values += function.__kwdefaults__.values()
    for cell in function.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # an empty cell
            values.append(_MISSING)
    names = global_names(function.__code__)
    if names:
        own = function.__globals__
        values += [own.get(name, _MISSING) for name in names]
    return all(_collect_value(value, state, seen) for value in values) if values else True


def _collect_value(value: Any, state: list[Any], seen: set[FunctionType]) -> bool:
    kind = type(value)
    if kind is FunctionType:
        return _collect_state(value, state, seen)
    state.append(value)
    if value is _MISSING or kind in PLAIN_TYPES or kind is bytes or kind in (ModuleType, BuiltinFunctionType):
        return True
    if kind is tuple:
        return all(_collect_value(item, state, seen) for item in value)
    return isinstance(value, type) and is_importable(value)


def global_names(code: CodeType) -> tuple[str, ...]:
    """The names that `code` and the functions inside it look up outside (names of attributes are among them)."""
    known = _names_of_code.get(id(code))
    if known is not None:
        return known[1]
    found = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found.update(dict.fromkeys(global_names(constant)))
    names = tuple(found)
    if len(_names_of_code) >= 4 * _CACHE_SIZE:
        _names_of_code.clear()
    _names_of_code[id(code)] = (code, names)
    return names
