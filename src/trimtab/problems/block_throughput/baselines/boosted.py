# SPDX-License-Identifier: Apache-2.0
"""Gradient-boosted trees (LightGBM) on opcode counts and `counts.SIMPLE`: no latency or port is known to it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.extras import need
from trimtab.core.task import Task

from ..problem import BlockSet, Floats, Prediction
from .counts import SIMPLE, opcode_counts, simple_features
from .forest import Forest, shapes
from .tokens import vocabulary
from .trained import Blocks, Examples, Trained, integer, training

SHIPPED: Final = Path(__file__).parents[1] / "weights" / "boosted_counts.safetensors"
NAME: Final = "boosted_counts"
_MOST_TREES, _MOST_NODES = 10_000, 4_000_000


class BoostedCounts(Trained):
    """The solver: one forest, to which the CPU is a feature like the others, for the logarithm of the cycles."""

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        return (NAME,)

    @classmethod
    def shapes(cls, card: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
        return shapes(integer(card, "trees", _MOST_TREES), integer(card, "nodes", _MOST_NODES))

    @cached_property
    def forest(self) -> Forest:
        return Forest.load(self.weights, 1 + len(SIMPLE) + len(self.words))

    def predict(self, code: Sequence[bytes], blocks: Blocks, target: int) -> Floats:
        of = np.full(len(blocks), target)
        return np.asarray(np.exp(self.forest.predict(features(code, blocks, of, self.words))))


def shipped() -> BoostedCounts:
    """The solver with the trees that trimtab ships."""
    return BoostedCounts.load(SHIPPED)


def features(code: Sequence[bytes], blocks: Blocks, target: NDArray[np.int64], words: Mapping[str, int]) -> Floats:
    """CPU, `SIMPLE`, opcode counts.  (blocks, features)"""
    simple = simple_features(blocks, [len(one) for one in code])
    return np.concatenate((target[:, None], simple, opcode_counts(blocks, words).toarray()), axis=1)


@dataclass(frozen=True)
class BoostedCountsLearner:
    """Trains the forest: absolute error of the log cycles. Rare opcodes are unknown ones."""

    trees: int = 400
    leaves: int = 31
    rate: float = 0.12
    least: int = 50

    def fit(self, tasks: Sequence[Task[BlockSet, Prediction]]) -> Trained:
        return training(NAME, tasks, self.model, asdict(self))

    def model(self, seen: Examples, seconds: float) -> Trained:
        """Train on examples, for at most some seconds."""
        lightgbm = need("lightgbm", extra="throughput", purpose=f"training {NAME}")
        words = vocabulary(((one.opcode for one in block) for block in seen.blocks), self.least)
        table = features(seen.code, seen.blocks, seen.target, words)
        options = {
            "objective": "regression_l1",
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            "max_bin": 63,
            "feature_fraction": 0.6,
            "num_threads": 1,
            "deterministic": True,
            "verbose": -1,
        }
        labelled = lightgbm.Dataset(table.astype(np.float32), np.log(seen.cycles), free_raw_data=True)
        deadline = time.perf_counter() + seconds

        def stop(progress: Any) -> None:
            if time.perf_counter() > deadline:
                raise lightgbm.callback.EarlyStopException(progress.iteration, [])

        forest = Forest.of(lightgbm.train(options, labelled, self.trees, callbacks=[stop]))
        card = {"trees": len(forest.root), "nodes": len(forest.feature)}
        return BoostedCounts(forest.arrays(), {"words": list(words), "targets": list(seen.targets), **card})
