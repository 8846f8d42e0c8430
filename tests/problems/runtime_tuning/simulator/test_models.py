# SPDX-License-Identifier: Apache-2.0
"""The parts of a replay: trees, kernel ridge, and their mixture."""

import numpy as np
import pytest

from trimtab.problems.runtime_tuning.encoding import Floats
from trimtab.problems.runtime_tuning.simulator import boost
from trimtab.problems.runtime_tuning.simulator.ridge import Ridge, choose
from trimtab.problems.runtime_tuning.simulator.stack import MEMBERS, fit


def _data(n: int, seed: int = 0) -> tuple[Floats, Floats]:
    x = np.random.default_rng(seed).random((n, 5))
    return x, np.where(x[:, 0] > 0.6, 1.0, 0.0) + x[:, 1] * x[:, 2]


def test_bins_keep_the_order_and_small_sets_of_values_apart() -> None:
    x, _ = _data(500)
    x[:, 4] = np.round(3 * x[:, 4])
    bins = boost.binned(x, boost.edges_of(x))
    assert bins.max() < boost.BINS
    for j in range(5):
        order = np.argsort(x[:, j])
        assert (np.diff(bins[order, j]) >= 0).all()
    assert len(np.unique(bins[:, 4])) == 4


def test_the_first_tree_cuts_where_brute_force_would() -> None:
    x, y = _data(120)
    bins = boost.binned(x, boost.edges_of(x))
    roots, feature, cut, _, value, base = boost.boosted(bins, y, 1, 1, 5, 1.0, 1.0, 3)
    best = min(
        (
            sum(((part - part.mean()) ** 2).sum() for part in (y[bins[:, f] <= c], y[bins[:, f] > c])),
            f,
            c,
        )
        for f in range(5)
        for c in range(boost.BINS - 1)
        if min((bins[:, f] <= c).sum(), (bins[:, f] > c).sum()) >= 5
    )
    assert (feature[roots[0]], cut[roots[0]]) == best[1:]
    left = bins[:, best[1]] <= best[2]
    found = boost.predict(bins, roots, feature, cut, np.array([1, -1, -1]), value, base)
    assert found[left] == pytest.approx(np.full(left.sum(), y[left].mean()))


def test_randomised_trees_down_to_single_rows_give_the_rows_back() -> None:
    x, y = _data(60)
    bins = boost.binned(x, boost.edges_of(x))
    distinct = np.unique(bins, axis=0).shape[0]
    assert distinct == 60
    ensemble = boost.randomised(bins, y, 10, 1, 40, 0)
    assert boost.predict(bins, *ensemble) == pytest.approx(y, abs=0.05)


def test_importance_finds_what_matters() -> None:
    x, y = _data(400)
    bins = boost.binned(x, boost.edges_of(x))
    ensemble = boost.Ensemble(*boost.boosted(bins, y, 100, 4, 5, 0.1, 1.0, 0))
    shares = boost.importance(bins, y, ensemble, 0)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[[3, 4]].max() < 0.05
    assert shares.argmax() == 0


def test_ridge_is_the_closed_form() -> None:
    x, y = _data(40)
    weights = np.array([1.0, 2.0, 0.5, 0.1, 0.1])
    gram = np.exp(-(np.abs(x[:, None] - x) * weights).sum(axis=2))
    alpha = np.linalg.solve(gram + 0.3 * np.eye(40), y - y.mean())
    new = np.random.default_rng(5).random((7, 5))
    expected = y.mean() + np.exp(-(np.abs(new[:, None] - x) * weights).sum(axis=2)) @ alpha
    assert Ridge.fit(x, y, weights, 0.3).predict(new) == pytest.approx(expected)


def test_the_reach_is_chosen_by_leaving_rows_out() -> None:
    x, y = _data(80)
    weights, ridge = choose(x, y, np.full(5, 0.2))
    chosen = _left_out_error(x, y, weights, ridge)
    assert all(chosen <= _left_out_error(x, y, weights * k, ridge) * 1.05 for k in (0.4, 2.5))


def _left_out_error(x: Floats, y: Floats, weights: Floats, ridge: float) -> float:
    errors = []
    for i in range(len(y)):
        keep = np.arange(len(y)) != i
        errors.append(Ridge.fit(x[keep], y[keep], weights, ridge).predict(x[[i]])[0] - y[i])
    return float(np.square(errors).mean())


def test_the_mixture_is_no_worse_than_its_parts_and_says_how_well_it_foretells() -> None:
    x, y = _data(300)
    y = y + 0.05 * np.random.default_rng(1).normal(size=300)
    model = fit(x, y)
    assert model.weights.sum() == pytest.approx(1.0)
    assert len(model.weights) == len(MEMBERS)
    claimed = 1.0 - ((model.left_out - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    new, truth = _data(2000, seed=9)
    real = 1.0 - ((model(new) - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
    assert real > 0.85
    assert claimed == pytest.approx(real, abs=0.08)
    assert (fit(x, y)(new) == model(new)).all()
