"""What we write to each system, word for word: scripts and command lines (golden/SYSTEM/VARIANT.txt).

golden/SYSTEM/pages.md names the pages of the system's manual that these texts follow and were compared with.
``LINDEN_GOLDEN=write pytest tests/launchers/test_golden.py`` writes them anew; then `git diff` shows what to review.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from linden_launchers.batch_system import BatchSystem, Script, members_of
from linden_launchers.job_options import JobOptions
from linden_launchers.launcher import Job, LaunchError
from linden_launchers.plugins import load_system

from tests.launchers.engine_sets import FULL, PLAIN, VARIANTS

GOLDEN = Path(__file__).parent / "golden"
OPTIONS = {
    "generic": {
        "submit": "mysub {script}",
        "status": "mystat {ids}",
        "cancel": "mydel {ids}",
        "signal": "mysig {signal} {ids}",
        "prefix": "#MY",
        "job_id": "$MY_ID",
    }
}
SYSTEMS = sorted(path.name for path in GOLDEN.iterdir())
CASES = [(system, variant) for system in SYSTEMS for variant in VARIANTS]


def system_named(name: str) -> BatchSystem:
    return load_system(name, OPTIONS.get(name))


def texts(system: BatchSystem, variant: str) -> Iterator[str]:
    """All that is written for one engine set, in sections."""
    engine_set = VARIANTS[variant]
    try:
        script = system.render(engine_set)
    except LaunchError as error:
        yield f"== refused ==\n{error}\n"
        return
    scripts = files(script)
    for one in scripts:
        yield f"== {one.name} ==\n{one.text}"
    yield f"== submit ==\n{command(system.submit([Path(one.name) for one in scripts]))}\n"
    members = members_of(engine_set)
    job = Job(system.name, engine_set.name, ("17",), members)
    for source in system.sources:
        yield f"== status: {source.name} ==\n{command(source.command(['17', '18'][: 1 if source.one_by_one else 2]))}\n"
    yield f"== cancel ==\n{command(system.cancel(job, None))}\n"
    if members > 1 and system.name != "generic":
        yield f"== cancel members 0 and 1 ==\n{command(system.cancel(job, [0, 1]))}\n"
    signal = system.signal(job, 10, None)
    yield f"== signal USR1 ==\n{command(signal) if signal else 'not possible'}\n"
    log = system.log(job, 0)
    yield f"== log ==\n{command(log) if log else 'in its file'}\n"


def files(script: Script) -> list[Script]:
    return [script, *(one for companion in script.companions for one in files(companion))]


def command(command: object) -> str:
    stdin = getattr(command, "stdin", "")
    return f"{command}" + (f"\n<<<\n{stdin.rstrip()}" if stdin else "")


@pytest.mark.parametrize(("name", "variant"), CASES, ids=["-".join(case) for case in CASES])
def test_texts_are_as_they_were_reviewed(name: str, variant: str) -> None:
    made = "\n".join(texts(system_named(name), variant))
    path = GOLDEN / name / f"{variant}.txt"
    if os.environ.get("LINDEN_GOLDEN") == "write":
        path.write_text(made)
    assert made == path.read_text(), f"{path} has another text; see the head of this file"


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_names_the_pages_that_it_follows(name: str) -> None:
    assert (GOLDEN / name / "pages.md").read_text().count("- ") >= 3


@pytest.mark.parametrize(("name", "variant"), CASES, ids=["-".join(case) for case in CASES])
def test_what_is_shell_is_good_shell(name: str, variant: str) -> None:
    """No engine starts from a script that the shell cannot read."""
    try:
        script = system_named(name).render(VARIANTS[variant])
    except LaunchError:
        pytest.skip("this system refuses this set")
    for one in files(script):
        if one.name.endswith(".sh"):
            done = subprocess.run(["/bin/sh", "-n"], input=one.text, text=True, capture_output=True)
            assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name not in ("winhpc", "kubernetes", "generic")])
def test_any_directive_can_be_replaced_skipped_and_added(name: str) -> None:
    """Sites forbid some options (#SBATCH --mem, -R of LSF) and want others; nothing that we write is without remedy."""
    system = system_named(name)
    made = head_of(system, JobOptions())
    for line in made:
        option = " ".join(line.split()[:2]) if line.startswith("-l ") else line.split("=")[0].split()[0]
        option = option.partition("=")[0].strip()
        assert line not in head_of(system, JobOptions(directive_skip=(option,)))
        # What is given twice is the user's: with the same option first, in the same form.
    added = head_of(system, JobOptions(directives=("--our-own=7",)))
    assert added[-1] == "--our-own=7"
    assert added[:-1] == made


def head_of(system: BatchSystem, options: JobOptions) -> list[str]:
    """The directives, without their prefix."""
    text = system.render(
        replace(FULL, n=4, job=replace(FULL.job, directives=options.directives, directive_skip=options.directive_skip))
    ).text
    lines = text.splitlines()[1:]
    prefix = lines[0].split()[0]
    return [line.removeprefix(prefix).strip() for line in lines if line.startswith(prefix)]


def test_a_template_of_the_user_is_filled() -> None:
    template = "#!/bin/bash -l\n{{directives}}\nulimit -c 0\n{{body}}\n"
    text = system_named("slurm").render(replace(PLAIN, job=JobOptions(template=template))).text
    assert text.startswith("#!/bin/bash -l\n#SBATCH --job-name=linden-bio-1\n")
    assert text.index("ulimit -c 0") < text.index("-m linden_engine")


def test_a_name_that_a_template_cannot_have_is_named() -> None:
    with pytest.raises(LaunchError, match=r"the template has nodes .* \{\{directives\}\}"):
        system_named("slurm").render(replace(PLAIN, job=JobOptions(template="{{nodes}}")))
