# SPDX-License-Identifier: Apache-2.0
"""A plan for a query that was never run: ours, or PostgreSQL's own where ours is not expected to be faster.

As little is done as the query is worth. Of few relations or little work nothing is
asked. A plan of ours that is expected to take a short time is run at once: it is bound,
so that planning it takes less than PostgreSQL's own plan does. Only for longer ones
does PostgreSQL plan and show its own; both are priced alike, by what they do under our
row counts (`explained.work`). Its plan is kept, so that running it after all costs no
planning again. And a plan of ours that takes much longer than expected is stopped, and
the own one run after all.

The constants were chosen on queries of the training and validation templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ..problem import JoinQuery
from ..sql.rewrite import rewrite
from ..system.plans import BOUND, FORCED, IN_MEMORY, EnginePlan, Settings
from ..system.prepared import Prepared
from ..system.session import TimedOut
from . import explained, pricing
from .counting import Sizes, walked
from .memory import Memory

#: Settings of the three sessions: for PostgreSQL's own plans, for plans with their operators, and for orders alone.
TOLD: Final[tuple[Settings, Settings, Settings]] = ((), BOUND, FORCED + IN_MEMORY)


@dataclass(frozen=True)
class Kept:
    """A statement that was prepared in a session."""

    where: Prepared
    name: str

    def run(self, limit_ms: float = 0.0) -> list[tuple[Any, ...]]:
        return self.where.run(self.name, limit_ms)


@dataclass(frozen=True)
class Sent:
    """A statement as text: nothing of it is known to the session yet."""

    where: Prepared
    text: str

    def run(self, limit_ms: float = 0.0) -> list[tuple[Any, ...]]:
        return self.where.once(self.text, limit_ms)


@dataclass(frozen=True)
class Chosen:
    """What to run; the plan is None where it is PostgreSQL's own."""

    own: Kept | Sent
    plan: EnginePlan | None = None
    ours: Kept | Sent | None = None
    limit_ms: float = 0.0  # for ours: then it is stopped
    tried: tuple[Kept, ...] = ()  # all of ours that were prepared

    def run(self) -> list[tuple[Any, ...]]:
        """Rows, as text."""
        if self.ours is not None:
            try:
                return self.ours.run(self.limit_ms)
            except TimedOut:
                pass
        return self.own.run()

    def forget(self) -> None:
        """Ends what was prepared."""
        for kept in (self.own, *self.tried):
            if isinstance(kept, Kept):
                kept.where.forget(kept.name)


@dataclass(frozen=True)
class Chooser:
    """For PostgreSQL. The three sessions have the settings `TOLD`."""

    memory: Memory
    quick: Sizes = Sizes(64, 256)  # noqa: RUF009 - a tuple
    few: int = 4  # relations: PostgreSQL plans them well
    little_rows: float = 3_000.0  # that a walk along the joins is expected to meet: not worth a thought
    small_ms: float = 4.0  # that our plan is expected to take by a quick count: not worth a closer one
    little_ms: float = 24.0  # that our plan is expected to take: not worth a look at PostgreSQL's own
    much_ms: float = 32.0  # that PostgreSQL's own is: orders are tried, too, whose operators PostgreSQL chooses
    least_gain: float = 0.95  # expected time of our plan / of PostgreSQL's own, at most
    preferred: float = 1.2  # expected time of an order / of the bound plan, at most: PostgreSQL's operators are better
    patience: float = 4.0  # time that our plan may take, by the wall clock / expected time

    def choose(self, query: JoinQuery, own: Prepared, bound: Prepared, free: Prepared) -> Chosen:
        asked = self.memory.asked(query) if query.num_relations > self.few else None
        if asked is None or walked(asked.relations, asked.members) < self.little_rows:
            return Chosen(Sent(own, query.sql))
        for sizes in (self.quick, self.memory.sizes):
            found = pricing.planned(self.memory.store, asked, sizes, self.memory.slots, pricing.prices())
            if found.sure and found.ns / 1e6 < self.small_ms:
                break
        plan, expected = EnginePlan(found.joins, found.operators, label="bound", bound=True), found.ns / 1e6
        if found.sure and expected < self.little_ms:
            limit = self.patience * (expected + self.small_ms)
            return Chosen(Sent(own, query.sql), plan, Sent(bound, rewrite(query, plan, bound=True)), limit)
        kept = Kept(own, own.prepare(query.sql))
        usual = self._ms(query, own.explain(kept.name), found.sheet)
        best, most = Chosen(kept, limit_ms=self.patience * usual), self.least_gain * usual
        if expected < most:
            best = replace(best, plan=plan, ours=Sent(bound, rewrite(query, plan, bound=True)))
            most = min(most, self.preferred * expected)
        return self._ordered(query, found, free, best, most) if usual >= self.much_ms else best

    def _ordered(self, query: JoinQuery, found: pricing.Plan, free: Prepared, best: Chosen, most: float) -> Chosen:
        """The order alone, if less than `most` ms are expected of what PostgreSQL makes of it."""
        plan = EnginePlan(found.joins, settings=IN_MEMORY, label="order")
        ours = Kept(free, free.prepare(rewrite(query, plan)))
        best = replace(best, tried=(ours,))
        expected = self._ms(query, free.explain(ours.name), found.sheet)
        return replace(best, plan=plan, ours=ours) if expected < most else best

    def _ms(self, query: JoinQuery, root: Mapping[str, Any], sheet: pricing.Sheet) -> float:
        return float(explained.work(query, root, sheet, self.memory) @ explained.prices()) / 1e6
