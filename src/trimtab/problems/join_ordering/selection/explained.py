# SPDX-License-Identifier: Apache-2.0
"""What PostgreSQL will take for a plan that EXPLAIN shows, under row counts that are better than its own.

As `system/physical.py`, but rows that lookups find are counted, and what they cost
goes by the pages that they stand on. ns per unit of work are in `explained.json`, fitted by
non-negative least squares to plans that were run on the training and validation templates.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..problem import Floats, JoinQuery, bits
from .memory import Memory
from .pricing import Sheet, found

UNITS: Final = (
    "query", "relation",  # once; relation that is planned
    "scan", "scan_page", "filter",  # row and page read in sequence; row that conditions are checked on
    "full_index", "full_index_only",  # row read through a whole index
    "lookup", "match", "match_only", "page",  # descent of an index; row found; row of the index alone; page visited
    "check",  # row found by a lookup that conditions are checked on
    "bitmap", "bitmap_match",  # bitmap made; row found through it
    "memo", "materialize", "pair",  # lookup in a cache; row kept; pair of rows compared
    "build", "build_wide", "probe", "probe_wide",  # row hashed, row looked up; in tables of more than 50,000 rows
    "sort", "merge", "emit",  # n log2 n of rows sorted; row merged; row that a join gives
)  # fmt: skip
FILE: Final = Path(__file__).with_name("explained.json")

WIDE: Final = 50_000

_TEXT: Final = re.compile(r"'(?:[^']|'')*'")
_OTHER: Final = re.compile(r'[a-z0-9_"]\.')
_COLUMN: Final = re.compile(r"\(*(?:\w+\.)?(\w+) = ")


@cache
def prices() -> Floats:
    """(units,) ns, see the file."""
    known = json.loads(FILE.read_text("utf-8"))["ns"]
    return np.array([float(known[name]) for name in UNITS])


def work(query: JoinQuery, root: Mapping[str, Any], sheet: Sheet, memory: Memory) -> Floats:
    """(units,) of the plan with this root node of EXPLAIN (FORMAT JSON)."""
    counted = _Work(query, sheet, memory)
    counted.walk(root, 1.0, 0, -1)
    counted.units["query"], counted.units["relation"] = 1.0, float(query.num_relations)
    return np.array([counted.units[name] for name in UNITS])


@dataclass
class _Work:
    query: JoinQuery
    sheet: Sheet
    memory: Memory
    units: dict[str, float] = field(default_factory=lambda: dict.fromkeys(UNITS, 0.0))

    def __post_init__(self) -> None:
        self.place = {relation.alias: i for i, relation in enumerate(self.query.relations)}
        self.known = self.sheet.rows.tolist()

    def rows(self, subset: int) -> float:
        """Of a subset that is not connected: the product of its parts'."""
        if not math.isnan(self.known[subset]):
            return float(self.known[subset])
        part, neighbours = subset & -subset, self.query.neighbours
        while grown := subset & ~part & sum({1 << j for i in bits(part) for j in bits(int(neighbours[i]))}):
            part |= grown
        self.known[subset] = self.known[part] * self.rows(subset & ~part)
        return float(self.known[subset])

    def walk(self, node: Mapping[str, Any], loops: float, outer: int, inside: int) -> tuple[int, bool]:
        """Adds a node's work, run `loops` times, once for each row of `outer`; its relations, and whether it looks up.

        `inside`: the relation whose subquery it is in; -1: none.
        """
        kind = str(node.get("Node Type"))
        children: Sequence[Mapping[str, Any]] = node.get("Plans", ())
        if kind == "Nested Loop":
            return self._loop(children, loops, outer, inside)
        if kind in ("Hash Join", "Merge Join"):
            return self._join(kind, children, loops, outer, inside)
        if kind == "Subquery Scan":
            return self.walk(children[0], loops, outer, self.place[str(node["Alias"])])
        if "Alias" in node:
            return self._scan(node, kind, loops, outer, self.place.get(str(node["Alias"]), inside))
        if kind == "Memoize":
            self.units["memo"] += loops
            place = self._below(children[0], inside)
            distinct = self._distinct(place, outer)
            return self.walk(children[0], distinct * -math.expm1(-loops / distinct), outer, inside)
        if kind == "Materialize":
            subset, looks = self.walk(children[0], 1.0 if loops else 0.0, 0, inside)
            self.units["materialize"] += self.rows(subset) if subset else 0.0
            return subset, looks
        subset, looks = 0, False
        for child in children:
            more, also = self.walk(child, loops, outer, inside)
            subset, looks = subset | more, looks | also
        if kind == "Sort" and subset:
            rows = self._given(subset, loops, outer, looks)
            self.units["sort"] += rows * math.log2(rows + 1)
        return subset, looks

    def _given(self, subset: int, loops: float, outer: int, looks: bool) -> float:
        """Rows that a node gives, all its runs together."""
        if not looks:
            return loops * self.rows(subset)
        whole = self.rows(subset | outer)
        return whole * min(1.0, loops / self.rows(outer))

    def _loop(self, children: Sequence[Mapping[str, Any]], loops: float, outer: int, inside: int) -> tuple[int, bool]:
        left, one = self.walk(children[0], loops, outer, inside)
        given = self._given(left, loops, outer, one)
        right, looks = self.walk(children[1], given, left | (outer if one else 0), inside)
        if not looks:
            self.units["pair"] += given * self.rows(right)
        self.units["emit"] += self._given(left | right, loops, outer, one)
        return left | right, one

    def _join(
        self, kind: str, children: Sequence[Mapping[str, Any]], loops: float, outer: int, inside: int
    ) -> tuple[int, bool]:
        left, one = self.walk(children[0], loops, outer, inside)
        right, other = self.walk(children[1], loops, outer, inside)
        probed, built = self._given(left, loops, outer, one), self._given(right, loops, outer, other)
        if kind == "Hash Join":
            wide = "_wide" if built > WIDE else ""
            self.units[f"build{wide}"] += built
            self.units[f"probe{wide}"] += probed
        else:
            self.units["merge"] += probed + built
        self.units["emit"] += self._given(left | right, loops, outer, one or other)
        return left | right, one or other

    def _scan(self, node: Mapping[str, Any], kind: str, loops: float, outer: int, place: int) -> tuple[int, bool]:
        table, page = float(self.sheet.table[place]), float(self.sheet.page[place])
        condition = str(node.get("Index Cond", "")) + str(node.get("Recheck Cond", ""))
        looks = bool(outer and _OTHER.search(_TEXT.sub("", condition)))
        if kind == "Seq Scan":
            self.units["scan"] += loops * table
            self.units["scan_page"] += loops * table / page
            self.units["filter"] += loops * table if "Filter" in node else 0.0
            return 1 << place, False
        if not condition:
            self.units["full_index_only" if kind == "Index Only Scan" else "full_index"] += loops * table
            self.units["filter"] += loops * table if "Filter" in node else 0.0
            return 1 << place, False
        matched = loops * self.rows(1 << place)
        if looks:
            matched = found(self.sheet, outer, place) * min(1.0, loops / self.rows(outer))
        self.units["lookup"] += loops
        if kind == "Bitmap Heap Scan":
            self.units["bitmap"] += loops
            self.units["bitmap_match"] += matched
        elif kind == "Index Only Scan":
            self.units["match_only"] += matched
        else:
            self.units["match"] += matched
            self.units["page"] += self._pages(place, condition, loops, matched)
            self.units["check"] += matched if "Filter" in node else 0.0
        return 1 << place, looks

    def _pages(self, place: int, condition: str, loops: float, matched: float) -> float:
        name = _COLUMN.search(condition)
        table, page = float(self.sheet.table[place]), float(self.sheet.page[place])
        if name and self.memory.near(self.query.relations[place].table, name[1]):
            return max(loops, matched / page)
        pages = max(1.0, table / page)
        return loops * pages * -math.expm1(-matched / max(1.0, loops) / pages)

    def _below(self, node: Mapping[str, Any], inside: int) -> int:
        alias = str(node.get("Alias", ""))
        if alias in self.place:
            return self.place[alias]
        children: Sequence[Mapping[str, Any]] = node.get("Plans", ())
        return self._below(children[0], inside) if children else inside

    def _distinct(self, place: int, outer: int) -> float:
        """By how many different values a relation may be looked up for rows of `outer`."""
        fewest = math.inf
        for e in self.query.edges:
            for end, column, other, key in (
                (e.left, e.left_column, e.right, e.right_key), (e.right, e.right_column, e.left, e.left_key),
            ):  # fmt: skip
                if end == place and outer >> other & 1:
                    values = (
                        self.rows(1 << other) if key else self.memory.values(self.query.relations[place].table, column)
                    )
                    fewest = min(fewest, values)
        return max(1.0, min(fewest, self.rows(outer)))
