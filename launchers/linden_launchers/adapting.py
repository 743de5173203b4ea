"""Adaptation: keeps the number of engines of a set to the work that there is (adaptive.py decides; this looks and acts)."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from linden.errors import LindenError

from .adaptive import AdaptRules, Load, Memory, decide
from .farm_load import look_at_farm
from .launcher import LaunchError
from .leaving import place_of, places_of
from .scaling import is_here, local_engines, set_to_scale

if TYPE_CHECKING:
    import linden

    from .local_cluster import LocalCluster
    from .running_cluster import RunningCluster

_LOG = logging.getLogger("linden.cluster")
# Engines that leave finish what they run, which is waited for no longer than this; the tasks of one that is ended go to others.
_DRAIN_S = 3600.0
_RULES = frozenset(each.name for each in fields(AdaptRules)) - {"minimum", "maximum"}


class Adaptation:
    """A thread that looks once in `period_s` seconds; ``stop()``, or the end of the cluster, ends it."""

    def __init__(
        self,
        cluster: LocalCluster | RunningCluster,
        minimum: int,
        maximum: int,
        engine_set_id: str | None = None,
        *,
        period_s: float = 1.0,
        **rules: Any,
    ) -> None:
        """Raises: ValueError: rules that make no sense. TypeError: a rule that there is not."""
        if unknown := sorted(set(rules) - _RULES):
            raise TypeError(f"adapt has no rule {unknown[0]!r}; it has {', '.join(sorted(_RULES))} and period_s")
        self.rules = AdaptRules(minimum, maximum, **rules)
        self._cluster = cluster
        self._name = engine_set_id
        self._period_s = period_s
        self._over = threading.Event()
        self._memory = Memory()
        self._leaving: threading.Thread | None = None  # waits for engines to finish what they run
        self._thread = threading.Thread(target=self._run, name="linden-adapt", daemon=True)
        self.target: int | None = None  # what it has decided last

    def start(self) -> Adaptation:
        """Begin.  Raises: LaunchError: the cluster does not run. KeyError: no such set."""
        self._name = set_to_scale(self._cluster.refresh(), self._name)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End; the engines that there are stay, but those that were asked to leave.  Idempotent."""
        self._over.set()
        if threading.current_thread() is not self._thread and self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Adaptation:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "ended" if self._over.is_set() else f"{self.target} engines"
        return f"<Adaptation of set {self._name!r}, {self.rules.minimum} to {self.rules.maximum}: {state}>"

    def _run(self) -> None:
        try:
            with self._cluster.connect_client() as client:
                while not self._over.wait(self._period_s):
                    if not self._cluster.cluster_file.exists():
                        return
                    self._look(client)
        except (LindenError, TimeoutError, OSError) as error:
            _LOG.warning("adapting the engines has ended: %s", error)
        finally:
            self._over.set()

    def _look(self, client: linden.Client) -> None:
        try:
            load = self.load(client)
            target, self._memory = decide(self.rules, load, self._memory)
            self.target = target
            have = load.serving + load.coming
            if target < have and self._leaving is not None and self._leaving.is_alive():
                return  # those that leave may run something long, and others may be needed before they have
            if target != have:
                _LOG.info(
                    "%d engines serve, %d come, %d tasks wait: %d engines are wanted",
                    load.serving, load.coming, load.waiting, target,
                )  # fmt: skip
                self._grow(target) if target > have else self._shrink(target)
        except (LaunchError, KeyError) as error:  # a system that does not answer now; looked at again
            _LOG.warning("cannot adapt the engines now: %s", error)

    def _grow(self, target: int) -> None:
        self._cluster.scale(target, self._name)

    def _shrink(self, target: int) -> None:
        def scale() -> None:
            try:
                self._cluster.scale(target, self._name, timeout=_DRAIN_S)
            except (LaunchError, KeyError, LindenError, TimeoutError, OSError) as error:
                _LOG.warning("cannot adapt the engines now: %s", error)

        self._leaving = threading.Thread(target=scale, name="linden-adapt-leaving", daemon=True)
        self._leaving.start()

    def load(self, client: linden.Client) -> Load:
        """What `decide` wants to know, of the set that is adapted."""
        assert self._name is not None
        state = self._cluster.refresh()
        farm = look_at_farm(client)
        if self._name in state.systems:
            records = state.jobs_of(self._name)
            ours = [engine for engine in farm.engines if place_of(engine, records) is not None]
            wanted = self._cluster.job_sets.settle(self._name, places_of(ours, records))
        else:
            pids = local_engines(state, self._name)
            ours = [engine for engine in farm.engines if is_here(engine, state.host) and engine.info["pid"] in pids]
            wanted = len(pids)
        return Load(
            now=time.monotonic(),
            serving=len(ours),
            coming=max(0, wanted - len(ours)),
            busy=sum(not farm.is_idle(engine.id) for engine in ours),
            waiting=farm.waiting,
            waited_s=farm.waited_s,
        )
