# SPDX-License-Identifier: Apache-2.0
"""Regression trees on binned features, compiled: boosted, and extremely randomised."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from trimtab.kit.compiled import compiled

from ..encoding import Floats, Ints

BINS: Final = 48


class Ensemble(NamedTuple):
    """Nodes of all trees; a leaf has `left` = -1. A prediction is `base` and the sum of the leaves."""

    roots: Ints
    feature: Ints
    cut: Ints  # go right when the bin is above
    left: Ints  # right is left + 1
    value: Floats
    base: float


def edges_of(x: Floats) -> Floats:
    """Cuts between bins, by quantiles of distinct values.  (features, BINS - 1)"""
    edges = np.full((x.shape[1], BINS - 1), np.inf)
    for j in range(x.shape[1]):
        seen = np.unique(x[:, j])
        middles = 0.5 * (seen[1:] + seen[:-1])
        if len(middles) > BINS - 1:
            middles = middles[np.linspace(0, len(middles) - 1, BINS - 1).astype(int)]
        edges[j, : len(middles)] = middles
    return edges


@compiled
def binned(x: Floats, edges: Floats) -> Ints:
    """(rows, features)"""
    bins = np.zeros(x.shape, np.int64)
    for j in range(x.shape[1]):
        for i in range(len(x)):
            bins[i, j] = np.searchsorted(edges[j], x[i, j])
    return bins


@compiled
def boosted(
    bins: Ints, y: Floats, trees: int, depth: int, least: int, rate: float, share: float, seed: int
) -> tuple[Ints, Ints, Ints, Ints, Floats, float]:
    """Gradient boosting of squared error (Friedman 2002): each tree fits what is left, on a share of the rows."""
    np.random.seed(seed)
    n = len(y)
    most = trees * (2 ** (depth + 1))
    feature, cut = np.zeros(most, np.int64), np.zeros(most, np.int64)
    left, value = np.full(most, -1, np.int64), np.zeros(most)
    roots = np.zeros(trees, np.int64)
    base = y.mean()
    rest = y - base
    used = 0
    for t in range(trees):
        rows = np.random.permutation(n)[: max(2 * least, int(share * n))]
        roots[t] = used
        used = _tree(bins, rest, rows, depth, least, 0, feature, cut, left, value, used)
        for node in range(roots[t], used):
            value[node] *= rate
        for i in range(n):
            rest[i] -= value[_leaf(bins[i], roots[t], feature, cut, left)]
    return roots, feature[:used].copy(), cut[:used].copy(), left[:used].copy(), value[:used].copy(), base


@compiled
def randomised(
    bins: Ints, y: Floats, trees: int, least: int, tries: int, seed: int
) -> tuple[Ints, Ints, Ints, Ints, Floats, float]:
    """Extremely randomised trees (Geurts, Ernst and Wehenkel 2006) on all rows, averaged."""
    np.random.seed(seed)
    n = len(y)
    most = trees * (2 * n + 1)
    feature, cut = np.zeros(most, np.int64), np.zeros(most, np.int64)
    left, value = np.full(most, -1, np.int64), np.zeros(most)
    roots = np.zeros(trees, np.int64)
    used = 0
    for t in range(trees):
        roots[t] = used
        used = _tree(bins, y, np.arange(n), 40, least, tries, feature, cut, left, value, used)
        for node in range(roots[t], used):
            value[node] /= trees
    return roots, feature[:used].copy(), cut[:used].copy(), left[:used].copy(), value[:used].copy(), 0.0


@compiled
def _tree(
    bins: Ints, y: Floats, rows: Ints, depth: int, least: int, tries: int,
    feature: Ints, cut: Ints, left: Ints, value: Floats, used: int,
) -> int:  # fmt: skip
    """Grows a tree into the arrays; `tries` random cuts a node, or (0) the best of all. Returns the next free node."""
    begins, ends = np.zeros(4 * len(rows) + 8, np.int64), np.zeros(4 * len(rows) + 8, np.int64)
    deep = np.zeros(4 * len(rows) + 8, np.int64)
    first = used
    ends[0] = len(rows)
    used += 1
    at = first
    while at < used:
        begin, end = begins[at - first], ends[at - first]
        total = 0.0
        for k in range(begin, end):
            total += y[rows[k]]
        value[at] = total / (end - begin)
        if deep[at - first] < depth and end - begin >= 2 * least:
            if tries:
                f, c = _random_cut(bins, y, rows, begin, end, total, least, tries)
            else:
                f, c = _best_cut(bins, y, rows, begin, end, total, least)
            if f >= 0:
                middle = begin
                for k in range(begin, end):
                    if bins[rows[k], f] <= c:
                        rows[k], rows[middle] = rows[middle], rows[k]
                        middle += 1
                feature[at], cut[at], left[at] = f, c, used
                for side in range(2):
                    begins[used - first] = begin if side == 0 else middle
                    ends[used - first] = middle if side == 0 else end
                    deep[used - first] = deep[at - first] + 1
                    used += 1
        at += 1
    return used


@compiled
def _best_cut(bins: Ints, y: Floats, rows: Ints, begin: int, end: int, total: float, least: int) -> tuple[int, int]:
    n = end - begin
    best, f_best, c_best = total * total / n + 1e-9, -1, 0
    sums, counts = np.zeros(BINS), np.zeros(BINS, np.int64)
    for f in range(bins.shape[1]):
        sums[:] = 0.0
        counts[:] = 0
        for k in range(begin, end):
            b = bins[rows[k], f]
            sums[b] += y[rows[k]]
            counts[b] += 1
        s, m = 0.0, 0
        for b in range(BINS - 1):
            s += sums[b]
            m += counts[b]
            if counts[b] and m >= least and n - m >= least:
                worth = s * s / m + (total - s) * (total - s) / (n - m)
                if worth > best:
                    best, f_best, c_best = worth, f, b
    return f_best, c_best


@compiled
def _random_cut(
    bins: Ints, y: Floats, rows: Ints, begin: int, end: int, total: float, least: int, tries: int
) -> tuple[int, int]:
    n = end - begin
    best, f_best, c_best = total * total / n + 1e-12, -1, 0
    for _ in range(tries):
        f = np.random.randint(bins.shape[1])
        low, high = BINS, -1
        for k in range(begin, end):
            b = bins[rows[k], f]
            low, high = min(low, b), max(high, b)
        if high > low:
            c = low + np.random.randint(high - low)
            s, m = 0.0, 0
            for k in range(begin, end):
                if bins[rows[k], f] <= c:
                    s += y[rows[k]]
                    m += 1
            if m >= least and n - m >= least:
                worth = s * s / m + (total - s) * (total - s) / (n - m)
                if worth > best:
                    best, f_best, c_best = worth, f, c
    return f_best, c_best


@compiled
def _leaf(row: Ints, root: int, feature: Ints, cut: Ints, left: Ints) -> int:
    at = root
    while left[at] >= 0:
        at = left[at] + (1 if row[feature[at]] > cut[at] else 0)
    return at


@compiled
def predict(bins: Ints, roots: Ints, feature: Ints, cut: Ints, left: Ints, value: Floats, base: float) -> Floats:
    """(rows,)"""
    found = np.full(len(bins), base)
    for i in range(len(bins)):
        for t in range(len(roots)):
            found[i] += value[_leaf(bins[i], roots[t], feature, cut, left)]
    return found


def importance(bins: Ints, y: Floats, ensemble: Ensemble, seed: int) -> Floats:
    """How much the squared error grows when a feature is shuffled, as shares.  (features,)"""
    rng = np.random.default_rng(seed)
    base = float(((predict(bins, *ensemble) - y) ** 2).mean())
    harm = np.zeros(bins.shape[1])
    for f in range(bins.shape[1]):
        shuffled = bins.copy()
        shuffled[:, f] = rng.permutation(bins[:, f])
        harm[f] = max(0.0, float(((predict(shuffled, *ensemble) - y) ** 2).mean()) - base)
    shares: Floats = harm / max(harm.sum(), 1e-12)
    return shares
