# SPDX-License-Identifier: Apache-2.0
"""`prove`: the only answer that is given is that of a fresh comparison in pairs, whose size was fixed beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from ..problem import Objective
from ..space import Values
from .pairs import Interval, Turns, t_quantile

LEAST, ENOUGH, MOST = 8, 20, 40  # pairs: where time is short, else, and where the gain is small
FINE: Final = 0.005  # half an interval need not be narrower
SHARE: Final = 0.2  # of the expected gain that half an interval should be

Verdict = Literal["better", "worse", "no significant gain", "fails", "breaks a constraint"]


@dataclass(frozen=True)
class Proof:
    """A configuration against the default, measured afresh."""

    verdict: Verdict
    interval: Interval  # of the log ratio of the objective to the default; less is better
    metrics: dict[str, float]  # means of the configuration
    default: dict[str, float]  # means of the default
    broken: str = ""  # the constraint that it breaks


def pairs_for(loss: float, noise: float, seconds: float, each: float) -> int:
    """How many pairs make an interval narrow enough for the gain that the search expects.

    `noise` is the standard deviation of a pair's log ratio. What is decided with is
    of the search alone, so that the number says nothing about what the pairs will
    find, and the interval stays one of 95 %. It is no fewer than what makes the ratio
    lie inside of the interval that `LEAST` fresh pairs would give nine times in ten.
    At most what fits into `seconds` at `each` a pair, but never fewer than the least.
    """
    wanted = max(FINE, SHARE * abs(loss))
    n = ENOUGH
    while n < MOST and t_quantile(0.975, n - 1) * noise / math.sqrt(n) > wanted:
        n += 1
    affordable = int(seconds / each) if math.isfinite(seconds) and each > 0 else MOST
    return max(LEAST, min(n, affordable))


def prove(turns: Turns, default: Values, values: Values, objective: Objective, pairs: int) -> Proof:
    """Run the default and a configuration in `pairs` pairs, each in a random order."""
    logs: list[float] = []
    metrics: list[dict[str, dict[str, float]]] = []
    for _ in range(pairs):
        turn = turns.play({"default": default, "best": values})
        if "default" in turn.losses and "best" in turn.losses:
            logs.append(turn.losses["best"] - turn.losses["default"])
            metrics.append({name: dict(turn.metrics[name]) for name in ("best", "default")})
    if not logs:
        return Proof("fails", Interval(math.nan, -math.inf, math.inf, 0, math.nan), {}, {}, "")
    interval = Interval.of(logs)
    best, base = (_means([both[name] for both in metrics]) for name in ("best", "default"))
    broken = ", ".join(f"{c.metric} <= {c.limit:g}" for c in objective.broken(best))
    verdict = "breaks a constraint" if broken else _verdict(interval, failed=len(logs) < pairs)
    return Proof(verdict, interval, best, base, broken)


def _verdict(interval: Interval, *, failed: bool) -> Verdict:
    if failed:
        return "fails"
    if interval.high < 0.0:
        return "better"
    return "worse" if interval.low > 0.0 else "no significant gain"


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
