"""How space-cluster is told how engines are to be started: --engines and its options, over those of the site profile."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .engine_options import EngineOptions, chosen_options
from .launcher import LaunchError

# Option of the command line, name of the option in Python, meaning of its value; in groups as people think of them.
_ONCE = (
    ("--walltime", "walltime", "T", "how long a job may run: seconds, '90m', '1:30:00'"),
    ("--queue", "queue", "NAME", "partition, queue or class"),
    ("--account", "account", "NAME", "account or project"),
    ("--cores", "cores", "N", "cores of each engine"),
    ("--memory", "memory", "SIZE", "memory of each engine: '8G', '500M'"),
    ("--engines-per-job", "engines_per_job", "N", "engines of each member of a job's array"),
    ("--shape", "shape", "array|one", "members that start as there is room, or all in one allocation"),
    ("--hosts", "hosts", "HOST[:N],...", "where engines run, for --engines ssh"),
    ("--python", "python", "PATH", "the Python that runs engines"),
    ("--directory", "directory", "DIR", "the directory in which engines work"),
)
_OFTEN = (
    ("--directive", "directives", "TEXT", "a line for the head of the job script, without its prefix"),
    ("--directive-skip", "directive_skip", "OPTION", "a directive to be left out, as --directive-skip=--mem"),
    ("--prologue", "prologue", "LINE", "a line of shell before the engines start"),
    ("--epilogue", "epilogue", "LINE", "a line of shell after they have ended"),
)
_NUMBERS = ("cores", "engines_per_job")


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Adds them to a command."""
    group = parser.add_argument_group("how engines are started")
    group.add_argument(
        "--engines",
        metavar="SYSTEM",
        help="local, ssh, mpi, slurm, ... (default: as the site profile says, else local)",
    )
    for option, name, metavar, help_ in _ONCE:
        group.add_argument(option, dest=f"engines_{name}", metavar=metavar, help=help_)
    for option, name, metavar, help_ in _OFTEN:
        group.add_argument(
            option, dest=f"engines_{name}", metavar=metavar, help=f"{help_}; may be repeated", action="append"
        )
    group.add_argument("--template", metavar="FILE", help="a job script with {{directives}} and {{body}}")
    group.add_argument(
        "--environment", metavar="NAME=VALUE", action="append", help="a variable for engines; may be repeated"
    )
    group.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        help="any other option of the system, its value as in TOML; may be repeated",
    )


def given_options(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line says, under the names that options have in Python.  Raises: LaunchError."""
    given: dict[str, Any] = {
        name: value for _, name, _, _ in (*_ONCE, *_OFTEN) if (value := getattr(options, f"engines_{name}")) is not None
    }
    for name in _NUMBERS:
        if name in given:
            given[name] = _number(name, given[name])
    if options.template:
        try:
            given["template"] = Path(options.template).read_text(encoding="utf-8")
        except OSError as error:
            raise LaunchError(f"cannot read --template {options.template}: {error.strerror}") from error
    if options.environment:
        given["environment"] = dict(_pair("--environment", text) for text in options.environment)
    for text in options.option or ():
        name, value = _pair("--option", text)
        given[name.replace("-", "_")] = _value(value)
    return given


def engine_options_of(options: argparse.Namespace, default: str | None = None) -> EngineOptions:
    """Over those of the site profile.  *default*: the system if the command line names none; None: as the profile says.

    Raises: LaunchError: they make no sense.
    """
    try:
        return chosen_options(options.engines or default, given_options(options))
    except (ValueError, TypeError) as error:
        raise LaunchError(str(error)) from error


def as_json(options: EngineOptions) -> Mapping[str, Any]:
    """For --json."""
    return {"engines": options.system, "job": options.job.to_dict(), "launcher": dict(options.launcher)}


def _number(name: str, text: str) -> int:
    if not text.isdigit():
        raise LaunchError(f"--{name.replace('_', '-')} is {text!r}; a number is wanted")
    return int(text)


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise LaunchError(f"{option} is {text!r}; NAME=VALUE is wanted")
    return name, value


def _value(text: str) -> Any:
    """A value of TOML, or else the text as it stands."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
