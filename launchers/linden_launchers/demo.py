"""What ``./dev demo`` shows: a farm counts words, first undisturbed, then while its server and an engine are killed.

The input is real: every .py file of this machine's standard library.  Each file is one task; the results are added up here.
Exit code 0 only if both results are those of a plain serial loop.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from .demo_words import count_file, merge, standard_library_files
from .launcher import LaunchError
from .local_cluster import LocalCluster
from .server_command import find_program

Totals = tuple[Counter[str], Counter[str]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__.splitlines()[0])
    parser.add_argument("-n", "--engines", type=int, default=4, help="default: 4")
    parser.add_argument("--files", type=int, default=None, metavar="N", help="only the first N files")
    options = parser.parse_args(arguments)
    files = standard_library_files()[: options.files]

    started = time.perf_counter()
    serial = merge([count_file(path) for path in files])
    print(
        f"A plain loop counts words and identifiers of {len(files)} files in {time.perf_counter() - started:.1f} s.",
        flush=True,
    )
    try:
        undisturbed, disturbed = run_farm(files, options.engines)
    except LaunchError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    same = [undisturbed == serial, disturbed == serial]
    if all(same):
        print(
            "All three results are identical: the plain loop's, the farm's, and that of the farm with its server and an engine killed."
        )
        return 0
    names = [name for name, is_same in zip(("the farm's", "the disturbed farm's"), same, strict=True) if not is_same]
    print(f"NOT identical with the plain loop's result: {' and '.join(names)}.")
    return 1


def run_farm(files: list[str], engines: int) -> tuple[Totals, Totals]:
    """Both runs, on one cluster; returns their results."""
    # The demo starts the killed server itself, to show that there is no more to it than its data directory.
    cluster = LocalCluster(engines, restart_server=False, on_event=lambda text: _say(f"  ! {text}"))
    started = time.perf_counter()
    with cluster as client:
        print(f"\nA server and {engines} engines serve after {time.perf_counter() - started:.2f} s.", flush=True)
        view = client.load_balanced_view()

        meanwhile: list[str] = []
        look = Action(0.3, lambda: meanwhile.append(_admin(cluster)))
        first = _run(view, files, "undisturbed", [look])
        print("\nMeanwhile space-admin showed:\n" + "".join(meanwhile))
        _print_table(first)

        print("\nOnce more; now the server and an engine are killed with -9 on the way.", flush=True)
        kills = [Action(0.3, lambda: _kill_server(cluster)), Action(0.6, lambda: _kill_engine(cluster))]
        second = _run(view, files, "disturbed", kills)
        print()
    return first, second


class Action:
    """Something to do once a part of the tasks is done."""

    def __init__(self, part: float, do: Callable[[], None]) -> None:
        self.part = part
        self.do = do


def _run(view: Any, files: list[str], name: str, actions: list[Action]) -> Totals:
    """Maps the files over the engines, one task each, and adds the results up."""
    started = time.perf_counter()
    result = view.map_async(count_file, files, chunksize=1)
    helper = threading.Thread(target=_act, args=(result, len(files), actions), daemon=True)
    helper.start()
    if sys.stdout.isatty():
        result.wait_interactive()
    else:
        _plain_progress(result, len(files))
    totals = merge(result.get())
    helper.join()
    print(f"  {name}: {len(files)} tasks in {time.perf_counter() - started:.1f} s", flush=True)
    return totals


def _act(result: Any, tasks: int, actions: list[Action]) -> None:
    for action in actions:
        while result.progress < action.part * tasks and not result.ready():
            time.sleep(0.005)
        action.do()


def _plain_progress(result: Any, tasks: int) -> None:
    """One line per quarter, for a pipe or a file."""
    for quarter in (1, 2, 3, 4):
        while result.progress * 4 < quarter * tasks and not result.wait(0.02):
            pass
        _say(f"  {result.progress:>5} of {tasks} files")


def _admin(cluster: LocalCluster) -> str:
    """What space-admin shows at this moment."""
    shown = ""
    for noun in ("queues", "engines"):
        command = [find_program("space-admin"), "--connection", str(cluster.connection_file), noun]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        lines = (done.stdout + done.stderr).splitlines()
        shown += f"  $ space-admin {noun}\n" + "".join(f"    {line}\n" for line in lines)
    return shown


def _kill_server(cluster: LocalCluster) -> None:
    pid = cluster.server_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    started = time.perf_counter()
    cluster.restart_server()
    seconds = time.perf_counter() - started
    _say(f"  ! killed the server with -9; started it again on the same data as {cluster.server_pid} in {seconds:.2f} s")


def _kill_engine(cluster: LocalCluster) -> None:
    pid = cluster.engine_pids[0]
    _say(f"  ! killing engine {pid} with -9")
    os.kill(pid, signal.SIGKILL)


def _say(text: str) -> None:
    """A line of its own, beside a progress bar if there is one."""
    if sys.stdout.isatty():
        text = f"\r\x1b[K{text}"
    print(text, flush=True)


def _print_table(totals: Totals, rows: int = 10) -> None:
    words, identifiers = (_most_common(counts, rows) for counts in totals)
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        for (word, word_count), (name, name_count) in zip(words, identifiers, strict=True):
            print(f"  {word:<20}{word_count:>9,}    {name:<20}{name_count:>9,}")
        return
    table = Table(title=f"{len(totals[0]):,} words, {len(totals[1]):,} identifiers")
    for heading, justify in (("word", "left"), ("times", "right"), ("identifier", "left"), ("times", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for (word, word_count), (name, name_count) in zip(words, identifiers, strict=True):
        table.add_row(word, f"{word_count:,}", name, f"{name_count:,}")
    Console().print(table)


def _most_common(counts: Counter[str], rows: int) -> list[tuple[str, int]]:
    """The most frequent first, equal ones by name, so that the table is the same each time."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:rows]


if __name__ == "__main__":
    sys.exit(main())
