"""space-engine: options in, exit code out."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from linden import __version__

from .restart import Beginning
from .walltime import Walltime

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_LOST = 3
EXIT_STARTUP_FAILED = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop.

    Returns: 0 after a request to stop, 1 if no farm was found, 3 if the server stayed away, 4 if -c, -s, --mpi or an on_join failed.
    """
    options = _parse(arguments)
    beginning = Beginning()
    # As `python script.py` would: modules that lie in the current directory can be imported by tasks.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    from linden.connection_file import find_connection
    from linden.errors import LindenError
    from linden.on_join import OnJoinFailed

    from .engine import Engine
    from .log import Log
    from .mpi import MpiMissing, start
    from .startup import StartupFailed

    log = Log(quiet=options.quiet)
    try:
        rank = start(options.mpi) if options.mpi else None
        info = find_connection(options.connection, cluster_id=options.cluster_id, timeout=options.timeout)
        engine = Engine(
            info,
            space_name=options.space or info.space,
            name=options.name,
            log=log,
            timeout=options.timeout,
            hold=options.hold,
            memory=options.memory,
            reconnect=options.reconnect,
            # Ranks end with the process that starts them on their machine, which need not be told when the program is killed.
            parent_pid=options.parent_pid if options.parent_pid or not options.mpi else os.getppid(),
            ipython=options.ipython,
            script=options.script,
            code=options.code,
            rank=rank,
            tags=options.tags,
            beginning=beginning,
            walltime=walltime_of(options),
        )
        return EXIT_OK if engine.serve() else EXIT_LOST
    except (StartupFailed, MpiMissing, OnJoinFailed) as error:
        log.failure(f"space-engine: {error}")
        return EXIT_STARTUP_FAILED
    except (LindenError, TimeoutError, ValueError) as error:
        log.failure(f"space-engine: {error}")
        return EXIT_FAILED


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="space-engine",
        description="Runs tasks of a Linden farm in this process until it is told to stop "
        "(SIGTERM, or shutdown by a client; SIGUSR1: after the task that runs).",
        epilog="Exit code: 0 told to stop, 1 no farm found, 3 the server stayed away for longer than --reconnect, "
        "4 -c, -s, --mpi or an on_join failed.",
    )
    parser.add_argument(
        "--connection",
        "--file",
        metavar="FILE|ADDRESS",
        help="connection file, or unix:/path or tcp:host:port (default: $LINDEN_CONNECTION, else the running cluster)",
    )
    parser.add_argument("--cluster-id", metavar="ID", help="which cluster of this user, instead of --connection")
    parser.add_argument("--space", metavar="NAME", help="the farm's space (default: as the connection file says: farm)")
    parser.add_argument("--name", default="", help="what lists of engines call this one (default: host:pid)")
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="S", help="wait so long for file and server (default 10)"
    )
    parser.add_argument(
        "--hold",
        type=float,
        default=5.0,
        metavar="S",
        help="after a broken connection others get our tasks so much later (default 5)",
    )
    parser.add_argument(
        "--memory",
        type=float,
        default=60.0,
        metavar="S",
        help="after so long a silence the server forgets us, and we join anew under another id (default 60)",
    )
    parser.add_argument(
        "--reconnect",
        type=float,
        default=60.0,
        metavar="S",
        help="give up when the server has been away for so long (default 60)",
    )
    parser.add_argument("-c", dest="code", metavar="CODE", help="run this cell before joining the farm")
    parser.add_argument(
        "-s", dest="script", metavar="SCRIPT", help="run this file before joining the farm, and before -c"
    )
    parser.add_argument(
        "--ipython",
        choices=("lazily", "now", "never"),
        default="lazily",
        help="when to import IPython, if it is installed: at the first cell or when user code imports it (default), at the "
        "start, or never",
    )
    parser.add_argument(
        "--mpi",
        nargs="?",
        const="auto",
        choices=("auto", "mpi4py", "environment"),
        help="this engine is a rank of an MPI program: MPI, mpi_rank and mpi_size are in its namespace, and ids follow ranks; "
        "'environment': without mpi4py, as mpiexec or srun says; 'auto' (default): with mpi4py if it is installed",
    )
    parser.add_argument(
        "--tag",
        dest="tags",
        action="append",
        default=[],
        metavar="TAG",
        help="it also runs tasks that ask for this tag; may be repeated, up to five times",
    )
    parser.add_argument(
        "--until", type=float, metavar="TIME", help="the batch job ends then, in seconds since 1970: be gone before"
    )
    parser.add_argument("--walltime", type=float, metavar="S", help="the same, counted from the start of this process")
    parser.add_argument(
        "--leave-before",
        type=float,
        default=120.0,
        metavar="S",
        help="take no further task so long before --until or --walltime (default 120)",
    )
    parser.add_argument("--parent-pid", type=int, metavar="PID", help="stop when this process has gone")
    parser.add_argument("--quiet", action="store_true", help="say nothing but failures")
    parser.add_argument("--version", action="version", version=f"space-engine {__version__}")
    options = parser.parse_args(arguments)
    if options.until is not None and options.walltime is not None:
        parser.error("--until and --walltime say the same; give one of them")
    return options


def age_s() -> float:
    """Since this process was made, in seconds; one that starts over in its place (restart.py) is as old as it was."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    began_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # proc(5), starttime; the name, field 2, may have blanks
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began_s


def walltime_of(options: argparse.Namespace) -> Walltime | None:
    """None: this engine may stay."""
    if options.until is None and options.walltime is None:
        return None
    in_s = options.walltime - age_s() if options.until is None else options.until - time.time()
    return Walltime.ending(in_s, leave_before_s=options.leave_before, now=time.monotonic())


if __name__ == "__main__":
    sys.exit(main())
