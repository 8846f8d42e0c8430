# SPDX-License-Identifier: Apache-2.0
"""A decision judged by running it: what both engines' backends share."""

from __future__ import annotations

import statistics
from typing import Any, Protocol

from trimtab.core.errors import TrimtabError
from trimtab.core.outcome import Outcome

from ..problem import JoinPlan, JoinQuery
from .measure import Sample, interleave


class Runs(Protocol):
    """An engine: plans and executes once; None is the query as it stands."""

    def run(self, query: JoinQuery, plan: JoinPlan | None, limit_ms: float) -> Sample: ...


def time_limit_ms(default: Sample) -> float:
    """How long another plan may take: it is hopeless at 20 times the default."""
    return max(2_000.0, 20 * default.ms)


def judge(engine: Runs, query: JoinQuery, plan: JoinPlan, *, rounds: int, longest_ms: float, seed: int) -> Outcome:
    """The plan beside the query as it stands, in interleaved rounds after one of each that warms up.

    A plan that met its limit is censored: infeasible, with what it used as the
    least that it costs. One with a flaw costs infinitely much.
    """
    infinite = float("inf")
    flaw = plan.flaw(query)
    if flaw:
        return Outcome(dict.fromkeys(("cost_ratio", "regression", "cost"), infinite), feasible=False, note=flaw)
    first = engine.run(query, None, longest_ms)
    if first.censored:
        raise TrimtabError(f"query {query.name!r}: the engine's own plan did not end within {longest_ms / 1000:g} s")
    limit = min(longest_ms, time_limit_ms(first))
    warm = engine.run(query, plan, limit)
    if warm.censored:
        least = {"cost_ratio": _ratio(query, plan), "regression": warm.ms / first.ms, "cost": warm.ms}
        note = f"stopped after {warm.ms:.0f} ms, {first.ms:.0f} ms by default"
        return Outcome(least, feasible=False, note=note)
    runs = [lambda: engine.run(query, None, longest_ms), lambda: engine.run(query, plan, longest_ms)]
    own, planned = ([sample.ms for sample in samples] for samples in interleave(runs, rounds, seed))
    cost = statistics.median(planned)
    metrics: dict[str, Any] = {
        "cost_ratio": _ratio(query, plan),
        "regression": cost / statistics.median(own),
        "cost": cost,
    }
    return Outcome(metrics)


def _ratio(query: JoinQuery, plan: JoinPlan) -> float:
    from ..simulator import ratio

    return ratio(query, plan)
