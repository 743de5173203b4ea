"""JobOptions: what a batch job of engines asks for, in words that all batch systems share.  A value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .launcher import LaunchError

ARRAY, ONE = "array", "one"


@dataclass(frozen=True)
class JobOptions:
    """Everything may be left out: then the system, or its site, decides."""

    shape: str = (
        ARRAY  # "array": members start as there is room; "one": all engines in one allocation, at the same time
    )
    engines_per_job: int = 1  # of a member of an array
    cores: int | None = None  # for each engine
    memory_mb: int | None = None  # for each engine
    walltime_s: int | None = None
    leave_before_s: int = 120  # engines take nothing more so long before the walltime is over
    queue: str = ""  # partition, queue, class: as the system calls it
    account: str = ""  # project, account
    name: str = ""  # of the job; "" is made of cluster and set
    # Lines for the head of the script without their prefix, as "--mem=8G" or "-l walltime=1:00:00".  One replaces the line
    # with the same option that would be there otherwise.
    directives: tuple[str, ...] = ()
    directive_skip: tuple[str, ...] = ()  # options that the site does not allow, as "--mem"
    prologue: tuple[str, ...] = ()  # lines of shell before the engines start, as "module load python"
    epilogue: tuple[str, ...] = ()  # lines after they have ended
    template: str = ""  # text of a script with {{directives}} and {{body}}; "" is the system's own
    spawn: str = ""  # in one allocation: what starts {n} engines, as "srun --ntasks={n}" or "mpiexec -n {n}"
    options: Mapping[str, str] = field(default_factory=dict, hash=False)  # what only one system knows, as "image"

    def __post_init__(self) -> None:
        if self.shape not in (ARRAY, ONE):
            raise ValueError(f"shape is {self.shape!r}; {ARRAY!r} or {ONE!r} is wanted")
        for name in ("engines_per_job", "cores", "memory_mb", "walltime_s"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(f"{name} is {value!r}; an int of 1 or more is wanted")
        if type(self.leave_before_s) is not int or self.leave_before_s < 0:
            raise ValueError(f"leave_before_s is {self.leave_before_s!r}; seconds, an int of 0 or more, are wanted")
        for name in ("directives", "directive_skip", "prologue", "epilogue"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name} is one text; a list of lines is wanted")

    def to_dict(self) -> dict[str, Any]:
        """As JSON and TOML have it."""
        values = {**asdict(self), "options": dict(self.options)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> JobOptions:
        """The inverse of `to_dict`; what is not there has its default.  Raises: LaunchError: there is no such option."""
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise LaunchError(f"no such options of a job: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        try:
            own: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in values.items()}
            return cls(**own)
        except (TypeError, ValueError) as error:
            raise LaunchError(f"options of a job: {error}") from error
