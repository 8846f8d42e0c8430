# SPDX-License-Identifier: Apache-2.0
"""`NoisyBest`: keeps the configuration with the lowest single result, as most optimisers do."""

from __future__ import annotations

import math

from ..problem import Target, Trial
from ..space import Values


class NoisyBest:
    """The lowest loss told of a configuration that works and meets the constraints; the default before there is one."""

    def __init__(self, target: Target, seed: int) -> None:
        self.target, self.space, self.seed = target, target.space, seed
        self._kept: Values = target.space.default
        self._loss = math.inf
        self.worst = 0.0  # loss told

    def tell(self, trial: Trial) -> None:
        if trial.loss is not None:
            self.worst = max(self.worst, trial.loss)
            if trial.status == "ok" and trial.loss < self._loss:
                self._kept, self._loss = trial.values, trial.loss

    def best(self) -> Values:
        return self._kept

    def penalised(self, trial: Trial) -> float:
        """A loss for every trial: what has none, or breaks a constraint, is as bad as the worst told."""
        if trial.loss is None or trial.status == "constraint":
            return self.worst + 0.1
        return trial.loss
