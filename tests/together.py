"""Which tests one process runs when pytest-xdist spreads them: those of a file, which share a cluster, or of a system of launchers.

The conftest.py beside puts this scheduler in the place of pytest-xdist's own, whatever `--dist` says. Its `loadgroup`, which would be for
this, marks test ids in a way that pytest 9.2 does not see any more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

_CONTRACT = "tests/launchers/contract/"


def scope_of(nodeid: str) -> str:
    """Tests of one scope are run by one process: a system is brought up once, whichever files its tests are in."""
    path, _, name = nodeid.partition("::")
    system = re.search(r"\[([\w-]+)\]$", name) if path.startswith(_CONTRACT) else None
    return f"{_CONTRACT}{system[1]}" if system else path


def scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Gives whole scopes to processes; with `--no-loadscope-reorder` in the order in which they were collected."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    return Together(config, log)
