# SPDX-License-Identifier: Apache-2.0
"""Boosted trees, evaluated in compiled code; LightGBM is needed to train them only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..baselines.forest import Forest


@njit(cache=True, nogil=True, fastmath=True)
def _sum(root: Any, feature: Any, threshold: Any, left: Any, right: Any, x: Any, total: Any) -> None:
    for tree in range(len(root)):
        for row in range(len(x)):
            node = root[tree]
            at = feature[node]
            while at >= 0:
                node = left[node] if x[row, at] <= threshold[node] else right[node]
                at = feature[node]
            total[row] += threshold[node]


class Trees:
    """A `Forest` in the types that compiled code is fast with."""

    def __init__(self, forest: Forest) -> None:
        self.root = forest.root.astype(np.int32)
        self.feature = forest.feature.astype(np.int32)
        self.threshold = forest.threshold.astype(np.float32)
        self.left = forest.left.astype(np.int32)
        self.right = forest.right.astype(np.int32)

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sum of the trees' leaves.  (rows, features) -> (rows,)"""
        total = np.zeros(len(x))
        for start in range(0, len(x), 512):  # rows that stay in the cache while tree after tree is walked
            part = slice(start, start + 512)
            _sum(self.root, self.feature, self.threshold, self.left, self.right, x[part], total[part])
        return total
