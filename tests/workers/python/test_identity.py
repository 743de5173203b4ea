"""Which engine of which job one is, as launchers say it in the environment."""

from linden_engine.identity import identity

JOB = {
    "LINDEN_CLUSTER_ID": "bio",
    "LINDEN_ENGINE_SET": "2",
    "LINDEN_JOB_ID": "17",
    "LINDEN_ARRAY_INDEX": "3",
    "LINDEN_RANK": "1",
}


def test_a_job_script_says_all_of_it() -> None:
    assert identity(JOB) == {"cluster": "bio", "set": "2", "job": "17", "index": 3, "rank": 1}


def test_in_a_parallel_program_its_starter_says_the_rank() -> None:
    for name in ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_PROCID"):
        assert identity({"LINDEN_ENGINE_SET": "1", name: "7"}) == {"set": "1", "rank": 7}


def test_our_own_word_counts_more() -> None:
    """In a batch script that starts several engines Slurm's own rank is 0 for all of them."""
    assert identity({**JOB, "SLURM_PROCID": "0"})["rank"] == 1


def test_an_engine_that_was_started_by_hand_is_none_of_a_set() -> None:
    """Also in a shell of a batch job, whose variables are there."""
    assert identity({"SLURM_PROCID": "0", "LINDEN_RANK": "1", "PATH": "/bin"}) == {}


def test_what_is_no_number_is_left_out() -> None:
    assert identity({**JOB, "LINDEN_ARRAY_INDEX": "", "LINDEN_RANK": "one"}) == {
        "cluster": "bio",
        "set": "2",
        "job": "17",
    }
