# SPDX-License-Identifier: Apache-2.0
"""What a join-order optimiser is given, what it decides, and what it is judged by.

The instance is one select-project-join block: relations with their predicates
pushed down, equality joins between them, and row counts of *subsets* of the
relations. A subset is a bitset: bit i stands for relation i.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import InvalidInstance
from trimtab.core.problem import Metric

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Tree = int | tuple["Tree", "Tree"]  # a relation, or (outer, inner)

#: What is known of a row count: counted; an upper bound (its count timed out); an optimiser's guess.
KINDS: Final = ("exact", "bound", "estimate")
EXACT, BOUND, ESTIMATE = range(3)

#: How a join is done. AUTO: the backend chooses the cheapest that it has.
OPERATORS: Final = ("auto", "hash", "index", "merge", "loop")
AUTO, HASH, INDEX, MERGE, LOOP = range(5)

#: What a plan is to be cheap under, see `simulator/models.py`.
COST_MODELS: Final = ("c_out", "cm1", "cm2", "cm3", "pg_like")

MAX_RELATIONS: Final = 62  # a bitset is a signed 64-bit integer

METRICS: Final = (
    Metric("cost_ratio", "1"),  # cost of the plan / of the best plan there is, both under the judging row counts
    Metric("regression", "1"),  # cost of the plan / of the plan chosen by dynamic programming on the estimates
    Metric("cost", "rows or ms"),  # a cost model's units; on-CPU ms in a real engine
)


@dataclass(frozen=True)
class Relation:
    """One table reference of the query."""

    alias: str
    table: str
    rows: float = float("nan")  # of the table, before the predicates; NaN: unknown
    predicates: tuple[str, ...] = ()  # SQL, on this relation alone
    width: float = float("nan")  # B per row; NaN: unknown


@dataclass(frozen=True)
class JoinEdge:
    """``left.left_column = right.right_column``.

    `left_key`, `right_key`: the column is its table's primary key (or unique).
    `left_index`, `right_index`: it leads an index; keys always do. `implied`: the
    query does not say it, it follows from its other joins. `selectivity` (of the
    cross product) is needed only where not every subset is counted; `left_frequency`
    and `right_frequency`, the most rows of the table that share a value, only for
    pessimistic bounds (1 for a key; NaN: unknown).
    """

    left: int
    right: int
    left_column: str
    right_column: str
    left_key: bool = False
    right_key: bool = False
    left_index: bool = False
    right_index: bool = False
    implied: bool = False
    selectivity: float = float("nan")
    left_frequency: float = float("nan")
    right_frequency: float = float("nan")


@dataclass(frozen=True, eq=False)
class Cardinalities:
    """Rows of subsets of the relations, after all predicates and joins inside the subset."""

    subsets: Ints  # (subsets,) bitsets, ascending
    rows: Floats  # (subsets,)
    kinds: NDArray[np.int8]  # (subsets,) EXACT, BOUND or ESTIMATE
    source: str  # "count", "postgresql 15.18", "flat", ...

    def __post_init__(self) -> None:
        if not len(self.subsets) == len(self.rows) == len(self.kinds):
            raise InvalidInstance(f"cardinalities of {self.source!r}: subsets, rows and kinds differ in length")
        if (np.diff(self.subsets) <= 0).any() or (len(self.subsets) and self.subsets[0] <= 0):
            raise InvalidInstance(f"cardinalities of {self.source!r}, field 'subsets': not ascending bitsets")
        bad = np.flatnonzero(~np.isfinite(self.rows) | (self.rows < 0))
        if bad.size:
            raise InvalidInstance(
                f"cardinalities of {self.source!r}, subset {int(self.subsets[bad[0]]):b}: {self.rows[bad[0]]} rows"
            )
        if len(self.kinds) and not 0 <= self.kinds.min() <= self.kinds.max() < len(KINDS):
            raise InvalidInstance(f"cardinalities of {self.source!r}, field 'kinds': one is none of {KINDS}")

    @classmethod
    def of(cls, rows: Mapping[int, float], source: str, kind: int = EXACT, bounds: Sequence[int] = ()) -> Cardinalities:
        """From ``{bitset: rows}``, all of one kind but for the subsets in `bounds`."""
        subsets = np.array(sorted(rows), np.int64)
        kinds = np.where(np.isin(subsets, np.array(list(bounds), np.int64)), BOUND, kind).astype(np.int8)
        return cls(subsets, np.array([rows[int(s)] for s in subsets], np.float64), kinds, source)

    def get(self, subset: int) -> float | None:
        """Rows of one subset; None where it is not listed."""
        at = int(np.searchsorted(self.subsets, subset))
        return float(self.rows[at]) if at < len(self.subsets) and self.subsets[at] == subset else None

    @property
    def exact(self) -> bool:
        """Whether every number was counted."""
        return bool((self.kinds == EXACT).all())


@dataclass(frozen=True, eq=False)
class JoinQuery:
    """The instance.

    `cardinalities` judge a plan: the best that is known. `estimates` are what the
    engine's optimiser believes, and all that a solver may plan with where they are
    given (`planning`); without them it plans with the judge's own numbers. A
    subset that is not listed has the product of its relations' rows and its edges'
    selectivities, where every edge has one.
    """

    name: str
    relations: tuple[Relation, ...]
    edges: tuple[JoinEdge, ...]
    cardinalities: Cardinalities
    estimates: Cardinalities | None = None
    cost_model: str = "c_out"  # one of COST_MODELS: what is to be cheap
    template: str = ""  # queries of one template share a split
    sql: str = ""

    def __post_init__(self) -> None:
        check_graph(self.name, self.relations, self.edges)
        if self.cost_model not in COST_MODELS:
            raise InvalidInstance(
                f"query {self.name!r}, field 'cost_model': {self.cost_model!r} is none of {', '.join(COST_MODELS)}"
            )
        for cards in (self.cardinalities, self.estimates):
            if cards is not None and len(cards.subsets) and cards.subsets[-1] > self.everything:
                raise InvalidInstance(f"query {self.name!r}: {cards.source!r} counts a relation that is not there")

    @property
    def num_relations(self) -> int:
        return len(self.relations)

    @property
    def everything(self) -> int:
        """The bitset of all relations."""
        return (1 << len(self.relations)) - 1

    @property
    def planning(self) -> Cardinalities:
        """What a solver may plan with."""
        return self.cardinalities if self.estimates is None else self.estimates

    @cached_property
    def neighbours(self) -> Ints:
        """Bitset of the relations that each relation is joined with.  (relations,)"""
        found = np.zeros(len(self.relations), np.int64)
        for edge in self.edges:
            found[edge.left] |= 1 << edge.right
            found[edge.right] |= 1 << edge.left
        return found

    def bitset(self, aliases: Sequence[str]) -> int:
        """The bitset of some aliases."""
        position = {relation.alias: i for i, relation in enumerate(self.relations)}
        unknown = [alias for alias in aliases if alias not in position]
        if unknown:
            raise InvalidInstance(f"query {self.name!r}: no relation has the alias {unknown[0]!r}")
        return sum(1 << position[alias] for alias in set(aliases))

    def aliases(self, subset: int) -> tuple[str, ...]:
        return tuple(self.relations[i].alias for i in bits(subset))


@dataclass(frozen=True, eq=False)
class JoinPlan:
    """The decision: a binary tree, its joins listed children before parents.

    `joins` are the bitsets of the outer (probing) and of the inner (built, looked
    up) operand of each join; `operators` says how each is done, AUTO where None.
    """

    joins: Ints  # (relations - 1, 2) outer, inner
    operators: NDArray[np.int8] | None = field(default=None)  # (relations - 1,)

    @classmethod
    def of(cls, tree: Tree) -> JoinPlan:
        """From nested pairs of relation indexes: ``((0, 1), 2)``."""
        joins: list[tuple[int, int]] = []

        def walk(node: Tree) -> int:
            if isinstance(node, int):
                return 1 << node
            outer, inner = walk(node[0]), walk(node[1])
            joins.append((outer, inner))
            return outer | inner

        walk(tree)
        return cls(np.array(joins, np.int64).reshape(-1, 2))

    def tree(self) -> Tree:
        """Nested pairs of relation indexes, (outer, inner). The plan must be one (see `flaw`)."""
        made: dict[int, Tree] = {}

        def node(subset: int) -> Tree:
            return made[subset] if subset & (subset - 1) else subset.bit_length() - 1

        last: Tree = 0
        for outer, inner in self.joins.tolist():
            last = made[outer | inner] = (node(outer), node(inner))
        return last

    def flaw(self, query: JoinQuery) -> str:
        """Why this is no plan of the query, or ''."""
        n = query.num_relations
        if self.joins.shape != (n - 1, 2):
            return f"{len(self.joins)} joins for {n} relations"
        if self.operators is not None and self.operators.shape != (n - 1,):
            return f"{len(self.operators)} operators for {n - 1} joins"
        ready = {1 << i for i in range(n)}
        for outer, inner in self.joins.tolist():
            if not {outer, inner} <= ready or outer == inner:
                return "a join of something that is not there, or was joined before"
            if not any(int(query.neighbours[i]) & inner for i in bits(outer)):
                return f"a cross product of {query.aliases(outer)} and {query.aliases(inner)}"
            ready -= {outer, inner}
            ready.add(outer | inner)
        return ""

    def text(self, query: JoinQuery) -> str:
        """``((a ⋈ b) ⋈ c)``"""

        def show(node: Tree) -> str:
            return query.relations[node].alias if isinstance(node, int) else f"({show(node[0])} ⋈ {show(node[1])})"

        return show(self.tree())


def bits(subset: int) -> Iterator[int]:
    """Indexes of the bits that are set, ascending."""
    while subset:
        low = subset & -subset
        yield low.bit_length() - 1
        subset ^= low


def check_graph(name: str, relations: Sequence[Relation], edges: Sequence[JoinEdge]) -> None:
    """Raises `InvalidInstance` where this is no connected join graph of 1 to 62 relations."""
    n = len(relations)
    if not 1 <= n <= MAX_RELATIONS:
        raise InvalidInstance(f"query {name!r}: {n} relations; 1 to {MAX_RELATIONS} can be planned")
    aliases = [relation.alias for relation in relations]
    twice = sorted({alias for alias in aliases if aliases.count(alias) > 1})
    if twice:
        raise InvalidInstance(f"query {name!r}: two relations have the alias {twice[0]!r}")
    for edge in edges:
        if not (0 <= edge.left < n and 0 <= edge.right < n) or edge.left == edge.right:
            raise InvalidInstance(f"query {name!r}: the join {edge.left_column} = {edge.right_column} joins no two")
    reached, ahead = {0}, [0]
    while ahead:
        here = ahead.pop()
        for edge in edges:
            if here in (edge.left, edge.right):
                other = edge.left + edge.right - here
                if other not in reached:
                    reached.add(other)
                    ahead.append(other)
    if len(reached) < n:
        lost = next(aliases[i] for i in range(n) if i not in reached)
        raise InvalidInstance(
            f"query {name!r}: nothing joins {lost!r} with {aliases[0]!r}: that is a cross product, which is not "
            "planned here. Add the missing join, or ask for the parts one by one."
        )
