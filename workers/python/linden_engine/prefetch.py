"""How many tasks an engine should hold.  Pure.

While one task runs, the next should already be here, or the engine waits for the network after each task.  Tasks that take
far less than such a wait need more of them; long ones none beyond the next, since somebody idle may want it.
"""

from __future__ import annotations

CREDIT_MIN = 2
CREDIT_MAX = 64
# So much work should lie ready: twice what results are gathered for, since new tasks come when results have gone.
COVERED_S = 0.008
_WEIGHT = 0.2


class Prefetch:
    """Learns from run times."""

    def __init__(self) -> None:
        self.credit = CREDIT_MIN
        self._mean_s = COVERED_S

    def observe(self, seconds: float) -> bool:
        """A task ran for `seconds`; whether `credit` has changed."""
        # A long task counts at once, short ones need a few: holding too much is worse than too little.
        weight = 1.0 if seconds > 4 * self._mean_s else _WEIGHT
        self._mean_s += weight * (seconds - self._mean_s)
        wanted = COVERED_S / max(self._mean_s, 1e-6)
        credit = int(min(max(wanted, CREDIT_MIN), CREDIT_MAX))
        # Small changes are not worth a message.
        is_small = self.credit / 2 < credit < self.credit * 1.25 and CREDIT_MIN < credit < CREDIT_MAX
        if credit == self.credit or is_small:
            return False
        self.credit = credit
        return True
