"""The C++ package: what it has, what it shows, and that programs outside the tree find it, by pkg-config and by CMake."""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.package.conftest import Installed, run

EXAMPLES = ROOT / "docs" / "examples" / "cpp"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wnon-virtual-dtor", "-Werror"]
# Of whatever has virtual functions or is thrown, so that it is one type in every library of a program.
TYPES = re.compile(r"^(typeinfo|typeinfo name|vtable) for (linden::.*)$")
INTERNAL = re.compile(r"^linden::(client|wire|storage|core|admin)::")


def shown_by(library: Path) -> list[str]:
    """What the library exports, without the name of its version."""
    lines = run("nm", "-DC", "--defined-only", "--without-symbol-versions", library).splitlines()
    return [line.split(maxsplit=2)[2] for line in lines if " A " not in line]


def headers(package: Installed) -> list[Path]:
    return sorted((package.include / "linden").glob("*.h"))


def test_it_has_all_public_headers_and_nothing_else(installed: Installed) -> None:
    folders = [ROOT / "api/include/linden", ROOT / "workers/cpp/include/linden"]
    public = {path.name for folder in folders if folder.exists() for path in folder.glob("*.h")}
    assert {path.name for path in headers(installed)} == public
    everything = {
        path.relative_to(installed.prefix).as_posix() for path in installed.prefix.rglob("*") if path.is_file()
    }
    others = {name for name in everything if not name.startswith("include/linden/")}
    assert all(re.fullmatch(r"lib/.*(\.so(\.[\d.]+)?|\.pc|\.cmake)", name) for name in others), others


@pytest.mark.parametrize("name", ["linden", "linden-worker"])
def test_the_library_says_which_interface_it_has(installed: Installed, name: str) -> None:
    version = run("pkg-config", "--modversion", name, env=installed.environment).strip()
    so_version = ".".join(version.split(".")[:2])  # 0.x promises nothing to 0.y
    said = run("readelf", "-d", installed.libraries / f"lib{name}.so")
    assert f"soname: [lib{name}.so.{so_version}]" in said
    assert (installed.libraries / f"lib{name}.so.{so_version}").resolve().name == f"lib{name}.so.{version}"


@pytest.mark.parametrize("name", ["linden", "linden-worker"])
def test_the_library_shows_its_interface_only(installed: Installed, name: str) -> None:
    shown = shown_by(installed.libraries / f"lib{name}.so")
    assert len(shown) > 10
    for symbol in shown:
        of_type = TYPES.match(symbol)
        subject = of_type.group(2) if of_type else symbol
        assert subject.startswith("linden::"), symbol
        assert not INTERNAL.match(subject), symbol


def test_the_interface_needs_the_standard_library_only(installed: Installed) -> None:
    program = "\n".join(f"#include <linden/{header.name}>" for header in headers(installed))
    command = ["g++", "-std=c++20", f"-I{installed.include}", "-M", "-x", "c++", "-"]
    read = subprocess.run(command, input=program, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "linden/views.h" in read
    assert not re.search(r"/(boost|google|tbb|oneapi|fmt)/", read)
    needed = run("pkg-config", "--print-requires", "--print-requires-private", "linden", env=installed.environment)
    assert not needed.strip()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_each_header_compiles_alone_without_a_warning(tmp_path: Path) -> None:
    """Those of the tree, which are the installed ones, by paths that ccache knows again."""
    folders = ["api/include", "workers/cpp/include"]
    found = sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).glob("linden/*.h"))

    def compile_alone(job: tuple[Path, str]) -> str:
        header, compiler = job
        said = compile_it(
            compiler, f"-I{folders[0]}", f"-I{folders[1]}", "-include", header, out=tmp_path / header.name
        )
        return f"{compiler} {header}: {said}" if said else ""

    jobs = [(header, "g++") for header in found]
    if shutil.which("clang++"):
        jobs += [(Path("api/include/linden/linden.h"), "clang++")]
    with ThreadPoolExecutor(2) as pool:
        faults = [fault for fault in pool.map(compile_alone, jobs) if fault]
    assert not faults, "\n".join(faults)


def compile_it(compiler: str, *words: object, out: Path) -> str:
    """What the compiler says of a program that is nothing but what *words* include; nothing if it is content."""
    command = ["ccache", compiler, "-std=c++20", *WARNINGS, *map(str, words), "-c", "tests/package/nothing.cc"]
    ran = subprocess.run(
        [*command, "-o", f"{out}.o"], cwd=ROOT, capture_output=True, text=True, timeout=400, check=False
    )
    return ran.stderr or str(ran.returncode) if ran.returncode else ""


WRONG = {
    "linden::form<std::string>(linden::any, 5)": "wanted one argument for each field",
    "linden::form<const char*>(linden::any)": "this type cannot be a field: use bool",
    "linden::form<double>(1)": "write 1.0, not 1",
    "linden::form<std::int64_t>('x')": "an int field wants an argument of an integer type",
    "linden::form<std::int64_t>(linden::kInt)": "the field's type is given already",
    'linden::form<int>(linden::Prefix{"a"})': "a Prefix is for fields of type std::string",
    "linden::to_plain(std::cin)": "this type is no plain value",
}


def test_wrong_types_are_refused_in_words(installed: Installed) -> None:
    lines = ["#include <iostream>", "#include <linden/linden.h>"]
    lines += [f"void wrong{number}() {{ (void){expression}; }}" for number, expression in enumerate(WRONG)]
    command = ["g++", "-std=c++20", f"-I{installed.include}", "-fsyntax-only", "-x", "c++", "-"]
    ran = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, timeout=110, check=False)
    assert ran.returncode != 0
    for expression, words in WRONG.items():
        assert words in ran.stderr, expression


def test_cmake_refuses_another_version(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(wrong LANGUAGES CXX)\nfind_package(linden 0.2 REQUIRED)\n"
    )
    command = ["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "build")]
    ran = subprocess.run(command, env=installed.environment, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode != 0
    assert "version: 0.1.0" in ran.stderr
