# SPDX-License-Identifier: Apache-2.0
"""A database in memory, as compiled counting needs it, and queries as places in it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..problem import Floats, Ints, JoinQuery, Relation
from .counting import Asked, Sizes, Small, Store, count

VAGUE: Final = 0.1  # share of rows that a condition of another form is taken to leave
MOST_RELATIONS: Final = 12  # a star of n relations has 2 ** n subsets, and each is counted


#: ``alias.column OPERATOR literal``: groups are the column, the operator and the literal.
SIMPLE: Final = re.compile(r"""\S+?\.("[^"]+"|\w+)\s*(=|<|>|<=|>=|LIKE)\s*('(?:[^']|'')*'|-?\d+(?:\.\d+)?)""")


@dataclass(frozen=True)
class Column:
    """Numbers as they are; texts as places in the sorted list of the different ones. NULL is -1 or not a number."""

    begins: int  # in `Store.values` and `Store.order`
    texts: list[str] | None
    sorted: NDArray[Any]

    def between(self, operator: str, literal: str) -> tuple[float, float] | None:
        """The condition as low <= value < high; None where it is of another form."""
        if self.texts is None:
            if literal.startswith("'") or operator == "LIKE":
                return None
            value = float(literal)
            above = float(np.nextafter(value, np.inf))
            return {
                "=": (value, above), "<": (-np.inf, value), "<=": (-np.inf, above),
                ">": (above, np.inf), ">=": (value, np.inf),
            }[operator]  # fmt: skip
        if not literal.startswith("'"):
            return None
        text = literal[1:-1].replace("''", "'")
        low = bisect_left(self.texts, text)
        if operator == "=":
            return low, low + int(low < len(self.texts) and self.texts[low] == text)
        prefix = text[:-1]
        if operator != "LIKE" or not text.endswith("%") or "%" in prefix or "_" in prefix or not prefix:
            return None
        return bisect_left(self.texts, prefix), bisect_left(self.texts, prefix[:-1] + chr(ord(prefix[-1]) + 1))

    def slice(self, low: float, high: float) -> tuple[int, int]:
        """Begin and end in `Store.order` of the rows that it holds in."""
        return self.begins + int(self.sorted.searchsorted(low)), self.begins + int(self.sorted.searchsorted(high))


@dataclass(frozen=True)
class ForeignKey:
    target: str  # table
    refers: int  # where it begins in `Store.refers`
    referring: int
    starts: int
    near: bool  # rows that refer to the same row stand together


@dataclass(frozen=True)
class Stored:
    """Where a table's parts begin."""

    rows: int
    key: str
    columns: Mapping[str, Column]
    foreign: Mapping[str, ForeignKey]
    flags: int
    heavies: tuple[int, int]
    some: tuple[int, int]
    page: float  # rows on a page of 8 KiB, about

    def conditions(self, relation: Relation) -> tuple[list[tuple[Column, tuple[float, float]]], int]:
        """A relation's predicates as ranges of columns, and how many are of another form."""
        known = []
        for predicate in relation.predicates:
            simple = SIMPLE.fullmatch(predicate)
            column = self.columns.get(simple[1].strip('"')) if simple else None
            between = column.between(simple[2], simple[3]) if simple and column else None
            if column is not None and between is not None:
                known.append((column, between))
        return known, len(relation.predicates) - len(known)

    def share(self, relation: Relation) -> float:
        """Of its rows that meet the conditions, by independence."""
        known, strange = self.conditions(relation)
        share = VAGUE**strange
        for column, between in known:
            low, high = column.slice(*between)
            share *= (high - low) / max(1, self.rows)
        return share


@dataclass(frozen=True)
class Memory:
    """What `gather` read of a database."""

    tables: Mapping[str, Stored]
    store: Store
    sizes: Sizes = Sizes()  # noqa: RUF009
    _slots: list[Small] = field(default_factory=list, repr=False)

    def rows(self, query: JoinQuery) -> tuple[Ints, Floats, Floats, Floats] | None:
        """As `counting.count`, subsets ascending.

        None where the query's joins are no tree of joins with keys, its tables are not
        all here, or it has more than `MOST_RELATIONS`.
        """
        asked = self.asked(query)
        return None if asked is None else count(self.store, asked, self.sizes, self.slots)

    def walked(self, query: JoinQuery) -> float:
        """Rows met by a walk along the joins from the most selective relation, by independence: 20 us' thought.

        Infinite where a table is not known.
        """
        tables = [self.tables.get(relation.table) for relation in query.relations]
        known = [table for table in tables if table is not None]
        if len(known) < len(tables):
            return np.inf
        keep = [table.share(relation) for relation, table in zip(query.relations, known, strict=True)]
        ways: list[tuple[int, int, float]] = []  # from, to, rows that a row finds
        for e in query.edges:
            if not e.implied:
                rows = max(1, known[e.left].rows), max(1, known[e.right].rows)
                one, other = (1.0, rows[0] / rows[1]) if e.right_key else (rows[1] / rows[0], 1.0)
                ways += [(e.left, e.right, one), (e.right, e.left, other)]
        left = set(range(len(known)))
        start = min(left, key=lambda i: keep[i] * known[i].rows)
        rows_now = met = max(1.0, keep[start] * known[start].rows)
        left.remove(start)
        while left:
            _, found, to = min((each * keep[b], each, b) for a, b, each in ways if b in left and a not in left)
            met += rows_now * max(1.0, found)
            rows_now = max(1.0, rows_now * found * keep[to])
            left.remove(to)
        return met

    def near(self, table: str, column: str) -> bool:
        foreign = self.tables[table].foreign.get(column)
        return foreign is not None and foreign.near

    def values(self, table: str, column: str) -> float:
        """Different values of a key, or of a foreign key at most."""
        foreign = self.tables[table].foreign.get(column)
        return float(self.tables[foreign.target if foreign else table].rows)

    @property
    def slots(self) -> Small:
        if not self._slots:
            self._slots.append(np.full(max(table.rows for table in self.tables.values()) + 1, -1, np.int32))
        return self._slots[0]

    def asked(self, query: JoinQuery) -> Asked | None:
        if query.num_relations > MOST_RELATIONS or any(r.table not in self.tables for r in query.relations):
            return None
        members = self._members(query)
        if members is None:
            return None
        tables = [self.tables[relation.table] for relation in query.relations]
        slices, first, columns, low, high, vague = [], [0], [], [], [], []
        for relation, table in zip(query.relations, tables, strict=True):
            bounds, strange = table.conditions(relation)
            found = [column.slice(*between) for column, between in bounds]
            columns += [column.begins for column, _ in bounds]
            low += [between[0] for _, between in bounds]
            high += [between[1] for _, between in bounds]
            slices.append(min(found, key=lambda ends: ends[1] - ends[0], default=(-1, -1)))
            vague.append(VAGUE**strange)
            first.append(len(columns))
        return Asked(
            np.array([t.rows for t in tables], np.int64), np.array([t.flags for t in tables], np.int64),
            np.array([t.heavies for t in tables], np.int64), np.array([t.some for t in tables], np.int64),
            np.array(slices, np.int64), np.array(first, np.int64), np.array(columns, np.int64),
            np.array(low, np.float64), np.array(high, np.float64), np.array(vague), *members,
        )  # fmt: skip

    def _members(self, query: JoinQuery) -> tuple[Any, ...] | None:
        """Columns of relations in classes of equal ones; None where these are no tree, or not of keys."""
        number: dict[tuple[int, str], int] = {}
        for k, edge in enumerate(query.edges):
            if edge.implied:
                continue
            left, right = (edge.left, edge.left_column), (edge.right, edge.right_column)
            a, b = number.setdefault(left, k), number.setdefault(right, k)
            if a != b:
                number = {end: a if c == b else c for end, c in number.items()}
        classes = {c: at for at, c in enumerate(dict.fromkeys(number.values()))}
        if len(number) != len(classes) + query.num_relations - 1 or len({(i, c) for (i, _), c in number.items()}) < len(
            number
        ):
            return None
        values: dict[int, str] = {}
        key, refers, referring, starts, sizes = [], [], [], [], []
        for (i, column), c in number.items():
            table = query.relations[i].table
            stored = self.tables[table]
            foreign = stored.foreign.get(column)
            if foreign is None and column != stored.key:
                return None
            if values.setdefault(c, foreign.target if foreign else table) != (foreign.target if foreign else table):
                return None
            key.append(foreign is None)
            refers.append(foreign.refers if foreign else -1)
            referring.append(foreign.referring if foreign else -1)
            starts.append(foreign.starts if foreign else -1)
            sizes.append(self.tables[values[c]].rows)
        of = np.array([classes[c] for c in number.values()], np.int64)
        return (
            len(classes), of, np.array([i for i, _ in number], np.int64), np.array(key, np.bool_),
            np.array(refers, np.int64), np.array(referring, np.int64), np.array(starts, np.int64),
            np.array(sizes, np.int64),
        )  # fmt: skip
