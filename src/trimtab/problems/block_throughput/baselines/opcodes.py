# SPDX-License-Identifier: Apache-2.0
"""A cost for each opcode, added up: the mean of what blocks with it take, or by linear regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from trimtab.core.task import Task

from ..problem import BlockSet, Floats, Prediction
from .counts import opcode_counts
from .tokens import vocabulary
from .trained import Blocks, Examples, Trained, training

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SHIPPED: Final = Path(__file__).parents[1] / "weights"

_ROUNDS: Final = 12
_RIDGE: Final = 1e-3


class OpcodeCosts(Trained):
    """The solver: costs of opcodes added up, and never less than the shortest block that was trained on."""

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        return "mean_opcode", "linear"

    @classmethod
    def shapes(cls, card: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        return {"costs": (len(card["targets"]), len(card["words"])), "least": (len(card["targets"]),)}

    def predict(self, code: Sequence[bytes], blocks: Blocks, target: int) -> Floats:
        costs = self.weights["costs"][target].astype(np.float64)
        return np.asarray(np.maximum(opcode_counts(blocks, self.words) @ costs, self.weights["least"][target]))


def shipped(rule: str) -> OpcodeCosts:
    """The solver ``mean_opcode`` or ``linear`` with the costs that trimtab ships."""
    return OpcodeCosts.load(SHIPPED / f"{rule}.safetensors")


@dataclass(frozen=True)
class OpcodeCostsLearner:
    """Fits the costs of each CPU apart. An opcode that occurs fewer than `least` times is an unknown one."""

    rule: Literal["mean_opcode", "linear"] = "linear"
    least: int = 5

    def fit(self, tasks: Sequence[Task[BlockSet, Prediction]]) -> Trained:
        return training(self.rule, tasks, self.model, {"least": self.least})

    def model(self, seen: Examples, seconds: float) -> Trained:
        """Fit to examples; `seconds` are not needed."""
        words = vocabulary(((one.opcode for one in block) for block in seen.blocks), self.least)
        counts = opcode_counts(seen.blocks, words)
        costs, least = [], []
        for at in range(len(seen.targets)):
            rows = np.flatnonzero(seen.target == at)
            rule = mean_costs if self.rule == "mean_opcode" else regression
            costs.append(rule(counts[rows], seen.cycles[rows]))
            least.append(seen.cycles[rows].min(initial=np.inf))
        weights = {"costs": np.array(costs, np.float32), "least": np.array(least, np.float32)}
        return OpcodeCosts(weights, {"words": list(words), "targets": list(seen.targets)})


def mean_costs(counts: csr_array, cycles: Floats) -> Floats:
    """Of each opcode the mean of cycles per instruction over its occurrences, in cycles.  (words,)

    An opcode that never occurs costs what an instruction costs on average.
    """
    instructions = np.asarray(counts.sum(axis=1))
    each = cycles / np.maximum(instructions, 1)
    seen = np.asarray(counts.sum(axis=0))
    overall = float(cycles.sum() / max(instructions.sum(), 1))
    return np.where(seen > 0, counts.T @ each / np.maximum(seen, 1), overall)


def regression(counts: csr_array, cycles: Floats) -> Floats:
    """Costs with the least mean relative error: |counts @ costs - cycles| / cycles.  (words,)

    By iteratively reweighted least squares, with a little ridge towards `mean_costs`.
    """
    from scipy.sparse import diags_array

    start = mean_costs(counts, cycles)
    costs, relative = start.copy(), diags_array(1 / cycles) @ counts
    ridge = _RIDGE * len(cycles) / len(start) * np.eye(len(start))
    for _ in range(_ROUNDS):
        weight = 1 / np.maximum(np.abs(relative @ costs - 1), 1e-2)
        weighted = diags_array(weight) @ relative
        product: Any = weighted.T @ relative  # sparse; its type is not told
        square = product.toarray()
        costs = np.linalg.solve(square + ridge, np.asarray(weighted.sum(axis=0)) + ridge @ start)
    return np.asarray(costs)
