"""A person in JupyterLab: %%px shows live output, bars move in their places, and the stop button reaches the engines."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Notebook:
    """The notebook as the page shows it."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        page.goto(address)
        self.cells = page.locator(".jp-CodeCell")
        self.cells.first.wait_for()
        # Until it says so a cell that is run goes nowhere.
        page.get_by_text("Python 3 (ipykernel) | Idle").first.wait_for()

    def run(self, number: int) -> Any:
        """Run a cell; its output area."""
        self.cells.nth(number).locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        return self.cells.nth(number).locator(".jp-OutputArea").first

    def lines(self, number: int) -> list[str]:
        return [str(text) for text in self.cells.nth(number).locator(".jp-OutputArea-output").all_inner_texts()]


def shows(area: Any, pattern: str) -> None:
    from playwright.sync_api import expect

    expect(area).to_contain_text(re.compile(pattern, re.DOTALL), timeout=60_000)


def take_picture(page: Any) -> None:
    """For docs/images, when LINDEN_PICTURE says where to."""
    if path := os.environ.get("LINDEN_PICTURE"):
        page.screenshot(path=path)


def test_a_notebook_with_engines(rc: linden.Client, serve: Callable[[list[str]], str], page: Any, place: Path) -> None:
    gates = [place / f"go{number}" for number in range(3)]
    rc[:].execute(
        f"""
import os, time
def wait_for(number):
    while not os.path.exists({str(place)!r} + f"/go{{number}}"):
        time.sleep(0.01)
""",
        block=True,
    )
    notebook = Notebook(
        page,
        serve(
            [
                "import linden\nrc = linden.Client()\nrc.ids",
                "%%px\nprint('first')\nwait_for(0)\nprint('second')\nsum(range(10))",
                "%%px\nfrom tqdm import tqdm\nfor n in tqdm(range(10), mininterval=0, ncols=60):\n    if n == 5:\n        wait_for(1)",
                "%%px\nfrom tqdm.notebook import trange\nfor n in trange(10, mininterval=0):\n    if n == 5:\n        wait_for(2)",
                "%%px\nprint('begun')\ntime.sleep(600)",
                "%px print('still here')",
            ]
        ),
    )
    shows(notebook.run(0), r"\[0, 1\]")

    # Live: the engines cannot go on before we have seen what they said.
    area = notebook.run(1)
    shows(area, r"\[stdout:0\] first")
    shows(area, r"\[stdout:1\] first")
    assert "second" not in area.inner_text()
    gates[0].touch()
    shows(area, r"Out\[1:\d+\]: 45")
    # Grouped: each engine's lines are together, in a place of their own.
    assert sorted(notebook.lines(1)[:2]) == [f"[stdout:{engine}] first\n[stdout:{engine}] second" for engine in (0, 1)]

    # Bars: half way while the engines wait, whole in the same places afterwards.
    area = notebook.run(2)
    for engine in (0, 1):
        shows(area, rf"\[stderr:{engine}\] +50%")
    assert len(notebook.lines(2)) == 2
    gates[1].touch()
    for engine in (0, 1):
        shows(area, rf"\[stderr:{engine}\] 100%")
    assert len(notebook.lines(2)) == 2

    # Widgets of the engines, drawn by this page: half way, and whole.
    area = notebook.run(3)
    bars = area.locator(".jupyter-widgets [role='progressbar'], .jupyter-widgets.widget-hprogress, .widget-hprogress")
    shows(area, r"5/10.*5/10")
    assert bars.count() >= 2
    take_picture(page)
    gates[2].touch()
    shows(area, r"10/10.*10/10")

    # The stop button.
    area = notebook.run(4)
    for engine in (0, 1):
        shows(area, rf"\[stdout:{engine}\] begun")
    page.locator("[data-command='notebook:interrupt-kernel'], [title*='Interrupt the kernel']").first.click()
    shows(area, r"\[0:execute\].*KeyboardInterrupt")
    shows(area, r"\[1:execute\].*KeyboardInterrupt")
    shows(area, "2 errors")
    area = notebook.run(5)
    shows(area, r"\[stdout:0\] still here")
    shows(area, r"\[stdout:1\] still here")
