"""The descriptors 1 and 2 as an engine captures them, in a process of its own."""

import subprocess
import sys
import textwrap

SETUP = """
import os, sys
from linden_engine.descriptors import CapturedDescriptors
captured = CapturedDescriptors.make()
def collect():
    found, more = [], True
    extent = captured.extent()
    while extent is not None and more:
        texts, more = captured.collect(extent)
        found += texts
    return found
def say(*values):
    print(*values, file=captured.original("stdout"), flush=True)
"""


def run(source: str) -> list[str]:
    script = SETUP + textwrap.dedent(source)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_children_and_c_code_write_is_collected_once() -> None:
    assert run(
        """
        import ctypes
        os.system("echo out; echo err >&2")
        ctypes.CDLL(None).puts(b"from C")
        say(collect())
        say(collect(), captured.extent())
        """
    ) == ["[('stdout', 'out\\nfrom C\\n'), ('stderr', 'err\\n')]", "[] None"]


def test_a_character_that_is_written_in_two_halves_arrives_whole() -> None:
    assert run(
        """
        os.write(1, b"\\xc3")
        first = collect()
        os.write(1, b"\\xa4\\xff")
        say(ascii(first), ascii(collect()))
        """
    ) == [r"[] [('stdout', '\xe4\\xff')]"]


def test_what_was_read_is_given_back_to_the_system() -> None:
    assert run(
        """
        total = 0
        for _ in range(40):
            os.write(1, b"x" * (1 << 20))
            total += sum(len(text) for _, text in collect())
        kept = os.fstat(1).st_blocks * 512
        say(total == 40 << 20, kept <= 6 << 20)
        """
    ) == ["True True"]


def test_who_truncates_it_does_not_stop_the_rest() -> None:
    assert run(
        """
        os.system("echo before")
        first = collect()
        os.system("echo anew > /dev/stdout")
        second = collect()
        os.system("echo after")
        say(first, second, collect())
        """
    ) == ["[('stdout', 'before\\n')] [('stdout', 'anew\\n')] [('stdout', 'after\\n')]"]
