# SPDX-License-Identifier: Apache-2.0
"""Rows of every connected subset of a tree of foreign-key joins, from a correlated sample held in memory.

The table that most rows refer to, the *hub*, is sampled by row, and rows that refer
to a sampled one come with it, so that what hangs together stays together; rows that
very many refer to are all in the sample, since they make the large results (join
synopses, Acharya et al., SIGMOD 1999; correlated sampling, Vengerov et al., VLDB
2015). Joins are not done: each relation sends the number of its rows by value of
the joined column, and these vectors are multiplied, as factorised databases count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..problem import Floats, JoinQuery, bits
from ..sql.text import connected_subsets
from ..workload.database import Database
from .statistics import SIMPLE
from .tables import Column, Rows, Sizes, Stored, choose, fetch, hang, store

CERTAIN: Final = 1_000_000  # support of what was counted


@dataclass
class Synopsis:
    """What `gather` read of a database."""

    sizes: Sizes
    tables: Mapping[str, Stored]
    targets: Mapping[tuple[str, str], str]  # (table, foreign key) -> table that it refers to
    keys: Mapping[str, str]
    hub: str
    chosen: Rows  # sampled rows of the hub, ascending
    weight: Floats  # (chosen,) rows of the hub that each stands for
    hanging: Mapping[tuple[str, str], tuple[Rows, NDArray[np.int32], Floats]]  # rows, whom they refer to, their weight

    @cached_property
    def gaps(self) -> set[tuple[str, str]]:
        """Foreign keys that are NULL, or refer to nothing, in some row."""
        return {(t, c) for t, stored in self.tables.items() for c, rows in stored.refers.items() if (rows < 0).any()}

    def values_of(self, table: str, column: str) -> str | None:
        """The table whose rows are the values of a column; None where it is neither a key nor refers to one."""
        return table if self.keys.get(table) == column else self.targets.get((table, column))

    def rows(self, query: JoinQuery) -> dict[int, tuple[float, int]] | None:
        """By bitset: the estimate, and on how many sampled values it rests. None where the query is no tree of them."""
        graph = _Graph.of(query, self)
        if graph is None:
            return None
        counting = _Counting(query, self, graph)
        return {subset: counting.total(subset) for subset in connected_subsets(query)}


@dataclass
class _Graph:
    """Relations and classes of equal columns, which together are a tree."""

    classes: list[tuple[str, dict[int, str]]]  # (table of the values, relation -> its column)
    of_relation: list[list[int]]  # classes that a relation is in

    @classmethod
    def of(cls, query: JoinQuery, synopsis: Synopsis) -> _Graph | None:
        found: list[dict[tuple[int, str], None]] = []
        for edge in query.edges:
            if edge.implied:
                continue
            ends = {(edge.left, edge.left_column): None, (edge.right, edge.right_column): None}
            touched = [one for one in found if one.keys() & ends.keys()]
            found = [one for one in found if not one.keys() & ends.keys()]
            found.append({k: None for one in [*touched, ends] for k in one})
        classes: list[tuple[str, dict[int, str]]] = []
        of_relation: list[list[int]] = [[] for _ in query.relations]
        for members in found:
            values = {synopsis.values_of(query.relations[i].table, column) for i, column in members}
            if len(values) != 1 or None in values or len({i for i, _ in members}) < len(members):
                return None
            for i, _ in members:
                of_relation[i].append(len(classes))
            classes.append((str(values.pop()), dict(members.keys())))
        links = sum(len(members) for _, members in classes)
        return cls(classes, of_relation) if links == len(classes) + query.num_relations - 1 else None


@dataclass
class _Counting:
    query: JoinQuery
    synopsis: Synopsis
    graph: _Graph
    inside: list[int] = field(init=False)  # relations of each class, as a bitset
    hubs: list[bool] = field(init=False)
    certain: list[int] = field(init=False)  # those of them in which every row has a value
    ranges: dict[int, tuple[list[tuple[Column, tuple[Any, Any]]], int]] = field(default_factory=dict)
    drawn: dict[int, tuple[Rows, float, int]] = field(default_factory=dict)
    exact: bool = True  # whether all since it was set was counted, not sampled
    known: dict[tuple[int, int, int, bool], Floats] = field(default_factory=dict)
    masks: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.inside = [sum(1 << i for i in members) for _, members in self.graph.classes]
        self.hubs = [table == self.synopsis.hub for table, _ in self.graph.classes]
        self.certain = [
            sum(
                1 << i
                for i, column in members.items()
                if (self.query.relations[i].table, column) not in self.synopsis.gaps
            )
            for _, members in self.graph.classes
        ]

    def total(self, subset: int) -> tuple[float, int]:
        if not subset & (subset - 1):
            return self._single(subset.bit_length() - 1)
        start = min(bits(subset), key=lambda i: self.chosen(i)[2])
        rows, _, total = self.chosen(start)
        if total <= self.synopsis.sizes.few:  # so few that counting starts from all of them
            self.exact = True
            found = self.weights(start, -1, subset, rows)
            return float(found.sum()), CERTAIN if self.exact else max(5, int(np.count_nonzero(found)))
        best = max(range(len(self.inside)), key=lambda c: self._worth(c, subset))
        table, members = self.graph.classes[best]
        sampled = table == self.synopsis.hub
        product: Floats | None = None
        for i in members:
            if subset >> i & 1:
                part = self.vector(i, best, subset & self.behind(i, best), sampled)
                product = part if product is None else product * part
        assert product is not None
        estimate = float(product @ self.synopsis.weight if sampled else product.sum())
        return estimate, int(np.count_nonzero(product))

    def _worth(self, c: int, subset: int) -> int:
        """How good a class is to count a subset by: sampled ones are best; NULLs must not be lost."""
        inside = self.inside[c] & subset
        if not inside or (not inside & (inside - 1) and not inside & self.certain[c]):
            return 0
        return inside.bit_count() + 1000 * self.hubs[c]

    def _single(self, i: int) -> tuple[float, int]:
        rows, scale, _ = self.chosen(i)
        found = self.filtered(i, rows)
        return float(found.sum()) * scale, int(np.count_nonzero(found))

    def behind(self, i: int, c: int) -> int:
        """The relations that are cut off from class `c` where relation `i` is taken away, and `i`."""
        if (i, c) not in self.masks:
            found = 1 << i
            for other in self.graph.of_relation[i]:
                if other != c:
                    for j in self.graph.classes[other][1]:
                        if j != i:
                            found |= self.behind(j, other)
            self.masks[i, c] = found
        return self.masks[i, c]

    def vector(self, i: int, c: int, subset: int, sampled: bool) -> Floats:
        """Rows of the joined `subset` behind relation `i`, by value of class `c`: all values, or the chosen ones."""
        key = (i, c, subset, sampled)
        if key not in self.known:
            self.known[key] = self._vector(i, c, subset, sampled)
        return self.known[key]

    def _vector(self, i: int, c: int, subset: int, sampled: bool) -> Floats:
        values, members = self.graph.classes[c]
        relation, synopsis = self.query.relations[i], self.synopsis
        stored, column = synopsis.tables[relation.table], members[i]
        if synopsis.keys.get(relation.table) == column:
            return self.weights(i, c, subset, synopsis.chosen if sampled else np.arange(stored.rows))
        if sampled:
            rows, owner, weight = synopsis.hanging[relation.table, column]
            return _sums(owner, self.weights(i, c, subset, rows) * weight, len(synopsis.chosen))
        rows, scale, _ = self.chosen(i)
        target = stored.refers[column][rows]
        there = target >= 0
        weights = self.weights(i, c, subset, rows) * scale
        return _sums(target[there], weights[there], synopsis.tables[values].rows)

    def weights(self, i: int, c: int, subset: int, rows: Rows) -> Floats:
        """Of some rows of relation `i`: 0 where a predicate fails, else the rows of all else in `subset` that join."""
        found = self.filtered(i, rows)
        stored = self.synopsis.tables[self.query.relations[i].table]
        for other in self.graph.of_relation[i]:
            if other == c:
                continue
            members = self.graph.classes[other][1]
            column = members[i]
            own = self.synopsis.keys.get(self.query.relations[i].table) == column
            target = rows if own else stored.refers[column][rows]
            for j in members:
                if j != i and subset >> j & 1:
                    found = found * self.at(j, other, subset & self.behind(j, other), target)
        return found

    def at(self, j: int, c: int, subset: int, values: NDArray[Any]) -> Floats:
        """As `vector`, at some values only; -1 is none."""
        members = self.graph.classes[c][1]
        relation = self.query.relations[j]
        if self.synopsis.keys.get(relation.table) == members[j]:
            found = self.weights(j, c, subset, np.maximum(values, 0))
        else:
            found = self._looked_up(j, c, subset, np.maximum(values, 0))
        return np.where(values >= 0, found, 0.0)

    def _looked_up(self, j: int, c: int, subset: int, values: NDArray[Any]) -> Floats:
        """Rows of relation `j` that refer to some values: all of them where they are few, else by the sample."""
        relation = self.query.relations[j]
        rows, start = self.synopsis.tables[relation.table].referring[self.graph.classes[c][1][j]]
        first, counts = start[values], start[values + 1] - start[values]
        total = int(counts.sum())
        if total > self.synopsis.sizes.others:
            self.exact &= self.chosen(j)[1] == 1.0
            return np.asarray(self.vector(j, c, subset, sampled=False)[values])
        owner = np.repeat(np.arange(len(values)), counts)
        found = rows[np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(total)]
        return _sums(owner, self.weights(j, c, subset, found), len(values))

    def filtered(self, i: int, rows: Rows) -> Floats:
        """1 where the relation's predicates hold, 0 elsewhere; times a tenth for each that is not understood."""
        bounds, strange = self.conditions(i)
        found = np.full(len(rows), 0.1**strange)
        for column, between in bounds:
            found = found * column.holds(between, rows)
        return found

    def conditions(self, i: int) -> tuple[list[tuple[Column, tuple[Any, Any]]], int]:
        """A relation's predicates as ranges of columns, and how many are of another form."""
        if i not in self.ranges:
            relation = self.query.relations[i]
            columns = self.synopsis.tables[relation.table].columns
            known = []
            for predicate in relation.predicates:
                simple = SIMPLE.fullmatch(predicate)
                column = columns.get(simple[1].strip('"')) if simple else None
                between = column.between(simple[2], simple[3]) if simple and column else None
                if column is not None and between is not None:
                    known.append((column, between))
            self.ranges[i] = known, len(relation.predicates) - len(known)
        return self.ranges[i]

    def chosen(self, i: int) -> tuple[Rows, float, int]:
        """Rows drawn from those that meet the most selective predicate; what each stands for; of how many."""
        if i not in self.drawn:
            stored = self.synopsis.tables[self.query.relations[i].table]
            rows, scale, total = stored.sample, stored.scale, stored.rows
            slices = [column.rows(between) for column, between in self.conditions(i)[0]]
            if slices:
                best = min(slices, key=len)
                step = max(
                    1, -(-len(best) // self.synopsis.sizes.others)
                )  # `order` is stable, so this is a systematic sample
                rows, total = best[::step], len(best)
                scale = total / max(1, len(rows))
            self.drawn[i] = rows, scale, total
        return self.drawn[i]


def _sums(places: NDArray[Any], weights: Floats, count: int) -> Floats:
    """Weights added up by place.  (count,)"""
    return np.asarray(np.bincount(places, weights, count), np.float64)


def gather(connection: Any, database: Database, *, sizes: Sizes = Sizes(), seed: int = 0) -> Synopsis:  # noqa: B008
    """Read the tables of a DuckDB connection, and sample."""
    rng = np.random.default_rng(seed)
    keys = {table.name: table.key for table in database.tables if table.key}
    targets = {(t, c): other for t, c, other, _ in database.foreign_keys()}
    ids = {name: fetch(connection, name, key).astype(np.int64) for name, key in keys.items()}
    tables = {table.name: store(connection, table, ids, targets, sizes.others, rng) for table in database.tables}
    referring: dict[str, int] = {}
    for (t, _), other in targets.items():
        referring[other] = referring.get(other, 0) + tables[t].rows
    hub = max(referring, key=lambda name: referring[name])
    chosen, weight = choose(tables, targets, hub, sizes, rng)
    hanging = {}
    for (t, c), other in targets.items():
        if other == hub:
            hanging[t, c] = hang(tables[t].refers[c], chosen, tables[hub].rows, sizes.each, rng)
    return Synopsis(sizes, tables, targets, keys, hub, chosen, weight, hanging)
