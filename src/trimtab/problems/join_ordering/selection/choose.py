# SPDX-License-Identifier: Apache-2.0
"""A plan for a query that was never run: ours, or PostgreSQL's own where there is little to gain.

As little is done as the query is worth. Of few relations or little work nothing is
asked. A plan of ours that is expected to take a short time is run at once: it is bound,
so that planning it takes less than PostgreSQL's own plan does. For a longer one
PostgreSQL is shown its order, too, and plans the operators, which it does better where
it is not misled: both plans are priced alike, by what they do under our row counts
(`explained.work`). PostgreSQL's own order is not looked at: that costs a second
planning, and under close counts it was hardly ever the better one. But a plan of ours
that takes much longer than expected is stopped, and PostgreSQL's own run after all.

The constants were chosen on queries of the training and validation templates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from ..problem import JoinQuery
from ..sql.rewrite import rewrite
from ..system.plans import BOUND, FORCED, IN_MEMORY, EnginePlan, Settings
from ..system.prepared import Prepared
from ..system.session import TimedOut
from . import explained, pricing
from .counting import Sizes
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

    own: Sent
    plan: EnginePlan | None = None
    ours: Kept | Sent | None = None
    limit_ms: float = 0.0  # for ours: then it is stopped
    tried: Kept | None = None  # what was looked at

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
        if self.tried is not None:
            self.tried.where.forget(self.tried.name)


@dataclass(frozen=True)
class Chooser:
    """For PostgreSQL. The three sessions have the settings `TOLD`."""

    memory: Memory
    quick: Sizes = Sizes(64, 256)  # noqa: RUF009 - a tuple
    few: int = 4  # relations: PostgreSQL plans them well
    little_rows: float = 15_000.0  # that a walk along the joins is expected to meet: not worth a thought
    small_ms: float = 4.0  # that our plan is expected to take by a quick count: not worth a closer one
    little_ms: float = 16.0  # that our plan is expected to take: not worth a look at another
    preferred: float = 1.2  # expected time of the order / of the bound plan, at most: PostgreSQL's operators are better
    patience: float = 4.0  # time that our plan may take, by the wall clock / expected time

    def choose(self, query: JoinQuery, own: Prepared, bound: Prepared, free: Prepared) -> Chosen:
        chosen = Chosen(Sent(own, query.sql))
        places = self.memory.places(query) if query.num_relations > self.few else None
        if places is None or places.walked() < self.little_rows:
            return chosen
        asked = places.asked()
        for sizes in (self.quick, self.memory.sizes):
            found = pricing.planned(self.memory.store, asked, sizes, self.memory.slots, pricing.prices())
            expected = found.ns / 1e6
            if found.support > 0 and expected < self.small_ms:
                break
        chosen = replace(chosen, limit_ms=self.patience * (expected + self.small_ms))
        if expected >= self.little_ms or not found.support:
            plan = EnginePlan(found.joins, settings=IN_MEMORY, label="order")
            kept = Kept(free, free.prepare(rewrite(query, plan)))
            chosen = replace(chosen, tried=kept)
            work = explained.work(query, free.explain(kept.name), found.sheet, self.memory)
            if work @ explained.prices() < self.preferred * found.ns:
                return replace(chosen, plan=plan, ours=kept)
        plan = EnginePlan(found.joins, found.operators, label="bound", bound=True)
        return replace(chosen, plan=plan, ours=Sent(bound, rewrite(query, plan, bound=True)))
