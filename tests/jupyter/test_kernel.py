"""What a kernel publishes while a cell runs on engines: messages in order, live, and whole notebooks."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import linden
import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

pytestmark = pytest.mark.timeout(120)
_DEADLINE_S = 60
_WIDGET = "application/vnd.jupyter.widget-view+json"
NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs").rglob("*.ipynb"))


class Kernel:
    """A kernel, and what its front end has in the output of the last cell."""

    def __init__(self) -> None:
        self.manager, self.client = start_new_kernel(startup_timeout=_DEADLINE_S)
        self.places: dict[str, dict[str, Any]] = {}
        self.comms: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        self.stream = ""
        self.error: list[str] = []
        self._request = ""

    def begin(self, code: str) -> None:
        self.places, self.comms, self.stream, self.error = {}, {}, "", []
        self._request = self.client.execute(code)

    def until(self, condition: Callable[[], bool] | None = None) -> None:
        """Listen until the condition holds, or until the cell has ended."""
        deadline = time.monotonic() + _DEADLINE_S
        while condition is None or not condition():
            message = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") == self._request and self._is_last(message):
                assert condition is None, f"the cell ended: {self.texts} {self.stream} {self.error}"
                return

    def _is_last(self, message: dict[str, Any]) -> bool:
        content = message["content"]
        match message["msg_type"]:
            case "display_data" | "update_display_data" as kind:
                # A widget has none: it is shown once, and moves by messages of its own.
                place = content["transient"].get("display_id", message["header"]["msg_id"])
                assert (kind == "update_display_data") == (place in self.places)
                self.places[place] = content["data"]
            case "comm_open" | "comm_msg" | "comm_close" as kind:
                self.comms.setdefault(content["comm_id"], []).append((kind, content["data"]))
            case "stream":
                self.stream += content["text"]
            case "error":
                self.error = content["traceback"]
            case "status":
                return bool(content["execution_state"] == "idle")
        return False

    def run(self, code: str) -> None:
        self.begin(code)
        self.until()

    @property
    def texts(self) -> list[str]:
        return [data.get("text/plain", "") for data in self.places.values()]


@pytest.fixture
def kernel(rc: linden.Client) -> Iterator[Kernel]:
    kernel = Kernel()
    kernel.run("import linden\nrc = linden.Client()")
    kernel.run("%px import os, time")
    assert kernel.error == []
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


def waiting(path: Path) -> str:
    return f"while not os.path.exists({str(path)!r}): time.sleep(0.01)"


# F5, in a front end: all of it, in order, in the cell that asked, and while the engines still work.
def test_output_comes_live_into_its_cell(kernel: Kernel, scratch: Path) -> None:
    gate = scratch / "go"
    kernel.begin(f"%%px\nprint('one')\n{waiting(gate)}\nprint('two')\nfrom IPython.display import display\ndisplay(3)")
    kernel.until(lambda: sorted(kernel.texts) == ["[stdout:0] one", "[stdout:1] one"])
    gate.touch()
    kernel.until()
    assert sorted(kernel.texts) == sorted(
        text for engine in (0, 1) for text in (f"[stdout:{engine}] one\n[stdout:{engine}] two", f"[output:{engine}] 3")
    )


def test_an_interrupted_kernel_interrupts_the_engines(kernel: Kernel) -> None:
    kernel.begin("%%px\nprint('begun')\ntime.sleep(600)")
    kernel.until(lambda: sorted(kernel.texts) == ["[stdout:0] begun", "[stdout:1] begun"])
    kernel.manager.interrupt_kernel()
    kernel.until()
    assert sum("KeyboardInterrupt" in text for text in kernel.texts) == 2
    assert kernel.error == ["2 errors"]
    kernel.run("%px print('still here')")
    assert sorted(kernel.texts) == ["[stdout:0] still here", "[stdout:1] still here"]


def test_engines_animate_their_own_places(kernel: Kernel) -> None:
    kernel.run(
        "%%px\nfrom IPython.display import clear_output, display\nfor frame in range(5):\n"
        "    clear_output(wait=True)\n    display(f'frame {frame}')\n    time.sleep(0.05)"
    )
    assert sorted(kernel.texts) == [f"[output:{engine}] 'frame 4'" for engine in (0, 1)]


# A kernel does not run cells with run_cell, as a terminal does.
def test_autopx_holds_in_a_kernel(kernel: Kernel) -> None:
    kernel.run("%autopx")
    assert kernel.stream == "%autopx enabled\n"
    kernel.run("there = 5\nprint(there)")
    assert sorted(kernel.texts) == ["[stdout:0] 5", "[stdout:1] 5"]
    kernel.run("%autopx")
    kernel.run("'there' in globals()")
    assert kernel.texts == []


def test_progress_is_shown_after_a_while(kernel: Kernel, scratch: Path) -> None:
    gate = scratch / "go"
    kernel.begin(f"%%px --progress-after 0\n{waiting(gate)}")
    kernel.until(lambda: any("0/2" in text for text in kernel.texts) or "0/2" in kernel.stream)
    gate.touch()
    kernel.until()
    assert kernel.error == []


# A front end draws a widget from what its comm says: opened before it is displayed, and moved by messages afterwards.
def test_widgets_of_engines_move_here(kernel: Kernel, scratch: Path) -> None:
    gate = scratch / "go"
    kernel.run("%%px\nfrom ipywidgets import IntProgress\nbar = IntProgress(max=10)\nprint('made')")
    kernel.begin(
        f"%%px\nfrom IPython.display import display\ndisplay(bar)\nbar.value = 5\n{waiting(gate)}\nbar.value = 10"
    )

    def values() -> dict[str, int]:
        return {
            id_: data["state"]["value"]
            for id_, messages in kernel.comms.items()
            for _, data in messages
            if "value" in data.get("state", {})
        }

    kernel.until(lambda: list(values().values()) == [5, 5])
    shown = {data[_WIDGET]["model_id"] for data in kernel.places.values() if _WIDGET in data}
    assert shown == set(values())
    gate.touch()
    kernel.until()
    assert list(values().values()) == [10, 10]
    kernel.run("%px bar.close()")
    assert {messages[-1][0] for id_, messages in kernel.comms.items() if id_ in shown} == {"comm_close"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_run(path: Path, place: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=_DEADLINE_S, kernel_name="python3", resources={"metadata": {"path": place}}
    ).execute()
