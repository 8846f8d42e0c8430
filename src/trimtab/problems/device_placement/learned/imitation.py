# SPDX-License-Identifier: Apache-2.0
"""`Imitation`: the network's beliefs, decoded by list scheduling; and what the warm search gets from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.task import Task
from trimtab.kit.weights import CardedWeights, load_weights

from ..baselines import listing
from ..baselines.common import Prepared, decide, prepare
from ..problem import Floats, Placement, PlacementInstance
from .annealing import Start
from .decode import decode
from .features import features
from .network import Weights, forward, shapes

SHIPPED: Final = Path(__file__).parents[1] / "weights" / "imitation.safetensors"

#: How much a broken tie costs beside an op's finish; the plan that ends first by its own reckoning is taken.
MIXTURES: Final = (0.0, 0.25, 0.5, 1.0, 2.0)


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
        plans, values, _ = self.plans(instance, ready)
        where, priority = plans[int(np.argmin(values))]
        return decide(instance, where, priority)

    def plans(self, instance: PlacementInstance, ready: Prepared) -> tuple[list[Start], list[float], Floats]:
        """A plan of each mixture in two orders, how long each says that it takes, and beliefs (edges,)."""
        f = features(instance)
        together, start = forward(self.weights, f)
        belief = 1.0 / (1.0 + np.exp(-together))
        up, _ = listing.ranks_of(ready.packed, ready.order)
        tie = f.seconds * belief
        plans, values = [], []
        for importance in (up, -start):
            for weight in MIXTURES:
                where, begin, end = decode(
                    ready.packed, ready.unit, ready.unit_bytes, ready.unit_workspace, ready.unit_cost,
                    importance, tie, weight,
                )  # fmt: skip
                plans.append((np.asarray(where, np.int64), -begin))
                values.append(float(end))
        return plans, values, belief

    def guidance(
        self, instance: PlacementInstance, ready: Prepared, starts: Sequence[Start], most: int = 3
    ) -> tuple[list[Start], Floats]:
        """Where to begin, the most promising first, and how strong ties are.  (edges,)"""
        plans, values, belief = self.plans(instance, ready)
        best = [plans[at] for at in np.argsort(values, kind="stable")[:most]]
        return [*best, *starts], belief

    @classmethod
    def load(cls, path: Path) -> Imitation:
        """Raises `DataError` where the file does not hold such a network."""
        weights, card = load_weights(path, shapes())
        return cls(weights, card)


@cache
def shipped() -> tuple[Weights, Mapping[str, Any]]:
    return load_weights(SHIPPED, shapes())
