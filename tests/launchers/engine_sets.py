"""Engine sets that the tests of all systems render: the plain one, and one for each thing that a job may ask for."""

from dataclasses import replace
from pathlib import Path

from linden_launchers.engine_set import EngineSet
from linden_launchers.job_options import JobOptions

PLAIN = EngineSet(
    name="1",
    n=1,
    address="tcp:10.0.0.1:4711",
    log_directory=Path("/home/ada/.linden/clusters/bio/log"),
    hold_s=5.0,
    python="/opt/python/bin/python3",
    cluster_id="bio",
)
ARRAY = replace(PLAIN, n=3)
FULL = replace(
    PLAIN,
    n=6,
    directory=Path("/home/ada/my work"),
    environment={"OMP_NUM_THREADS": "2", "TITLE": "it's me"},
    python_path=("/home/ada/lib",),
    job=JobOptions(
        engines_per_job=4,
        cores=2,
        memory_mb=3000,
        walltime_s=5400,
        leave_before_s=120,
        queue="long",
        account="bio7",
        prologue=("module load python",),
        epilogue=('echo "engines ended with $status"',),
    ),
)
ONE_ALLOCATION = replace(PLAIN, n=8, job=JobOptions(shape="one", walltime_s=3600))

VARIANTS = {"plain": PLAIN, "array": ARRAY, "full": FULL, "one": ONE_ALLOCATION}
