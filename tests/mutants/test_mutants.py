"""A few mutants are tried, and each of the list can be: its words are still in its source.  ./dev mutants tries all."""

import pytest

from tests import promises
from tests.mutants import mutants

ALL = mutants.all_mutants()
TRIED = ["any token is good", "the simulated server answers before it commits", "what comes back wakes nobody"]


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_made(mutant: mutants.Mutant) -> None:
    assert mutant.source() != (mutants.ROOT / mutant.file).read_text()
    assert mutant.breaks in promises.PROMISES
    assert mutant.caught_by in mutants.CHECKS


def test_mutants_have_names_of_their_own() -> None:
    names = [mutant.name for mutant in ALL]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", TRIED)
def test_a_mutant_is_caught(name: str) -> None:
    mutant = next(mutant for mutant in ALL if mutant.name == name)
    trial = mutants.attempt(mutant)
    assert trial.caught, f"{mutant.caught_by} passes although {name}"
    assert trial.said
