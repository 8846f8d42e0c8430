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
from .counting import Asked, Sizes, Small, Store, count
from .memory import Memory
from .pricing import BUILD, EMIT, UNITS, Sheet, cheapest, fill

#: C_out: rows that joins give, and nothing else.
C_OUT: Final = np.array([float(name == "emit") for name in UNITS])
#: ns: a row that is hashed costs as much as four that a join gives; rows that are looked up were given by a join before.
PRICES: Final = np.zeros(len(UNITS))
PRICES[[BUILD, EMIT]] = 27.0, 6.6


@compiled
def ordered(store: Store, asked: Asked, sizes: Sizes, slots: Small, prices: Floats) -> tuple[float, Ints, bool]:
    """ns of joins in the cheapest order, that order, the smaller operand of every join inside, and whether it is sure.

    It is where every intermediate result rests on a row of the sample; the last one is every plan's.
    """
    n = len(asked.rows)
    subsets, rows, support, degrees = count(store, asked, sizes, slots)
    nothing = np.zeros((3, n), np.int64)
    of_subset, matches = np.full(1 << n, np.nan), np.zeros((n, 0))
    sheet = Sheet(asked.rows.astype(np.float64), asked.share < 1.0, of_subset, matches, degrees, nothing, np.ones(n))
    fill(sheet, subsets, rows, support)
    ns, joins, _ = cheapest(sheet, prices)
    sure = True
    for k in range(n - 1):
        outer, inner = joins[k, 0], joins[k, 1]
        sure = sure and (k == n - 2 or support[np.searchsorted(subsets, outer | inner)] > 0.0)
        if of_subset[outer] < of_subset[inner]:
            joins[k, 0], joins[k, 1] = inner, outer
    return ns, joins, sure


@dataclass(frozen=True)
class DuckChooser:
    """The order in which hash joins take the least time, by a quick count; by a closer one where that is worth it."""

    memory: Memory
    quick: Sizes = Sizes(64, 256, False)  # noqa: RUF009, FBT003 - a tuple
    close: Sizes = Sizes(256, 1024, False)  # noqa: RUF009, FBT003
    much_ns: float = 1e6  # that joins are expected to take: worth a closer count, as is what rests on no row

    def choose(self, query: JoinQuery) -> JoinPlan | None:
        """None where rows can't be counted."""
        asked = self.memory.asked(query)
        if asked is None:
            return None
        for sizes in (self.quick, self.close):
            ns, joins, sure = ordered(self.memory.store, asked, sizes, self.memory.slots, PRICES)
            if sure and ns < self.much_ns:
                break
        return JoinPlan(joins)
