"""Widgets on an engine: what they say to a front end is output of the task that runs, and reaches a notebook that shows it.

Jupyter's widgets speak through comms.  The package ``comm`` lets whoever runs the code say what a comm is; ours publishes
each message as a piece of output.  A front end is told; it does not answer.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from .output import TaskOutput


def install(output: TaskOutput) -> None:
    """From now on comms that are made in this process publish to `output`; nothing if the package comm is not installed."""
    try:
        import comm
        from comm.base_comm import BaseComm
    except ImportError:
        return

    class EngineComm(BaseComm):
        """One end of a conversation."""

        def publish_msg(
            self,
            msg_type: str,
            data: dict[str, Any] | None = None,
            metadata: dict[str, Any] | None = None,
            buffers: Sequence[Any] | None = None,
            **keys: Any,
        ) -> None:
            """Say something."""
            content = {"comm_id": self.comm_id, "data": data or {}, **keys}
            parts = [base64.b64encode(buffer).decode() for buffer in buffers or ()]
            text = json.dumps({"content": content, "metadata": metadata or {}, "buffers": parts}, default=str)
            output.publish(msg_type, text, len(text))

    comm.create_comm = EngineComm
