# SPDX-License-Identifier: Apache-2.0
"""`Imitation`: the network's beliefs, decoded by list scheduling; and what the warm search gets from it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.task import Task
from trimtab.kit.weights import CardedWeights, load_weights

from ..baselines.common import Prepared, decide, prepare, upward_rank
from ..problem import Placement, PlacementInstance
from .features import features
from .network import Weights, forward, shapes
from .ties import MIXTURES, Guide, best_plan

SHIPPED: Final = Path(__file__).parents[1] / "weights" / "imitation.safetensors"


class Imitation(CardedWeights):
    """Learnt from what long searches found: which edges stay on one device, and in which order ops start."""

    track = "policy"

    def __init__(self, weights: Weights | None = None, card: Mapping[str, Any] | None = None) -> None:
        if weights is None:
            weights, card = shipped()
        self.weights: Weights = dict(weights)
        self.card: Mapping[str, Any] = dict(card or {})

    @property
    def config(self) -> dict[str, Any]:
        return {"mixtures": list(MIXTURES)}

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        instance = task.instance
        ready = prepare(instance)
        return decide(instance, *best_plan(instance, ready, self.guide(instance, ready)))

    def guide(self, instance: PlacementInstance, ready: Prepared) -> Guide:
        """Orders by upward ranks and by the network's starts; ties as it believes in them, and, second, all ties."""
        f = features(instance)
        together, start = forward(self.weights, f)
        belief = 1.0 / (1.0 + np.exp(-together))
        return Guide([upward_rank(ready, instance), -start], np.stack([f.seconds * belief, f.seconds]))

    @classmethod
    def load(cls, path: Path) -> Imitation:
        """Raises `DataError` where the file does not hold such a network."""
        weights, card = load_weights(path, shapes())
        return cls(weights, card)


@cache
def shipped() -> tuple[Weights, Mapping[str, Any]]:
    return load_weights(SHIPPED, shapes())
