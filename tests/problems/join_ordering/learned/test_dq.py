# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.errors import DataError, UsageError
from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Budget, Task
from trimtab.problems.join_ordering.learned import DQ, Corrected, DQLearner, dq_states, load
from trimtab.problems.join_ordering.learned.dq import SHAPES, Settings
from trimtab.problems.join_ordering.learned.dq_states import HIDDEN, MOST_NODES, SIZES, WIDTH
from trimtab.problems.join_ordering.problem import COST_MODELS, JoinPlan, JoinQuery, Tree
from trimtab.problems.join_ordering.simulator import Simulator, optimum, pack, plan_cost
from trimtab.problems.join_ordering.simulator.models import parameters
from trimtab.problems.join_ordering.workload import SUITES, instances
from trimtab.problems.join_ordering.workload.large import TPCDS, foreign_keys

from ..queries import SHAPES as GRAPHS
from ..queries import cost, random_query, trees


def task(query: JoinQuery, seconds: float = math.inf) -> Task[JoinQuery, JoinPlan]:
    return Task(query, Simulator(), Budget(0, seconds), 0)


def random_weights(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, sum(SIZES))


def test_the_network_is_two_hidden_layers() -> None:
    """Against matrix products."""
    rng = np.random.default_rng(0)
    w, x = random_weights(1), rng.normal(size=WIDTH)
    parts = np.split(w, np.cumsum(SIZES)[:-1])
    first = np.maximum(x @ parts[0].reshape(WIDTH, HIDDEN) + parts[1], 0)
    second = np.maximum(first @ parts[2].reshape(HIDDEN, HIDDEN) + parts[3], 0)
    found = dq_states.q_value(w, x, np.zeros(HIDDEN), np.zeros(HIDDEN))
    assert found == pytest.approx(float(second @ parts[4] + parts[5][0]), rel=1e-12)


@settings(max_examples=20)
@given(
    st.sampled_from(GRAPHS), st.integers(3, 5), st.integers(0, 10**6), st.sampled_from(["c_out", "cm1", "cm2", "cm3"])
)
def test_regrets_of_the_first_state_are_those_of_all_trees(graph: str, n: int, seed: int, model: str) -> None:
    """The regret of joining two relations: the best tree that has this join / the best of all, by enumeration."""
    query = random_query(graph, n, seed, product=True, model=model)
    number = COST_MODELS.index(model)
    x, y, state = np.zeros((400, WIDTH)), np.zeros(400), np.zeros(400, np.int64)
    dq_states.lessons(pack(query), number, parameters(number), random_weights(seed), 0.5, seed, x, y, state)
    best: dict[int, float] = {}
    for tree in trees(query, query.everything):
        total = cost(query, tree)
        for pair in _pairs_of_tables(tree):
            best[pair] = min(best.get(pair, math.inf), total)
    least = min(best.values())
    expected = sorted(math.log(max(value, 1.0) / max(least, 1.0)) for value in best.values())
    here = y[: len(expected)] if len(expected) > 1 else np.zeros(1)
    assert (state[: len(expected)] == 0).all()
    assert sorted(here.tolist()) == pytest.approx(expected, abs=1e-9)


def _pairs_of_tables(tree: Tree) -> list[int]:
    if isinstance(tree, int):
        return []
    outer, inner = tree
    if isinstance(outer, int) and isinstance(inner, int):
        return [1 << outer | 1 << inner]
    return _pairs_of_tables(outer) + _pairs_of_tables(inner)


@settings(max_examples=20)
@given(st.sampled_from(GRAPHS), st.integers(1, 9), st.integers(0, 10**6), st.booleans())
def test_any_weights_give_a_plan(graph: str, n: int, seed: int, product: bool) -> None:
    query = random_query(graph, n, seed, product=product)
    joins = dq_states.decode(pack(query), 0, parameters(0), random_weights(seed))
    assert JoinPlan(joins).flaw(query) == ""


def test_large_queries_teach_from_the_state_on_that_can_be_judged() -> None:
    query = foreign_keys(TPCDS, "q", 24, np.random.default_rng(0))
    x, y, state = np.zeros((3000, WIDTH)), np.zeros(3000), np.zeros(3000, np.int64)
    count = dq_states.lessons(pack(query), 0, parameters(0), random_weights(0), 0.0, 0, x, y, state)
    assert count > 0 and state[0] == 24 - MOST_NODES
    assert all(y[:count][state[:count] == k].min() == 0 for k in set(state[:count].tolist()))


@pytest.fixture(scope="module")
def trained() -> tuple[DQ, list[JoinQuery]]:
    queries = [random_query(graph, 6, seed, product=True) for graph in GRAPHS for seed in range(8)]
    quick = Settings(rounds=2, walks=2, epochs=6)
    return DQLearner(quick, models=("c_out", "cm3")).fit([task(query) for query in queries]), queries


def test_it_learns(trained: tuple[DQ, list[JoinQuery]]) -> None:
    """On queries that it has not seen: far better than without training."""
    solver, _ = trained
    fresh = [random_query(graph, 7, 1000 + seed, product=True) for graph in GRAPHS for seed in range(5)]
    untrained = DQ({name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}, {})
    regret = {}
    for name, one in (("trained", solver), ("untrained", untrained)):
        ratios = [plan_cost(query, one.solve(task(query))) / optimum(query)[1] for query in fresh]
        regret[name] = float(np.mean(np.log(ratios)))
    assert regret["trained"] < 0.25 * regret["untrained"]


def test_what_it_learnt_from_is_written_down(trained: tuple[DQ, list[JoinQuery]], tmp_path: Path) -> None:
    solver, queries = trained
    assert solver.trained_on == {fingerprint(query) for query in queries}
    solver.save(tmp_path / "dq.safetensors")
    loaded = load(tmp_path / "dq.safetensors")
    assert isinstance(loaded, DQ) and loaded.card == solver.card
    assert all((loaded.solve(task(q)).joins == solver.solve(task(q)).joins).all() for q in queries)


def test_polishing_never_makes_a_plan_worse() -> None:
    plain, polished = DQ(), DQ(polish=2000)
    for seed in range(3):
        query = foreign_keys(TPCDS, "q", 30, np.random.default_rng(seed))
        before, after = (plan_cost(query, solver.solve(task(query))) for solver in (plain, polished))
        assert after <= before * (1 + 1e-9)


def test_the_shipped_network_has_not_seen_the_tests() -> None:
    tests = {fingerprint(q) for name in ("aptdb-true", "aptdb-cm3", "large") for q in SUITES[name]("test").values()}
    assert DQ().trained_on and not DQ().trained_on & (tests | {fingerprint(q) for q in instances("test").values()})


@pytest.mark.parametrize("suite", ["aptdb-cm1", "aptdb-cm2", "aptdb-cm3"])
def test_the_shipped_network_is_within_a_tenth_of_the_optimum(suite: str) -> None:
    """The target, on templates that nobody learnt from."""
    judge, solver = Simulator(), DQ()
    queries = SUITES[suite]("test").values()
    ratios = [judge.evaluate(query, solver.solve(task(query)), seed=0).metrics["cost_ratio"] for query in queries]
    assert float(np.mean(ratios)) <= 1.10


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(UsageError, match="no instances"):
        DQLearner().fit([])
    with pytest.raises(UsageError, match="three relations or more"):
        DQLearner().fit([task(random_query("chain", 2, 0))])


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ")
    with pytest.raises(DataError, match=r"as DQ.*\n.*as Corrected"):
        load(path)
    with pytest.raises(DataError, match="can't be read"):
        Corrected.load(tmp_path / "nothing")
