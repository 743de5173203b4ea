"""How output is shown: on a terminal, in a file, and in a notebook's cell."""

import io
from typing import Any

import pytest
from linden.error import CompositeError, RemoteError
from linden.execute_reply import ExecuteReply
from linden.farm import CLEAR_OUTPUT as CLEAR
from linden.farm import DISPLAY, TRACEBACK, UPDATE
from linden.notebook_screen import NotebookScreen
from linden.output_display import Labels, Piece, TaskView, display_tasks, show_errors
from linden.text_screen import TextScreen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Publisher:
    """What a front end has in a cell's output: places in order, each with what was last shown there."""

    def __init__(self) -> None:
        self.places: dict[str, dict[str, Any]] = {}
        self.count = 0

    def publish(self, data: dict[str, Any], metadata: Any, *, transient: dict[str, str], update: bool) -> None:
        self.count += 1
        id_ = transient["display_id"]
        assert update == (id_ in self.places), "a place is made once and updated from then on"
        self.places[id_] = data

    def texts(self) -> list[str]:
        return [data["text/plain"] for data in self.places.values()]


def display(engine: int, text: str, id_: str | None = None, kind: str = DISPLAY, **data: str) -> Piece:
    content = {"data": {"text/plain": text, **data}, "metadata": {}, "transient": {"display_id": id_} if id_ else {}}
    return Piece(engine, kind, content)


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
def notebook(publisher: Publisher) -> NotebookScreen:
    return NotebookScreen(publisher, Labels())


# ---- text


def test_each_line_has_its_stream_and_engine() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = TextScreen(out, err, Labels())
    screen.show(
        [Piece(0, "stdout", "a\nb"), Piece(3, "stdout", "c\n"), Piece(0, "stderr", "e\n"), display(3, "<Figure>")]
    )
    assert out.getvalue() == "[stdout:0] a\n[stdout:3] c\n[output:3] <Figure>\n"
    screen.show([Piece(0, "stdout", "b\n")])
    screen.value(3, ExecuteReply("", 7, {"text/plain": "42"}))
    assert out.getvalue().endswith("[stdout:0] bb\nOut[3:7]: 42\n")
    assert err.getvalue() == "[stderr:0] e\n"


def test_a_call_on_one_engine_shows_its_output_bare() -> None:
    out = io.StringIO()
    screen = TextScreen(out, io.StringIO(), Labels(named=False))
    screen.show([Piece(0, "stdout", "a\n")])
    screen.value(0, ExecuteReply("", 7, {"text/plain": "[1,\n 2]"}))
    assert out.getvalue() == "a\nOut[7]:\n[1,\n 2]\n"


# What is begun is shown at the end at the latest, and before whatever else the engine shows.
def test_an_unfinished_line_is_finished_by_what_follows() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = TextScreen(out, err, Labels())
    screen.show([Piece(1, "stdout", "no end"), display(1, "picture"), Piece(2, "stdout", "none here")])
    screen.error(1, RemoteError("ValueError", "no", "the\ntraceback", {"engine_id": 1, "method": "execute"}))
    screen.close()
    assert out.getvalue() == "[stdout:1] no end\n[output:1] picture\n[stdout:2] none here\n"
    assert err.getvalue() == "[1:execute]\nthe\ntraceback\n"


def test_bars_are_one_line_in_a_file() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = TextScreen(out, err, Labels())
    for percent in range(0, 101, 10):
        screen.show([Piece(engine, "stderr", f"\r{percent}%") for engine in range(2)])
    screen.progress(1, 2, 3.0)
    screen.close()
    assert err.getvalue() == "[stderr:0] 100%\n[stderr:1] 100%\n"
    assert out.getvalue() == ""


def test_bars_move_on_a_terminal() -> None:
    out = Terminal()
    screen = TextScreen(out, out, Labels())
    screen.show([Piece(0, "stderr", "\r10%"), Piece(1, "stderr", "\r15%")])
    assert out.getvalue() == "[stderr:0] 10%\n[stderr:1] 15%"
    screen.show([Piece(0, "stderr", "\r20%")])
    assert out.getvalue().endswith("\x1b[1A\r\x1b[J[stderr:0] 20%\n[stderr:1] 15%")
    screen.progress(1, 4, 2.4)
    assert out.getvalue().endswith("[stderr:1] 15%\n1/4 tasks done, 2 s")
    screen.show([Piece(1, "stdout", "line\n")])
    assert out.getvalue().endswith(
        "\x1b[2A\r\x1b[J[stdout:1] line\n[stderr:0] 20%\n[stderr:1] 15%\n1/4 tasks done, 2 s"
    )
    screen.close()
    assert out.getvalue().endswith("\r\x1b[J[stderr:0] 20%\n[stderr:1] 15%\n")


def test_rows_on_a_terminal_are_cut_to_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "5")
    out = Terminal()
    screen = TextScreen(out, out, Labels())
    screen.show([Piece(engine, "stdout", "x" * 50) for engine in range(10)])
    assert out.getvalue() == "\n".join(f"[stdout:{engine}] xxxxxxxx" for engine in (7, 8, 9))
    screen.close()
    assert out.getvalue().count("x" * 50) == 10  # nothing of it is lost


def test_a_terminal_with_few_characters_shows_escapes() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    screen = TextScreen(out, out, Labels())
    screen.show([Piece(0, "stdout", "caf\xe9\n")])
    assert raw.getvalue() == b"[stdout:0] caf\\xe9\n"


def test_only_the_first_errors_are_shown_whole() -> None:
    err = io.StringIO()
    screen = TextScreen(io.StringIO(), err, Labels())
    errors = [(n, RemoteError("E", str(n), "trace", {"engine_id": n, "method": "f"})) for n in range(6)]
    show_errors(screen, errors)
    assert err.getvalue().count("trace\n") == CompositeError.tb_limit == 4
    assert err.getvalue().endswith("[4:f] E: 4\n[5:f] E: 5\n")


# One that an engine showed without failing.
def test_tracebacks_are_shown_with_their_engine(notebook: NotebookScreen, publisher: Publisher) -> None:
    err = io.StringIO()
    piece = Piece(2, TRACEBACK, {"ename": "E", "evalue": "", "traceback": ["where", "E:"]})
    TextScreen(io.StringIO(), err, Labels()).show([piece])
    assert err.getvalue() == "[error:2]\nwhere\nE:\n"
    notebook.show([piece])
    assert publisher.texts() == ["[error:2]\nwhere\nE:"]


# ---- a notebook


def test_text_is_grouped_by_engine_while_it_comes(notebook: NotebookScreen, publisher: Publisher) -> None:
    for step in range(3):
        notebook.show([Piece(engine, "stdout", f"step {step}\n") for engine in (0, 1)])
    notebook.close()
    assert publisher.texts() == ["\n".join(f"[stdout:{engine}] step {step}" for step in range(3)) for engine in (0, 1)]
    assert publisher.count == 6


def test_a_bar_is_one_place_that_changes(notebook: NotebookScreen, publisher: Publisher) -> None:
    for percent in range(0, 101, 10):
        notebook.show([Piece(0, "stderr", f"\r{percent}%")])
    assert publisher.texts() == ["[stderr:0] 100%"]


# An update sends the whole place, so without a limit much text would cost its square.
def test_much_text_goes_on_in_further_places(notebook: NotebookScreen, publisher: Publisher) -> None:
    sent = 0
    for _ in range(100):
        notebook.show([Piece(0, "stdout", "x" * 999 + "\n")])
        sent += len(publisher.texts()[-1])
    notebook.close()
    assert 2 <= len(publisher.places) <= 6
    assert "\n".join(publisher.texts()).count("x" * 999) == 100
    assert sent < 100 * 50_000


def test_displays_keep_their_place_among_the_text(notebook: NotebookScreen, publisher: Publisher) -> None:
    notebook.show([Piece(0, "stdout", "before\n"), display(0, "picture"), Piece(0, "stdout", "after\n")])
    assert publisher.texts() == ["[stdout:0] before", "[output:0] picture", "[stdout:0] after"]


def test_a_rich_display_is_shown_as_it_is_below_its_engine(notebook: NotebookScreen, publisher: Publisher) -> None:
    notebook.show([display(2, "text", **{"image/png": "aGk="})])
    assert list(publisher.places.values()) == [
        {"text/plain": "[output:2]"},
        {"text/plain": "text", "image/png": "aGk="},
    ]


def test_an_engine_updates_its_own_displays_only(notebook: NotebookScreen, publisher: Publisher) -> None:
    notebook.show([display(0, "a", "same"), display(1, "b", "same"), display(1, "c", "same", UPDATE)])
    assert publisher.texts() == ["[output:0] a", "[output:1] c"]
    notebook.show([display(1, "lost", None, UPDATE)])
    assert publisher.texts() == ["[output:0] a", "[output:1] c"]


def test_clearing_empties_the_places_of_one_engine_which_are_used_again(
    notebook: NotebookScreen, publisher: Publisher
) -> None:
    notebook.show([Piece(0, "stdout", "keep\n"), Piece(1, "stdout", "old\n"), display(1, "old")])
    notebook.show([Piece(1, CLEAR, {"wait": False})])
    assert publisher.texts() == ["[stdout:0] keep", "", ""]
    notebook.show([display(1, "new")])
    assert publisher.texts() == ["[stdout:0] keep", "[output:1] new", ""]


def test_clearing_may_wait_for_the_next_output(notebook: NotebookScreen, publisher: Publisher) -> None:
    notebook.show([display(1, "frame 0")])
    for frame in range(1, 4):
        notebook.show([Piece(1, CLEAR, {"wait": True})])
        assert publisher.texts() == [f"[output:1] frame {frame - 1}"]
        notebook.show([display(1, f"frame {frame}")])
    assert publisher.texts() == ["[output:1] frame 3"]


def test_values_in_html_have_their_prompt_too(notebook: NotebookScreen, publisher: Publisher) -> None:
    notebook.value(3, ExecuteReply("", 7, {"text/plain": "a\nb", "text/html": "<table>"}))
    assert list(publisher.places.values()) == [
        {"text/plain": "Out[3:7]: \na\nb", "text/html": "<div><code>Out[3:7]:</code></div><table>"}
    ]


# ---- groupings


@pytest.mark.parametrize(
    ("groupby", "expected"),
    [
        ("type", "o0 o1 d0a d0b d1a d1b v0 v1"),
        ("order", "o0 o1 d0a d1a d0b d1b v0 v1"),
        ("engine", "d0a o0 d0b v0 d1a o1 d1b v1"),
    ],
)
def test_groupings(groupby: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = [
        TaskView(
            engine,
            [
                *(
                    (DISPLAY, {"data": {"text/plain": f"d{engine}a"}}),
                    ("stdout", f"o{engine}"),
                    ("stderr", f"e{engine}"),
                ),
                (DISPLAY, {"data": {"text/plain": f"d{engine}b"}}),
            ],
            ExecuteReply("", 1, {"text/plain": f"v{engine}"}),
        )
        for engine in (0, 1)
    ]
    display_tasks(tasks, groupby)
    shown = capsys.readouterr()
    assert [line.split("] ")[-1].split(": ")[-1] for line in shown.out.splitlines()] == expected.split()
    assert shown.err == "[stderr:0] e0\n[stderr:1] e1\n"
    display_tasks(tasks, groupby, result_only=True)
    assert capsys.readouterr().out == "Out[0:1]: v0\nOut[1:1]: v1\n"


def test_a_grouping_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="'type', 'engine' or 'order', not 'colour'"):
        display_tasks([], "colour")
