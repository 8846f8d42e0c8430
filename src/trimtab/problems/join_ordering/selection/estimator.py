# SPDX-License-Identifier: Apache-2.0
"""Rows of every connected subset: the sample where it knows, the learnt correction where it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ..problem import ESTIMATE, Cardinalities, JoinQuery
from .correction import Correction
from .statistics import Statistics
from .synopsis import Synopsis

#: Sampled values at which the sample and the correction weigh the same.
EVEN: Final = 1.0


@dataclass(frozen=True)
class Estimator:
    """Statistics of columns for single relations; for joins a weighted mean of logarithms."""

    statistics: Statistics
    correction: Correction
    synopsis: Synopsis

    def learnt(self, query: JoinQuery) -> Cardinalities:
        """Without the sample: a tenth of the time."""
        return self.correction.cardinalities(query, self.statistics.base_rows(query))

    def cardinalities(self, query: JoinQuery) -> Cardinalities:
        learnt = self.learnt(query)
        sampled = self.synopsis.rows(query)
        if sampled is None:
            return learnt
        subsets = learnt.subsets
        rows, support = np.array([sampled[s] for s in subsets.tolist()]).T
        weight = np.where(subsets & (subsets - 1) == 0, 0.0, support / (support + EVEN))
        logs = weight * np.log(np.maximum(1.0, rows)) + (1 - weight) * np.log(learnt.rows)
        return Cardinalities(subsets, np.exp(logs), np.full(len(subsets), ESTIMATE, np.int8), "sample and correction")
