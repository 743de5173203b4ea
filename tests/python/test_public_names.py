"""Every public name of ipyparallel is here, takes what it takes there, and says what it does (public_names.toml)."""

from __future__ import annotations

import importlib
import inspect
import tomllib
from pathlib import Path
from typing import Any

import linden
import pytest
from linden import error, hub_query
from linden.outcome import METADATA_KEYS
from live import cluster as cluster
from live import rc as rc

NAMES = tomllib.loads(Path(__file__).with_name("public_names.toml").read_text())
CLASSES = {entry["name"]: entry for entry in NAMES["class"]}
# Documented as attributes of instances, which only an instance can show.
BY_INSTANCE = ("linden.Client", "linden.view.View", "linden.LoadBalancedView", "linden.BroadcastView")


def class_of(path: str) -> Any:
    """The class, or None if it is not there."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def is_there(name: str) -> bool:
    return hasattr(linden, name)


def cases() -> list[tuple[str, str]]:
    return [(path, name) for path, entry in CLASSES.items() for name in entry["names"]]


def missing_of(path: str) -> list[str]:
    return list(CLASSES[path].get("missing", []))


def test_top_level_names() -> None:
    top = NAMES["top_level"]
    expected = set(top["names"]) - set(top["missing"]) - set(top["left_out"])
    assert {name for name in expected if not is_there(name)} == set()
    assert {name for name in top["missing"] if is_there(name)} == set(), "there now; take it out of 'missing'"
    assert expected - {"__version__"} - {name for name in expected if name in linden.__all__} == set()


@pytest.mark.parametrize("path", CLASSES)
def test_what_is_missing_is_not_there(path: str) -> None:
    entry = CLASSES[path]
    assert entry["page"].startswith("https://")
    if entry.get("class_missing"):
        assert class_of(path) is None, "there now; take 'class_missing' away"
        return
    found = class_of(path)
    assert found is not None
    assert inspect.getdoc(found)
    assert set(missing_of(path)) <= set(entry["names"])
    instance_attributes = {name for name, kind in entry["names"].items() if kind == "attribute"}
    for name in {*missing_of(path), *entry.get("left_out", {})} - instance_attributes:
        if name != "__init__":
            assert not hasattr(found, name), f"{name} is there now; take it out of 'missing'"
    assert all(entry.get("differs", {}).values())
    assert all(entry.get("left_out", {}).values())


@pytest.mark.parametrize(("path", "name"), cases())
def test_names_signatures_and_docstrings(path: str, name: str) -> None:
    entry = CLASSES[path]
    if entry.get("class_missing") or name in missing_of(path):
        return  # see test_what_is_missing_is_not_there
    found = class_of(path)
    documented = entry["names"][name]
    if documented == "attribute":
        return  # see test_attributes_of_instances
    member = inspect.getattr_static(found, name)
    assert name.startswith("__") or inspect.getdoc(getattr(found, name)), f"{name} has no docstring"
    if documented == "property":
        assert isinstance(member, property) or not callable(member)
    elif name not in entry.get("differs", {}):
        compare(signature_of(found, name), inspect.signature(eval(f"lambda {documented}: 0")))


def signature_of(found: Any, name: str) -> inspect.Signature:
    member = inspect.getattr_static(found, name)
    signature = inspect.signature(getattr(found, name))
    bound = isinstance(member, (classmethod, staticmethod))
    parameters = list(signature.parameters.values())
    return signature.replace(parameters=parameters if bound else parameters[1:])


def compare(ours: inspect.Signature, theirs: inspect.Signature) -> None:
    """Whatever call is good there is good here, and means the same."""
    rest = {parameter.kind for parameter in ours.parameters.values()}
    for place, (name, wanted) in enumerate(theirs.parameters.items()):
        if wanted.kind is wanted.VAR_KEYWORD:
            # All keywords, or those that make sense, each with a name of its own.
            assert wanted.VAR_KEYWORD in rest or wanted.KEYWORD_ONLY in rest or len(ours.parameters) >= place
        elif wanted.kind is wanted.VAR_POSITIONAL:
            assert wanted.VAR_POSITIONAL in rest
        elif wanted.kind is wanted.POSITIONAL_ONLY:
            assert list(ours.parameters.values())[place].kind is wanted.POSITIONAL_ONLY
        else:
            found = ours.parameters.get(name)
            if found is None:
                assert wanted.default is wanted.empty, f"no parameter {name}"
                assert list(ours.parameters.values())[place].default is wanted.empty
                continue
            assert means_the_same(found.default, wanted.default), f"{name}={found.default!r}, not {wanted.default!r}"
            if wanted.kind is wanted.POSITIONAL_OR_KEYWORD:
                assert found.kind is wanted.POSITIONAL_OR_KEYWORD
                assert list(ours.parameters).index(name) == place
    for name, extra in ours.parameters.items():
        has_default = extra.default is not extra.empty or extra.kind in (extra.VAR_KEYWORD, extra.VAR_POSITIONAL)
        assert name in theirs.parameters or has_default or extra.kind is not extra.KEYWORD_ONLY


def means_the_same(ours: Any, theirs: Any) -> bool:
    # -1 and None are both "for ever".
    return ours == theirs or {repr(ours), repr(theirs)} <= {"None", "-1", "-1.0"}


def test_attributes_of_instances(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    instances: dict[str, Any] = {
        "linden.Client": rc,
        "linden.view.View": view,
        "linden.LoadBalancedView": view,
        "linden.BroadcastView": rc.broadcast_view() if hasattr(rc, "broadcast_view") else None,
        "linden.ViewExecutor": view.executor,
        "linden.Reference": linden.Reference("x"),
        "linden.RemoteError": error.RemoteError("E", "v", "", {}),
        "linden.CompositeError": error.CompositeError("m", []),
        "linden.ExecuteReply": rc[0].execute("1", silent=False, block=True),
    }
    for path, entry in CLASSES.items():
        attributes = [name for name, kind in entry["names"].items() if kind == "attribute"]
        for name in attributes:
            if path in instances:
                assert hasattr(instances[path], name) is (name not in missing_of(path)), f"{path}.{name}"
            else:
                assert entry.get("class_missing") or path == "linden.ClusterManager", f"{path} needs an instance here"


def test_metadata_keys() -> None:
    assert tuple(NAMES["metadata"]["keys"]) == METADATA_KEYS


def test_metadata_are_attributes_of_results(rc: linden.Client) -> None:
    result = rc.load_balanced_view().apply_async(abs, -1)
    result.get(20)
    for key in METADATA_KEYS:
        assert getattr(result, key) == result[key] == result.metadata[key] == getattr(result.metadata, key)


def test_records_and_operators() -> None:
    assert set(NAMES["record"]["keys"]) == set(hub_query.RECORD_KEYS)
    for name in NAMES["record"]["operators"]:
        hub_query.parse({"label": {name: [2, 1] if name in ("$in", "$nin", "$all", "$mod") else "x"}})


def test_errors_are_kinds_of_each_other() -> None:
    table = NAMES["error"]
    for name, base in table["bases"].items():
        if name in table["missing"]:
            assert not hasattr(error, name), "there now; take it out of 'missing'"
        else:
            assert issubclass(getattr(error, name), getattr(error, base))
            assert inspect.getdoc(getattr(error, name))
    for name in table["helpers"]:
        assert hasattr(error, name) is (name not in table["missing"])
