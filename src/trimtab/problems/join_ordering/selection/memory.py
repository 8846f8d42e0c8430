# SPDX-License-Identifier: Apache-2.0
"""A database in memory, as compiled counting needs it, and queries as places in it."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..problem import JoinQuery, Relation
from .counting import FAR, KEY, NEAR, UNINDEXED, Asked, Counted, Sizes, Small, Store, count
from .pricing import Sheet, sheet_of

VAGUE: Final = 0.1  # share of rows that a condition of another form is taken to leave
MOST_RELATIONS: Final = 12  # a star of n relations has 2 ** n subsets, and each is counted


#: ``alias.column OPERATOR literal``: groups are the column, the operator and the literal.
SIMPLE: Final = re.compile(r"""\S+?\.("[^"]+"|\w+)\s*(=|<|>|<=|>=|LIKE)\s*('(?:[^']|'')*'|-?\d+(?:\.\d+)?)""")


@dataclass(frozen=True)
class Column:
    """Numbers as they are; texts as places in the sorted list of the different ones. NULL is -1 or not a number."""

    begins: int  # in `Store.values` and `Store.order`
    texts: list[str] | None
    ranked: Sequence[float]  # numbers, ascending; of texts, how many rows stand before each, and before the end

    def between(self, operator: str, literal: str) -> tuple[float, float] | None:
        """The condition as low <= value < high; None where it is of another form."""
        if self.texts is None:
            if literal.startswith("'") or operator == "LIKE":
                return None
            value = float(literal)
            least = math.nextafter(value, math.inf) if operator == ">" else value
            most = math.nextafter(value, math.inf) if operator in ("=", "<=") else value
            return -math.inf if operator[0] == "<" else least, math.inf if operator[0] == ">" else most
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
        if self.texts is None:
            return self.begins + bisect_left(self.ranked, low), self.begins + bisect_left(self.ranked, high)
        return self.begins + int(self.ranked[int(low)]), self.begins + int(self.ranked[int(high)])


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


@dataclass(frozen=True)
class Memory:
    """What `gather` read of a database."""

    tables: Mapping[str, Stored]
    store: Store
    sizes: Sizes = Sizes()  # noqa: RUF009
    _slots: list[Small] = field(default_factory=list, repr=False)

    def rows(self, query: JoinQuery) -> Counted | None:
        """As `counting.count`, subsets ascending; None where there is nothing to count by (see `asked`)."""
        asked = self.asked(query)
        return None if asked is None else count(self.store, asked, self.sizes, self.slots)

    def sheet(self, query: JoinQuery) -> Sheet | None:
        """For prices, by these counts."""
        asked = self.asked(query)
        return None if asked is None else sheet_of(asked, count(self.store, asked, self.sizes, self.slots))

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
        """The query as places in the store.

        None where its joins are no tree of joins with keys, its tables are not all here, or
        it has more than `MOST_RELATIONS`.
        """
        if query.num_relations > MOST_RELATIONS or any(r.table not in self.tables for r in query.relations):
            return None
        members = self._members(query)
        if members is None:
            return None
        places, shares, first, columns, bounds = [], [], [0], [], []
        for relation in query.relations:
            table = self.tables[relation.table]
            known, strange = table.conditions(relation)
            found = [column.slice(*between) for column, between in known]
            columns += [column.begins for column, _ in known]
            bounds += [between for _, between in known]
            first.append(len(columns))
            narrowest = min(found, key=lambda ends: ends[1] - ends[0], default=(-1, -1))
            places.append((table.rows, table.flags, *table.heavies, *table.some, *narrowest))
            vague = VAGUE**strange
            share = vague * math.prod((end - begin) / max(1, table.rows) for begin, end in found)
            shares.append((vague, share, table.page))
        place, parts = np.array(places, np.int64), np.array(shares)
        between, of = np.array(bounds, np.float64).reshape(-1, 2), np.array(members, np.int64)
        return Asked(
            place[:, 0], place[:, 1], place[:, 2:4], place[:, 4:6], place[:, 6:8],
            np.array(first, np.int64), np.array(columns, np.int64), between[:, 0], between[:, 1],
            parts[:, 0], parts[:, 1], parts[:, 2], of[:, 0], of[:, 1], of[:, 2], of[:, 3], of[:, 4], of[:, 5], of[:, 6],
            of[:, 7],
        )  # fmt: skip

    def _members(self, query: JoinQuery) -> list[tuple[int, ...]] | None:
        """Columns of relations in classes of equal ones, as in `Asked`; None where they are no tree, or not of keys."""
        number: dict[tuple[int, str], int] = {}
        indexed = set()
        for k, edge in enumerate(query.edges):
            if edge.implied:
                continue
            left, right = (edge.left, edge.left_column), (edge.right, edge.right_column)
            indexed |= {end for end, is_so in ((left, edge.left_index), (right, edge.right_index)) if is_so}
            a, b = number.setdefault(left, k), number.setdefault(right, k)
            if a != b:
                number = {end: a if c == b else c for end, c in number.items()}
        classes = {c: at for at, c in enumerate(dict.fromkeys(number.values()))}
        if len(number) != len(classes) + query.num_relations - 1 or len({(i, c) for (i, _), c in number.items()}) < len(
            number
        ):
            return None
        values: dict[int, str] = {}
        members: list[tuple[int, ...]] = []
        for (i, column), c in number.items():
            table = query.relations[i].table
            stored = self.tables[table]
            foreign = stored.foreign.get(column)
            if foreign is None and column != stored.key:
                return None
            target = foreign.target if foreign else table
            if values.setdefault(c, target) != target:
                return None
            where = (0, foreign.refers, foreign.referring, foreign.starts) if foreign else (1, -1, -1, -1)
            found = KEY if foreign is None else NEAR if foreign.near else FAR
            looked = found if foreign is None or (i, column) in indexed else UNINDEXED
            members.append((classes[c], i, *where, self.tables[target].rows, looked))
        return members
