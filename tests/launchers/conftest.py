"""Stand-ins for space-server and space-engine, so that starting and stopping is tested without either."""

import os
import sys
from pathlib import Path

import pytest

FAKE_SERVER = '''#!{python}
"""Says that it listens and waits for its end; files in its directory make it misbehave."""
import argparse, json, os, pathlib, signal, sys

parser = argparse.ArgumentParser()
for name in ("--directory", "--unix", "--tcp", "--durability"):
    parser.add_argument(name)
parser.add_argument("--ready-fd", type=int)
parser.add_argument("--parent-pid", type=int)
options = parser.parse_args()
directory = pathlib.Path(options.directory)
with (directory / "starts").open("a") as file:
    file.write(f"{{os.getpid()}} {{options.tcp}}\\n")
if (directory / "refuse").exists():
    sys.exit("space-server: the port is in use")
if options.tcp and options.tcp.endswith(":0"):
    options.tcp = options.tcp[:-1] + "4711"
pathlib.Path(options.unix).touch()
# Blocked and waited for: a handler may run just before a pause, which then lasts for ever.
signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
os.write(options.ready_fd, json.dumps(
    dict(pid=os.getpid(), unix=options.unix, tcp=options.tcp, version="0")).encode() + b"\\n")
while True:
    signal.sigwait({{signal.SIGTERM}})
    if not (directory / "deaf").exists():
        sys.exit(0)
'''

FAKE_ENGINE = '''"""Waits for its end, or ends at once with the code in $FAKE_ENGINE_EXIT."""
import os, signal, sys

if "FAKE_ENGINE_EXIT" in os.environ:
    print("engine: no such thing", file=sys.stderr)
    sys.exit(int(os.environ["FAKE_ENGINE_EXIT"]))
if "FAKE_ENGINE_CHILD" in os.environ and os.fork() == 0:
    open(os.environ["FAKE_ENGINE_CHILD"], "w").write(str(os.getpid()))
while True:
    signal.pause()
'''


@pytest.fixture
def fakes(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """space-server and linden_engine are stand-ins, and $LINDEN_HOME is in this scratch folder."""
    programs = scratch / "bin"
    programs.mkdir()
    server = programs / "space-server"
    server.write_text(FAKE_SERVER.format(python=sys.executable))
    server.chmod(0o755)
    modules = scratch / "modules"
    (modules / "linden_engine").mkdir(parents=True)
    (modules / "linden_engine" / "__init__.py").touch()
    (modules / "linden_engine" / "__main__.py").write_text(FAKE_ENGINE)
    monkeypatch.setenv("LINDEN_BIN", str(programs))
    monkeypatch.setenv("LINDEN_HOME", str(scratch / "home"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(modules), os.environ.get("PYTHONPATH", "")]))
    return scratch
