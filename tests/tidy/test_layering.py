"""Who may include whom (docs/design/architecture.md, "Layers"): the tables below are the rule, the scan is the guard.

A layer that may reach another's headers soon does, and then neither can be tested or replaced alone.  The scan reads ``#include``
lines and Python imports as text, so it also sees what the build would happen to allow.
"""

import ast
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What a header is, by its name; the first pattern that fits decides.
KINDS = [
    ("generated", r"linden/wire/v1/.*\.pb\.h$"),
    ("public", r"linden/"),
    ("ours", r"(api|space|workers|launchers|python|tests)/"),
    ("asio", r"boost/asio"),
    ("containers", r"boost/(unordered|container|intrusive|multi_index|heap|functional|core/span)"),
    ("json", r"boost/json"),
    ("boost", r"boost/"),
    ("protobuf", r"google/protobuf/"),
    ("rocksdb", r"rocksdb/"),
    ("log", r"(spdlog|fmt)/"),
    ("options", r"(CLI|toml\+\+)/"),
    ("crypto", r"openssl/"),
    ("tbb", r"(tbb|oneapi)/"),
    ("pybind11", r"(pybind11/|Python\.h)"),
    ("iovec", r"sys/uio\.h$"),  # a pair of address and size; calls nothing
    ("posix", r"((sys|netinet|arpa|linux)/|.*\.h$)"),
    ("standard", r"[a-z_0-9]+$"),
]

# Headers by which a pure layer would get at time, threads, chance or the outside.
IMPURE = re.compile(
    r"(thread|mutex|shared_mutex|condition_variable|future|semaphore|iostream|fstream|cstdio|filesystem|random)$"
)
CLOCK = re.compile(r"\b(\w*_clock::now|time\(nullptr\)|gettimeofday|clock_gettime)\b")


@dataclass(frozen=True)
class Layer:
    """A folder: what kinds of headers, and which of our own folders, its files may include."""

    kinds: frozenset[str]
    folders: tuple[str, ...] = ()
    pure: bool = False
    name: str = field(default="", compare=False)


def layer(kinds: str, *folders: str, pure: bool = False) -> Layer:
    return Layer(frozenset(f"standard {kinds}".split()), folders, pure)


LAYERS = {
    "api/include": layer("public"),
    "api/model": layer("public", "api/model", pure=True),
    "api/wire": layer("public generated protobuf iovec", "api/wire", "api/model", pure=True),
    "api/client": layer("public generated iovec posix asio crypto", "api/client", "api/wire", "api/model"),
    "api/data": layer("public posix crypto", "api/data", "api/client"),
    "api/farm": layer("public json", "api/farm", "api/client"),
    "space/core": layer("public containers", "space/core", "api/model", pure=True),
    "space/storage": layer(
        "public generated containers rocksdb iovec posix", "space/storage", "space/core", "api/model"
    ),
    "space/server": layer(
        "public generated containers iovec posix asio boost log options crypto",
        "space/server",
        "space/storage",
        "space/core",
        "api/wire",
        "api/model",
    ),
    "space/admin": layer("public generated iovec posix options log json", "space/admin"),
    "workers/cpp": layer("public generated posix tbb options log json", "workers/cpp"),
    "workers/cpp/shuffle": layer("public posix tbb", "workers/cpp/shuffle", "api/model"),
    "python/shuffle": layer("public posix pybind11", "python/shuffle", "workers/cpp/shuffle"),
    "python/bindings": layer("public generated iovec posix pybind11", "python/bindings"),
}


@dataclass(frozen=True)
class Package:
    """A Python package: which others of ours its modules may import, and which only inside a function (lazily)."""

    folder: str
    ours: frozenset[str]
    lazily: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()


THIRD_PARTY = frozenset({"cloudpickle", "tqdm", "psutil"})
OPTIONAL = frozenset(
    {
        "IPython",
        "numpy",
        "rich",
        "joblib",
        "pandas",
        "traitlets",
        "comm",
        "ipykernel",
        "ipywidgets",
        "matplotlib_inline",
        "mpi4py",
        "dill",
    }
    | {"dask", "distributed", "threadpoolctl"}
)

PACKAGES = {
    # linden.start and linden.Cluster are found in linden, where people look for them, and made by the launchers.
    "linden": Package("python/linden", frozenset(), frozenset({"linden_launchers"}), THIRD_PARTY),
    "linden_engine": Package("workers/python/linden_engine", frozenset({"linden"}), others=THIRD_PARTY),
    "linden_launchers": Package("launchers/linden_launchers", frozenset({"linden"}), others=THIRD_PARTY),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def kind_of(header: str) -> str:
    return next((kind for kind, pattern in KINDS if re.match(pattern, header)), "unknown")


def faults_of_source(folder: str, path: str, text: str) -> list[str]:
    """What the file *path* of layer *folder* includes, or calls, that its layer forbids."""
    rule = LAYERS[folder]
    faults = []
    for header in INCLUDE.findall(text):
        kind = kind_of(header)
        if kind == "ours":
            allowed = any(header.startswith(f"{allowed}/") for allowed in rule.folders)
        else:
            allowed = kind in rule.kinds and not (rule.pure and IMPURE.match(header))
        if not allowed:
            faults.append(f"{path}: {folder} may not include {header} ({kind})")
    if rule.pure and (found := CLOCK.search(text)):
        faults.append(f"{path}: {folder} has no clock, yet calls {found.group(0)}")
    return faults


def imports_of(tree: ast.Module) -> list[tuple[str, bool]]:
    """Top-level names of imported modules, each with whether it is imported inside a function or for type checking only."""
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, lazy: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend((alias.name.split(".")[0], lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.append((node.module.split(".")[0], lazy))
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in ast.iter_child_nodes(node):
            visit(child, lazy or inside or typing_only)

    visit(tree, False)
    return found


def faults_of_module(package: str, path: str, text: str) -> list[str]:
    """What a module of *package* imports that its package forbids."""
    rule = PACKAGES[package]
    always = rule.ours | rule.others | {package}
    faults = []
    for name, lazy in imports_of(ast.parse(text)):
        if name in sys.stdlib_module_names or name in always:
            continue
        if lazy and name in rule.lazily | OPTIONAL:
            continue
        if name in OPTIONAL:  # guarded by try/except ImportError at module level: what the import test covers
            continue
        faults.append(f"{path}: {package} may not import {name}" + (" at module level" if name in rule.lazily else ""))
    return faults


def sources(folder: str, *patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in (ROOT / folder).rglob(pattern))


def layer_of(path: Path) -> str:
    """The innermost folder that is a layer."""
    return max((folder for folder in LAYERS if path.is_relative_to(ROOT / folder)), key=len)


@pytest.mark.parametrize("folder", LAYERS)
def test_includes_stay_within_the_layer(folder: str) -> None:
    faults = [
        fault
        for path in sources(folder, "*.h", "*.cpp")
        if layer_of(path) == folder
        for fault in faults_of_source(folder, str(path.relative_to(ROOT)), path.read_text())
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_stay_within_the_layer(package: str) -> None:
    faults = [
        fault
        for path in sources(PACKAGES[package].folder, "*.py")
        for fault in faults_of_module(package, str(path.relative_to(ROOT)), path.read_text())
    ]
    assert not faults, "\n".join(faults)


# The guard itself: each of these is a violation, and must be seen as one.
@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("api/include", "#include <boost/asio.hpp>"),
        ("api/include", "#include <google/protobuf/message_lite.h>"),
        ("api/include", '#include "api/model/encoding.h"'),
        ("api/model", '#include "api/wire/frame.h"'),
        ("api/model", "#include <fstream>"),
        ("api/wire", "#include <boost/asio/buffer.hpp>"),
        ("api/client", '#include "space/core/space_state.h"'),
        ("api/client", "#include <rocksdb/db.h>"),
        ("space/core", "#include <thread>"),
        ("space/core", "#include <spdlog/spdlog.h>"),
        ("space/core", '#include "space/storage/storage.h"'),
        ("space/core", "auto now = std::chrono::steady_clock::now();"),
        ("space/storage", '#include "space/server/session.h"'),
        ("space/server", '  #  include "api/client/connection.h"'),
        ("space/server", "#include <rocksdb/db.h>"),
        ("space/admin", '#include "api/wire/messages.h"'),
        ("python/bindings", '#include "api/client/connection.h"'),
        ("workers/cpp", '#include "api/model/encoding.h"'),
    ],
)
def test_a_violation_is_seen(folder: str, line: str) -> None:
    assert faults_of_source(folder, f"{folder}/made_up.cpp", f"#include <vector>\n{line}\n")


@pytest.mark.parametrize(
    ("package", "text"),
    [
        ("linden", "import linden_engine"),
        ("linden", "from linden_launchers import Cluster"),
        ("linden", "import zmq"),
        ("linden_engine", "import linden_launchers.cli"),
        ("linden_engine", "def f():\n    import linden_launchers"),
        ("linden_launchers", "from linden_engine.engine import Engine"),
    ],
)
def test_a_wrong_import_is_seen(package: str, text: str) -> None:
    assert faults_of_module(package, "made_up.py", text)


def test_lazy_imports_are_told_from_others() -> None:
    assert not faults_of_module("linden", "made_up.py", "def start():\n    from linden_launchers import Cluster")
    assert not faults_of_module("linden", "made_up.py", "from . import _native\nimport json, cloudpickle")


def test_every_source_folder_has_a_rule() -> None:
    """A new folder must say what it may include before its first source is in."""
    folders = {
        path.parent.relative_to(ROOT) for top in ("api", "space", "workers", "python") for path in sources(top, "*.cpp")
    }
    without = [str(folder) for folder in folders if not any(folder.is_relative_to(known) for known in LAYERS)]
    assert not without
