# SPDX-License-Identifier: Apache-2.0
"""Counts against nested loops in Python; forced orders against the query as it stands."""

from __future__ import annotations

import random
from itertools import combinations, product
from typing import Any

import duckdb
import pytest

from trimtab.problems.join_ordering.problem import JoinPlan, JoinQuery, bits
from trimtab.problems.join_ordering.sql import connected_subsets, count_sql, forced_from, rewrite
from trimtab.problems.join_ordering.workload.counts import count_subsets, most_frequent
from trimtab.problems.join_ordering.workload.harvest import query_of

from ..plans import random_plan

CYCLE = (
    "SELECT count(*) FROM a, b, c, d WHERE a.x = b.x AND b.y = c.y AND c.z = d.z AND a.w = d.w AND a.x < 4 AND d.z > 0"
)
CLASS = "SELECT count(*) FROM a, b, c WHERE a.x = b.x AND b.x = c.y AND c.y >= 1"
COLUMNS = {"a": ("x", "w"), "b": ("x", "y"), "c": ("y", "z"), "d": ("z", "w")}


@pytest.fixture(scope="module")
def tables() -> dict[str, list[dict[str, int]]]:
    draw = random.Random(3)
    return {t: [{c: draw.randrange(5) for c in columns} for _ in range(12)] for t, columns in COLUMNS.items()}


@pytest.fixture(scope="module")
def connection(tables: dict[str, list[dict[str, int]]]) -> Any:
    made = duckdb.connect()
    for name, columns in COLUMNS.items():
        made.execute(f"CREATE TABLE {name} ({', '.join(f'{c} INTEGER' for c in columns)})")
        made.executemany(f"INSERT INTO {name} VALUES (?, ?)", [tuple(row.values()) for row in tables[name]])
    return made


def by_nested_loops(query: JoinQuery, subset: int, tables: dict[str, list[dict[str, int]]]) -> int:
    members = [query.relations[i] for i in bits(subset)]
    found = 0
    for rows in product(*(tables[relation.table] for relation in members)):
        row = {relation.alias: values for relation, values in zip(members, rows, strict=True)}
        joined = all(
            row[query.relations[e.left].alias][e.left_column] == row[query.relations[e.right].alias][e.right_column]
            for e in query.edges
            if subset >> e.left & 1 and subset >> e.right & 1
        )
        names = {f"{alias}.{column}": value for alias, values in row.items() for column, value in values.items()}
        found += joined and all(holds(p, names) for relation in members for p in relation.predicates)
    return found


def holds(predicate: str, names: dict[str, int]) -> bool:
    column, operator, bound = predicate.split()
    value, limit = names[column], int(bound)
    return {"<": value < limit, ">": value > limit, ">=": value >= limit}[operator]


@pytest.mark.parametrize("text", [CYCLE, CLASS])
def test_counts_are_those_of_nested_loops(text: str, connection: Any, tables: Any):
    query = query_of(text, "q", None)
    counts = count_subsets(connection, query, at_most=1_000_000)
    assert counts is not None
    assert counts.exact
    for subset in connected_subsets(query):
        assert counts.get(subset) == by_nested_loops(query, subset, tables), query.aliases(subset)


def test_a_count_beyond_the_limit_gives_the_query_up(connection: Any):
    assert count_subsets(connection, query_of(CYCLE, "q", None), at_most=11) is None


def test_connected_subsets_of_a_cycle_and_of_a_clique():
    cycle = query_of(CYCLE, "q", None)
    neighbours = {(0, 1), (1, 2), (2, 3), (0, 3)}
    pairs = {1 << i | 1 << j for i, j in combinations(range(4), 2) if (i, j) in neighbours}
    assert set(connected_subsets(cycle)) == {1, 2, 4, 8, *pairs, 0b0111, 0b1110, 0b1101, 0b1011, 0b1111}
    clique = query_of(CLASS, "q", None)  # a.x = c.y is implied
    assert sorted(connected_subsets(clique)) == list(range(1, 8))
    assert connected_subsets(cycle, largest=1) == [1, 2, 4, 8]


def test_implied_joins_are_written_only_where_they_are_needed():
    query = query_of(CLASS, "q", None)
    assert count_sql(query, 0b111).count("=") == 2 + 1  # the two of the query, and >=
    assert "a.x = c.y" in count_sql(query, 0b101)


@pytest.mark.parametrize("text", [CYCLE, CLASS])
@pytest.mark.parametrize("seed", range(6))
def test_any_order_gives_the_same_rows(text: str, seed: int, connection: Any):
    query = query_of(text.replace("count(*)", "*, count(*) OVER () AS n"), "q", None)
    plan = random_plan(query, seed)
    forced = rewrite(query, plan, dialect="duckdb")
    assert " JOIN " in " ".join(forced.split())
    got, wanted = connection.execute(forced), connection.execute(query.sql)
    assert [d[0] for d in got.description] == [d[0] for d in wanted.description]
    assert sorted(got.fetchall()) == sorted(connection.execute(query.sql).fetchall())


def test_columns_that_are_equal_already_are_not_compared_again():
    """a and b are equal before c comes, so c is compared with one of them: with b, since the query says that."""
    query = query_of(CLASS, "q", None)
    for tree, wanted in ((((0, 1), 2), "b.x = c.y"), (((0, 2), 1), "a.x = b.x"), ((0, (2, 1)), "a.x = b.x")):
        text = forced_from(query, JoinPlan.of(tree))
        assert text.count("=") == 2
        assert wanted in text
    assert "a.x = c.y" in forced_from(query, JoinPlan.of(((0, 2), 1)))


def test_what_stands_above_the_joins_stays():
    above = "GROUP BY b.y HAVING count(*) > 1 ORDER BY 1 DESC LIMIT 2"
    text = f"SELECT DISTINCT b.y AS why FROM a, b WHERE a.x = b.x AND a.w = 1 {above}"
    query = query_of(text, "q", None)
    flat = " ".join(rewrite(query, JoinPlan.of((1, 0))).split())
    assert flat.startswith("SELECT DISTINCT b.y AS why FROM b JOIN a ON a.x = b.x WHERE (a.w = 1) GROUP BY b.y HAVING")
    assert flat.endswith("ORDER BY 1 DESC LIMIT 2")


def test_the_most_frequent_value(connection: Any, tables: Any):
    values = [row["y"] for row in tables["b"]]
    assert most_frequent(connection, "b", "y") == max(values.count(v) for v in values)
