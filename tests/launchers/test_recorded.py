"""What systems answer, and what we take it to mean: recorded/SYSTEM.toml, each answer with the page that shows or describes it."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from linden_launchers.batch_system import BatchSystem, Key
from linden_launchers.command import Command, CommandFailed, Output

from tests.launchers.test_golden import system_named

RECORDED = Path(__file__).parent / "recorded"


def answers() -> list[Any]:
    files = [(path.stem, tomllib.loads(path.read_text())["answer"]) for path in sorted(RECORDED.glob("*.toml"))]
    return [
        pytest.param(name, answer, id=f"{name}-{answer['of']}-{answer['why'].replace(' ', '_')}")
        for name, found in files
        for answer in found
    ]


@pytest.mark.parametrize(("name", "answer"), answers())
def test_an_answer_means_what_the_manual_says(name: str, answer: dict[str, Any]) -> None:
    assert answer["page"], "where is that written?"
    output = Output(
        Command((answer["of"],)), answer.get("exit_code", 0), answer.get("stdout", ""), answer.get("stderr", "")
    )
    system = system_named(name)
    if "error" in answer:
        with pytest.raises(CommandFailed) as error:
            parse(system, answer["of"], output)
        assert answer["error"] in str(error.value)
        assert error.value.stdout == output.stdout, "what the system said is kept"
    else:
        assert parse(system, answer["of"], output) == answer["expect"]


def parse(system: BatchSystem, of: str, output: Output) -> Any:
    if of == "submit":
        return list(system.parse_submit(output))
    source = next(one for one in system.sources if one.name == of)
    return {label(key): str(status) for key, status in source.parse(output).items()}


def label(key: Key) -> str:
    return key[0] if key[1] is None else f"{key[0]}/{key[1]}"


def test_every_source_of_every_system_has_been_recorded() -> None:
    for path in RECORDED.glob("*.toml"):
        of = {answer["of"] for answer in tomllib.loads(path.read_text())["answer"]}
        assert of >= {"submit", *(source.name for source in system_named(path.stem).sources)}
