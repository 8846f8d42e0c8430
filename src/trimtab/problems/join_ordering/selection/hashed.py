# SPDX-License-Identifier: Apache-2.0
"""Orders of joins for DuckDB, which only hashes. Nothing is explained, since that costs as much as a small query.

Choosing takes about as long as DuckDB's own search for an order, which it is spared (EXPLAIN
takes 0.5 ms less without): so every query is given one.
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
#: ns, fitted on templates outside the test split: `benchmarks/join_ordering_duckdb_prices.py`. Only ratios decide. A
#: scan compares keys with the hash table's first (dynamic filters), and checks conditions on what is left.
PRICES: Final = np.zeros(len(UNITS))
PRICES[[BUILD, EMIT, LOOKUP, FILTER, SPARE]] = 27.0, 0.8, np.inf, 4.4, -4.4


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
    """ns of joins and of checking conditions in the cheapest order, on how many sampled rows that rests, the order."""
    plan = planned(store, asked, sizes, slots, prices)
    return plan.ns, plan.support, smaller_inside(plan.sheet, plan.joins)


@dataclass(frozen=True)
class DuckChooser:
    """The order in which hash joins take the least time, by a quick count; by a closer one where that is worth it."""

    memory: Memory
    quick: Sizes = Sizes(32, 128)  # noqa: RUF009 - a tuple
    close: Sizes = Sizes(256, 1024)  # noqa: RUF009
    some_ns: float = 1e6  # that the order is expected to take: worth a closer count if that rests on few rows
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
