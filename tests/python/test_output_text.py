"""Lines, carriage returns and bars, as a terminal shows them."""

import random

import pytest
from linden.output_text import OpenText


def test_lines_leave_when_they_are_finished() -> None:
    text = OpenText()
    assert text.feed("a\nb") == ["a"]
    assert text.rows == ["b"]
    assert text.feed("c\n\nd") == ["bc", ""]
    assert text.finish() == ["d"]
    assert text.finish() == []


# A bar that is drawn over and over is one line, however often it changes.
def test_a_carriage_return_draws_over_the_line() -> None:
    text = OpenText()
    assert text.feed(" 10%\r 20%") == []
    assert text.rows == [" 20%"]
    assert text.feed("\r100%\n") == ["100%"]
    assert text.feed("long line\rshort") == []
    assert text.rows == ["shortline"]
    assert text.feed("\r\x1b[K\n") == [""]


def test_a_windows_line_end_is_a_line_end() -> None:
    assert OpenText().feed("a\r\nb\r\n") == ["a", "b"]


@pytest.mark.parametrize(
    ("drawn", "rows"),
    [("ab\bc", ["ac"]), ("abc\x1b[1K", []), ("abc\x1b[2Kd", ["   d"]), ("ab\x1b[3Acd", ["abcd"])],
)
def test_other_moves_of_the_cursor(drawn: str, rows: list[str]) -> None:
    text = OpenText()
    assert text.feed(drawn) == []
    assert text.rows == rows


# tqdm draws an inner bar below the outer one and goes back up.
def test_bars_below_each_other_stay_until_they_are_finished() -> None:
    text = OpenText()
    for percent in range(0, 100, 25):
        assert text.feed(f"\router {percent}%\n\rinner {percent}%\x1b[A") == []
        assert text.rows == [f"outer {percent}%", f"inner {percent}%"]
    assert text.feed("\router 100%\n") == ["outer 100%"]
    assert text.rows == ["inner 75%"]


# However the text is cut into pieces, what a person sees in the end is the same.
def test_pieces_may_be_cut_anywhere_between_lines_and_returns() -> None:
    whole = "a\nbar 1\rbar 2\rbar 33\nno end"
    for seed in range(50):
        dice = random.Random(seed)
        cuts = sorted(dice.sample(range(len(whole)), 5))
        text, lines = OpenText(), []
        for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            lines += text.feed(whole[start:stop])
        assert lines + text.finish() == ["a", "bar 33", "no end"], seed
