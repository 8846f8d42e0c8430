# SPDX-License-Identifier: Apache-2.0
"""Random joins of a database: a walk over its foreign keys, and predicates with values that occur in it.

A *shape* is a set of tables and the foreign keys between them; queries of one
shape are of one template and differ in their predicates alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from trimtab.core.errors import InvalidInstance

from ..sql.text import quoted
from .database import Database, Table

_NUMBERS: Final = ("INTEGER", "BIGINT", "SMALLINT", "DECIMAL", "DOUBLE", "NUMERIC", "REAL")
_QUANTILES: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Shape:
    """Aliases with their tables, in the order of the walk, and joins (alias, column, alias, column)."""

    relations: Mapping[str, str]
    joins: tuple[tuple[str, str, str, str], ...]

    @property
    def template(self) -> str:
        return "-".join(sorted(self.relations.values()))


@dataclass(frozen=True)
class Habits:
    """What generated queries look like."""

    num_relations: Sequence[int] = (4, 5, 6, 7, 8)  # each equally often
    fan_outs: int = 3  # at most so many steps from a key to the rows that refer to it
    same_table: int = 2  # a table occurs at most so often
    predicate_odds: Mapping[str, float] = field(default_factory=dict)  # by table; others have `odds`
    odds: float = 0.5
    ignored: frozenset[str] = frozenset()  # columns that nobody filters by
    equality_up_to: int = 1000  # distinct values of a text column; above, a prefix is asked for


def draw_shape(database: Database, wanted: int, habits: Habits, rng: np.random.Generator) -> Shape | None:
    """A connected join graph of `wanted` relations, or None where the walk got stuck."""
    keys = database.foreign_keys()
    start = str(rng.choice(sorted({table for table, *_ in keys})))
    relations: dict[str, str] = {f"{start}_1": start}
    joins: list[tuple[str, str, str, str]] = []
    fans = 0
    while len(relations) < wanted:
        steps = _steps(relations, joins, keys, habits, fans)
        if not steps:
            return None
        alias, column, table, other, fan = steps[int(rng.integers(len(steps)))]
        fresh = f"{table}_{1 + sum(t == table for t in relations.values())}"
        relations[fresh] = table
        joins.append((alias, column, fresh, other))
        fans += fan
    return Shape(relations, tuple(joins))


def _steps(
    relations: Mapping[str, str],
    joins: Sequence[tuple[str, str, str, str]],
    keys: Sequence[tuple[str, str, str, str]],
    habits: Habits,
    fans: int,
) -> list[tuple[str, str, str, str, bool]]:
    """(alias, its column, new table, that one's column, whether rows multiply)."""
    followed = {(a, c) for a, c, _, _ in joins} | {(a, c) for _, _, a, c in joins}
    counts = {table: sum(t == table for t in relations.values()) for table in {*relations.values()}}
    found = []
    for alias, table in relations.items():
        for source, column, target, key in keys:
            if source == table and (alias, column) not in followed and counts.get(target, 0) < habits.same_table:
                found.append((alias, column, target, key, False))
            if target == table and counts.get(source, 0) < habits.same_table and fans < habits.fan_outs:
                found.append((alias, key, source, column, True))
    return found


class Predicates:
    """Draws predicates; what it must know of the data it asks DuckDB for once."""

    def __init__(self, connection: Any, database: Database, habits: Habits) -> None:
        self.connection, self.habits = connection, habits
        self.tables = {table.name: table for table in database.tables}
        self.kinds: dict[str, list[tuple[str, str, list[Any]]]] = {}

    def draw(self, shape: Shape, rng: np.random.Generator) -> dict[str, list[str]]:
        """SQL by alias; at least one, at most two on a relation."""
        while True:
            found = {alias: self._of(alias, table, rng) for alias, table in shape.relations.items()}
            if any(found.values()):
                return found

    def _of(self, alias: str, table: str, rng: np.random.Generator) -> list[str]:
        odds = self.habits.predicate_odds.get(table, self.habits.odds)
        columns = self._columns(self.tables[table])
        if not columns or rng.random() >= odds:
            return []
        count = min(len(columns), 1 + int(rng.random() < 0.25))
        chosen = rng.choice(len(columns), size=count, replace=False)
        picked = [columns[i] for i in sorted(chosen.tolist())]
        return [_predicate(f"{quoted(alias)}.{quoted(name)}", kind, values, rng) for name, kind, values in picked]

    def _columns(self, table: Table) -> list[tuple[str, str, list[Any]]]:
        """(column, kind of predicate, values to choose from: half by frequency, half of each)."""
        if table.name not in self.kinds:
            self.kinds[table.name] = [
                described
                for column, kind in table.columns.items()
                if column != table.key and column not in table.references and column not in self.habits.ignored
                and (described := self._describe(table.name, column, kind))
            ]  # fmt: skip
        return self.kinds[table.name]

    def _describe(self, table: str, column: str, kind: str) -> tuple[str, str, list[Any]] | None:
        name = quoted(column)
        ask = self.connection.execute
        distinct = int(ask(f"SELECT count(DISTINCT {name}) FROM {quoted(table)}").fetchone()[0])
        if distinct < 2:
            return None
        if kind.upper().startswith(_NUMBERS) and distinct > 20:
            quantiles = ", ".join(f"{q}, {1 - q}" for q in _QUANTILES)
            cut = ask(f"SELECT quantile_disc({name}, [{quantiles}]) FROM {quoted(table)}").fetchone()[0]
            return column, "range", list(cut)
        if kind.upper().startswith((*_NUMBERS, "DATE")) and distinct > 20:
            return None
        value = name if distinct <= self.habits.equality_up_to else f"left({name}, 3)"
        spread = ask(
            f"SELECT v, count(*) AS n FROM (SELECT {value} AS v FROM {quoted(table)} WHERE {name} IS NOT NULL)"
            " GROUP BY v ORDER BY n DESC, v LIMIT 400"
        ).fetchall()
        return column, "equal" if distinct <= self.habits.equality_up_to else "prefix", spread


def _predicate(column: str, kind: str, values: list[Any], rng: np.random.Generator) -> str:
    if kind == "range":
        at = int(rng.integers(len(values) // 2))
        low = bool(rng.random() < 0.5)
        return f"{column} {'<' if low else '>'} {values[2 * at + (not low)]}"
    counts = np.array([n for _, n in values], np.float64)
    odds = counts / counts.sum() if rng.random() < 0.5 else np.full(len(values), 1 / len(values))
    value = values[int(rng.choice(len(values), p=odds))][0]
    if kind == "prefix":
        escaped = str(value).replace("\\", "").replace("%", "").replace("_", "")
        return f"{column} LIKE {_literal(escaped + '%')}"
    return f"{column} = {_literal(value)}"


def _literal(value: Any) -> str:
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def to_sql(shape: Shape, predicates: Mapping[str, Sequence[str]]) -> str:
    """``SELECT COUNT(*) FROM ... WHERE ...`` with commas: the engine orders the joins."""
    if not shape.joins:
        raise InvalidInstance("a generated query joins nothing")
    tables = ", ".join(f"{quoted(table)} AS {quoted(alias)}" for alias, table in shape.relations.items())
    joins = [f"{quoted(a)}.{quoted(c)} = {quoted(b)}.{quoted(d)}" for a, c, b, d in shape.joins]
    return (
        f"SELECT COUNT(*) FROM {tables} WHERE {' AND '.join([*joins, *(p for ps in predicates.values() for p in ps)])}"
    )
