"""What we write to each system, word for word: scripts and command lines (golden/SYSTEM/VARIANT.txt).

golden/SYSTEM/pages.md names the pages of the system's manual that these texts follow and were compared with.
``LINDEN_GOLDEN=write pytest tests/launchers/test_golden.py`` writes them anew; then `git diff` shows what to review.
"""

import os
import re
import shlex
import subprocess
import xml.etree.ElementTree as ElementTree
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
    },
    "kubernetes": {"image": "registry.example.org/linden:0.1", "namespace": "bio"},
    "winhpc": {"scheduler": "head"},
}
# Their scripts have no lines of directives; tests below say what stands for them.
NO_LINES = ("generic", "htcondor", "kubernetes", "winhpc")
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
    if members > 1:
        ids = job.ids if system.name not in ("generic", "oar") else tuple(map(str, range(17, 17 + members)))
        several = replace(job, ids=ids)
        try:
            said = str(command(system.cancel(several, [0, 1])))
        except LaunchError as error:
            said = f"refused: {error}"
        yield f"== cancel members 0 and 1 ==\n{said}\n"
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


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name not in NO_LINES])
def test_any_directive_can_be_replaced_skipped_and_added(name: str) -> None:
    """Sites forbid some options (#SBATCH --mem, -R of LSF) and want others; nothing that we write is without remedy."""
    system = system_named(name)
    made = head_of(system, JobOptions())
    for line in made:
        option = re.match(r"-l \w+(?==)|-\w+(?= )|--[\w-]+", line)[0]  # type: ignore[index]
        assert line not in head_of(system, JobOptions(directive_skip=(option,)))
        other = f"{option}=7" if option.startswith(("--", "-l ")) else f"{option} 7"
        replaced = head_of(system, JobOptions(directives=(other,)))
        assert line not in replaced
        assert replaced[-1] == other
    added = head_of(system, JobOptions(directives=("--our-own=7",)))
    assert added[-1] == "--our-own=7"
    assert added[:-1] == made


def test_lines_of_a_submit_description_can_be_replaced_skipped_and_added() -> None:
    options = JobOptions(directives=("request_disk = 2GB", "request_cpus = 3"), directive_skip=("stream_output", "log"))
    text = system_named("htcondor").render(replace(PLAIN, job=options)).text
    lines = text.splitlines()
    assert "request_cpus = 3" in lines
    assert "request_cpus = 1" not in lines
    assert "request_disk = 2GB" in lines
    assert not [line for line in lines if line.startswith(("stream_output", "log "))]


def test_places_of_a_manifest_can_be_set_and_removed() -> None:
    options = JobOptions(
        directives=(
            "spec.template.spec.nodeSelector.disk=ssd",
            "spec.template.spec.containers.0.imagePullPolicy=Always",
            "spec.backoffLimit=3",
        ),
        directive_skip=("spec.template.spec.containers.0.resources.limits", "spec.no.such"),
    )
    text = system_named("kubernetes").render(replace(PLAIN, job=options)).text
    assert '        disk: "ssd"\n' in text
    assert 'imagePullPolicy: "Always"' in text
    assert "backoffLimit: 3\n" in text
    assert "limits" not in text
    with pytest.raises(LaunchError, match="a path in the manifest is wanted"):
        system_named("kubernetes").render(replace(PLAIN, job=JobOptions(directives=("nodeSelector",))))
    with pytest.raises(LaunchError, match="there is no 'x' in a list or text"):
        system_named("kubernetes").render(replace(PLAIN, job=JobOptions(directives=("kind.x.y=1",))))


def test_a_manifest_is_yaml_with_the_script_as_it_is() -> None:
    """The reader is PyYAML, as users' tools are."""
    yaml = pytest.importorskip("yaml")
    system = system_named("kubernetes")
    made = yaml.safe_load(system.render(replace(FULL, environment={"YES": "yes", "TEXT": "a: b # c\n\"'"})).text)
    assert (made["apiVersion"], made["kind"], made["spec"]["completions"]) == ("batch/v1", "Job", 2)
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"cpu": "8", "memory": "12000M"}
    script = container["command"][2]
    assert script.count("\n") > 10
    done = subprocess.run(["/bin/sh", "-n"], input=script, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_job_file_is_xml_with_attributes_of_the_users() -> None:
    options = JobOptions(directives=("Priority=Highest", "UnitType=Node"), directive_skip=("MaxCores",))
    text = system_named("winhpc").render(replace(PLAIN, n=3, environment={"A": "<&>"}, job=options)).text
    job = ElementTree.fromstring(text.encode())
    assert (job.get("Priority"), job.get("UnitType"), job.get("MaxCores")) == ("Highest", "Node", None)
    space = {"h": job.tag.partition("}")[0][1:]}
    (task,) = job.findall("h:Tasks/h:Task", space)
    assert (task.get("Type"), task.get("StartValue"), task.get("EndValue")) == ("ParametricSweep", "0", "2")
    names = [one.text for one in task.iterfind("h:EnvironmentVariables/h:Variable/h:Name", space)]
    assert names == ["LINDEN_CLUSTER_ID", "LINDEN_ENGINE_SET", "A"]
    assert task.findtext("h:EnvironmentVariables/h:Variable[3]/h:Value", namespaces=space) == "<&>"


def head_of(system: BatchSystem, options: JobOptions) -> list[str]:
    """The directives, without their prefix."""
    text = system.render(
        replace(FULL, n=4, job=replace(FULL.job, directives=options.directives, directive_skip=options.directive_skip))
    ).text
    lines = text.splitlines()[1:]
    prefix = lines[0].split()[0]
    return [line.removeprefix(prefix).strip() for line in lines if line.startswith(prefix)]


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name not in NO_LINES])
def test_a_directory_with_a_blank_in_its_name_is_one_word(name: str) -> None:
    """Systems split directives as the shell does."""
    script = system_named(name).render(replace(PLAIN, log_directory=Path("/home/ada/my logs"))).text
    prefix = script.splitlines()[1].split()[0]
    lines = [line for line in script.splitlines() if line.startswith(prefix) and "my logs" in line]
    assert lines
    for line in lines:
        assert [word for word in shlex.split(line.removeprefix(prefix)) if "/home/ada/my logs" in word]


def test_no_job_has_to_end_with_a_process_of_another_host() -> None:
    assert "--parent-pid" not in system_named("slurm").render(replace(PLAIN, parent_pid=7)).text


def test_a_template_of_the_user_is_filled() -> None:
    template = "#!/bin/bash -l\n{{directives}}\nulimit -c 0\n{{body}}\n"
    text = system_named("slurm").render(replace(PLAIN, job=JobOptions(template=template))).text
    assert text.startswith("#!/bin/bash -l\n#SBATCH --job-name=linden-bio-1\n")
    assert text.index("ulimit -c 0") < text.index("-m linden_engine")


def test_a_name_that_a_template_cannot_have_is_named() -> None:
    with pytest.raises(LaunchError, match=r"the template has nodes .* \{\{directives\}\}"):
        system_named("slurm").render(replace(PLAIN, job=JobOptions(template="{{nodes}}")))
