"""Scatter and gather on two real engines: sequences, arrays, frames and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import linden
import pytest
from linden.direct_view import DirectView
from linden.error import CompositeError

pytest_plugins = ["live"]


@pytest.fixture
def view(rc: linden.Client) -> DirectView:
    view = rc[:]
    view.block = True
    return view


@pytest.mark.parametrize("dist", ["b", "r"])
@pytest.mark.parametrize("items", [[], [1], [1, 2, 3], "abcde", range(7)])
def test_sequences_come_back(view: DirectView, dist: str, items: Any) -> None:
    view.scatter("part", items, dist)
    assert view.gather("part", dist) == list(items)


@pytest.mark.parametrize("dist", ["b", "r"])
def test_arrays_and_frames_come_back(view: DirectView, dist: str) -> None:
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")
    for shape in ((5, 2, 3), (1, 2), (0, 3)):
        array = numpy.arange(numpy.prod(shape), dtype="float32").reshape(shape)
        view.scatter("array", array, dist)
        back = view.gather("array", dist)
        assert (back.shape, back.dtype) == (array.shape, array.dtype)
        assert (back == array).all()
    frame = pandas.DataFrame({"n": range(5), "name": list("abcde")})
    view.scatter("frame", frame, dist)
    view.execute("doubled = frame.assign(n=frame.n * 2)")
    assert view.gather("doubled", dist).equals(frame.assign(n=frame.n * 2))


@pytest.mark.parametrize("wrong", ["x", None, 1])
def test_an_unknown_way_is_refused_before_anything_is_asked_for(view: DirectView, wrong: Any) -> None:
    before = len(view.history)
    for call in (lambda: view.scatter("a", [1], wrong), lambda: view.gather("a", wrong)):
        with pytest.raises(ValueError, match="dist must be 'b'"):
            call()
    with pytest.raises(TypeError):
        view.scatter("a", 7)  # type: ignore[arg-type]
    assert len(view.history) == before


@pytest.mark.parametrize("shared", [True, False])
def test_a_file_is_scattered_by_lines(view: DirectView, scratch: Path, shared: bool) -> None:
    path = scratch / "file"
    lines = [f"line {number} " + "x" * (number % 7) for number in range(101)]
    path.write_text("\n".join(lines) + "\n")
    for dist in ("b", "r"):
        view.scatter_file("lines", path, dist, shared=shared)
        assert view.gather("lines", dist) == lines
        assert all(count > 30 for count in view["len(lines)"])
    view.scatter_file("data", str(path), into="bytes", shared=shared)
    assert b"".join(view["data"]) == path.read_bytes()
    assert all(data.endswith(b"\n") for data in view["data"])


def test_a_range_is_read_when_it_is_wanted(view: DirectView, scratch: Path) -> None:
    path = scratch / "file"
    path.write_text("3\n4\n5\n")
    view.scatter_file("numbers", path, into="range")
    assert sum(view["sum(map(int, numbers))"]) == 12
    path.write_text("3\n4\n5\n6\n")
    with pytest.raises(CompositeError) as caught:
        view["list(numbers)"]
    assert all("has 8 bytes on" in str(error) for error in caught.value.errors)


def test_files_that_are_not_there(view: DirectView, scratch: Path) -> None:
    with pytest.raises(FileNotFoundError):
        view.scatter_file("x", scratch / "none")
    (scratch / "file").write_text("x")
    for options in ({"into": "lists"}, {"into": "range", "shared": False}, {"into": "bytes", "dist": "r"}):
        with pytest.raises(ValueError, match="into"):
            view.scatter_file("x", scratch / "file", **options)  # type: ignore[arg-type]
