"""space-cluster render and config show: what would be done, without doing it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from . import cluster_file
from .cli_options import as_json, engine_options_of
from .exit_codes import EXIT_OK
from .profile import load_profile, profile_files
from .rendering import render_job


def render(options: argparse.Namespace) -> int:
    """Prints the script that would be submitted."""
    chosen = engine_options_of(options)
    directory = cluster_file.cluster_directory(options.cluster_id)
    script = render_job(chosen, options.n, directory, python_path=())
    if options.json:
        print(json.dumps({**as_json(chosen), "n": options.n, "script": script}, indent=1))
    else:
        print(script, end="")
    return EXIT_OK


def show_config(options: argparse.Namespace) -> int:
    """Prints the site profile as it is in force, and where each value comes from."""
    files = profile_files()
    profile = load_profile(files)
    if options.json:
        settings = {name: {"value": one.value, "origin": one.origin} for name, one in sorted(profile.settings.items())}
        print(json.dumps({"files": [_file(path) for path in files], "settings": settings}, indent=1))
        return EXIT_OK
    for path in files:
        print(f"# {path}{'' if path.is_file() else ' (not there)'}")
    for name, setting in sorted(profile.settings.items()):
        line = f"{name} = {json.dumps(setting.value)}"
        print(f"{line:<50} # {setting.origin}" if options.origin else line)
    return EXIT_OK


def _file(path: Path) -> dict[str, object]:
    return {"path": str(path), "is_there": path.is_file()}
