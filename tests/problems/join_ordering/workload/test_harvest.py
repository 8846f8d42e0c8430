# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import lzma
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trimtab.core.errors import MissingExtra
from trimtab.problems.join_ordering.problem import ESTIMATE
from trimtab.problems.join_ordering.sql import connected_subsets
from trimtab.problems.join_ordering.system.session import Session
from trimtab.problems.join_ordering.workload.aptdb import HABITS
from trimtab.problems.join_ordering.workload.database import Database
from trimtab.problems.join_ordering.workload.files import dumps, load_queries
from trimtab.problems.join_ordering.workload.generator import draw_shape
from trimtab.problems.join_ordering.workload.harvest import Amount, estimates, generate, query_of, version_of
from trimtab.problems.join_ordering.workload.suites import SHIPPED
from trimtab.problems.join_ordering.workload.tpc import build_tpc

AMOUNT = Amount(shapes=6, per_shape=2, seed=3, most_rows=100_000)


def test_generated_queries_are_different_counted_and_not_empty(small_aptdb: Database, duck: Any):
    queries = list(generate(small_aptdb, HABITS, AMOUNT, "t"))
    assert len(queries) == 12
    assert len({query.sql for query in queries}) == 12
    assert len({query.template for query in queries}) == 6
    for query in queries:
        assert query.cardinalities.subsets.tolist() == sorted(connected_subsets(query))
        assert duck.execute(query.sql).fetchone() == (query.cardinalities.get(query.everything),)
        assert query.cardinalities.rows[-1] > 0
        assert query.cardinalities.rows.max() <= 100_000
        assert any(relation.predicates for relation in query.relations)


def test_the_same_seed_gives_the_same_queries(small_aptdb: Database):
    once, again = ([dumps(q) for q in generate(small_aptdb, HABITS, AMOUNT, "t")] for _ in range(2))
    assert once == again
    other = [dumps(q) for q in generate(small_aptdb, HABITS, replace(AMOUNT, seed=4), "t")]
    assert once != other


def test_shapes_keep_to_the_habits(small_aptdb: Database):
    rng = np.random.default_rng(0)
    keys = set(small_aptdb.foreign_keys())
    for wanted in (4, 6, 8):
        shapes = [shape for _ in range(30) if (shape := draw_shape(small_aptdb, wanted, HABITS, rng))]
        assert shapes
        for shape in shapes:
            assert len(shape.relations) == wanted == len(shape.joins) + 1
            tables = list(shape.relations.values())
            assert max(tables.count(table) for table in tables) <= HABITS.same_table
            for a, c, b, d in shape.joins:
                one, other = (shape.relations[a], c), (shape.relations[b], d)
                assert (*one, *other) in keys or (*other, *one) in keys


def test_estimates_are_what_explain_says(session: Session):
    query = query_of("SELECT count(*) FROM package p, depends d WHERE d.pkg_id = p.id", "q", None)
    found = estimates(session, query, version_of(session))
    rows = session.plan("SELECT 1 FROM package p, depends d WHERE d.pkg_id = p.id")["Plan Rows"]
    assert (found.get(3), found.get(1)) == (rows, 400)
    assert (found.kinds == ESTIMATE).all()
    assert found.source.startswith("postgresql 1")


def test_the_shipped_set_is_what_its_card_says():
    queries = load_queries(SHIPPED)
    assert len(queries) == 96
    assert len({query.template for query in queries.values()}) == 48
    for query in queries.values():
        assert query.cardinalities.exact
        assert query.estimates is not None
        assert query.estimates.subsets.tolist() == query.cardinalities.subsets.tolist()
        again = query_of(query.sql, query.name, None)
        assert [(e.left, e.left_column, e.right, e.right_column, e.implied) for e in again.edges] == [
            (e.left, e.left_column, e.right, e.right_column, e.implied) for e in query.edges
        ]
    card = json.loads(SHIPPED.with_name("aptdb.card.json").read_text())
    assert card["sha256"] == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert (card["queries"], card["templates"]) == (96, 48)
    assert card["subsets"] == sum(len(query.cardinalities.subsets) for query in queries.values())
    assert len(lzma.decompress(SHIPPED.read_bytes())) < 2_000_000


@pytest.mark.parametrize(
    ("kind", "sizes"), [("tpch", {"lineitem": 60175, "orders": 15000, "nation": 25, "part": 2000})]
)
def test_tpc_tables_have_the_rows_of_the_specification(kind: str, sizes: dict[str, int], tmp_path: Any):
    try:
        database = build_tpc(kind, 0.01, tmp_path / "db")
    except MissingExtra as missing:
        pytest.skip(str(missing))
    from trimtab.problems.join_ordering.workload.database import into_duckdb

    connection = into_duckdb(database)
    for table, rows in sizes.items():
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (rows,)
    for table, column, other, key in database.foreign_keys():
        lost = f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT {key} FROM {other})"
        assert connection.execute(lost).fetchone() == (0,), (table, column)
    assert build_tpc(kind, 0.01, tmp_path / "db") == database
