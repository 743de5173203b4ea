"""How often a process that dies may be started again.  Pure: time is an argument."""

from __future__ import annotations

from collections import deque


class RestartBudget:
    """At most *times* restarts within *within_s*; at once for the first half of them, then with growing pauses."""

    def __init__(self, times: int = 5, within_s: float = 60.0) -> None:
        self._times = times
        self._within_s = within_s
        self._recent: deque[float] = deque()

    def pause_s(self, now: float) -> float | None:
        """Takes note of a death at *now*: how long to wait before the restart; None: give up, it would only die again."""
        while self._recent and now - self._recent[0] >= self._within_s:
            self._recent.popleft()
        before = len(self._recent)
        if before >= self._times:
            return None
        self._recent.append(now)
        paused_before = before - self._times // 2
        return 0.0 if paused_before <= 0 else min(0.05 * 2 ** (paused_before - 1), 2.0)
