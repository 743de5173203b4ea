"""space-cluster: the command line and its options; what each command does is in the modules beside this one."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from linden.connection_file import DEFAULT_CLUSTER_ID

from . import cli_change, cli_doctor, cli_logs, cli_look, cli_render, cli_start
from .cli_options import add_engine_options
from .exit_codes import EXIT_FAILED, EXIT_NO_CLUSTER
from .launcher import LaunchError
from .running_cluster import NoSuchCluster
from .server_command import DURABILITIES

_EPILOG = """\
exit codes:
  0  done; for status: everything runs; for doctor: nothing is bad
  1  something failed; the message says what
  2  wrong usage
  3  there is no such cluster
  4  status: something of the cluster is missing

Files are in ${LINDEN_HOME:-~/.linden}/clusters/<cluster id>/: connection.json, cluster.json, log/, data/.
The site profile: /etc/linden/site.toml, ~/.config/linden/site.toml, and linden.toml here or above; see `space-cluster config show`.
"""

Commands = argparse._SubParsersAction


def main(arguments: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(words)
    options.words = words
    try:
        return int(options.run(options))
    except LaunchError as error:
        print(f"space-cluster: {error}", file=sys.stderr)
        return EXIT_NO_CLUSTER if isinstance(error, NoSuchCluster) else EXIT_FAILED
    except BrokenPipeError:  # whoever read has seen enough
        sys.stderr.close()
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="space-cluster",
        description="Starts, changes, shows and stops a space server with engines, here or elsewhere.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_start, _add_engines, _add_scale, _add_look, _add_stop, _add_prepare, _add_examine):
        add(commands)
    return parser


def _command(
    commands: Commands[argparse.ArgumentParser], name: str, run: Callable[[argparse.Namespace], int], help_: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.")
    command.set_defaults(run=run)
    command.add_argument("--json", action="store_true", help="as JSON")
    return command


def _add_start(commands: Commands[argparse.ArgumentParser]) -> None:
    start = _command(commands, "start", cli_start.start, "start a server and engines; Ctrl-C stops them")
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
        "--restart-engines", action="store_true", help="start a local engine again when it dies (the server always is)"
    )
    start.add_argument(
        "--adapt", metavar="MIN:MAX", help="have as many engines as there is work for, between these; starts with MIN"
    )
    _add_waiting(start)
    start.add_argument("--supervise-fd", type=int, default=None, help=argparse.SUPPRESS)
    add_engine_options(start)


def _add_engines(commands: Commands[argparse.ArgumentParser]) -> None:
    engines = _command(commands, "engines", cli_start.engines, "add engines to a cluster that runs; Ctrl-C ends them")
    engines.add_argument("-n", "--n", type=int, default=1, metavar="N", help="how many (default: 1)")
    _add_cluster_id(engines)
    engines.add_argument("--daemonize", action="store_true", help="return once they serve; they end with the cluster")
    _add_waiting(engines)
    add_engine_options(engines)


def _add_waiting(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="how long engines may take to serve (default: 60)"
    )
    command.add_argument(
        "--queue-timeout",
        type=float,
        default=None,
        metavar="S",
        help="how long jobs may wait in a queue (default: for ever)",
    )
    command.add_argument(
        "--wait-for", type=int, default=None, metavar="N", help="so many engines are enough to go on (default: all)"
    )


def _add_scale(commands: Commands[argparse.ArgumentParser]) -> None:
    scale = _command(
        commands,
        "scale",
        cli_change.scale,
        "have another number of engines; those that are too many finish what they run",
    )
    scale.add_argument("-n", "--n", type=int, required=True, metavar="N", help="how many there are to be in the set")
    _add_cluster_id(scale)
    scale.add_argument("--engine-set", metavar="SET", help="of which set (default: the only one)")
    scale.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="how long they may take to finish (default: 60)"
    )
    cancel = commands.add_parser("cancel-jobs")  # for the janitor; no help, so that it is not listed
    cancel.add_argument("--directory", required=True)
    cancel.set_defaults(run=cli_change.cancel_jobs)


def _add_look(commands: Commands[argparse.ArgumentParser]) -> None:
    status = _command(commands, "status", cli_look.status, "show what runs")
    _add_cluster_id(status)

    listing = _command(commands, "list", cli_look.list_, "list the clusters of this user")
    listing.add_argument("-o", "--output", choices=("text", "json"), default="text", help="as what (default: text)")

    logs = _command(commands, "logs", cli_logs.logs, "show the end of what server, supervisor and engines have written")
    logs.add_argument(
        "which",
        nargs="*",
        metavar="WHICH",
        help="server, supervisor, an engine set or an engine such as 1-0 (default: all)",
    )
    _add_cluster_id(logs)
    logs.add_argument("--lines", type=int, default=20, metavar="N", help="how many lines of each (default: 20)")


def _add_stop(commands: Commands[argparse.ArgumentParser]) -> None:
    stop = _command(commands, "stop", cli_look.stop, "end a cluster: a signal, then SIGKILL; jobs are cancelled")
    _add_cluster_id(stop)
    stop.add_argument("--all", action="store_true", help="every cluster of this user on this machine")
    stop.add_argument("--signal", default="SIGTERM", metavar="SIG", help="the first one: a name or number (SIGTERM)")

    clean = _command(commands, "clean", cli_look.clean, "remove the files of clusters whose processes have gone")
    clean.add_argument("--cluster-id", default=None, metavar="ID", help="only those of this one (default: of all)")
    clean.add_argument("--all", action="store_true", help="of all, whatever --cluster-id says")
    clean.add_argument("--data", action="store_true", help="their data and logs, too")
    clean.add_argument("--force", action="store_true", help="clusters that run, too, which are stopped first")


def _add_prepare(commands: Commands[argparse.ArgumentParser]) -> None:
    render = _command(commands, "render", cli_render.render, "print the script that would be submitted")
    render.add_argument("-n", "--n", type=int, default=1, metavar="N", help="for so many engines (default: 1)")
    _add_cluster_id(render)
    add_engine_options(render)

    config = commands.add_parser("config", help="show the site profile")
    verbs = config.add_subparsers(required=True, metavar="VERB")
    show = _command(verbs, "show", cli_render.show_config, "print the site profile as it is in force")
    show.add_argument("--origin", action="store_true", help="and the file that each value comes from")


def _add_examine(commands: Commands[argparse.ArgumentParser]) -> None:
    doctor = _command(
        commands,
        "doctor",
        cli_doctor.doctor,
        "find out whether engines can reach the farm from here, or from inside a job",
    )
    doctor.add_argument(
        "--cluster-id", default=None, metavar="ID", help="of which cluster (default: as an engine looks for it)"
    )
    doctor.add_argument("--connection", metavar="FILE|ADDRESSES", help="a connection file, or addresses")
    doctor.add_argument("--timeout", type=float, default=3.0, metavar="S", help="for each address (default: 3)")


def _add_cluster_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cluster-id", default=DEFAULT_CLUSTER_ID, metavar="ID", help=f"its name (default: {DEFAULT_CLUSTER_ID})"
    )


if __name__ == "__main__":
    sys.exit(main())
