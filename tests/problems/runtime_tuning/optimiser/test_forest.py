# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from trimtab.problems.runtime_tuning.optimiser.forest import grow


def test_a_forest_learns_an_interaction_of_categories() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (200, 8)).astype(float)
    y = np.where((x[:, 1] == 1) & (x[:, 4] == 1), 1.0, 0.0) + 0.05 * rng.normal(size=200)
    forest = grow(x, y, np.ones(200), np.random.default_rng(1), trees=40)
    new = rng.integers(0, 2, (400, 8)).astype(float)
    truth = ((new[:, 1] == 1) & (new[:, 4] == 1)).astype(float)
    mean, variance = forest.predict(new)
    assert 1.0 - ((mean - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum() > 0.8
    assert (variance > 0).all()


def test_leaves_hold_the_weighted_means_of_their_bags() -> None:
    rng = np.random.default_rng(2)
    x, y, weight = rng.random((30, 3)), rng.normal(size=30), rng.integers(1, 5, 30).astype(float)
    forest = grow(x, y, weight, np.random.default_rng(3), trees=5)
    leaves = forest.leaves(x)
    for tree in range(5):
        seen = ~forest.out_of_bag[tree]
        assert seen.sum() < 30
        for leaf in np.unique(leaves[tree, seen]):
            rows = np.flatnonzero(seen & (leaves[tree] == leaf))
            assert y[rows].min() - 1e-9 <= forest.mean[leaf] <= y[rows].max() + 1e-9
            if len(rows) == 1:
                assert forest.mean[leaf] == pytest.approx(y[rows[0]])


def test_rows_left_out_are_foretold_worse_than_rows_seen() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.random((60, 4)), rng.normal(size=60)  # nothing to learn
    forest = grow(x, y, np.ones(60), np.random.default_rng(5))
    seen, _ = forest.predict(x)
    unseen, variance = forest.left_out(x)
    assert ((unseen - y) ** 2).mean() > 1.5 * ((seen - y) ** 2).mean()
    assert (variance > 0).all()


def test_a_constant_is_one_leaf() -> None:
    forest = grow(np.ones((5, 2)), np.full(5, 2.0), np.ones(5), np.random.default_rng(0))
    assert forest.predict(np.zeros((1, 2)))[0] == pytest.approx([2.0])
