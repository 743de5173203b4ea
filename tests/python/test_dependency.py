"""What functions need where they run, and which names mean what there: depend, require, interactive, sync_imports, picklers."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from typing import Any

import linden
import pytest
from linden.dependency import Dependency, dependencies_of
from linden.error import ImpossibleDependency, RemoteError, UnmetDependency

pytest_plugins = ["live"]


# ---- Dependency


def test_the_switches_of_a_dependency() -> None:
    dependency = Dependency(["a_1", "a_2"])
    assert (dependency.all, dependency.success, dependency.failure) == (True, True, False)
    assert dependency == {"a_1", "a_2"}
    assert Dependency("a_1") == {"a_1"}
    with pytest.raises(ValueError, match="never met"):
        Dependency("a_1", success=False)
    with pytest.raises(TypeError, match="message id or an AsyncResult"):
        Dependency([7])
    with pytest.raises(ValueError, match="'when'"):
        Dependency({"dependencies": [], "when": 1})


def test_a_dependency_as_plain_values() -> None:
    dependency = Dependency(["b_2", "a_1"], all=False, failure=True)
    plain = json.loads(json.dumps(dependency.as_dict()))
    assert plain == {"dependencies": ["a_1", "b_2"], "all": False, "success": True, "failure": True}
    for again in (Dependency(plain), pickle.loads(pickle.dumps(dependency)), Dependency(dependency)):
        assert again == dependency
        assert again.as_dict() == plain


def test_when_a_dependency_is_met_and_when_it_never_will_be() -> None:
    mixed, good, bad = {"1", "2"}, {"1"}, {"2"}
    for switches, check, unreachable in (
        ({}, False, True),
        ({"all": False}, True, False),
        ({"failure": True}, True, False),
        ({"success": False, "failure": True}, False, True),
        ({"success": False, "failure": True, "all": False}, True, False),
    ):
        dependency = Dependency(mixed, **switches)
        assert (dependency.check(good, bad), dependency.unreachable(good, bad)) == (check, unreachable), switches
        assert not dependency.check(set(), set())
        assert not dependency.unreachable(set(), set())
    assert Dependency([]).check(set())
    assert not Dependency([]).unreachable({"1"}, {"2"})
    assert not Dependency("1").check(set())
    assert not Dependency("1").unreachable(set())


def test_several_dependencies_stay_apart() -> None:
    any_of = Dependency(["c_1", "c_2"], all=False)
    assert dependencies_of(["a_1", any_of, "b_1"]) == [{"a_1", "b_1"}, any_of]
    assert dependencies_of([]) == dependencies_of(None) == []


# ---- depend and require


def is_pid(pid: int) -> bool:
    return os.getpid() == pid


def test_a_task_runs_where_its_condition_holds(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    for pid in rc[:].apply_sync(os.getpid):
        here = linden.depend(is_pid, pid)(os.getpid)
        assert [view.apply_async(here).get(30) for _ in range(6)] == [pid] * 6
        assert set(
            view.map_async(linden.dependent(lambda _: os.getpid(), is_pid, pid), range(10), chunksize=3).get(30)
        ) == {pid}


def test_no_engine_is_asked_twice(rc: linden.Client, scratch: Any) -> None:
    asked = scratch / "asked"

    def nowhere(path: str) -> bool:
        with open(path, "a") as file:
            file.write(f"{os.getpid()}\n")
        return False

    task = linden.dependent(os.getpid, nowhere, str(asked))
    with pytest.raises(ImpossibleDependency, match=r"every engine.*nowhere of getpid is False here"):
        rc.load_balanced_view().apply_async(task).get(30)
    assert sorted(map(int, asked.read_text().split())) == sorted(rc[:].apply_sync(os.getpid))


def test_a_task_may_refuse_by_itself(rc: linden.Client) -> None:
    there = rc[1].apply_sync(os.getpid)

    def choosy(pid: int) -> int:
        if os.getpid() != pid:
            raise linden.UnmetDependency("not here")
        return pid

    assert [rc.load_balanced_view().apply_async(choosy, there).get(30) for _ in range(4)] == [there] * 4
    with pytest.raises(UnmetDependency, match="not here") as error:
        rc[0].apply_sync(choosy, there)
    assert not isinstance(error.value, ImpossibleDependency)


def test_targets_bound_who_is_asked(rc: linden.Client) -> None:
    view = rc.load_balanced_view(targets=[rc.ids[0]])
    elsewhere = rc[1].apply_sync(os.getpid)
    with pytest.raises(ImpossibleDependency):
        view.apply_async(linden.dependent(os.getpid, is_pid, elsewhere)).get(30)


def test_what_a_function_requires_is_there(rc: linden.Client) -> None:
    rc[:].clear(block=True)
    view = rc.load_balanced_view()

    def square(x: int) -> int:
        return x * x

    @linden.require("fractions", "os.path", json, square, factor=3)
    def work(x: int) -> Any:
        return json.loads(str(square(x) * factor)), str(fractions.Fraction(1, x)), os.path.basename("a/b")  # type: ignore[name-defined]  # noqa: F821

    assert view.apply_async(work, 2).get(30) == (12, "1/2", "b")
    assert view.map_async(work, [2], chunksize=2).get(30) == [(12, "1/2", "b")]
    assert rc[0].apply_sync(work, 2)[0] == 12


def test_a_module_that_cannot_be_imported(rc: linden.Client) -> None:
    with pytest.raises(ImpossibleDependency, match="cannot import no_such_module"):
        rc.load_balanced_view().apply_async(linden.require("no_such_module")(os.getpid)).get(30)
    with pytest.raises(UnmetDependency, match="no_such_module"):
        rc[0].apply_sync(linden.require("no_such_module")(os.getpid))
    with pytest.raises(TypeError, match="by keyword"):
        linden.require(7)


@linden.interactive
def uses_the_namespace() -> Any:
    return only_there  # type: ignore[name-defined]  # noqa: F821


def test_globals_of_an_interactive_function_are_the_engines_namespace(rc: linden.Client) -> None:
    rc[:].push({"only_there": 11}, block=True)
    assert rc[:].apply_sync(uses_the_namespace) == [11, 11]
    assert uses_the_namespace.__module__ == "__main__"
    assert linden.interactive(len) is len


# ---- references


def test_references_in_all_places(rc: linden.Client) -> None:
    view = rc[:]
    view.push({"f": lambda *args, **kwargs: (args, kwargs), "a": 5, "g": [1, {"k": 2}]}, block=True)
    ref = linden.Reference
    args, kwargs = rc[0].apply_sync(ref("f"), ref("a"), [ref("g[0]"), {"deep": (ref("g[1]['k']"),)}], key=ref("a + 1"))
    assert args == (5, [1, {"deep": (2,)}])
    assert kwargs == {"key": 6}
    assert rc.load_balanced_view().apply_sync(ref("f"), 1) == ((1,), {})
    assert rc.load_balanced_view().map_sync(ref("f"), [ref("a"), 2]) == [((5,), {}), ((2,), {})]


def test_dotted_names_are_attributes(rc: linden.Client) -> None:
    rc[:].execute("class Thing: pass\nthing = Thing()", block=True)
    rc[:].push({"thing.size": 3}, block=True)
    rc[:]["thing.name"] = "it"
    assert rc[:].pull(["thing.size", "thing.name"], block=True) == [[3, "it"]] * 2
    assert rc[0]["thing.size"] == 3


# ---- parts of sequences


@pytest.mark.parametrize("dist", ["b", "r"])
@pytest.mark.parametrize("length", [0, 1, 2, 5, 8])
def test_scatter_and_gather_are_inverse(rc: linden.Client, dist: str, length: int) -> None:
    items = list(range(length))
    rc[:].scatter("part", items, dist=dist, block=True)
    assert rc[:]["part"] == (
        [items[: (length + 1) // 2], items[(length + 1) // 2 :]] if dist == "b" else [items[::2], items[1::2]]
    )
    assert rc[:].gather("part", dist=dist, block=True) == items
    assert rc[:].gather("part", dist=dist).get(30) == items


@pytest.mark.parametrize("dist", ["b", "r"])
def test_scatter_and_gather_of_arrays(rc: linden.Client, dist: str) -> None:
    numpy = pytest.importorskip("numpy")
    table = numpy.arange(21).reshape(7, 3)
    rc[:].scatter("rows", table, dist=dist, block=True)
    assert (rc[:].gather("rows", dist=dist, block=True) == table).all()


@pytest.mark.parametrize("dist", ["b", "r"])
@pytest.mark.parametrize("chunksize", [None, 1, 3, 100])
@pytest.mark.parametrize("balanced", [False, True])
def test_parallel_functions(rc: linden.Client, dist: str, chunksize: int | None, balanced: bool) -> None:
    view = rc.load_balanced_view() if balanced else rc[:]

    @view.parallel(dist=dist, block=True, chunksize=chunksize)
    def add(left: list[int], right: list[int]) -> list[int]:
        """Adds."""
        return [a + b for a, b in zip(left, right, strict=True)]

    assert add(list(range(7)), [10] * 7) == list(range(10, 17))
    assert add([], []) == []
    with pytest.raises(ValueError, match=r"lengths \[1, 2\]"):
        add([1], [1, 2])
    assert add.__name__ == "add"
    assert str(add.__doc__).startswith("ParallelFunction wrapping:\nAdds.")
    single = view.parallel(dist=dist, block=True, chunksize=chunksize)(lambda a, b: a * b)
    assert single.map(range(7), range(1, 5)) == [0, 2, 6, 12]


def test_parallel_functions_of_arrays_and_errors(rc: linden.Client) -> None:
    numpy = pytest.importorskip("numpy")
    for dist in ("b", "r"):
        doubled = rc[:].parallel(dist=dist, block=True)(lambda part: part * 2)(numpy.arange(5))
        assert doubled.tolist() == [0, 2, 4, 6, 8]
    inverse = linden.ParallelFunction(rc.load_balanced_view(), lambda x: 1 / x, block=True, return_exceptions=True)
    values = inverse.map([1, 0])
    assert values[0] == 1
    assert isinstance(values[1], RemoteError)
    with pytest.raises(ValueError, match="dist"):
        rc[:].parallel(dist="x")(len)
    with pytest.raises(ValueError, match="chunksize"):
        rc[:].parallel(chunksize=0)(len)


def test_remote_functions(rc: linden.Client) -> None:
    @linden.remote(rc[0], block=True)
    def pid(extra: int = 0) -> int:
        """Whose."""
        return os.getpid() + extra

    assert pid() == rc[0].apply_sync(os.getpid)
    assert pid(extra=1) == pid() + 1
    assert str(pid.__doc__).startswith("RemoteFunction wrapping:\nWhose.")
    later = rc.load_balanced_view().remote(after=rc[0].apply_async(os.getpid))(os.getpid)()
    assert later.get(30) in rc[:].apply_sync(os.getpid)


# ---- imports


def test_imports_happen_on_both_sides(rc: linden.Client, capsys: pytest.CaptureFixture[str]) -> None:
    view = rc[:]
    view.clear(block=True)
    sys.modules.pop("colorsys", None)
    with view.sync_imports() as same:
        import colorsys as colours
        import os.path
        import xml.dom.minidom as dom
        from collections import Counter
        from collections import OrderedDict as Ordered
    assert same is view
    assert "import colorsys as colours on engine(s)" in capsys.readouterr().out
    assert (colours.__name__, dom.__name__, Ordered.__name__) == ("colorsys", "xml.dom.minidom", "OrderedDict")
    assert Counter("aa")["a"] == 2
    names = ["colours.__name__", "dom.__name__", "Counter.__name__", "Ordered.__name__", "os.path.sep"]
    assert view.pull(names, block=True) == [["colorsys", "xml.dom.minidom", "Counter", "OrderedDict", os.path.sep]] * 2
    with view.importer:
        pass
    import builtins

    assert builtins.__import__.__module__ == "builtins"


def test_imports_on_engines_only(rc: linden.Client, capsys: pytest.CaptureFixture[str]) -> None:
    rc[:].clear(block=True)
    for name in ("colorsys", "sndhdr"):
        sys.modules.pop(name, None)
    with rc[:].sync_imports(local=False, quiet=True):
        import colorsys
        import xml.dom.minidom as dom
        from string import capwords
        from string import digits as numbers
    assert capsys.readouterr().out == ""
    assert "colorsys" not in sys.modules
    assert rc[:].apply_sync(colorsys.rgb_to_hsv, 1, 1, 1) == [(0.0, 0.0, 1)] * 2
    assert rc[:].apply_sync(capwords, "a b") == ["A B"] * 2
    assert rc[:].apply_sync(len, numbers) == [10, 10]
    assert rc[0].apply_sync(dom.parseString, "<a/>").documentElement.tagName == "a"


def test_an_import_that_fails_there(rc: linden.Client) -> None:
    import builtins

    with pytest.raises(RemoteError, match="no_such_module"), rc[0].sync_imports(quiet=True):
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401
    assert builtins.__import__.__module__ == "builtins"


# ---- picklers


def test_views_choose_the_pickler_here_and_there(rc: linden.Client) -> None:
    pytest.importorskip("dill")
    from linden import serialize

    view = rc[:]
    try:
        for use, codec in (
            (view.use_dill, serialize.DILL),
            (view.use_cloudpickle, serialize.CLOUDPICKLE),
            (view.use_pickle, "pickle"),
        ):
            use()
            assert serialize.dumps([1])[0] == codec
            assert view.apply_sync(lambda: __import__("linden").serialize.dumps([1])[0]) == [codec] * 2
            assert view.apply_sync(lambda x, y=2: {x: y}, [1][0]) == [{1: 2}] * 2
        rc.load_balanced_view().use_cloudpickle()
        assert serialize.dumps([1])[0] == serialize.CLOUDPICKLE
    finally:
        view.use_pickle()


def test_dill_carries_what_others_cannot() -> None:
    pytest.importorskip("dill")
    text = """
import linden, linden.serialize as s
linden.use_dill()
def f(x):
    return g(x) + 1
def g(x):
    return 2 * x
codec, parts = s.dumps(f)
linden.use_pickle()
del g
print(codec.partition(":")[0], s.loads(codec, parts)(3), s.dumps(1)[0])
"""
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "dill 7 pickle", ran.stderr
