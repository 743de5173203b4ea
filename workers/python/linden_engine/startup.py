"""What an engine runs before it joins the farm: ``-s SCRIPT``, then ``-c CODE``."""

from __future__ import annotations

import os

from .execution import Shells
from .remote_traceback import format_traceback


class StartupFailed(RuntimeError):
    """The text is that of the traceback."""


def run_startup(shells: Shells, script: str | None, code: str | None) -> None:
    """Run both in the engine's namespace, as cells: magics work where IPython is installed.

    Raises: StartupFailed.
    """
    if script is not None:
        try:
            with open(os.path.expanduser(script), encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise StartupFailed(f"-s {script}: cannot be read: {error}") from error
        _run(shells, text, f"-s {script}")
    if code is not None:
        _run(shells, code, "-c")


def _run(shells: Shells, source: str, what: str) -> None:
    shell = shells.get()
    try:
        shell.run(source, silent=True)
    except (Exception, SystemExit) as error:
        text = shell.format_traceback(error) or format_traceback(error)
        raise StartupFailed(f"{what} has failed, so this engine does not join the farm:\n{text}") from error
