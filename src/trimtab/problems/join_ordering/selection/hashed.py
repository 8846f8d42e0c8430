# SPDX-License-Identifier: Apache-2.0
"""Orders of joins for DuckDB, which only hashes. Nothing is explained, since that costs as much as a small query.

Choosing costs about a tenth of what planning does in DuckDB, which is spared its own
search for an order: so every query is given one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from trimtab.kit.compiled import compiled

from ..problem import Floats, Ints, JoinPlan, JoinQuery
from .counting import Sizes
from .memory import Memory
from .pricing import BUILD, EMIT, FILTER, LOOKUP, SPARE, UNITS, Sheet, planned
from .sampling import Asked, Small, Store

#: C_out: rows that joins give, and nothing else.
C_OUT: Final = np.array([float(name == "emit") for name in UNITS])
#: ns, least squares over forced orders of 80 queries of the training and validation templates. Only their ratio
#: decides, and from 1 to 10 in place of 4 the totals of these queries differ by less than 1 %.
PRICES: Final = np.zeros(len(UNITS))
PRICES[[BUILD, EMIT, LOOKUP, FILTER, SPARE]] = 27.0, 6.6, np.inf, 4.0, -4.0


@compiled
def smaller_inside(sheet: Sheet, joins: Ints) -> Ints:
    """The order with the smaller operand of every join as the inner one."""
    turned = joins.copy()
    for k in range(len(joins)):
        if sheet.rows[joins[k, 0]] < sheet.rows[joins[k, 1]]:
            turned[k, 0], turned[k, 1] = joins[k, 1], joins[k, 0]
    return turned


@compiled
def ordered(store: Store, asked: Asked, sizes: Sizes, slots: Small, prices: Floats) -> tuple[float, float, Ints]:
    """ns of joins in the cheapest order, on how many sampled rows that rests, at least, and the order."""
    plan = planned(store, asked, sizes, slots, prices)
    return plan.ns, plan.support, smaller_inside(plan.sheet, plan.joins)


@dataclass(frozen=True)
class DuckChooser:
    """The order in which hash joins take the least time, by a quick count; by a closer one where that is worth it."""

    memory: Memory
    quick: Sizes = Sizes(32, 128)  # noqa: RUF009 - a tuple
    close: Sizes = Sizes(256, 1024)  # noqa: RUF009
    some_ns: float = 1e6  # that joins are expected to take: worth a closer count if that rests on few rows
    few: float = 2.0  # sampled rows
    much_ns: float = 2e7  # worth one in any case

    def choose(self, query: JoinQuery) -> JoinPlan | None:
        """None where rows can't be counted."""
        asked = self.memory.asked(query)
        if asked is None:
            return None
        for sizes in (self.quick, self.close):
            ns, support, joins = ordered(self.memory.store, asked, sizes, self.memory.slots, PRICES)
            if ns < (self.some_ns if support < self.few else self.much_ns):
                break
        return JoinPlan(joins)
