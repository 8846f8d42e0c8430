# SPDX-License-Identifier: Apache-2.0
"""The backend `simulator`: a configuration against the default, on a replayed target."""

from __future__ import annotations

import math

import numpy as np

from trimtab.core.errors import UsageError
from trimtab.core.outcome import Outcome

from ..problem import Configuration, Target


class Simulator:
    """One run of the configuration over one of the default, both with fresh noise.

    With ``exact=True`` there is none: what a benchmark judges by.
    """

    def __init__(self, *, exact: bool = False) -> None:
        self.exact = exact

    def evaluate(self, instance: Target, decision: Configuration, *, seed: int) -> Outcome:
        replay = instance.replay
        if replay is None:
            raise UsageError(f"{instance.name}: there is no table of measurements to replay; use the backend 'system'")
        instance.space.check(decision.values)
        search = decision.search
        spent = {} if search is None else {"trials": float(search.trials), "invalid": float(search.invalid)}
        limits = instance.objective.constraints
        trial = replay.measure(decision.values, np.random.default_rng(seed), [c.metric for c in limits])
        if trial.loss is None:
            return Outcome(spent, feasible=False, note=trial.status)
        loss = replay.loss(decision.values) if self.exact else trial.loss
        metrics = {"ratio": math.exp(loss), **spent}
        broken = instance.objective.broken(trial.metrics)
        if broken:
            note = ", ".join(f"{c.metric} {trial.metrics[c.metric]:.4g} > {c.limit:.4g}" for c in broken)
            return Outcome({**metrics, **trial.metrics}, feasible=False, note=note)
        return Outcome(metrics)
