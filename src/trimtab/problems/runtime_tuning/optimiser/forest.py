# SPDX-License-Identifier: Apache-2.0
"""Extremely randomised trees, all grown at once, level by level, in plain NumPy.

Each tree sees a bootstrap sample; a node tries `tries` random (feature, cut) pairs
and keeps the one that lowers the sum of squares most (Geurts, Ernst and Wehenkel
2006). Growing a level is a few array operations for all nodes of all trees, so that
a forest of 200 rows takes a few milliseconds without compiled code. A leaf gives
mean and variance; the forest's variance is that of the mixture (Hutter et al.
2014, section 4.3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..encoding import Bools, Floats, Ints


@dataclass(frozen=True)
class Forest:
    """Nodes of all trees in one array; children of an inner node are `left` and `left + 1`."""

    feature: Ints  # (nodes,)
    cut: Floats
    left: Ints  # -1: a leaf
    mean: Floats
    variance: Floats  # of the mean of a leaf
    roots: Ints  # (trees,)
    depth: int
    out_of_bag: Bools  # (trees, rows)

    def leaves(self, x: Floats) -> Ints:
        """The leaf of each row in each tree.  (trees, m)"""
        at = np.repeat(self.roots[:, None], len(x), axis=1)
        rows = np.arange(len(x))[None, :]
        for _ in range(self.depth):
            left = self.left[at]
            right = x[rows, self.feature[at]] > self.cut[at]
            at = np.where(left >= 0, left + right, at)
        return at

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of the noise-free value.  (m,), (m,)"""
        leaves = self.leaves(x)
        means = self.mean[leaves]
        return means.mean(axis=0), means.var(axis=0) + self.variance[leaves].mean(axis=0)

    def left_out(self, x: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of each training row by the trees that did not see it.  (n,), (n,)"""
        leaves = self.leaves(x)
        use = self.out_of_bag.astype(np.float64)
        use[:, use.sum(axis=0) < 2] = 1.0  # seen by nearly all: no better answer
        total = use.sum(axis=0)
        means = self.mean[leaves]
        mean = (use * means).sum(axis=0) / total
        spread = (use * (means - mean) ** 2).sum(axis=0) / total
        return mean, spread + (use * self.variance[leaves]).sum(axis=0) / total


def grow(
    x: Floats, y: Floats, weight: Floats, rng: np.random.Generator, *, trees: int = 16, tries: int = 6, least: int = 3
) -> Forest:
    """A forest on rows of features; `weight` is how many runs a row stands for."""
    n = len(y)
    drawn = np.stack([rng.integers(0, n, n) for _ in range(trees)])
    bag = np.zeros((trees, n))
    np.add.at(bag, (np.repeat(np.arange(trees), n), drawn.ravel()), 1.0)
    rows = np.tile(np.arange(n), trees)
    mass = (bag * weight).ravel()
    keep = mass > 0
    rows, mass = rows[keep], mass[keep]
    node = np.repeat(np.arange(trees), n)[keep]
    values = y[rows]
    ground = float(np.var(y)) * 0.05 + 1e-9

    features, cuts, lefts, means, variances = [], [], [], [], []
    first, count, depth = 0, trees, 0
    while count:
        local = node - first
        m0, m1, m2, held = _moments(local, mass, values, count)
        mean = m1 / m0
        spread = np.maximum(m2 / m0 - mean**2, 0.0)
        feature, cut, gain = _split(x, rows, local, mass, values, count, rng, tries)
        split = (held >= 2 * least) & (gain > 1e-12) & (spread > 1e-10) & (depth < 24)
        left = np.full(count, -1)
        left[split] = first + count + 2 * np.arange(int(split.sum()))
        features.append(feature)
        cuts.append(cut)
        lefts.append(left)
        means.append(mean)
        variances.append((spread + ground) / np.maximum(held, 1.0))
        inside = split[local]
        right = x[rows, feature[local]] > cut[local]
        node = (left[local] + right)[inside]
        rows, mass, values = rows[inside], mass[inside], values[inside]
        first += count
        count = 2 * int(split.sum())
        depth += 1
    join = np.concatenate
    return Forest(
        join(features), join(cuts), join(lefts), join(means), join(variances), np.arange(trees), depth, bag == 0
    )


def _moments(local: Ints, mass: Floats, values: Floats, count: int) -> tuple[Floats, Floats, Floats, Floats]:
    total: Floats = np.bincount(local, mass, count).astype(np.float64)
    first: Floats = np.bincount(local, mass * values, count).astype(np.float64)
    second: Floats = np.bincount(local, mass * values**2, count).astype(np.float64)
    return total, first, second, np.bincount(local, minlength=count).astype(np.float64)


def _split(
    x: Floats, rows: Ints, local: Ints, mass: Floats, values: Floats, count: int, rng: np.random.Generator, tries: int
) -> tuple[Ints, Floats, Floats]:
    """The best of `tries` random cuts of every node: feature, cut and what it takes off the sum of squares."""
    feature = rng.integers(0, x.shape[1], (tries, count))
    seen = x[rows, feature[:, local]]  # (tries, rows)
    place = (local + count * np.arange(tries)[:, None]).ravel()
    low, high = np.full(tries * count, np.inf), np.full(tries * count, -np.inf)
    np.minimum.at(low, place, seen.ravel())
    np.maximum.at(high, place, seen.ravel())
    cut = low + rng.random(tries * count) * (high - low)
    right = seen.ravel() > cut[place]
    weight = np.tile(mass, tries)
    total = np.bincount(place, weight, tries * count)
    product = weight * np.tile(values, tries)
    whole = np.bincount(place, product, tries * count)
    mass_right = np.bincount(place, weight * right, tries * count)
    sum_right = np.bincount(place, product * right, tries * count)
    mass_left = total - mass_right
    apart = (mass_right > 0) & (mass_left > 0)
    between = np.where(apart, mass_left * mass_right, 1.0)
    difference = sum_right * mass_left - (whole - sum_right) * mass_right
    gain = np.where(apart, difference**2 / (between * total), -1.0).reshape(tries, count)
    best = gain.argmax(axis=0)
    at = np.arange(count)
    return feature[best, at], cut.reshape(tries, count)[best, at], gain[best, at]
