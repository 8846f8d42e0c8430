# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trimtab.core.problem import SPLITS
from trimtab.problems.join_ordering.problem import JoinQuery
from trimtab.problems.join_ordering.simulator.pack import pack
from trimtab.problems.join_ordering.workload import SUITES, instances
from trimtab.problems.join_ordering.workload.large import APTDB, FAMILIES, RESULT_ROWS, TPCDS, generated

WITHOUT_FILES = ("aptdb-true", "aptdb-cm1", "aptdb-cm2", "aptdb-cm3", "large")


@pytest.mark.parametrize("name", SUITES)
def test_no_template_is_in_two_splits(name: str, request: pytest.FixtureRequest) -> None:
    if name not in WITHOUT_FILES:
        request.getfixturevalue("public_data")
    owner: dict[str, str] = {}
    for split in SPLITS:
        for query in SUITES[name](split).values():
            assert owner.setdefault(query.template, split) == split
    assert set(owner.values()) == set(SPLITS)


def test_shipped_queries_have_counts_and_estimates_of_every_connected_subset() -> None:
    for split in SPLITS:
        for query in instances(split).values():
            assert query.estimates is not None and query.cardinalities.exact
            assert np.isfinite(pack(query).base_log).all() and np.isfinite(pack(query, True).base_log).all()


def test_suites_of_counts_hide_nothing_and_those_of_cost_models_say_which() -> None:
    seen, shipped = SUITES["aptdb-true"]("test"), instances("test")
    assert list(seen) == list(shipped)
    assert all(query.estimates is None for query in seen.values())
    assert {query.cost_model for query in SUITES["aptdb-cm2"]("test").values()} == {"cm2"}


def test_bounds_stay_in_a_suite_of_their_own(public_data: Path) -> None:
    for name in ("stats", "job-m", "job-light", "job-light-ranges"):
        assert all(query.cardinalities.exact for split in SPLITS for query in SUITES[name](split).values())
    assert not any(query.cardinalities.exact for split in SPLITS for query in SUITES["bounds"](split).values())


@pytest.mark.parametrize("family", FAMILIES)
def test_generated_queries(family: str) -> None:
    for size in (2, 7, 60):
        query = FAMILIES[family]("q", size, np.random.default_rng(size))
        assert query.num_relations == size and len(query.edges) >= size - 1
        pack(query)
        if family != "random":
            _check_foreign_keys(query)


def _check_foreign_keys(query: JoinQuery) -> None:
    """The result is small, keys are joined with selectivity 1 / rows, and no foreign key is followed twice."""
    rows, keys = {**APTDB[0], **TPCDS[0]}, {*APTDB[1], *TPCDS[1]}
    log = np.log(query.cardinalities.rows).sum() + sum(np.log(edge.selectivity) for edge in query.edges)
    assert log <= np.log(RESULT_ROWS) + 3 * np.log(1e3)  # a predicate leaves at least a row of its table
    for edge in query.edges:
        here, there = query.relations[edge.left].table, query.relations[edge.right].table
        assert (here, edge.left_column, there) in keys and edge.right_key
        assert edge.selectivity == 1 / rows[there]
    assert len({(edge.left, edge.left_column) for edge in query.edges}) == len(query.edges)


def test_generated_queries_are_the_same_every_time_and_differ_between_splits() -> None:
    one, again = generated("s", "train", (6,), 2), generated("s", "train", (6,), 2)
    other = generated("s", "test", (6,), 2)
    for name, query in one.items():
        assert query.cardinalities.rows.tolist() == again[name].cardinalities.rows.tolist()
        assert query.cardinalities.rows.tolist() != other[name].cardinalities.rows.tolist()
