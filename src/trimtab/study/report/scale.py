# SPDX-License-Identifier: Apache-2.0
"""A logarithmic axis for ratios, around 1: the same one in tables and charts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

FARTHEST = 50.0  # what lies beyond is drawn at the edge
NICE = (0.02, 0.05, 0.1, 0.2, 0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 5.0, 10.0, 20.0, 50.0)


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
        """At most `most` round ratios, 1 always among them."""
        span = self.high - self.low
        if self.high / self.low < 2.2:
            step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0) if span / s < most)
            first, last = math.ceil((self.low - 1) / step), math.floor((self.high - 1) / step)
            return [round(1 + k * step, 4) for k in range(first, last + 1)]
        inside = [t for t in NICE if self.low <= t <= self.high]
        while len(inside) > most:
            one = inside.index(1.0)
            inside = inside[one % 2 :: 2]
        return inside
