# SPDX-License-Identifier: Apache-2.0
"""With everything looked at, counting is exact; with less, it is right on average."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trimtab.problems.join_ordering.problem import JoinQuery, bits
from trimtab.problems.join_ordering.selection.counting import STARS, Sizes
from trimtab.problems.join_ordering.selection.gather import gather
from trimtab.problems.join_ordering.selection.memory import DAMPED, Memory
from trimtab.problems.join_ordering.sql.text import count_sql
from trimtab.problems.join_ordering.workload.database import Database
from trimtab.problems.join_ordering.workload.harvest import catalogue_of_database, query_of


def test_all_rows_are_counted_exactly(queries: list[JoinQuery], whole: Memory):
    seen = 0
    for query in queries:
        found = whole.rows(query)
        assert found is not None
        plain = found[0] < 1 << STARS
        assert found[0][plain].tolist() == query.cardinalities.subsets.tolist()
        assert found[1][plain] == pytest.approx(query.cardinalities.rows, abs=1e-6), query.sql
        assert np.isinf(found[2][plain]).all()
        seen += int(plain.sum())
    assert seen > 300


def test_what_lookups_find_is_counted_without_the_relations_own_conditions(
    queries: list[JoinQuery], whole: Memory, duck: Any
):
    seen = 0
    for query in queries:
        found = whole.rows(query)
        assert found is not None
        for mask, rows in zip(found[0].tolist(), found[1].tolist(), strict=True):
            stars, others = mask >> STARS, mask & ((1 << STARS) - 1)
            if stars and not stars & (stars - 1):
                (i,) = bits(stars)
                relations = list(query.relations)
                relations[i] = replace(relations[i], predicates=())
                free = replace(query, relations=tuple(relations))
                assert duck.execute(count_sql(free, others | stars)).fetchone()[0] == pytest.approx(rows)
                seen += 1
    assert seen > 50


def test_few_rows_are_right_on_average(queries: list[JoinQuery], duck: Any, small_aptdb: Database):
    sizes = Sizes(begin=40, follow=80)
    drawn = [gather(duck, small_aptdb, sizes=sizes, seed=seed) for seed in range(120)]
    sampled = 0
    for query in queries[:8]:
        true = query.cardinalities.get(query.everything)
        assert true is not None
        counts = [memory.rows(query) for memory in drawn]
        at = [found[0].tolist().index(query.everything) for found in counts if found]
        rows = np.array([found[1][k] for found, k in zip(counts, at, strict=True) if found])
        support = np.array([found[2][k] for found, k in zip(counts, at, strict=True) if found])
        sampled += bool(np.isfinite(support).any())
        error = rows.std(ddof=1) / np.sqrt(len(rows))
        assert abs(rows.mean() - true) <= 5 * error + 0.05 * true, query.sql
        assert rows[np.isinf(support)] == pytest.approx(true)  # what is said to be counted is
    assert sampled >= 3


def test_what_is_no_tree_of_foreign_keys_is_not_guessed(whole: Memory, duck: Any, small_aptdb: Database):
    catalogue = catalogue_of_database(duck, small_aptdb)
    cycle = (
        "SELECT 1 FROM package p, depends d, package t WHERE d.pkg_id = p.id AND d.target_id = t.id"
        " AND p.section_id = t.section_id AND p.source_id = t.source_id"
    )
    by_size = "SELECT 1 FROM package p, package t WHERE p.size = t.size"
    for text in (cycle, by_size):
        assert whole.rows(query_of(text, "q", catalogue)) is None


@pytest.mark.parametrize(
    "predicate",
    ["s.name = 'libs'", "p.arch = 'all'", "p.multi_arch = 'x'", "p.name LIKE 'lib%'", "p.name LIKE 'lib-1%'",
     "p.installed_size < 300", "p.installed_size >= 600", "p.desc_len = 7", "s.name = 'it''s'"],
)  # fmt: skip
def test_conditions(predicate: str, whole: Memory, duck: Any, small_aptdb: Database):
    text = f"SELECT 1 FROM package p, section s WHERE p.section_id = s.id AND {predicate}"
    query = query_of(text, "q", catalogue_of_database(duck, small_aptdb))
    for i in range(query.num_relations):
        (true,) = duck.execute(count_sql(query, 1 << i)).fetchone()
        asked = whole.asked(query)
        assert asked is not None
        relation = asked.relations[i]
        assert relation["share"] * relation["rows"] == pytest.approx(true)


def test_a_walk_expects_more_rows_of_looser_conditions(whole: Memory, duck: Any, small_aptdb: Database):
    catalogue = catalogue_of_database(duck, small_aptdb)
    text = "SELECT 1 FROM package p, depends d WHERE d.pkg_id = p.id"
    few, more = (query_of(text + tail, "q", catalogue) for tail in (" AND p.installed_size < 20", ""))
    # by hand: the packages that are left, then their depends, each as many as another's
    packages, depends = whole.tables["package"].rows, whole.tables["depends"].rows
    places, other = whole.places(few), whole.places(more)
    assert places is not None
    assert other is not None
    left = places.asked().relations[0]["share"] ** DAMPED * packages
    assert places.walked() == pytest.approx(left + left * depends / packages)
    assert places.walked() < other.walked()


def test_without_lookups_the_rest_is_the_same(queries: list[JoinQuery], whole: Memory):
    for query in queries:
        found = whole.rows(query)
        less = replace(whole, sizes=whole.sizes._replace(lookups=False)).rows(query)
        assert found is not None
        assert less is not None
        plain = found[0] < 1 << STARS
        for k in range(3):
            assert less[k].tolist() == found[k][plain].tolist()
