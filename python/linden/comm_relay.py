"""Widgets of engines in a notebook: their messages, said again by comms of this kernel.

For each comm of an engine there is one here with the same id, so that the front end shows and moves the widget as if it were
this kernel's.  What a person does to it (a button, say) stays here: engines are not told.
"""

from __future__ import annotations

import base64
from typing import Any

from .farm import COMM_CLOSE, COMM_OPEN


def relay(stream: str, message: dict[str, Any]) -> None:
    """Say a message of an engine's comm to the front end; nothing if the package comm is not installed."""
    try:
        import comm
    except ImportError:
        return
    content = message["content"]
    id_ = content["comm_id"]
    rest: dict[str, Any] = {
        "data": content.get("data"),
        "metadata": message.get("metadata"),
        "buffers": [base64.b64decode(buffer) for buffer in message.get("buffers", ())],
    }
    known = comm.get_comm_manager().comms.get(id_)
    if stream == COMM_OPEN:
        if known is None:
            target = {key: content[key] for key in ("target_name", "target_module") if content.get(key)}
            comm.create_comm(comm_id=id_, **target, **rest)
    elif known is None:  # it was opened in a cell that nobody looked at
        return
    elif stream == COMM_CLOSE:
        known.close(**rest)
    else:
        known.send(**rest)
