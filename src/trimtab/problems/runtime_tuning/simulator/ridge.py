# SPDX-License-Identifier: Apache-2.0
"""Kernel ridge regression with a product of exponential kernels, a weight a feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from trimtab.kit.compiled import compiled

from ..encoding import Floats

_REACHES: Final = (0.7, 2.0, 5.0)  # mean distance of two configurations, in units of the kernel's decay
_ENOUGH: Final = 600  # rows to choose by: eigenvalues take time with the cube
_RIDGES: Final = (0.02, 0.1, 0.4)


@dataclass(frozen=True)
class Ridge:
    """A fit. It is continuous but has no derivative, unlike what optimisers assume."""

    points: Floats  # (n, features), weighed
    weights: Floats  # (features,)
    alpha: Floats
    middle: float

    def predict(self, x: Floats) -> Floats:
        return self.middle + _sum(x * self.weights, self.points, self.alpha)

    @classmethod
    def fit(cls, x: Floats, y: Floats, weights: Floats, ridge: float) -> Ridge:
        points = x * weights
        gram = _gram(points)
        gram[np.diag_indices(len(y))] += ridge
        middle = float(y.mean())
        alpha = np.linalg.solve(gram, y - middle).astype(np.float64)
        return cls(points, weights, alpha, middle)


def choose(x: Floats, y: Floats, importance: Floats) -> tuple[Floats, float]:
    """Weights of the features and the ridge with the least error when each row is left out in turn.

    A feature's weight grows with the root of its importance (in another model); the
    two numbers that are searched are the overall reach and the ridge.
    """
    if len(y) > _ENOUGH:
        some = np.random.default_rng(0).choice(len(y), _ENOUGH, replace=False)
        x, y = x[some], y[some]
    apart = np.maximum(np.abs(x[:, None, :][: len(x) // 2] - x[len(x) // 2 :][None, : len(x) // 2]).mean((0, 1)), 1e-9)
    shape = np.sqrt(importance + 0.1 / len(importance))
    shape = shape / (shape * apart).sum()
    best = (np.inf, shape, _RIDGES[0])
    target = y - y.mean()
    for reach in _REACHES:
        gram = _gram(x * shape * reach)
        values, vectors = np.linalg.eigh(gram)
        inside = vectors.T @ target
        for ridge in _RIDGES:
            alpha = vectors @ (inside / (values + ridge))
            precision = (vectors**2 / (values + ridge)).sum(axis=1)
            error = float(((alpha / precision) ** 2).mean())
            if error < best[0]:
                best = (error, shape * reach, ridge)
    return best[1], best[2]


@compiled
def _gram(points: Floats) -> Floats:
    n, d = points.shape
    gram = np.ones((n, n))
    for i in range(n):
        for j in range(i):
            distance = 0.0
            for k in range(d):
                distance += abs(points[i, k] - points[j, k])
            gram[i, j] = gram[j, i] = np.exp(-distance)
    return gram


@compiled
def _sum(x: Floats, points: Floats, alpha: Floats) -> Floats:
    found = np.zeros(len(x))
    for i in range(len(x)):
        for j in range(len(points)):
            distance = 0.0
            for k in range(x.shape[1]):
                distance += abs(x[i, k] - points[j, k])
            found[i] += alpha[j] * np.exp(-distance)
    return found
