# SPDX-License-Identifier: Apache-2.0
"""A plan for a query that was never run: the engine's own, unless ours is expected to be clearly faster.

Both are priced alike, by what they do under our row counts (`explained.work`). PostgreSQL
plans and shows its own first, in a session with a tuned configuration; that plan is
kept, so that running it after all costs no planning again. As little is done as the
query is worth: what PostgreSQL expects little work of is run at once. And a plan of
ours that takes much longer than the own one was expected to is stopped, and the own
one run after all.

The constants were chosen on queries of the training and validation templates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from ..problem import Floats, Ints, JoinPlan, JoinQuery
from ..sql.rewrite import rewrite
from ..system.plans import BOUND, FORCED, IN_MEMORY, EnginePlan, Settings
from ..system.prepared import Prepared
from ..system.session import TimedOut
from . import explained, pricing
from .counting import Sizes
from .memory import Memory

#: Settings of the three sessions: for PostgreSQL's own plans, for plans with their operators, and for orders alone.
TOLD: Final[tuple[Settings, Settings, Settings]] = (IN_MEMORY, BOUND, FORCED + IN_MEMORY)


@dataclass(frozen=True)
class Kept:
    """A statement that was prepared in a session."""

    where: Prepared
    name: str

    def run(self) -> list[tuple[Any, ...]]:
        return self.where.run(self.name)


@dataclass(frozen=True)
class Chosen:
    """What to run; the plan is None where it is PostgreSQL's own."""

    own: Kept | Prepared  # a session alone: the query is to be sent to it as it stands
    plan: EnginePlan | None = None
    ours: Kept | None = None
    limit_ms: float = 0.0  # for ours: then it is stopped
    tried: tuple[Kept, ...] = ()  # all of ours that were prepared

    def run(self, query: JoinQuery) -> list[tuple[Any, ...]]:
        """Rows, as text where the statement was prepared."""
        if self.ours is not None:
            try:
                with self.ours.where.session.settings({"statement_timeout": str(math.ceil(self.limit_ms))}):
                    return self.ours.run()
            except TimedOut:
                pass
        return self.own.run() if isinstance(self.own, Kept) else self.own.session.rows(query.sql)

    def forget(self) -> None:
        """Ends what was prepared."""
        for kept in (self.own, *self.tried):
            if isinstance(kept, Kept):
                kept.where.forget(kept.name)


@dataclass(frozen=True)
class Chooser:
    """For PostgreSQL. The three sessions have the settings `TOLD`."""

    memory: Memory
    little_rows: float = 60_000.0  # that a walk along the joins is expected to meet: not worth a look
    little_ms: float = 8.0  # that PostgreSQL's own plan is expected to take by its estimates: not worth a thought
    look_ms: float = 2.0  # what looking at another plan takes
    much_ms: float = 32.0  # from here on orders are tried whose operators PostgreSQL chooses
    least_gain: float = 0.7  # expected time of our plan / of PostgreSQL's own, at most
    patience: float = 4.0  # time that our plan may take, by the wall clock / expected time of PostgreSQL's own

    def choose(self, query: JoinQuery, own: Prepared, bound: Prepared, free: Prepared) -> Chosen:
        if self.memory.walked(query) < self.little_rows:
            return Chosen(own)
        kept = Kept(own, own.prepare(query.sql))
        root = own.explain(kept.name)
        if glance(query, root) < self.little_ms:
            return Chosen(kept)
        counted = self.memory.rows(query)
        if counted is None:
            return Chosen(kept)
        sheet = pricing.sheet_of(query, counted, self.memory)
        usual = self._ms(query, root, sheet)
        limit = self.least_gain * usual - self.look_ms
        ns, joins, operators = pricing.cheapest(sheet, pricing.prices())
        best = Chosen(kept, limit_ms=self.patience * usual)
        if ns / 1e6 < limit:
            plan = EnginePlan(joins, operators, label="bound", bound=True)
            best, limit = self._try(query, plan, bound, sheet, best, limit)
        if usual >= self.much_ms and (best.plan is None or limit > usual / 2):
            plan = EnginePlan(joins, settings=IN_MEMORY, label="order")
            best, limit = self._try(query, plan, free, sheet, best, limit)
        return best

    def _try(
        self, query: JoinQuery, plan: EnginePlan, where: Prepared, sheet: pricing.Sheet, best: Chosen, limit: float
    ) -> tuple[Chosen, float]:
        """A plan and what is expected of it, if that is less than `limit` ms."""
        ours = Kept(where, where.prepare(rewrite(query, plan, bound=plan.bound)))
        expected = self._ms(query, where.explain(ours.name), sheet)
        best = replace(best, tried=(*best.tried, ours))
        return (replace(best, plan=plan, ours=ours), expected) if expected < limit else (best, limit)

    def _ms(self, query: JoinQuery, root: Mapping[str, Any], sheet: pricing.Sheet) -> float:
        return float(explained.work(query, root, sheet, self.memory) @ explained.prices()) / 1e6


def glance(query: JoinQuery, root: Mapping[str, Any]) -> float:
    """ms that a plan takes, roughly, if PostgreSQL's row estimates are right."""
    tables = {relation.alias: relation.rows for relation in query.relations}

    def walk(node: Mapping[str, Any], loops: float) -> float:
        kind, below = node["Node Type"], node.get("Plans", ())
        if kind == "Seq Scan":
            return 35e-6 * tables[str(node["Alias"])] * loops
        total = (120e-6 if "Alias" in node else 60e-6) * node["Plan Rows"] * loops
        for k, child in enumerate(below):
            again = kind == "Nested Loop" and k == 1 and child["Node Type"] != "Materialize"
            total += walk(child, loops * below[0]["Plan Rows"] if again else loops)
        return float(total)

    return walk(root, 1.0)


#: C_out: rows that joins give, and nothing else.
C_OUT: Final = np.array([float(name == "emit") for name in pricing.UNITS])


@dataclass(frozen=True)
class DuckChooser:
    """For DuckDB, which only hashes: the order with the fewest rows, the smaller operand hashed. Nothing is explained.

    A query is left as it stands where a walk along its joins is expected to meet fewer
    rows than counting is worth: DuckDB is done with it in the time that choosing takes.
    """

    memory: Memory
    little_rows: float = 1_000.0  # of a query of four relations; counting takes about twice as long for each one more
    more: float = 2.0
    quick: Sizes = Sizes(64, 256)  # noqa: RUF009 - a tuple
    many_rows: float = 100_000.0  # of intermediate results: worth a closer count, as is what rests on no row

    def choose(self, query: JoinQuery) -> JoinPlan | None:
        if self.memory.walked(query) < self.little_rows * self.more ** (query.num_relations - 4):
            return None
        for sizes in (self.quick, self.memory.sizes):
            counted = replace(self.memory, sizes=sizes).rows(query)
            if counted is None:
                return None
            sheet = pricing.sheet_of(query, counted, self.memory)
            rows, joins, _ = pricing.cheapest(sheet, C_OUT)
            if rows < self.many_rows and is_sure(counted, joins):
                break
        return smaller_inside(joins, sheet.rows)


def is_sure(counted: tuple[Ints, Floats, Floats, Floats], joins: Ints) -> bool:
    """Whether every intermediate result of a plan rests on a row of the sample; the last one is every plan's."""
    subsets, _, support, _ = counted
    return bool((support[subsets.searchsorted(joins[:-1].sum(axis=1))] > 0.0).all())


def smaller_inside(joins: Ints, rows: Floats) -> JoinPlan:
    """The order with the smaller operand of every join as the inner one. `rows` are by bitset."""
    outer, inner = joins[:, 0], joins[:, 1]
    swap = rows[outer] < rows[inner]
    return JoinPlan(np.where(swap[:, None], joins[:, ::-1], joins))
