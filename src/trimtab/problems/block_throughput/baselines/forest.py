# SPDX-License-Identifier: Apache-2.0
"""Boosted trees as arrays: what LightGBM trained, predicted without it and saved without its text format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import DataError

Arrays = Mapping[str, NDArray[np.float32]]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Forest:
    """Binary trees, one node after the other. A row goes left where its feature is <= threshold.

    `left` and `right` are nodes, always later ones; a leaf has feature -1 and its
    value as threshold.
    """

    root: Ints  # (trees,)
    feature: Ints  # (nodes,)
    threshold: NDArray[np.float64]  # (nodes,)
    left: Ints  # (nodes,)
    right: Ints  # (nodes,)

    @classmethod
    def of(cls, booster: Any) -> Forest:
        """From a `lightgbm.Booster` without categories and missing values."""
        roots, rows = list[int](), list[list[float]]()
        for tree in booster.dump_model()["tree_info"]:
            roots.append(len(rows))
            _append(tree["tree_structure"], rows)
        table = np.array(rows)
        left, right, feature = (table[:, at].astype(np.int64) for at in (2, 3, 0))
        return cls(np.array(roots, np.int64), feature, table[:, 1], left, right)

    @classmethod
    def constant(cls, value: float) -> Forest:
        """A tree that is one leaf."""
        none = np.zeros(1, np.int64)
        return cls(none, none - 1, np.array([value]), none, none)

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of the trees' leaves.  (rows, features) -> (rows,)"""
        total = np.zeros(len(x))
        rows = np.arange(len(x))
        for root in self.root:
            node = np.full(len(x), root)
            going = rows
            while len(going):
                at = node[going]
                going, at = going[self.feature[at] >= 0], at[self.feature[at] >= 0]
                less = x[going, self.feature[at]] <= self.threshold[at]
                node[going] = np.where(less, self.left[at], self.right[at])
            total += self.threshold[node]
        return total

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """As float32, in which numbers of nodes are exact."""
        columns = np.stack((self.feature, self.threshold, self.left, self.right))
        return {"root": self.root.astype(np.float32), "nodes": columns.astype(np.float32)}

    @classmethod
    def load(cls, arrays: Arrays, features: int) -> Forest:
        """Raises `DataError` where following the arrays would leave them, or never end."""
        feature, left, right = (arrays["nodes"][at].astype(np.int64) for at in (0, 2, 3))
        root, here = arrays["root"].astype(np.int64), np.arange(len(feature))
        inner = feature >= 0
        forward = (left > here) & (right > here) & (left < len(here)) & (right < len(here))
        if not ((feature >= -1) & (feature < features)).all() or not forward[inner].all():
            raise DataError("boosted trees: a node names a feature or a node that is not there")
        if not ((root >= 0) & (root < len(here))).all():
            raise DataError("boosted trees: a root that is not there")
        return cls(root, feature, arrays["nodes"][1].astype(np.float64), left, right)


def shapes(trees: int, nodes: int) -> dict[str, tuple[int, ...]]:
    """Of `Forest.arrays`."""
    return {"root": (trees,), "nodes": (4, nodes)}


def _append(tree: Mapping[str, Any], rows: list[list[float]]) -> int:
    """The number of the tree's first node."""
    here = len(rows)
    if "leaf_value" in tree:
        rows.append([-1, tree["leaf_value"], 0, 0])
        return here
    rows.append([])
    left, right = (_append(tree[side], rows) for side in ("left_child", "right_child"))
    rows[here] = [tree["split_feature"], tree["threshold"], left, right]
    return here
