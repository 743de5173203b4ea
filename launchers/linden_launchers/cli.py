"""space-cluster: start | engines | status | stop | list | clean."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from linden.connection_file import DEFAULT_CLUSTER_ID

from . import cli_look, cli_start
from .exit_codes import EXIT_FAILED
from .launcher import LaunchError
from .server_command import DURABILITIES

_EPILOG = """\
exit codes:
  0  done; for status: everything runs
  1  something failed; the message says what
  2  wrong usage
  3  there is no such cluster
  4  status: something of the cluster is missing

Files are in ${LINDEN_HOME:-~/.linden}/clusters/<cluster id>/: connection.json, cluster.json, log/, data/.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except LaunchError as error:
        print(f"space-cluster: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="space-cluster",
        description="Starts and stops a space server with engines on this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    start = commands.add_parser(
        "start", help="start a server and engines; Ctrl-C stops them", formatter_class=parser.formatter_class
    )
    start.add_argument("-n", "--n", type=int, default=None, metavar="N", help="engines (default: one per processor)")
    _add_cluster_id(start)
    start.add_argument(
        "--daemonize", action="store_true", help="return once all engines serve; 'space-cluster stop' ends it"
    )
    start.add_argument(
        "--durability",
        choices=DURABILITIES,
        default="process",
        help="what survives: nothing, a crash of the server, power loss",
    )
    start.add_argument("--tcp", metavar="HOST:PORT", help="listen there as well as on the Unix socket; port 0: any")
    start.add_argument(
        "--data", type=Path, metavar="DIR", help="where the server keeps its data (default: in the cluster's directory)"
    )
    start.add_argument(
        "--restart-engines", action="store_true", help="start an engine again when it dies (the server always is)"
    )
    start.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="how long the engines may take to serve (default: 60)"
    )
    start.add_argument("--supervise-fd", type=int, default=None, help=argparse.SUPPRESS)
    start.set_defaults(run=cli_start.start)

    engines = commands.add_parser("engines", help="add engines to a cluster that runs; Ctrl-C ends them")
    engines.add_argument("-n", "--n", type=int, default=1, metavar="N", help="how many (default: 1)")
    _add_cluster_id(engines)
    engines.add_argument("--daemonize", action="store_true", help="return once they serve; they end with the cluster")
    engines.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="how long they may take to serve (default: 60)"
    )
    engines.set_defaults(run=cli_start.engines)

    _add_look_commands(commands)
    return parser


def _add_look_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    status = commands.add_parser("status", help="show what runs")
    _add_cluster_id(status)
    status.add_argument("--json", action="store_true", help="as JSON")
    status.set_defaults(run=cli_look.status)

    stop = commands.add_parser("stop", help="end a cluster: a signal, then SIGKILL")
    _add_cluster_id(stop)
    stop.add_argument("--all", action="store_true", help="every cluster of this user on this machine")
    stop.add_argument("--signal", default="SIGTERM", metavar="SIG", help="the first one: a name or number (SIGTERM)")
    stop.set_defaults(run=cli_look.stop)

    listing = commands.add_parser("list", help="list the clusters of this user")
    listing.add_argument("-o", "--output", choices=("text", "json"), default="text", help="as what (default: text)")
    listing.add_argument("--json", action="store_true", help="the same as -o json")
    listing.set_defaults(run=cli_look.list_)

    clean = commands.add_parser("clean", help="remove the files of clusters whose processes have gone")
    clean.add_argument("--cluster-id", default=None, metavar="ID", help="only those of this one (default: of all)")
    clean.add_argument("--all", action="store_true", help="of all, whatever --cluster-id says")
    clean.add_argument("--data", action="store_true", help="their data and logs, too")
    clean.add_argument("--force", action="store_true", help="clusters that run, too, which are stopped first")
    clean.set_defaults(run=cli_look.clean)


def _add_cluster_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cluster-id", default=DEFAULT_CLUSTER_ID, metavar="ID", help=f"its name (default: {DEFAULT_CLUSTER_ID})"
    )


if __name__ == "__main__":
    sys.exit(main())
