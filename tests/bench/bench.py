"""``./dev bench``: Linden beside others on this machine.

Contestants take turns, round by round, each in a process of its own (contestant.py), so that a slow minute of the machine hits all
of them.  With --json there is one line per figure and contestant: {"what", "who", "unit", "median", "min", "max", "runs"}.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import contestant, cycles, engines, machine, micro, words

ROOT = Path(__file__).resolve().parents[2]
PEERS_PYTHON = ROOT / ".cache" / "peers" / "bin" / "python"
PARTS = [*micro.GROUPS, "crowd", "worker", "instructions", words.FIGURE]

USUAL = ["linden", "ProcessPoolExecutor"]
PEERS = ["ipyparallel", "dask.distributed", "redis-list", "redis-stream", "beanstalkd", "nats-jetstream"]
FROM_PYPI = {"ipyparallel", "dask.distributed"}

UNITS = contestant.UNITS | machine.UNITS
USUAL_FIGURES = [*contestant.USUAL, *machine.UNITS]
LESS_IS_BETTER = {"us", "ms", "ms/s", "s", "MB", "bytes", "instructions"}
SECONDS_PER_CONTESTANT = 300

Figure = tuple[str, str, str]  # what, who, unit


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def ask(who: str, wanted: list[str]) -> Iterator[tuple[str, float]]:
    """The samples of one contestant in one round.  A contestant that fails is reported, and the others go on."""
    python = str(PEERS_PYTHON) if who in FROM_PYPI else sys.executable
    process = subprocess.Popen(
        [python, "-m", "tests.bench.contestant", who, *wanted],
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=SECONDS_PER_CONTESTANT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        errors += f"\nnot done within {SECONDS_PER_CONTESTANT} s"
    if process.returncode != 0:
        note(f"  {who} failed (exit {process.returncode}):\n{errors.strip()[-2000:]}")
    for line in output.splitlines():
        if line.startswith("["):
            what, value = json.loads(line)
            yield what, value


def measure(who: list[str], wanted: list[str], rounds: int) -> dict[Figure, list[float]]:
    found: dict[Figure, list[float]] = defaultdict(list)
    for turn in range(1, rounds + 1):
        for what, value in machine.samples(wanted):
            found[what, "machine", UNITS[what]].append(value)
        for name in who:
            note(f"round {turn} of {rounds}: {name}")
            for what, value in ask(name, wanted):
                found[what, name, UNITS[what]].append(value)
    return found


def measure_parts(groups: list[str], rounds: int) -> dict[Figure, list[float]]:
    """Figures of parts of the server alone."""
    found: dict[Figure, list[float]] = defaultdict(list)
    for turn in range(1, rounds + 1):
        for group in groups:
            note(f"round {turn} of {rounds}: {group}")
            for what, unit, value in micro.samples(group):
                found[what, "linden", unit].append(value)
    return found


def measure_engines(count: int, rounds: int) -> dict[Figure, list[float]]:
    """Figures of many engines."""
    found: dict[Figure, list[float]] = defaultdict(list)
    for turn in range(1, rounds + 1):
        note(f"round {turn} of {rounds}: {count} engines, then simulated ones")
        for what, unit, value in engines.samples(count):
            found[what, "linden", unit].append(value)
    return found


def report(found: dict[Figure, list[float]], *, as_json: bool) -> None:
    """To stdout."""
    if as_json:
        for figure, values in found.items():
            print(json.dumps(line_of(figure, values)))
    else:
        print(table(found))


def line_of(figure: Figure, values: list[float]) -> dict[str, object]:
    what, who, unit = figure
    rounded = [float(f"{value:.4g}") for value in (statistics.median(values), min(values), max(values))]
    return {
        "what": what,
        "who": who,
        "unit": unit,
        **dict(zip(("median", "min", "max"), rounded, strict=True)),
        "runs": len(values),
    }


def table(found: dict[Figure, list[float]]) -> str:
    """For people: by figure, Linden first, the others with how they compare to it."""
    lines = []
    for what in dict.fromkeys(figure[0] for figure in found):
        unit = next(figure[2] for figure in found if figure[0] == what)
        lines.append(f"\n{what} ({unit}{', less is better' if unit in LESS_IS_BETTER else ''})")
        ours = found.get((what, "linden", unit))
        for figure in (figure for figure in found if figure[0] == what):
            values = found[figure]
            row = f"  {figure[1]:<22}{statistics.median(values):>14,.4g}   {min(values):,.4g} .. {max(values):,.4g}"
            if ours and figure[1] != "linden":
                row += f"   linden: {statistics.median(ours) / statistics.median(values):.2f} of it"
            lines.append(row)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="./dev bench", description="Figures of Linden beside others, on this machine."
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON per figure and contestant")
    parser.add_argument("--peers", action="store_true", help=f"more contestants: {', '.join(PEERS)}")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="figures or contestants; cycle: all cycles; match, recovery, worker, instructions: parts alone; may be repeated",
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often everybody has a turn (default: %(default)s)")
    parser.add_argument(
        "--engines", type=int, metavar="N", help="only: what N engines cost, and 2,000 simulated ones beside 4"
    )
    options = parser.parse_args()
    if options.engines is not None:
        if options.engines < 1:
            parser.error("--engines wants a number of engines, 1 or more")
        report(measure_engines(options.engines, options.rounds), as_json=options.json)
        return

    everybody = USUAL + (PEERS if options.peers else [])
    only = options.only or []
    known = [*UNITS, "cycle", *PARTS]
    if unknown := [name for name in only if name not in {*known, *everybody}]:
        parser.error(
            f"--only {unknown[0]}: neither a figure ({', '.join(known)}) nor a contestant ({', '.join(everybody)})"
        )
    parts = [name for name in PARTS if name in only] or ([] if only else ["commit", "worker"])
    chosen = {*only} | (set(cycles.UNITS) if "cycle" in only else set())
    wanted = [what for what in UNITS if what in chosen] or ([] if only and parts else USUAL_FIGURES)
    who = [name for name in everybody if name in only] or everybody

    note(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; "
        "durability process unless the name says another; 2 workers, 4 for startup_4"
    )
    found = measure(who if wanted else [], wanted, options.rounds)
    found |= measure_parts([part for part in parts if part != words.FIGURE], options.rounds)
    if words.FIGURE in parts:
        found |= words.measure(options.rounds, note)
    report(found, as_json=options.json)
    missing = [
        what
        for what in wanted
        if what in contestant.UNITS and "linden" in who and (what, "linden", UNITS[what]) not in found
    ]
    if missing:
        sys.exit(f"no figure of linden for {', '.join(missing)}")


if __name__ == "__main__":
    main()
