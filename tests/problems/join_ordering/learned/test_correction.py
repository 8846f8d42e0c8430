# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import DataError, UsageError
from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Budget, Task
from trimtab.kit.weights import load_weights, save_weights
from trimtab.problems.join_ordering.learned import Corrected, CorrectedLearner, load
from trimtab.problems.join_ordering.learned.correction import NOISE, Points, _Matrix
from trimtab.problems.join_ordering.learned.tokens import numbers, tokens
from trimtab.problems.join_ordering.problem import (
    BOUND,
    EXACT,
    Cardinalities,
    JoinEdge,
    JoinPlan,
    JoinQuery,
    Relation,
    bits,
)
from trimtab.problems.join_ordering.simulator import Simulator
from trimtab.problems.join_ordering.workload import instances

TABLES = ("people", "posts", "votes", "tags", "links")
#: In this world an optimiser is wrong by a factor for every predicate beside some join, and for nothing else.
WRONG = {("posts", "votes"): 30.0, ("people", "posts"): 0.1, ("posts", "tags"): 8.0}


def task(query: JoinQuery) -> Task[JoinQuery, JoinPlan]:
    return Task(query, Simulator(), Budget(0), 0)


def world(seed: int) -> JoinQuery:
    """A star around posts; counts are estimates times the factors of the joins whose outer end has a predicate."""
    rng = np.random.default_rng(seed)
    chosen = ["posts", *rng.permutation([t for t in TABLES if t != "posts"])[:3].tolist()]
    asked = [bool(rng.random() < 0.6) for _ in chosen]
    relations = tuple(
        Relation(f"{t}_1", t, 1e4, (f"{t}_1.kind = {rng.integers(9)}",) if ask else ())
        for t, ask in zip(chosen, asked, strict=True)
    )
    edges = tuple(JoinEdge(0, i, "id", "post_id", left_key=True) for i in range(1, 4))
    guess, truth = {}, {}
    for subset in range(1, 16):
        if subset & 1 or subset & (subset - 1) == 0:
            guess[subset] = float(
                np.prod([1e3 if asked[i] else 1e4 for i in bits(subset)]) / 1e3 ** (len(list(bits(subset))) - 1)
            )
            factors = [
                WRONG.get((chosen[min(a, b)], chosen[max(a, b)]), WRONG.get((chosen[b], chosen[a]), 1.0))
                for a, b in ((0, i) for i in bits(subset) if i and subset & 1)
                if asked[b]
            ]
            truth[subset] = max(1.0, guess[subset] * float(np.prod(factors)))
    return JoinQuery(
        f"w{seed}", relations, edges, Cardinalities.of(truth, "count"), Cardinalities.of(guess, "engine", 2)
    )


def errors(query: JoinQuery, cards: Cardinalities) -> np.ndarray:
    return np.abs(np.log(cards.rows) - np.log(query.cardinalities.rows))


@pytest.fixture(scope="module")
def trained() -> Corrected:
    return CorrectedLearner().fit([task(world(seed)) for seed in range(40)])


def test_errors_that_come_with_a_join_are_learnt(trained: Corrected) -> None:
    fresh = [world(seed) for seed in range(100, 120)]
    before = np.concatenate([errors(q, q.estimates) for q in fresh if q.estimates])
    after = np.concatenate([errors(q, trained.correct(q)) for q in fresh])
    assert after.mean() < 0.25 * before.mean()


def test_what_was_counted_is_known_almost_exactly(trained: Corrected) -> None:
    query = world(3)
    assert query.estimates is not None
    assert errors(query, trained.correct(query)).max() < 0.5
    assert errors(query, query.estimates).max() > 2


def test_it_is_the_posterior_mean_of_a_gaussian_process() -> None:
    """Against the textbook's formula with a dense covariance, token by token."""
    learnt, asked = [world(seed) for seed in range(3)], world(50)
    solver = CorrectedLearner().fit([task(query) for query in learnt])

    def rows(query: JoinQuery) -> list[tuple[dict[int, float], np.ndarray]]:
        assert query.estimates is not None
        t, n = tokens(query), numbers(query, query.estimates)
        found = []
        for k, subset in enumerate(query.estimates.subsets.tolist()):
            weights: dict[int, float] = {}
            for mask, name, weight in zip(t.mask.tolist(), t.name.tolist(), t.weight.tolist(), strict=True):
                if mask & subset == mask:
                    weights[name] = weights.get(name, 0.0) + weight
            found.append((weights, n[k] / np.array([3.0, 2.0, 2.0, 0.5, 4.0])))
        return found

    def covariance(a: tuple[dict[int, float], np.ndarray], b: tuple[dict[int, float], np.ndarray]) -> float:
        names = a[0].keys() | b[0].keys()
        shared = sum(a[0].get(n, 0.0) * b[0].get(n, 0.0) for n in names)
        apart = sum((a[0].get(n, 0.0) - b[0].get(n, 0.0)) ** 2 for n in names)
        return float(shared + np.exp(-apart / 2) + np.exp(-((a[1] - b[1]) ** 2).sum() / 2))

    known = [row for query in learnt for row in rows(query)]
    y = np.concatenate(
        [np.log(q.cardinalities.rows) - np.log(np.maximum(q.estimates.rows, 1)) for q in learnt if q.estimates]
    )
    k = np.array([[covariance(a, b) for b in known] for a in known]) + NOISE**2 * np.eye(len(known))
    here = np.array([[covariance(a, b) for b in known] for a in rows(asked)])
    assert asked.estimates is not None
    expected = np.log(np.maximum(asked.estimates.rows, 1)) + here @ np.linalg.solve(k, y)
    assert np.log(solver.correct(asked).rows) == pytest.approx(np.clip(expected, 0, 60), abs=1e-4)


def test_bounds_teach_nothing() -> None:
    query = world(0)
    counts = query.cardinalities
    lies = np.where(counts.subsets == 15, 1e9, counts.rows)
    kinds = np.where(counts.subsets == 15, BOUND, EXACT).astype(np.int8)
    bounded = replace(query, cardinalities=Cardinalities(counts.subsets, lies, kinds, "count"))
    solver = CorrectedLearner().fit([task(bounded)])
    assert len(solver.alpha) == len(counts.subsets) - 1
    assert (solver.correct(query).get(15) or 0) < 1e8


def test_a_query_without_estimates_is_planned_as_it_is(trained: Corrected) -> None:
    query = replace(world(1), estimates=None)
    assert trained.solve(task(query)).flaw(query) == ""
    with pytest.raises(UsageError, match="both estimates and counts"):
        CorrectedLearner().fit([task(query)])


def test_saved_and_loaded_it_corrects_alike(trained: Corrected, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    trained.save(path)
    loaded = load(path)
    assert isinstance(loaded, Corrected)
    for seed in range(60, 64):
        assert loaded.correct(world(seed)).rows == pytest.approx(trained.correct(world(seed)).rows, rel=1e-9)
    assert loaded.trained_on == {fingerprint(world(seed)) for seed in range(40)}


def test_a_file_that_contradicts_itself_is_refused(trained: Corrected, tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    trained.save(path)
    arrays, card = load_weights(path, {name: array.shape for name, array in trained.weights.items()})
    first = arrays["first_token"].copy()
    first[1] = first[-1] + 5
    save_weights(path, {**arrays, "first_token": first}, card)
    with pytest.raises(DataError, match="do not belong"):
        Corrected.load(path)
    save_weights(path, arrays, {**card, "points": "many"})
    with pytest.raises(DataError, match="not a correction"):
        Corrected.load(path)


def test_points_are_thinned_evenly() -> None:
    solver = CorrectedLearner(most_points=50).fit([task(world(seed)) for seed in range(20)])
    assert len(solver.alpha) == 50 and len({len(p.subsets) for p in solver.points}) <= 2


def test_the_same_thing_has_the_same_token_under_any_alias() -> None:
    query = world(0)
    other = replace(
        query,
        relations=tuple(
            replace(r, alias=f"z{i}", predicates=tuple(p.replace(f"{r.alias}.", f"z{i}.") for p in r.predicates))
            for i, r in enumerate(query.relations)
        ),
    )
    assert sorted(tokens(query).name.tolist()) == sorted(tokens(other).name.tolist())
    assert query.estimates is not None
    points = Points(tokens(query), query.estimates.subsets, numbers(query, query.estimates))
    assert _Matrix((points,)).counts.shape[0] == len(query.estimates.subsets)


def test_the_shipped_one_has_not_seen_the_tests() -> None:
    assert not Corrected().trained_on & {fingerprint(query) for query in instances("test").values()}
    assert Corrected().fit_s < 60
