# SPDX-License-Identifier: Apache-2.0
"""Statistics of columns, gathered once, and the selectivity of simple predicates by them.

Frequent values have their own count; the rest is an equi-depth histogram (as in
PostgreSQL's pg_stats; Ioannidis, VLDB 2003). A predicate of another form is taken
to keep a tenth of the rows.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..problem import JoinQuery
from ..sql.text import quoted
from ..workload.database import Database

FREQUENT: Final = 1000  # values that are counted one by one
BOUNDS: Final = 200  # of a histogram
OTHERWISE: Final = 0.1  # selectivity of a predicate that is not understood

#: ``alias.column OPERATOR literal``: groups are the column, the operator and the literal.
SIMPLE: Final = re.compile(r"""\S+?\.("[^"]+"|\w+)\s*(=|<|>|<=|>=|LIKE)\s*('(?:[^']|'')*'|-?\d+(?:\.\d+)?)""")


@dataclass(frozen=True)
class Column:
    """`frequent`: share of the table's rows by value. `bounds`: equally many of all rows lie between two of them."""

    frequent: Mapping[Any, float]
    rest: float  # share of each value that is not frequent
    bounds: tuple[Any, ...]

    def equal(self, value: Any) -> float:
        return self.frequent.get(value, self.rest)

    def below(self, value: Any) -> float:
        if not self.bounds:
            return OTHERWISE
        try:
            return bisect_left(self.bounds, value) / len(self.bounds)
        except TypeError:  # a number compared with a text
            return OTHERWISE


@dataclass(frozen=True)
class Statistics:
    """Columns by ``"table.column"``."""

    columns: Mapping[str, Column]

    def base_rows(self, query: JoinQuery) -> list[float]:
        """Rows of each relation after its predicates, taken as independent; at least 1."""
        return [
            max(1.0, relation.rows * _product(self._share(relation.table, p) for p in relation.predicates))
            for relation in query.relations
        ]

    def _share(self, table: str, predicate: str) -> float:
        found = SIMPLE.fullmatch(predicate)
        column = self.columns.get(f"{table}.{found[1]}") if found else None
        if found is None or column is None:
            return OTHERWISE
        operator, value = found[2], _value(found[3])
        if operator == "=":
            return column.equal(value)
        if operator == "LIKE":
            return _prefix(column, str(value))
        return column.below(value) if operator.startswith("<") else 1 - column.below(value)


def _prefix(column: Column, pattern: str) -> float:
    prefix = pattern.rstrip("%")
    if not prefix or len(pattern) != len(prefix) + 1 or "%" in prefix or "_" in prefix:
        return OTHERWISE
    share = column.below(prefix[:-1] + chr(ord(prefix[-1]) + 1)) - column.below(prefix)
    return max(share, 0.5 / max(1, len(column.bounds)))


def _value(text: str) -> Any:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    return float(text) if "." in text else int(text)


def _product(values: Any) -> float:
    result = 1.0
    for value in values:
        result *= value
    return result


def gather(connection: Any, database: Database) -> Statistics:
    """One pass over each column that is neither a key nor refers to one, by DuckDB."""
    found = {}
    for table in database.tables:
        rows = connection.execute(f"SELECT count(*) FROM {quoted(table.name)}").fetchone()[0]
        for column in table.columns:
            if column != table.key and column not in table.references and rows:
                found[f"{table.name}.{column}"] = _column(connection, quoted(table.name), quoted(column), rows)
    return Statistics(found)


def _column(connection: Any, table: str, column: str, rows: int) -> Column:
    counted = connection.execute(
        f"SELECT {column}, count(*) AS n FROM {table} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY n DESC, 1"
    ).fetchall()
    top, tail = counted[:FREQUENT], counted[FREQUENT:]
    steps = ", ".join(str(i / BOUNDS) for i in range(1, BOUNDS))
    cuts = connection.execute(f"SELECT quantile_disc({column}, [{steps}]) FROM {table}").fetchone()[0] or []
    rest = sum(n for _, n in tail) / len(tail) / rows if tail else 0.5 / rows
    return Column({_plain(value): n / rows for value, n in top}, rest, tuple(_plain(cut) for cut in cuts))


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else float(value) if hasattr(value, "__float__") else str(value)
