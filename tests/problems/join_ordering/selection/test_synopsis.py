# SPDX-License-Identifier: Apache-2.0
"""With everything in the sample the synopsis counts exactly; with less, it is right on average."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trimtab.problems.join_ordering.problem import JoinQuery
from trimtab.problems.join_ordering.selection import synopsis
from trimtab.problems.join_ordering.selection.tables import Sizes
from trimtab.problems.join_ordering.workload.aptdb import HABITS
from trimtab.problems.join_ordering.workload.database import Database
from trimtab.problems.join_ordering.workload.harvest import Amount, catalogue_of_database, generate, query_of


@pytest.fixture(scope="module")
def queries(small_aptdb: Database) -> list[JoinQuery]:
    return list(generate(small_aptdb, HABITS, Amount(shapes=12, per_shape=2, seed=5, most_rows=300_000), "t"))


@pytest.mark.parametrize("few", [0, 50, 10**9])
def test_a_sample_of_everything_counts_exactly(few: int, queries: list[JoinQuery], duck: Any, small_aptdb: Database):
    whole = synopsis.gather(duck, small_aptdb, sizes=Sizes(each=10**9, others=10**9, few=few))
    assert whole.hub == "package"
    seen = 0
    for query in queries:
        found = whole.rows(query)
        assert found is not None
        for subset, rows in zip(query.cardinalities.subsets.tolist(), query.cardinalities.rows.tolist(), strict=True):
            assert found[subset][0] == pytest.approx(rows, abs=1e-6), (query.sql, query.aliases(subset))
            seen += 1
    assert seen > 300


def test_a_small_sample_is_right_on_average(queries: list[JoinQuery], duck: Any, small_aptdb: Database):
    sizes = Sizes(hub=60, heavy=10, each=4, others=500, few=0)
    samples = [synopsis.gather(duck, small_aptdb, sizes=sizes, seed=seed) for seed in range(120)]
    for query in queries[:6]:
        true = query.cardinalities.get(query.everything)
        assert true is not None
        drawn = np.array([found[query.everything][0] for s in samples if (found := s.rows(query)) is not None])
        error = drawn.std(ddof=1) / np.sqrt(len(drawn))
        assert abs(drawn.mean() - true) <= 5 * error + 0.02 * true, query.sql


def test_what_is_no_tree_of_foreign_keys_is_not_guessed(duck: Any, small_aptdb: Database):
    whole, catalogue = synopsis.gather(duck, small_aptdb), catalogue_of_database(duck, small_aptdb)
    cycle = (
        "SELECT 1 FROM package p, depends d, package t WHERE d.pkg_id = p.id AND d.target_id = t.id"
        " AND p.section_id = t.section_id AND p.source_id = t.source_id"
    )
    by_size = "SELECT 1 FROM package p, package t WHERE p.size = t.size"
    for text in (cycle, by_size):
        assert whole.rows(query_of(text, "q", catalogue)) is None
