"""The tests of the tests: builds the product once more with each deliberate bug, and demands that a check notices.

    python -m tests.mutants.mutants [--list] [NAME ...]    # ./dev mutants; NAME: those whose name contains it

A mutant is a replacement of a few words in one source, which [mutants.toml](mutants.toml) lists; the product itself knows nothing of them.
Only that source is compiled anew, with the command that build/ has for it, and linked into the test program instead of the usual one.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LIST = Path(__file__).with_name("mutants.toml")

# A program of the build and its arguments.
CHECKS = {
    "simulation": ("tests/simulation/test_simulation", ["--seeds", "1000"]),
    "core": ("tests/space/core/test_core", []),
    "storage": ("tests/space/storage/test_storage", []),
    "server": ("tests/space/server/test_server", []),
    "model": ("tests/api/model/test-api-model", []),
    "wire": ("tests/api/wire/test-api-wire", []),
    "client": ("tests/api/client/test-api-client", []),
}
TIMEOUT_S = 120


@dataclass(frozen=True)
class Mutant:
    """One deliberate bug."""

    name: str
    breaks: str
    file: str
    before: str
    after: str
    caught_by: str

    def source(self) -> str:
        """The source with the bug in it."""
        text = (ROOT / self.file).read_text()
        found = text.count(self.before)
        if found != 1:
            raise ValueError(
                f"mutant '{self.name}': its words are in {self.file} {found} times, wanted once; change mutants.toml"
            )
        return text.replace(self.before, self.after)


@dataclass(frozen=True)
class Trial:
    """What became of one."""

    mutant: Mutant
    caught: bool
    seconds: float
    said: str  # by the check, in one line


def all_mutants() -> list[Mutant]:
    """As they are listed."""
    return [Mutant(**entry) for entry in tomllib.loads(LIST.read_text())["mutant"]]


def attempt(mutant: Mutant) -> Trial:
    """Builds the mutant and runs its check."""
    began = time.monotonic()
    program = build(mutant)
    _, arguments = CHECKS[mutant.caught_by]
    passed, output = run([str(program), *arguments])
    return Trial(mutant, not passed, time.monotonic() - began, what_failed(output))


def run(command: list[str]) -> tuple[bool, str]:
    """Whether it passes, and what it says.  One that does not end has not passed."""
    try:
        ran = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return False, f"did not end within {TIMEOUT_S} s"
    return ran.returncode == 0, ran.stdout + ran.stderr


def what_failed(output: str) -> str:
    """Of GoogleTest the first test that failed, of the simulation the seed; else the last line, such as an assertion."""
    lines = output.splitlines()
    for sign in ("[  FAILED  ]", "seed "):
        if found := [line for line in lines if line.startswith(sign)]:
            return found[0].removeprefix("[  FAILED  ]").strip()
    return lines[-1] if lines else ""


def build(mutant: Mutant) -> Path:
    """The check's program with the mutant in it."""
    folder = BUILD / "mutants" / mutant.name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / Path(mutant.file).name
    source.write_text(mutant.source())
    usual, command = compile_command(mutant.file)
    made = folder / f"{source.name}.o"
    execute([*command, "-w", "-c", str(source), "-o", str(made)])
    target, _ = CHECKS[mutant.caught_by]
    program = folder / Path(target).name
    execute(link_command(target, usual, str(made), str(program)))
    return program


def compile_command(file: str) -> tuple[str, list[str]]:
    """The usual object of a source, and how it is compiled, without what names source and object."""
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        if (BUILD / entry["file"]).resolve() == ROOT / file:
            words = shlex.split(entry["command"])
            for option in ("-o", "-c", "-MF", "-MQ"):
                at = words.index(option)
                del words[at : at + 2]
            words.remove("-MD")
            return entry["output"], words
    raise ValueError(f"{file} is not compiled by {BUILD}")


def link_command(target: str, usual: str, made: str, program: str) -> list[str]:
    """How the target is linked, with another object in place of the usual one, or before the library that has it: the
    linker does not look there for what it has already."""
    commands = execute(["ninja", "-t", "commands", target]).splitlines()
    words = shlex.split(commands[-1])
    words[words.index("-o") + 1] = program
    if usual in words:
        words[words.index(usual)] = made
    else:
        words.insert(words.index(program) + 1, made)
    return words


def execute(command: list[str]) -> str:
    """Must succeed."""
    ran = subprocess.run(command, cwd=BUILD, capture_output=True, text=True)
    if ran.returncode != 0:
        raise RuntimeError(f"{shlex.join(command[:4])} ...: {ran.stderr or ran.stdout}")
    return ran.stdout


def check_without_mutants(mutants: list[Mutant]) -> list[str]:
    """Checks that fail by themselves, and so say nothing."""
    broken = []
    for name in sorted({mutant.caught_by for mutant in mutants}):
        target, arguments = CHECKS[name]
        passed, output = run([str(BUILD / target), *arguments])
        if not passed:
            broken.append(f"{name} fails without any mutant: {what_failed(output)}")
    return broken


def main() -> int:
    """Tries those that were asked for; 0 if each is caught."""
    parser = argparse.ArgumentParser(prog="./dev mutants", description="Deliberate bugs that the tests must notice.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only those whose name contains it")
    parser.add_argument("--list", action="store_true", help="name them, and do nothing")
    options = parser.parse_args()
    mutants = [m for m in all_mutants() if not options.names or any(name in m.name for name in options.names)]
    if options.list:
        for mutant in mutants:
            print(f"{mutant.breaks:<4} {mutant.caught_by:<11} {mutant.name}")
        return 0
    if broken := check_without_mutants(mutants):
        print("\n".join(broken))
        return 1
    jobs = int(os.environ.get("LINDEN_JOBS") or os.cpu_count() or 1)
    missed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for trial in pool.map(attempt, mutants):
            missed += not trial.caught
            verdict = "caught" if trial.caught else "MISSED"
            mutant = trial.mutant
            print(
                f"{verdict} {mutant.breaks:<4} {mutant.name}: {mutant.caught_by} ({trial.seconds:.0f} s) {trial.said}"
            )
            sys.stdout.flush()
    print(f"{len(mutants) - missed} of {len(mutants)} mutants caught")
    return 0 if mutants and missed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
