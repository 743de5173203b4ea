"""What people may say behind %px, %pxresult and %pxconfig: the options, as argparse knows them, and what they mean."""

from __future__ import annotations

import ast
import re
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument

from .output_display import GROUPINGS

if TYPE_CHECKING:
    from argparse import Namespace

    from .client import Client

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_SLICE = re.compile(r"\s*(-?\d*)\s*:\s*(-?\d*)\s*(?::\s*(-?\d*)\s*)?")


def arguments(*parts: list[Decorator]) -> Decorator:
    """A decorator that adds all arguments of these lists, which are shown in this order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for add in [add for part in parts for add in part][::-1]:
            function = add(function)
        return function

    return decorate


EXECUTION: list[Decorator] = [
    argument("-b", "--block", dest="block", action="store_const", const=True, help="wait for the engines"),
    argument("-a", "--noblock", dest="block", action="store_const", const=False, help="do not wait; see %%pxresult"),
    argument("--stream", dest="stream", action="store_const", const=True, help="show output while it comes"),
    argument("--no-stream", dest="stream", action="store_const", const=False, help="show output at the end"),
    argument("-t", "--targets", help="engines: all, an id such as 1, a slice of the ids such as ::2, or [0,2]"),
    argument("--verbose", dest="verbose", action="store_const", const=True, help="say which engines run the code"),
    argument("--no-verbose", dest="verbose", action="store_const", const=False, help="do not say so"),
    argument(
        "--progress-after",
        type=float,
        metavar="SECONDS",
        help="show how many engines are done after this time; 0: at once, -1: never (default: 2)",
    ),
    argument(
        "--signal-on-interrupt",
        dest="signal",
        metavar="SIGNAL",
        help="what Ctrl-C sends to the engines: SIGINT (the default), any other name or number, 0 for nothing",
    ),
]
OUTPUT: list[Decorator] = [
    argument("-r", dest="groupby", action="store_const", const="order", help="as --group-outputs=order"),
    argument("-e", dest="groupby", action="store_const", const="engine", help="as --group-outputs=engine"),
    argument(
        "--group-outputs",
        dest="groupby",
        choices=GROUPINGS,
        help="how output at the end is put in order: by type (the default), by engine, or by order of displays",
    ),
    argument("-o", "--out", metavar="NAME", help="keep the AsyncResult under this name"),
]
CELL: list[Decorator] = [argument("--local", action="store_true", help="run the cell here as well")]


def parse_targets(text: str, client: Client, names: dict[str, Any]) -> Any:
    """The targets of a view: "all", an id or a list of ids.

    Args: text: "all", an id, a slice of the ids such as ``::2``, a list such as ``[0, 2]`` or ``0,2``, or a name in `names`
        that stands for one of these.
    Raises: UsageError: none of these, or no such engine.
    """
    text = text.strip().strip("'\"")
    if text == "all":
        return "all"
    part = _SLICE.fullmatch(text)
    if part is not None:
        bounds = (int(bound) if bound else None for bound in part.groups())
        return _existing(client.ids[slice(*bounds)], client, text)
    if text.isidentifier():
        value = names.get(text)
    else:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            value = None
    if isinstance(value, slice):
        return _existing(client.ids[value], client, text)
    if isinstance(value, str) and value == "all":
        return value
    return _existing(value, client, text)


def _existing(targets: Any, client: Client, text: str) -> Any:
    ids = [targets] if isinstance(targets, int) else list(targets) if isinstance(targets, (list, tuple, range)) else []
    if not ids or not all(type(id_) is int for id_ in ids):
        raise UsageError(f"--targets must be all, an engine id, a slice such as ::2 or a list of ids, not {text!r}")
    there = client.ids
    missing = [id_ for id_ in ids if id_ not in there]
    if missing:
        raise UsageError(f"--targets {text}: there is no engine {missing[0]}; there are {there or 'none'}")
    return targets if isinstance(targets, int) else ids


def parse_signal(text: str) -> signal.Signals | None:
    """The signal of that name or number; None for 0.

    Raises: UsageError: there is none.
    """
    if text in ("0", "none", "None"):
        return None
    try:
        if text.isdigit():
            return signal.Signals(int(text))
        name = text.upper()
        return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
    except (ValueError, KeyError):
        raise UsageError(f"--signal-on-interrupt must be a signal such as SIGINT or 2, or 0, not {text!r}") from None


def parse_name(text: str) -> str:
    """The name under which to keep a result.

    Raises: UsageError: it is none.
    """
    if not text.isidentifier():
        raise UsageError(f"--out must be a name, not {text!r}")
    return text


def shows_at_the_end(options: Namespace) -> bool:
    """Whether a grouping was asked for that live output cannot have."""
    return options.stream is None and options.groupby in ("engine", "order")
