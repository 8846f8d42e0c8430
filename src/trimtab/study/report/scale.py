# SPDX-License-Identifier: Apache-2.0
"""A logarithmic axis for ratios, around 1: the same one in tables and charts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

FARTHEST = 50.0  # what lies beyond is drawn at the edge
#: Round ratios, from fine to coarse.
LADDERS = (
    *(tuple(round(1 + step * k, 3) for k in range(-int(0.7 / step), 31)) for step in (0.01, 0.02, 0.05, 0.1)),
    (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0),
    (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0),
    (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 4.0),
    (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0),
    (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0),
    (0.1, 0.3, 1.0, 3.0, 10.0),
    (0.1, 1.0, 10.0),
)


@dataclass(frozen=True)
class RatioScale:
    """Ratios from `low` to `high`, with 1 inside."""

    low: float
    high: float

    @classmethod
    def over(cls, ratios: Iterable[float], *, margin: float = 0.06) -> RatioScale:
        """The scale that shows all of these, with some air; never narrower than 0.97 to 1.03."""
        logs = [math.log(r) for r in ratios if math.isfinite(r) and r > 0]
        low, high = min(logs, default=0.0), max(logs, default=0.0)
        low, high = min(low, math.log(0.97)), max(high, math.log(1.03))
        edge = math.log(FARTHEST)
        low, high = max(low, -edge), min(high, edge)
        air = margin * (high - low)
        return cls(math.exp(low - air), math.exp(high + air))

    def position(self, ratio: float) -> float:
        """0 at the left edge, 1 at the right; what lies outside is put on the edge."""
        if ratio <= 0:
            return 0.0
        across = math.log(ratio / self.low) / math.log(self.high / self.low)
        return min(1.0, max(0.0, across))

    def ticks(self, most: int = 5) -> list[float]:
        """At most `most` round ratios, far enough apart to be labelled; 1 always among them."""
        span = math.log(self.high / self.low)
        for candidates in LADDERS:
            inside = [t for t in candidates if self.low <= t <= self.high]
            if all(math.log(b / a) >= 0.7 * span / most for a, b in pairwise(inside)):
                return inside
        return [1.0]
