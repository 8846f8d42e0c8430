# SPDX-License-Identifier: Apache-2.0
"""Does the cost model order plans as PostgreSQL's on-CPU time does?

    python benchmarks/join_ordering_fidelity.py [--quick] [--fit]

Every shipped query on aptdb is run in random forced orders and in those that are
best by C_out under counts and under PostgreSQL's estimates, in a server of its
own. Time is the backend's on-CPU time, the lesser of two runs; a plan that is
stopped at its limit is left out, and counted. The model is the work of the physical
plan (EXPLAIN) under true counts times ns per unit; the ns are fitted on one half
of the templates and judged on the other, and the other way round. --fit writes
those of all plans of the training templates to system/pg_physical.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from trimtab.problems.join_ordering import PROBLEM
from trimtab.problems.join_ordering.problem import JoinPlan, JoinQuery, Tree, bits
from trimtab.problems.join_ordering.simulator import optimum, pg_like
from trimtab.problems.join_ordering.system import physical
from trimtab.problems.join_ordering.system.postgresql import Engine, PostgreSQL
from trimtab.problems.join_ordering.workload.suites import split_of

RANDOM = 6  # orders of each query
PER_QUERY, POOLED, PLANS = 0.85, 0.93, 500  # targets

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    query: JoinQuery
    work: Floats
    ms: float
    censored: bool


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="16 queries")
    parser.add_argument("--fit", action="store_true", help="write the ns per unit")
    options = parser.parse_args()
    queries = {name: q for split in ("train", "validation", "test") for name, q in PROBLEM.instances(split).items()}
    backend = PostgreSQL()
    rng = np.random.default_rng(0)
    chosen = islice(queries.values(), 0, None, 6) if options.quick else queries.values()
    runs = [run for query in chosen for run in measure(backend.engine, query, rng)]
    kept = [run for run in runs if not run.censored]
    print(f"{len(runs)} forced plans, {len(runs) - len(kept)} of them stopped at their limit and left out")
    met = judge(kept) and (len(kept) >= PLANS)
    if options.fit and not options.quick:
        write([run for run in kept if split_of(run.query) == "train"])
    return 0 if met or options.quick else 1


def measure(engine: Engine, query: JoinQuery, rng: np.random.Generator) -> list[Run]:
    """Different forced orders; at most ten times what the query takes as it stands, at least 0.3 s."""
    assert query.estimates is not None
    plans = [random_plan(query, rng) for _ in range(RANDOM)]
    plans += [JoinPlan(optimum(query, "c_out", cards)[0].joins) for cards in (query.cardinalities, query.estimates)]
    different = {plan.joins.tobytes(): plan for plan in plans}
    limit = max(300.0, 10 * engine.run(query, None, 60_000).ms)
    found = []
    for plan in different.values():
        units = physical.work(query, engine.explain(query, plan), query.cardinalities)
        first = engine.run(query, plan, limit)
        again = first if first.censored else engine.run(query, plan, limit)
        found.append(Run(query, units, min(first.ms, again.ms), first.censored or again.censored))
    return found


def random_plan(query: JoinQuery, rng: np.random.Generator) -> JoinPlan:
    """Any two joinable parts, until one is left (QuickPick, Waas and Pellenkoft 2000)."""
    parts: dict[int, Tree] = {1 << i: i for i in range(query.num_relations)}
    while len(parts) > 1:
        a, b = (int(s) for s in rng.choice(np.array(sorted(parts)), 2, replace=False))
        if any(int(query.neighbours[i]) & b for i in bits(a)):
            parts[a | b] = (parts.pop(a), parts.pop(b))
    return JoinPlan.of(next(iter(parts.values())))


def judge(runs: list[Run]) -> bool:
    """Rank correlations, of plans whose templates the ns were not fitted to."""
    units, ms = np.array([run.work for run in runs]), np.array([run.ms for run in runs])
    names = np.array([run.query.name for run in runs])
    templates = sorted({run.query.template for run in runs})
    half = np.array([templates.index(run.query.template) % 2 for run in runs])
    predicted = np.zeros(len(runs))
    for part in (0, 1):
        predicted[half == part] = units[half == part] @ physical.fit(units[half != part], ms[half != part] * 1e6) / 1e6
    pooled = float(spearmanr(predicted, ms)[0])
    each = [spearmanr(predicted[names == n], ms[names == n])[0] for n in sorted(set(names)) if (names == n).sum() >= 4]
    each = [r for r in each if np.isfinite(r)]
    errors = np.abs(np.log(predicted / ms))
    middle, high = np.exp(np.quantile(errors, [0.5, 0.9]))
    mean, median = np.mean(each), np.median(each)
    print(f"per query: Spearman {mean:.3f} (mean of {len(each)}, target >= {PER_QUERY}), {median:.3f} (median)")
    print(f"pooled:    Spearman {pooled:.3f} over {len(runs)} plans (target >= {POOLED} over >= {PLANS})")
    print(f"predicted time is off by {middle:.2f} times (median), {high:.2f} (90 %)")
    return bool(np.mean(each) >= PER_QUERY and pooled >= POOLED)


def write(runs: list[Run]) -> None:
    prices = physical.fit(np.array([run.work for run in runs]), np.array([run.ms for run in runs]) * 1e6)
    card = {
        "ns": {name: round(float(price), 3) for name, price in zip(physical.FEATURES, prices, strict=True)},
        "command": "python benchmarks/join_ordering_fidelity.py --fit",
        "plans": len(runs),
        "templates": "training split of the shipped set",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    physical.FILE.write_text(json.dumps(card, indent=1) + "\n")
    pg_like.save(simple(dict(zip(physical.FEATURES, prices.tolist(), strict=True))), {"measured": card["command"]})
    print(f"written: {physical.FILE}, {pg_like.FILE}")


def simple(ns: dict[str, float]) -> dict[str, float]:
    """Coefficients of the cost model pg_like, which tells fewer things apart: 5 relations, half the rows filtered.

    A pair costs at least a row that is emitted: so few plans compare pairs that the fit may say 0.
    """
    return {
        "scan": ns["scan"] + ns["filter"] / 2,
        "build": (ns["build"] + ns["build_wide"]) / 2,
        "probe": (ns["probe"] + ns["probe_wide"]) / 2,
        "lookup": ns["index_descent"],
        "match": ns["index_match"],
        "pair": max(ns["pair"], ns["emit"]),
        "sort": ns["sort"],
        "merge": ns["merge"],
        "emit": ns["emit"],
        "query": ns["query"] + 5 * ns["relation"],
    }


if __name__ == "__main__":
    raise SystemExit(main())
