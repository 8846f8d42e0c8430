# SPDX-License-Identifier: Apache-2.0
"""A random projection to few dimensions, after LlamaTune (Kanellis et al., VLDB 2022).

Each knob hangs on one of a few hidden dimensions, with a random sign (HeSBO; Nayebi,
Munteanu and Poloczek 2019); special values keep their share of the interval, and
values are bucketised. LlamaTune lets SMAC search there; here it is trimtab's optimiser.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..encoding import Floats
from ..optimiser import Tuner
from ..problem import Target, Trial
from ..space import Knob, KnobSpace, Values
from .noisy import NoisyBest

_DIMENSIONS: Final = 8  # the paper has 16 for about 100 knobs
_BUCKETS: Final = 10_000


class Projected(NoisyBest):
    def __init__(self, target: Target, seed: int, budget: int | None = None) -> None:
        super().__init__(target, seed)
        rng = np.random.default_rng((seed, 7))
        many = len(target.space.knobs)
        few = min(_DIMENSIONS, many)
        self._dimension = rng.integers(0, few, many)
        self._sign = rng.choice([-1.0, 1.0], many)
        hidden = tuple(Knob(f"z{i}", "real", 0.0, -1.0, 1.0) for i in range(few))
        self._tuner = Tuner(KnobSpace(hidden), target.objective, seed=seed, budget=budget)
        self._asked: list[tuple[Values, Values]] = []
        self._first = True

    def ask(self) -> Values:
        if self._first:
            self._first = False
            return self.space.default
        for _ in range(100):
            point = self._tuner.ask()
            values = self.space.at(self._lifted(point))
            if self.space.allows(values):
                self._asked.append((values, point))
                return values
            self._tuner.tell(Trial(point, "refused"))
        return self.space.default

    def _lifted(self, point: Values) -> Floats:
        z = np.array([float(point[f"z{i}"]) for i in range(len(point))])  # type: ignore[arg-type]
        u = 0.5 + 0.5 * self._sign * z[self._dimension]
        lifted: Floats = np.clip(np.floor(u * _BUCKETS) / _BUCKETS, 0.0, 1.0)
        return lifted

    def tell(self, trial: Trial) -> None:
        super().tell(trial)
        for i, (values, point) in enumerate(self._asked):
            if values == trial.values:
                del self._asked[i]
                self._tuner.tell(
                    Trial(point, trial.status, trial.loss, trial.runs, trial.metrics, trial.seconds, trial.note)
                )
                return
