# SPDX-License-Identifier: Apache-2.0
"""A database in memory, as compiled counting needs it, and queries as places in it."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from ..problem import JoinQuery
from .counting import Counted, Sizes, count
from .pricing import Sheet, sheet_of
from .sampling import CONDITION, FAR, KEY, MEMBER, NEAR, RELATION, UNINDEXED, Asked, Small, Store

DAMPED: Final = 0.8  # power of the share of rows that conditions leave, in a walk
VAGUE: Final = 0.1  # share of rows that a condition of another form is taken to leave
MOST_RELATIONS: Final = 12  # a star of n relations has 2 ** n subsets, and each is counted


#: ``alias.column OPERATOR literal``: groups are the column, the operator and the literal.
SIMPLE: Final = re.compile(r"""\S+?\.("[^"]+"|\w+)\s*(=|<|>|<=|>=|LIKE)\s*('(?:[^']|'')*'|-?\d+(?:\.\d+)?)""")
_PREFIX: Final = re.compile(r"[^%_\\]+%")


@dataclass(frozen=True)
class Column:
    """Numbers as they are; texts as places in the sorted list of the different ones. NULL is -1 or not a number."""

    begins: int  # in `Store.values` and `Store.order`
    texts: list[str] | None
    ranked: Sequence[float]  # numbers, ascending; of texts, how many rows stand before each, and before the end

    def between(self, operator: str, literal: str) -> tuple[float, float, int, int] | None:
        """The condition as low <= value < high, with begin and end in `Store.order` of the rows that it holds in.

        None where it is of another form.
        """
        if (self.texts is None) == (literal[0] == "'"):
            return None
        if self.texts is None:
            if operator == "LIKE":
                return None
            low, high, value = -math.inf, math.inf, float(literal)
            if operator[0] != "<":
                low = math.nextafter(value, math.inf) if operator == ">" else value
            if operator[0] != ">":
                high = math.nextafter(value, math.inf) if operator != "<" else value
            return low, high, self.begins + bisect_left(self.ranked, low), self.begins + bisect_left(self.ranked, high)
        text = literal[1:-1].replace("''", "'")
        if operator == "=":
            least = bisect_left(self.texts, text)
            most = least + int(least < len(self.texts) and self.texts[least] == text)
        elif operator == "LIKE" and _PREFIX.fullmatch(text):
            least = bisect_left(self.texts, text[:-1])
            most = bisect_left(self.texts, text[:-2] + chr(ord(text[-2]) + 1))
        else:
            return None
        return least, most, self.begins + int(self.ranked[least]), self.begins + int(self.ranked[most])


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

    def condition(self, predicate: str) -> tuple[int, float, float, int, int] | None:
        """Where the column begins in `Store.values`, and `Column.between`; None where it is of another form."""
        simple = SIMPLE.fullmatch(predicate)
        column = self.columns.get(simple[1].strip('"')) if simple else None
        between = column.between(simple[2], simple[3]) if simple and column else None
        return (column.begins, *between) if column and between else None


Member = tuple[int, int, int, int, int, int, int, int]  # as the fields of MEMBER


class Places(NamedTuple):
    """A query, as places in the store: the rows of `Asked`, before they are arrays."""

    relations: Sequence[tuple[float, ...]]
    conditions: Sequence[tuple[float, ...]]
    members: Sequence[Member]

    def asked(self) -> Asked:
        return Asked(
            np.array(self.relations, RELATION), np.array(self.conditions, CONDITION), np.array(self.members, MEMBER)
        )

    def walked(self) -> float:
        """Rows met by a walk along the joins from the most selective relation: some us' thought.

        By independence, but shares are damped, since conditions are rarely as independent as that says.
        """
        rows = [float(total) for total, *_ in self.relations]
        share = [float(kept) ** DAMPED for *_, kept, _ in self.relations]
        columns = [(of, i, key, values) for of, i, key, _, _, _, values, _ in self.members]
        ways = [  # from, to, how many rows each finds
            (i, j, 1.0 if key else rows[j] / values)
            for of, i, _, _ in columns for other, j, key, values in columns if of == other and i != j
        ]  # fmt: skip
        passing = [max(1.0, a * b) for a, b in zip(rows, share, strict=True)]
        met: float = min(passing)
        rows_now, reached = met, {passing.index(met)}
        for _ in rows[1:]:
            least, finds, to = min((f * share[j], f, j) for i, j, f in ways if i in reached and j not in reached)
            met += rows_now * max(1.0, finds)
            rows_now = max(1.0, rows_now * least)
            reached.add(to)
        return met


@dataclass(frozen=True)
class Memory:
    """What `gather` read of a database."""

    tables: Mapping[str, Stored]
    store: Store
    sizes: Sizes = Sizes()  # noqa: RUF009
    _slots: list[Small] = field(default_factory=list, repr=False)

    def rows(self, query: JoinQuery) -> Counted | None:
        """As `counting.count`, subsets ascending; None where there is nothing to count by (see `places`)."""
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
        """As `places`, for compiled code."""
        places = self.places(query)
        return None if places is None else places.asked()

    def places(self, query: JoinQuery) -> Places | None:
        """The query as places in the store.

        None where its joins are no tree of joins with keys, its tables are not all here, or
        it has more than `MOST_RELATIONS`.
        """
        if query.num_relations > MOST_RELATIONS or any(r.table not in self.tables for r in query.relations):
            return None
        members = self._members(query)
        if members is None:
            return None
        relations: list[tuple[float, ...]] = []
        conditions: list[tuple[float, ...]] = []
        for relation in query.relations:
            table, first, vague, share = self.tables[relation.table], len(conditions), 1.0, 1.0
            low, high, least = -1, -1, table.rows + 1
            for predicate in relation.predicates:
                condition = table.condition(predicate)
                if condition is None:
                    vague *= VAGUE
                    continue
                conditions.append(condition[:3])
                begin, end = condition[3:]
                share *= (end - begin) / max(1, table.rows)
                if end - begin < least:
                    low, high, least = begin, end, end - begin
            relations.append((
                table.rows, table.flags, *table.heavies, *table.some, low, high, first, len(conditions),
                vague, vague * share, table.page,
            ))  # fmt: skip
        return Places(relations, conditions, members)

    def _members(self, query: JoinQuery) -> list[Member] | None:
        """Columns of relations in classes of equal ones, as in `Asked`; None where they are no tree, or not of keys."""
        of: dict[tuple[int, str], int] = {}
        indexed = set()
        for k, edge in enumerate(query.edges):
            if edge.implied:
                continue
            left, right = (edge.left, edge.left_column), (edge.right, edge.right_column)
            if edge.left_index:
                indexed.add(left)
            if edge.right_index:
                indexed.add(right)
            a, b = of.setdefault(left, k), of.setdefault(right, k)
            if a != b:
                of = {end: a if c == b else c for end, c in of.items()}
        target: dict[int, str] = {}  # table that a class's values are of
        members: list[Member] = []
        for (i, column), c in of.items():
            table = query.relations[i].table
            foreign = self.tables[table].foreign.get(column)
            if foreign is None:
                if column != self.tables[table].key:
                    return None
                refers, referring, starts, looked = -1, -1, -1, KEY
            else:
                table = foreign.target
                refers, referring, starts = foreign.refers, foreign.referring, foreign.starts
                looked = UNINDEXED if (i, column) not in indexed else NEAR if foreign.near else FAR
            if target.setdefault(c, table) != table:
                return None
            key = int(foreign is None)
            members.append((c, i, key, refers, referring, starts, self.tables[table].rows, looked))
        if len(of) != len(target) + query.num_relations - 1 or len({member[:2] for member in members}) < len(members):
            return None
        return members
