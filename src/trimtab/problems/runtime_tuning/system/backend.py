# SPDX-License-Identifier: Apache-2.0
"""The backend `system`: a configuration against the default, both run here and now, in turns."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from trimtab.core.errors import UsageError
from trimtab.core.outcome import Outcome

from ..problem import Configuration, Objective, Target
from .measure import Reading
from .meter import FOREVER, Live, Meter, broken
from .run import Runner

PAIRS: Final = 3


class System:
    """Runs the default and the configuration in pairs, each in a random order.

    The ratio is that of the geometric means; where more is better, that of the default over the configuration's.
    The first evaluation of a target runs its default once more, unmeasured: what it
    prints is what all others must print, where the command says so.
    """

    exclusive = True  # a study never runs it beside other cells

    def __init__(self, pairs: int = PAIRS) -> None:
        self.pairs = pairs
        self._runner: Runner | None = None
        self._meters: dict[str, Live] = {}

    def evaluate(self, instance: Target, decision: Configuration, *, seed: int) -> Outcome:
        instance.space.check(decision.values)
        return evaluate(self._meter(instance), instance, decision, self.pairs, seed)

    def close(self) -> None:
        """End the process that starts programs; it ends with this one in any case."""
        if self._runner is not None:
            self._runner.close()
        self._runner = None
        self._meters.clear()

    def _meter(self, target: Target) -> Live:
        if target.command is None:
            raise UsageError(f"{target.name}: there is no command to run; use the backend 'simulator'")
        if self._runner is None:
            self._runner = Runner()
        meter = self._meters.get(target.name)
        if meter is None or meter.command != target.command:
            meter = Live(target.command, self._runner)
            meter.probe()
            self._meters[target.name] = meter
        return meter


def evaluate(meter: Meter, target: Target, decision: Configuration, pairs: int, seed: int) -> Outcome:
    """The outcome of a configuration by `pairs` pairs of runs. It is not feasible once a run of it fails."""
    search = decision.search
    spent = {}
    if search is not None:
        spent = {"trials": float(search.trials), "invalid": float(search.invalid)}
        spent |= {"seconds": search.seconds, "overhead": search.overhead}
    rng = np.random.default_rng(seed)
    logs: list[float] = []
    seen: list[Reading] = []
    for _ in range(pairs):
        losses: dict[bool, float] = {}
        for is_default in rng.permutation([True, False]).tolist():
            reading = meter.read(target.space.default if is_default else decision.values, FOREVER)
            if reading.status != "ok" and is_default:
                raise broken(reading)
            if reading.status != "ok":
                return Outcome(spent, feasible=False, note=f"{reading.status}: {reading.note}")
            losses[is_default] = target.objective.loss(reading.metrics)
            if not is_default:
                seen.append(reading)
        logs.append(losses[False] - losses[True])
    return _outcome(target.objective, logs, seen, spent)


def _outcome(objective: Objective, logs: list[float], seen: list[Reading], spent: dict[str, float]) -> Outcome:
    means = {name: sum(r.metrics[name] for r in seen) / len(seen) for name in seen[0].metrics}
    over = objective.broken(means)
    metrics = {"ratio": math.exp(sum(logs) / len(logs)), **spent}
    if not over:
        return Outcome(metrics)
    note = ", ".join(f"{c.metric} {means[c.metric]:.4g} > {c.limit:.4g}" for c in over)
    return Outcome({**metrics, **{c.metric: means[c.metric] for c in over}}, feasible=False, note=note)
