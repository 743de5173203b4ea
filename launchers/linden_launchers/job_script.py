"""The job script that most systems share: directives of the system's own, then this shell code.  Pure.

The shell that the system starts says to the engines which job they are, hands on the signals that the system sends to it, and ends
when they have.  The code is plain POSIX sh.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .engine_command import engine_argv
from .engine_set import EngineSet
from .job_options import ONE, JobOptions
from .launcher import LaunchError

Directive = tuple[str, str]  # the option, and the whole text with its value: ("--mem", "--mem=4000M")


@dataclass(frozen=True)
class Names:
    """How a system tells a job about itself, as expressions of the shell."""

    job_id: str  # "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"
    index: str = "0"  # from 0: "$((SGE_TASK_ID - 1))"
    end: str = ""  # seconds since 1970 at which the walltime is over
    left: str = ""  # or how long the walltime is, in seconds
    redirects: bool = False  # the script writes the log itself: the system would not, or only at the job's end


def directives(made: Sequence[Directive], options: JobOptions) -> list[str]:
    """The lines of the head: *made*, less what is to be skipped, with what the user gives in place of it or after it."""
    given = [(_option(text), text) for text in options.directives]
    replaced = {option for option, _ in given}
    skipped = [*map(str.strip, options.directive_skip)]
    kept = [text for option, text in made if option not in replaced and not _is_skipped(option, skipped)]
    return kept + [text for _, text in given]


def quoted(path: Path) -> str:
    """In a directive; all of these systems read quotes as the shell does."""
    return shlex.quote(str(path))


def _option(text: str) -> str:
    """ "--mem" of "--mem=8G", "-l walltime" of "-l walltime=1:00:00", "-q" of "-q long"."""
    match = re.match(r"\s*(-l\s+[\w.]+(?==)|-\w(?=\s|$)|[^\s=]+)", text)
    return re.sub(r"\s+", " ", match[1]) if match else text


def _is_skipped(option: str, skipped: Sequence[str]) -> bool:
    """By name, or with all of its kind: "-l" is every "-l walltime"."""
    return any(option == one or option.startswith(f"{one} ") for one in skipped)


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with {{names}} replaced.  Raises: LaunchError: it has a name that is not known."""
    found = set(re.findall(r"\{\{(\w+)\}\}", template))
    if unknown := sorted(found - set(values)):
        known = ", ".join(f"{{{{{name}}}}}" for name in values)
        raise LaunchError(f"the template has {', '.join(unknown)} in double braces; it may have {known}")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


TEMPLATE = """\
#!/bin/sh
{{directives}}
{{body}}
"""


def job_script(prefix: str, head: Sequence[Directive], names: Names, engine_set: EngineSet, spawn: str = "") -> str:
    """The whole script.

    Args: prefix: "#SBATCH" or the like. spawn: what starts {n} engines in one allocation, if the user does not say it.
    """
    if spawn and not engine_set.job.spawn:
        engine_set = replace(engine_set, job=replace(engine_set.job, spawn=spawn))
    options = engine_set.job
    lines = "\n".join(f"{prefix} {text}" for text in directives(head, options))
    values = {
        "directives": lines,
        "body": body(names, engine_set),
        "engine": engine_line(engine_set),
        "n": str(engine_set.n),
        "name": job_name(engine_set),
        "log_directory": str(engine_set.log_directory),
    }
    return fill(options.template or TEMPLATE, values).rstrip("\n") + "\n"


def job_name(engine_set: EngineSet) -> str:
    """Of the job, for those who look at queues: letters, digits and dashes, which every system allows."""
    name = engine_set.job.name or f"linden-{engine_set.cluster_id or 'engines'}-{engine_set.name}"
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)


def engine_line(engine_set: EngineSet) -> str:
    """The command of one engine, for the shell."""
    command = shlex.join(engine_argv(replace(engine_set, parent_pid=None)))  # no process of the job's host
    return f'{command} ${{LINDEN_JOB_END:+--until "$LINDEN_JOB_END" --leave-before {engine_set.job.leave_before_s}}}'


def body(names: Names, engine_set: EngineSet) -> str:
    """All that follows the head."""
    options = engine_set.job
    parts = [
        f"# {engine_set.n} engines of Linden: set {engine_set.name} of cluster {engine_set.cluster_id or '-'}",
        *_identity(names, engine_set),
        *([log_line(engine_set)] if names.redirects else ()),
        *environment_lines(engine_set),
        *options.prologue,
        *_start(engine_set),
        _WAIT,
        *options.epilogue,
        'exit "$status"',
    ]
    return "\n".join(parts)


def _identity(names: Names, engine_set: EngineSet) -> list[str]:
    walltime = names.left or (str(engine_set.job.walltime_s) if engine_set.job.walltime_s else "")
    by_clock = f"$(($(date +%s) + {walltime}))" if walltime else ""
    end = f"${{{names.end}:-{by_clock}}}" if names.end else by_clock
    return [
        f"export LINDEN_CLUSTER_ID={shlex.quote(engine_set.cluster_id)} LINDEN_ENGINE_SET={shlex.quote(engine_set.name)}",
        f'export LINDEN_JOB_ID="{names.job_id}" LINDEN_ARRAY_INDEX="{names.index}"',
        f'export LINDEN_JOB_END="{end}"',
    ]


def log_line(engine_set: EngineSet) -> str:
    """From here on all output goes to the log of this member."""
    return (
        f'exec >>{shlex.quote(str(engine_set.log_directory))}/engine-{engine_set.name}-"$LINDEN_ARRAY_INDEX".log 2>&1'
    )


def environment_lines(engine_set: EngineSet) -> list[str]:
    """What the set adds to the environment, which most systems do not hand on."""
    lines = []
    if engine_set.directory:
        lines.append(f"cd {shlex.quote(str(engine_set.directory))} || exit 1")
    if engine_set.python_path:
        path = shlex.quote(":".join(engine_set.python_path))
        lines.append(f"export PYTHONPATH={path}${{PYTHONPATH:+:$PYTHONPATH}}")
    return lines + [f"export {name}={shlex.quote(value)}" for name, value in engine_set.environment.items()]


def _start(engine_set: EngineSet) -> list[str]:
    options = engine_set.job
    if options.shape == ONE:
        spawn = options.spawn.replace("{n}", str(engine_set.n))
        return [_TRAPS, f'{spawn} {engine_line(engine_set)} &\npids="$!"\n[ -z "$sent" ] || kill -s "$sent" "$!"']
    count = options.engines_per_job
    here = [f"count={count}"]
    if last := engine_set.n % count:  # the last member has what is left
        here = [f'count={count}; [ "$LINDEN_ARRAY_INDEX" -ne {engine_set.n // count} ] || count={last}']
    return [_TRAPS, *here, _LOOP.replace("ENGINE", engine_line(engine_set))]


# What the shell hands on, once to each engine: a system that can is to signal the shell alone.
HANDED_ON = ("USR1", "INT", "TERM")

# `tell` runs in the middle of whatever the shell does, so none of its variables may be another's; and an engine that has just been started
# may not be in `pids` yet.
_TRAPS = f"""\
pids= sent=
tell() {{ sent=$1; for told in $pids; do kill -s "$1" "$told" 2>/dev/null; done; }}
for sig in {" ".join(HANDED_ON)}; do trap "tell $sig" "$sig"; done
trap 'tell USR1' USR2"""

_LOOP = """\
export LINDEN_RANK=0
while [ "$LINDEN_RANK" -lt "$count" ]; do
  ENGINE &
  pids="$pids $!"
  [ -z "$sent" ] || kill -s "$sent" "$!"
  LINDEN_RANK=$((LINDEN_RANK + 1))
done"""

# A signal that is handed on ends `wait` early, so it is asked again while the process is there, and once more, since it may have ended
# in that moment; 127: there is no more to say.
_WAIT = """\
status=0
for pid in $pids; do
  wait "$pid"; code=$?
  while kill -0 "$pid" 2>/dev/null; do wait "$pid"; code=$?; done
  wait "$pid" 2>/dev/null; again=$?
  [ "$again" -eq 127 ] || code=$again
  [ "$code" -eq 0 ] || status=$code
done"""
