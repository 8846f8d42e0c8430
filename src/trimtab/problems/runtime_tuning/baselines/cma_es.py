# SPDX-License-Identifier: Apache-2.0
"""CMA-ES (Hansen 2016, package `cma`) on the unit cube, from the default."""

from __future__ import annotations

from typing import Any

import numpy as np

from trimtab.core.extras import need

from ..encoding import Floats
from ..problem import Target, Trial
from ..space import Values
from .noisy import NoisyBest


class CMAES(NoisyBest):
    """A generation is told when all of it was measured; what has no value counts as the worst."""

    def __init__(self, target: Target, seed: int, budget: int | None = None) -> None:
        super().__init__(target, seed)
        cma = need("cma", extra="tuners", purpose="the solver 'cma_es'")
        start = np.clip(target.space.unit_of(target.space.default), 0.05, 0.95)
        if len(start) == 1:  # cma wants two dimensions
            start = np.r_[start, 0.5]
        options = {"bounds": [0.0, 1.0], "seed": seed % (1 << 30) + 1, "verbose": -9}
        self._strategy: Any = cma.CMAEvolutionStrategy(start, 0.25, options)
        self._waiting: list[Floats] = []
        self._asked: list[tuple[Values, Floats]] = []
        self._done: list[tuple[Floats, float]] = []
        self._first = True

    def ask(self) -> Values:
        if self._first:
            self._first = False
            return self.space.default
        while not self._waiting:
            self._waiting = list(self._strategy.ask())
        point = self._waiting.pop(0)
        values = self.space.at(np.clip(point[: len(self.space.knobs)], 0.0, 1.0))
        if not self.space.allows(values):
            self._finish(point, self.worst + 0.1)
            return self.ask()
        self._asked.append((values, point))
        return values

    def tell(self, trial: Trial) -> None:
        super().tell(trial)
        for i, (values, point) in enumerate(self._asked):
            if values == trial.values:
                del self._asked[i]
                self._finish(point, self.penalised(trial))
                return

    def _finish(self, point: Floats, loss: float) -> None:
        self._done.append((point, loss))
        if len(self._done) >= self._strategy.popsize and not self._waiting and not self._asked:
            self._strategy.tell([p for p, _ in self._done], [value for _, value in self._done])
            self._done = []
