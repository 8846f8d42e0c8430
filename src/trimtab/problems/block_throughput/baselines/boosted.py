# SPDX-License-Identifier: Apache-2.0
"""Gradient-boosted trees (LightGBM) on opcode counts and `counts.SIMPLE`: no latency or port is known to it.

``boosted_mca`` is also told what llvm-mca says of each block, both its outputs: the
best that was known for Zen 4 before this problem.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from trimtab.core.extras import need
from trimtab.core.task import Task

from ..problem import BlockSet, Floats, Prediction
from .cores import core_of
from .counts import SIMPLE, opcode_counts, simple_features
from .forest import Forest, shapes
from .mca import asked_once
from .tokens import vocabulary
from .trained import Blocks, Examples, Trained, integer, training

Name = Literal["boosted_counts", "boosted_mca"]
NAMES: Final[tuple[Name, ...]] = ("boosted_counts", "boosted_mca")
SHIPPED: Final = Path(__file__).parents[1] / "weights"
_MOST_TREES, _MOST_NODES = 10_000, 4_000_000
_MCA_OUTPUTS: Final = 2


class BoostedCounts(Trained):
    """The solver: one forest, to which the CPU is a feature like the others, for the logarithm of the cycles."""

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        return NAMES

    @classmethod
    def shapes(cls, card: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        return shapes(integer(card, "trees", _MOST_TREES), integer(card, "nodes", _MOST_NODES))

    @cached_property
    def forest(self) -> Forest:
        more = _MCA_OUTPUTS if self.card["solver"] == "boosted_mca" else 0
        return Forest.load(self.weights, 1 + len(SIMPLE) + more + len(self.words))

    def predict(self, code: Sequence[bytes], blocks: Blocks, target: int) -> Floats:
        parts = [np.full((len(blocks), 1), target), simple_features(blocks, [len(one) for one in code])]
        if self.card["solver"] == "boosted_mca":
            parts.append(mca_outputs(code, self.card["targets"][target]))
        parts.append(opcode_counts(blocks, self.words).toarray())
        return np.asarray(np.exp(self.forest.predict(np.concatenate(parts, axis=1))))


def shipped(name: Name) -> BoostedCounts:
    """The solver with the trees that trimtab ships."""
    return BoostedCounts.load(SHIPPED / f"{name}.safetensors")


def mca_outputs(code: Sequence[bytes], target: str) -> Floats:
    """llvm-mca's steady state and RThroughput for a CPU, -1 where it refuses.  (blocks, 2)"""
    found = asked_once(tuple(code), core_of(target.split()[0]).mcpu, True)
    return np.nan_to_num(np.stack((found.steady, found.rthroughput), axis=1), nan=-1.0)


@dataclass(frozen=True)
class BoostedCountsLearner:
    """Trains the forest: absolute error of the log cycles. Rare opcodes are unknown ones."""

    name: Name = "boosted_counts"
    trees: int = 400
    leaves: int = 31
    rate: float = 0.12
    least: int = 50

    def fit(self, tasks: Sequence[Task[BlockSet, Prediction]]) -> Trained:
        return training(self.name, tasks, self.model, asdict(self))

    def model(self, seen: Examples, seconds: float) -> Trained:
        """Train on examples, for at most some seconds."""
        lightgbm = need("lightgbm", extra="throughput", purpose=f"training {self.name}")
        deadline = time.perf_counter() + seconds
        words = vocabulary(((one.opcode for one in block) for block in seen.blocks), self.least)

        def stop(progress: Any) -> None:
            if time.perf_counter() > deadline:
                raise lightgbm.callback.EarlyStopException(progress.iteration, [])

        labelled = lightgbm.Dataset(self._table(seen, words), np.log(seen.cycles))
        forest = Forest.of(lightgbm.train(self._options(), labelled, self.trees, callbacks=[stop]))
        card = {"solver": self.name, "trees": len(forest.root), "nodes": len(forest.feature)}
        return BoostedCounts(forest.arrays(), {"words": list(words), "targets": list(seen.targets), **card})

    def _table(self, seen: Examples, words: Mapping[str, int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """As in `BoostedCounts.predict`, for all CPUs together."""
        parts = [seen.target[:, None], simple_features(seen.blocks, [len(one) for one in seen.code])]
        if self.name == "boosted_mca":
            outputs = np.zeros((len(seen.code), _MCA_OUTPUTS))
            for at, target in enumerate(seen.targets):
                rows = np.flatnonzero(seen.target == at)
                outputs[rows] = mca_outputs([seen.code[row] for row in rows], target)
            parts.append(outputs)
        parts.append(opcode_counts(seen.blocks, words).toarray())
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def _options(self) -> dict[str, Any]:
        return {
            "objective": "regression_l1",
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            "max_bin": 63 if self.name == "boosted_counts" else 255,
            "feature_fraction": 0.6,
            "num_threads": 1,
            "deterministic": True,
            "verbose": -1,
        }
