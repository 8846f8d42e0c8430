# SPDX-License-Identifier: Apache-2.0
"""Measured labels as a backend: a prediction is compared with what was measured before, here or elsewhere."""

from __future__ import annotations

from trimtab.core.outcome import Outcome

from .problem import BlockSet, Prediction
from .scoring import score
from .workload import truth


class Labels:
    """The backend. Blocks without a label are left out; an instance that has none is infeasible."""

    def evaluate(self, instance: BlockSet, decision: Prediction, *, seed: int) -> Outcome:
        return score(instance, decision, truth(instance))
