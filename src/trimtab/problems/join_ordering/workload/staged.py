# SPDX-License-Identifier: Apache-2.0
"""The public true cardinalities: JOB-M, JOB-light, JOB-light-ranges and STATS-CEB.

They come as (SQL, {subset of aliases: COUNT(*)}). A value written as a float is
an upper bound, its count timed out: it stays flagged as one. STATS-CEB's counts
of whole queries and of filtered single tables were published elsewhere and are
put in. JOB has none of single tables, so only the cost model c_out applies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from trimtab.data import locate

from ..problem import ESTIMATE, EXACT, Cardinalities, JoinQuery, Relation
from .files import read_text
from .plain_sql import Block, edges, read_block

ESTIMATORS: Final = ("bayescard", "deepdb", "flat", "neurocard")
KEYS: Final = frozenset({"id", "Id"})  # of IMDB, and of STATS

#: Rows of the tables of aptdb as of bookworm.
APTDB_ROWS: Final = {
    "package": 63_436, "depends": 377_114, "pkgtag": 112_118, "provides": 37_557, "virtual": 35_119, "source": 34_169,
    "maintainer": 2_240, "domain": 680, "tag": 598, "section": 58, "kind": 8, "priority": 5,
}  # fmt: skip

_APTDB: Final = "aptdb-queries"
_JOB: Final = "job-true-cardinalities"
_STATS: Final = "stats-ceb"


def job(name: str) -> dict[str, JoinQuery]:
    """``job_m``, ``job_light`` or ``job_light_ranges``. JOB-M is JOB without repeated aliases, so not JOB itself."""
    return _job(name, locate(_JOB, f"{name}_true_cards.jsonl.xz"))


@cache
def _job(name: str, path: Path) -> dict[str, JoinQuery]:
    found = {}
    for row in _rows(path):
        key = f"{name}-{row['query']:04d}"
        block = read_block(row["sql"])
        relations = tuple(Relation(a, t, predicates=block.predicates[a]) for a, t in block.tables.items())
        found[key] = _query(key, row["sql"], block, relations, _counts(row["cards"], block))
    return found


def stats(estimator: str = "") -> dict[str, JoinQuery]:
    """STATS-CEB's 146 queries.

    With an estimator (`ESTIMATORS`): its published numbers are the estimates, and
    the joins are those that the SQL writes, since it has no others. A single table's
    estimate is the count.
    """
    files = (
        "stats_ceb_true_cards.jsonl.xz", "stats_ceb_queries.jsonl.xz", "stats_ceb_single_table_true_cards.jsonl.xz",
        "stats_ceb_subqueries_estimates.jsonl.xz",
    )  # fmt: skip
    return _stats(estimator, *(locate(_STATS, file) for file in files))


@cache
def _stats(estimator: str, true: Path, whole: Path, single: Path, estimated: Path) -> dict[str, JoinQuery]:
    full = [float(row["card"]) for row in _rows(whole)]
    alone, tables = _single_tables(single)
    guesses: dict[frozenset[str], float] = {}
    if estimator:
        for row in _rows(estimated):
            block = read_block(row["sql"])
            guesses[block.subplan(block.tables)] = float(row[estimator])
    found = {}
    for row in _rows(true):
        key = f"stats-{row['query']:03d}"
        block = read_block(row["sql"])
        relations = tuple(
            Relation(a, t, tables.get(t, float("nan")), block.predicates[a]) for a, t in block.tables.items()
        )
        rows, bounds = _counts(row["cards"], block)
        for i, alias in enumerate(block.tables):
            rows[1 << i] = alone[block.subplan([alias])]
        everything = (1 << len(relations)) - 1
        rows[everything] = full[row["query"]]
        bounds.discard(everything)
        estimates = _match(estimator, guesses, block, rows) if estimator else None
        found[key] = _query(key, row["sql"], block, relations, (rows, bounds), estimates)
    return found


def aptdb() -> dict[str, JoinQuery]:
    """30 queries on the Debian package index, with PostgreSQL 15's estimates."""
    return _aptdb(locate(_APTDB, "aptdb_queries_true_and_pg_cards.jsonl.xz"))


@cache
def _aptdb(path: Path) -> dict[str, JoinQuery]:
    found = {}
    for number, row in enumerate(_rows(path)):
        key = f"aptdb-{number:02d}"
        block = Block(
            {alias: table for table, alias in row["al"]},
            tuple((_column(a), _column(b)) for a, b in row["J"]),
            {alias: tuple(terms) for alias, terms in row["P"].items()},
        )
        relations = tuple(Relation(a, t, float(APTDB_ROWS[t]), block.predicates[a]) for a, t in block.tables.items())
        position = {alias: 1 << i for i, alias in enumerate(block.tables)}
        counts, guesses = (
            {sum(position[a] for a in names.split()): float(v) for names, v in row[side].items()} for side in "CE"
        )
        estimates = Cardinalities.of(guesses, "postgresql 15.18", ESTIMATE)
        found[key] = _query(key, row["sql"], block, relations, (counts, set()), estimates)
    return found


def _column(name: str) -> tuple[str, str]:
    alias, _, column = name.partition(".")
    return alias, column


def _single_tables(path: Path) -> tuple[dict[frozenset[str], float], dict[str, float]]:
    """Counts by sub-plan, and by table where it has no predicates."""
    alone: dict[frozenset[str], float] = {}
    tables: dict[str, float] = {}
    for row in _rows(path):
        block = read_block(row["sql"])
        alone[block.subplan(block.tables)] = float(row["card"])
        ((alias, table),) = block.tables.items()
        if not block.predicates[alias]:
            tables[table] = float(row["card"])
    return alone, tables


def _match(
    estimator: str, guesses: Mapping[frozenset[str], float], block: Block, rows: Mapping[int, float]
) -> Cardinalities | None:
    """An estimator's numbers for the subsets that it was asked for."""
    names = list(block.tables)
    found = {}
    for subset in range(1, 1 << len(names)):
        members = [names[i] for i in range(len(names)) if subset >> i & 1]
        guess = guesses.get(block.subplan(members))
        if len(members) == 1:
            found[subset] = rows[subset]
        elif guess is not None:
            found[subset] = max(guess, 0.0)
    return Cardinalities.of(found, estimator, ESTIMATE)


def _query(
    name: str,
    sql: str,
    block: Block,
    relations: tuple[Relation, ...],
    counted: tuple[Mapping[int, float], set[int]],
    estimates: Cardinalities | None = None,
) -> JoinQuery:
    rows, bounds = counted
    return JoinQuery(
        name=name,
        relations=relations,
        edges=edges(block, KEYS, rows if estimates is None else None),
        cardinalities=Cardinalities.of(rows, "count", EXACT, sorted(bounds)),
        estimates=estimates,
        template=template(block),
        sql=sql,
    )


def template(block: Block) -> str:
    """The same for queries that join the same columns of the same tables."""
    joins = sorted("=".join(sorted(f"{block.tables[a]}.{column}" for a, column in join)) for join in block.joins)
    return " ".join([*sorted(block.tables.values()), *joins])


def _counts(cards: Mapping[str, Any], block: Block) -> tuple[dict[int, float], set[int]]:
    """Rows by bitset, and which are bounds."""
    position = {alias: i for i, alias in enumerate(block.tables)}
    rows: dict[int, float] = {}
    bounds: set[int] = set()
    for names, value in cards.items():
        subset = sum(1 << position[name] for name in names.lower().split(","))
        rows[subset] = float(value)
        if isinstance(value, float):
            bounds.add(subset)
    return rows, bounds


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_text(path).splitlines()]
