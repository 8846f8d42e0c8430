# SPDX-License-Identifier: Apache-2.0
"""Exact row counts of every connected subset of a query's relations, by DuckDB."""

from __future__ import annotations

from typing import Any

from ..problem import Cardinalities, JoinQuery
from ..sql.text import connected_subsets, quoted, rows_sql


def count_subsets(connection: Any, query: JoinQuery, *, at_most: int) -> Cardinalities | None:
    """None as soon as a subset has more than `at_most` rows: such a query takes too long to be worth it.

    Small subsets come first, so that a hopeless query is known soon.
    """
    found: dict[int, float] = {}
    for subset in connected_subsets(query):
        limited = f"SELECT count(*) FROM ({rows_sql(query, subset)} LIMIT {at_most + 1})"
        found[subset] = float(connection.execute(limited).fetchone()[0])
        if found[subset] > at_most:
            return None
    return Cardinalities.of(found, "count")


def table_rows(connection: Any, table: str) -> float:
    return float(connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()[0])


def most_frequent(connection: Any, table: str, column: str) -> float:
    """Rows of the most frequent value of a column."""
    name = quoted(column)
    counted = f"SELECT count(*) AS n FROM {quoted(table)} WHERE {name} IS NOT NULL GROUP BY {name}"
    return float(connection.execute(f"SELECT coalesce(max(n), 0) FROM ({counted})").fetchone()[0])
