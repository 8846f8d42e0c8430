# SPDX-License-Identifier: Apache-2.0
"""What a physical plan of PostgreSQL does, in units of work, under any row counts.

EXPLAIN shows which scans and joins will run; its own row numbers are not used.
The time of a plan is the product of its work with measured ns per unit
(`pg_physical.json`, fitted by non-negative least squares to plans that were run).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.errors import InvalidInstance

from ..problem import Cardinalities, Floats, JoinQuery, bits

FEATURES: Final = (
    "query",  # once
    "relation",  # relation that is planned
    "scan",  # row read in sequence
    "filter",  # row that a condition is checked on
    "index_descent",  # descent of an index
    "index_match",  # row found through an index
    "index_only_match",  # the same, without a visit to the table
    "bitmap_match",  # row found through a bitmap
    "memoize",  # lookup in the cache of a nested loop's inner side
    "build",  # row put into a hash table
    "build_wide",  # row put into a hash table of more than 50,000 rows: past the caches
    "probe",  # row looked up in a hash table
    "probe_wide",  # row looked up in a hash table of more than 50,000 rows
    "sort",  # n log2 n of rows sorted
    "merge",  # row merged
    "materialize",  # row kept for a nested loop's inner side
    "pair",  # pair of rows compared in a nested loop
    "emit",  # row that a join gives
)
FILE: Final = Path(__file__).with_name("pg_physical.json")

WIDE: Final = 50_000
FEW: Final = 0.05  # of a table's rows

_TEXT: Final = re.compile(r"'(?:[^']|'')*'")
_ALIAS: Final = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)"?\.')

#: Rows of a connected subset, by bitset.
Rows = Callable[[int], float]


@dataclass
class _Work:
    query: JoinQuery
    rows: Rows
    units: dict[str, float] = field(default_factory=lambda: dict.fromkeys(FEATURES, 0.0))

    def __post_init__(self) -> None:
        self.place = {relation.alias: i for i, relation in enumerate(self.query.relations)}

    def add(self, name: str, amount: float) -> None:
        self.units[name] += amount

    def walk(self, node: Mapping[str, Any], loops: float = 1.0, outer: int = 0) -> int:
        """Adds a node's work, run `loops` times, looked up by rows of `outer` if that is not 0; the node's bitset."""
        kind = str(node.get("Node Type"))
        children: Sequence[Mapping[str, Any]] = node.get("Plans", ())
        if kind == "Nested Loop":
            return self._loop(children, loops, outer)
        if kind in ("Hash Join", "Merge Join"):
            return self._join(kind, children, loops, outer)
        if node.get("Alias") in self.place:
            return self._scan(node, kind, loops, outer)
        if kind == "Memoize":
            self.add("memoize", loops)
            return self.walk(children[0], self._misses(children[0], loops), outer)
        below = 0
        for child in children:
            below |= self.walk(child, loops, outer)
        self._unary(kind, below, loops, outer)
        return below

    def _matches(self, place: int, outer: int, loops: float, table: float, base: float) -> float:
        """Rows that a lookup finds, before the relation's own predicates.

        These are taken not to care for the join, unless they leave so little that the
        average over all values says more.
        """
        distinct = self._distinct({place})
        average = table / distinct if distinct else table
        if distinct and distinct >= table:
            return 1.0  # a key
        left = base / table
        return self._given(1 << place, outer, loops) / left if left > FEW else average

    def _misses(self, node: Mapping[str, Any], loops: float) -> float:
        """Lookups that the cache does not have: each of the values there are, once, if they come in any order."""
        distinct = self._distinct({self.place[alias] for alias in _aliases(node) if alias in self.place})
        return distinct * -math.expm1(-loops / distinct) if distinct else loops

    def _distinct(self, inside: set[int]) -> float:
        """Values by which relations are joined with those outside, by the keys among them; 0: unknown."""
        values = [
            self.query.relations[key].rows
            for edge in self.query.edges
            for end, other, key in ((edge.left, edge.right, edge.left), (edge.right, edge.left, edge.right))
            if {end, other} & inside and not {end, other} <= inside
            and (edge.left_key if key == edge.left else edge.right_key)
        ]  # fmt: skip
        known = [rows for rows in values if math.isfinite(rows)]
        return max(1.0, min(known)) if known else 0.0

    def _unary(self, kind: str, below: int, loops: float, outer: int) -> None:
        if kind == "Sort" and below:
            rows = self._given(below, outer, loops)
            self.add("sort", loops * rows * math.log2(rows + 1))
        elif kind == "Materialize" and below:
            self.add("materialize", loops * self._given(below, outer, loops))

    def _given(self, subset: int, outer: int, loops: float) -> float:
        """Rows that a node gives each time it is run."""
        if not outer:
            return self.rows(subset)
        return self.rows(subset | outer) / max(1.0, self.rows(outer))

    def _join(self, kind: str, children: Sequence[Mapping[str, Any]], loops: float, outer: int) -> int:
        left = self.walk(children[0], loops, outer)
        right = self.walk(children[1], loops, outer)
        probed, built, given = (self._given(subset, outer, loops) for subset in (left, right, left | right))
        if kind == "Hash Join":
            wide = built > WIDE
            self.add("build_wide" if wide else "build", loops * built)
            self.add("probe_wide" if wide else "probe", loops * probed)
        else:
            self.add("merge", loops * (probed + built))
        self.add("emit", loops * given)
        return left | right

    def _loop(self, children: Sequence[Mapping[str, Any]], loops: float, outer: int) -> int:
        left = self.walk(children[0], loops, outer)
        given = loops * self._given(left, outer, loops)
        inner = children[1]
        if _looks_up(inner):
            right = self.walk(inner, given, left | outer)
        elif inner.get("Node Type") == "Materialize":
            right = self.walk(inner, loops, outer)
            self.add("pair", given * self.rows(right))
        else:
            right = self.walk(inner, given, 0)
        self.add("emit", loops * self._given(left | right, outer, loops))
        return left | right

    def _scan(self, node: Mapping[str, Any], kind: str, loops: float, outer: int) -> int:
        place = self.place[str(node["Alias"])]
        relation, subset = self.query.relations[place], 1 << place
        base = self.rows(subset)
        table = relation.rows if math.isfinite(relation.rows) else base
        found = base
        if outer and _looks_up(node):  # rows that meet the index condition, before the relation's own predicates
            found = self._matches(place, outer, loops, table, base)
        if kind == "Seq Scan":
            self.add("scan", loops * table)
            found = table
        elif kind == "Bitmap Heap Scan":
            self.add("index_descent", loops)
            self.add("bitmap_match", loops * found)
        else:
            self.add("index_descent", loops)
            only = kind == "Index Only Scan"
            match = table if "Index Cond" not in node else found
            self.add("index_only_match" if only else "index_match", loops * match)
            found = match
        if "Filter" in node:
            self.add("filter", loops * found)
        return subset


def _looks_up(node: Mapping[str, Any]) -> bool:
    """Whether an index condition in this subtree refers to a relation outside of it, as ``(pkg_id = p.id)`` may."""
    return bool(_asked_for(node) - _aliases(node))


def _asked_for(node: Mapping[str, Any]) -> set[str]:
    """Aliases in the index conditions of a subtree."""
    conditions = (str(node.get("Index Cond", "")), str(node.get("Recheck Cond", "")))
    own = {alias for condition in conditions for alias in _ALIAS.findall(_TEXT.sub("", condition))}
    return own.union(*(_asked_for(child) for child in node.get("Plans", ())))


def _aliases(node: Mapping[str, Any]) -> set[str]:
    own = {str(node["Alias"])} if "Alias" in node else set()
    return own.union(*(_aliases(child) for child in node.get("Plans", ())))


def rows_in(query: JoinQuery, cards: Cardinalities) -> Rows:
    """Rows of any subset, at least 1; those of one that is not connected are the product of its parts'."""
    known = dict(zip(cards.subsets.tolist(), np.maximum(1.0, cards.rows).tolist(), strict=True))
    neighbours = query.neighbours.tolist()

    def rows(subset: int) -> float:
        found = known.get(subset)
        if found is None:
            part = subset & -subset
            while grown := subset & ~part & _around(neighbours, part):
                part |= grown
            if part == subset:
                raise InvalidInstance(
                    f"query {query.name!r}: the rows of {', '.join(query.aliases(subset))} are not known"
                )
            found = known[subset] = rows(part) * rows(subset & ~part)
        return found

    return rows


def _around(neighbours: Sequence[int], subset: int) -> int:
    found = 0
    for i in bits(subset):
        found |= neighbours[i]
    return found


def work(query: JoinQuery, root: Mapping[str, Any], cards: Cardinalities) -> Floats:
    """(features,) units of work of a plan that EXPLAIN (FORMAT JSON) shows, in the order of `FEATURES`."""
    counted = _Work(query, rows_in(query, cards))
    counted.walk(root)
    counted.add("query", 1)
    counted.add("relation", query.num_relations)
    return np.array([counted.units[name] for name in FEATURES])


@cache
def ns_per_unit() -> Floats:
    """(features,) as measured, see the file."""
    known = json.loads(FILE.read_text("utf-8"))["ns"]
    return np.array([float(known[name]) for name in FEATURES])


def fit(units: Floats, ns: Floats) -> Floats:
    """Non-negative least squares on relative errors: (plans, features), (plans,) -> (features,)."""
    from scipy.optimize import nnls

    weights = ns**-0.8  # between relative and absolute errors: cheap plans must not rule, nor dear ones
    return np.asarray(nnls(units * weights[:, None], ns * weights)[0])
