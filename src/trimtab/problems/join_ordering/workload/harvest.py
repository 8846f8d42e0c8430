# SPDX-License-Identifier: Apache-2.0
"""Queries with exact counts and PostgreSQL's estimates, made from a database of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..problem import ESTIMATE, Cardinalities, JoinQuery
from ..sql.catalogue import Catalogue, TableInfo
from ..sql.parse import parse_sql
from ..sql.text import connected_subsets, rows_sql, template_of
from ..system.server import load_database, temporary_server
from ..system.session import Address, Session, connect
from .counts import count_subsets, most_frequent, table_rows
from .database import Database, into_duckdb
from .generator import Habits, Predicates, Shape, draw_shape, to_sql


@dataclass(frozen=True)
class Amount:
    """How many queries, and which."""

    shapes: int = 48
    per_shape: int = 2
    seed: int = 0
    most_rows: int = 5_000_000  # of any subset


def generate(
    database: Database,
    habits: Habits,
    amount: Amount,
    name: str,
    progress: Callable[[int, str], None] = lambda *_: None,
) -> Iterator[JoinQuery]:
    """Queries with exact counts, `per_shape` of each of `shapes` templates; deterministic in the seed and the data."""
    rng = np.random.default_rng(amount.seed)
    connection = into_duckdb(database)
    try:
        predicates, catalogue = Predicates(connection, database, habits), catalogue_of_database(connection, database)
        seen: set[str] = set()
        while len(seen) < amount.shapes:
            wanted = habits.num_relations[len(seen) % len(habits.num_relations)]
            shape = draw_shape(database, wanted, habits, rng)
            if shape is None or shape.template in seen:
                continue
            made = _of_shape(connection, catalogue, predicates, shape, amount, rng)
            if len(made) < amount.per_shape:
                continue
            for variant, query in enumerate(made):
                yield replace(query, name=f"{name}-{len(seen):03d}{'abcdefghijklmnopqrstuvwxyz'[variant]}")
            seen.add(shape.template)
            progress(len(seen), shape.template)
    finally:
        connection.close()


def _of_shape(
    connection: Any,
    catalogue: Catalogue,
    predicates: Predicates,
    shape: Shape,
    amount: Amount,
    rng: np.random.Generator,
) -> list[JoinQuery]:
    """Different, non-empty queries of the shape; fewer where too many tries failed."""
    found: dict[str, JoinQuery] = {}
    for _ in range(4 * amount.per_shape):
        text = to_sql(shape, predicates.draw(shape, rng))
        query = query_of(text, "generated", catalogue)
        whole = count_subsets(connection, query, at_most=amount.most_rows) if text not in found else None
        if whole is not None and (whole.get(query.everything) or 0) > 0:
            found[text] = replace(query, cardinalities=whole)
        if len(found) == amount.per_shape:
            break
    return list(found.values())


def query_of(text: str, name: str, catalogue: Catalogue | None) -> JoinQuery:
    """A parsed query without any row counts yet."""
    block = parse_sql(text, name, catalogue)
    nothing = Cardinalities.of({}, "none")
    return JoinQuery(name, block.relations, block.edges, nothing, template=template_of(block.relations), sql=text)


def catalogue_of_database(connection: Any, database: Database) -> Catalogue:
    return {
        table.name: TableInfo(
            tuple(table.columns),
            table_rows(connection, table.name),
            keys=frozenset({table.key} - {""}),
            indexed=frozenset(table.references),
            frequency={column: most_frequent(connection, table.name, column) for column in table.references},
        )
        for table in database.tables
    }


def with_estimates(database: Database, queries: Sequence[JoinQuery]) -> list[JoinQuery]:
    """The same queries, with the estimates of a PostgreSQL that was started for them and holds the database."""
    with temporary_server() as dsn:
        load_database(dsn, database)
        with connect(Address(dsn)) as session:
            version = version_of(session)
            return [replace(query, estimates=estimates(session, query, version)) for query in queries]


def estimates(session: Session, query: JoinQuery, version: str) -> Cardinalities:
    """What PostgreSQL's optimiser believes of every connected subset: root rows of EXPLAIN."""
    rows = {s: float(session.plan(rows_sql(query, s))["Plan Rows"]) for s in connected_subsets(query)}
    return Cardinalities.of(rows, version, kind=ESTIMATE)


def version_of(session: Session) -> str:
    return "postgresql " + str(session.rows("SELECT current_setting('server_version')")[0][0]).partition(" ")[0]
