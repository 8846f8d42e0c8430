# SPDX-License-Identifier: Apache-2.0
"""ns of PostgreSQL's on-CPU time per unit of work, for `selection/`: fitted to plans that are run here.

    python benchmarks/join_ordering_prices.py --runs FILE [--seconds 150] [--quick] [--write]

Queries are the shipped ones of the training and validation splits and as many drawn
from other templates of these splits. Of each are run: PostgreSQL's own plan, the same
with memory settings, our order with operators left to it, and orders with operators
that it is bound to. Runs are appended to FILE, so that the same command goes on where
it stopped. Then it prints how far predictions are off on templates that the prices were
not fitted to (two halves), and with --write writes `prices.json` and `explained.json`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from join_ordering_engines import DRAWS, draw
from join_ordering_fidelity import random_plan
from scipy.optimize import nnls

from trimtab.problems.join_ordering import PROBLEM
from trimtab.problems.join_ordering.problem import HASH, INDEX, Flags, Floats, JoinPlan, JoinQuery
from trimtab.problems.join_ordering.selection import explained, pricing
from trimtab.problems.join_ordering.selection.counting import Sizes
from trimtab.problems.join_ordering.selection.gather import gather
from trimtab.problems.join_ordering.selection.memory import Memory
from trimtab.problems.join_ordering.system.plans import IN_MEMORY, EnginePlan
from trimtab.problems.join_ordering.system.postgresql import Engine, PostgreSQL
from trimtab.problems.join_ordering.workload.aptdb import build_aptdb
from trimtab.problems.join_ordering.workload.database import into_duckdb

LIMIT_MS = 600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--quick", action="store_true", help="few queries")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    until = time.monotonic() + options.seconds
    database = build_aptdb()
    connection = into_duckdb(database)
    memory = replace(gather(connection, database), sizes=Sizes(1 << 40, 1 << 40))  # nothing is sampled: counts
    queries: dict[str, JoinQuery] = {**PROBLEM.instances("train"), **PROBLEM.instances("validation")}
    for name in DRAWS:
        queries |= draw(connection, database, memory, name, 6 if options.quick else 60, tuning=True)
    chosen = dict(list(queries.items())[:: 12 if options.quick else 1])
    known = {json.loads(line)["query"] for line in _lines(options.runs)}
    backend = PostgreSQL()
    with options.runs.open("a") as file:
        for name, query in chosen.items():
            if name not in known and time.monotonic() < until:
                for run in measure(backend.engine, memory, query):
                    file.write(json.dumps(run) + "\n")
                file.flush()
    runs = [json.loads(line) for line in _lines(options.runs)]
    judge(chosen, memory, runs, options.write)
    left = len(chosen.keys() - {run["query"] for run in runs})
    print(f"{len(runs)} plans; {left} queries are still to be run")
    return 0


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def measure(engine: Engine, memory: Memory, query: JoinQuery) -> Iterator[dict[str, Any]]:
    """Plans in random order, twice, so that none profits from having run just before."""
    rng = np.random.default_rng(list(query.name.encode()))
    plans = plans_of(memory, query, rng)
    engine.discards[query.name] = False
    engine.run(query, None, 60_000)
    ms: dict[str, list[float]] = {label: [] for label in plans}
    for _ in range(3):
        for label in rng.permutation(list(plans)).tolist():
            if len(ms[label]) == 0 or ms[label][-1] < LIMIT_MS:
                ms[label].append(min(LIMIT_MS, engine.run(query, plans[label], LIMIT_MS).ms))
    for label, plan in plans.items():
        if max(ms[label]) < LIMIT_MS:
            root = engine.own_plan(query)[1] if plan is None else engine.explain(query, plan)
            bound = plan is not None and isinstance(plan, EnginePlan) and plan.bound and plan.operators is not None
            yield {
                "query": query.name, "plan": label, "ms": float(np.median(ms[label])), "root": root,
                "joins": plan.joins.tolist() if bound and plan else None,
                "operators": plan.operators.tolist() if bound and plan and plan.operators is not None else None,
            }  # fmt: skip


def plans_of(memory: Memory, query: JoinQuery, rng: np.random.Generator) -> dict[str, JoinPlan | None]:
    sheet, prices = memory.sheet(query), pricing.prices()
    assert sheet is not None
    found: dict[str, JoinPlan | None] = {
        "own": None,
        "settings": EnginePlan(np.zeros((0, 2), np.int64), settings=IN_MEMORY, forced=False),
        "order": EnginePlan(pricing.cheapest(sheet, prices)[1], settings=IN_MEMORY),
    }
    lookups = np.isin(np.arange(len(pricing.UNITS)), [pricing.LOOKUP, pricing.MATCH, pricing.PAGE, pricing.CHECK])
    different = {}
    for times in (0.3, 1.0, 4.0):
        _, joins, operators = pricing.cheapest(sheet, np.where(lookups, times, 1.0) * prices)
        different[joins.tobytes(), operators.tobytes()] = joins, operators
    for _ in range(2):
        joins = random_plan(query, rng).joins
        if max(sheet.rows[a | b] for a, b in joins.tolist()) < 1e6:
            different[joins.tobytes(), b""] = joins, drawn(sheet, joins, rng)
    for k, (joins, operators) in enumerate(different.values()):
        found[f"bound {k}"] = EnginePlan(joins, operators, bound=True)
    return found


def drawn(sheet: pricing.Sheet, joins: Any, rng: np.random.Generator) -> Any:
    """Operators at random, but no lookups for very many rows."""
    made = []
    for outer, inner in joins.tolist():
        i = pricing.place(inner)
        can = i >= 0 and any(sheet.lookup[kind, i] & outer for kind in range(3)) and sheet.rows[outer] < 20_000
        made.append(INDEX if can and rng.random() < 0.6 else HASH)
    return np.array(made, np.int8)


def judge(queries: Mapping[str, JoinQuery], memory: Memory, runs: list[dict[str, Any]], write: bool) -> None:
    runs = [run for run in runs if run["query"] in queries]
    sheets = {}
    for name in {run["query"] for run in runs}:
        sheet = memory.sheet(queries[name])
        assert sheet is not None
        sheets[name] = sheet
    shown = np.array([explained.work(queries[r["query"]], r["root"], sheets[r["query"]], memory) for r in runs])
    bound = [run for run in runs if run["operators"] is not None]
    told = np.array(
        [
            pricing.units(sheets[r["query"]], JoinPlan(np.array(r["joins"]), np.array(r["operators"], np.int8)))
            for r in bound
        ]
    )
    told[:, pricing.SPARE] = 0.0  # not in PostgreSQL
    for title, part, work, names, path in (
        ("explained plans", runs, shown, explained.UNITS, explained.FILE),
        ("plans by their operators", bound, told, pricing.UNITS, pricing.FILE),
    ):
        ns = np.array([run["ms"] for run in part]) * 1e6
        own = np.array([3.0 if run["plan"] == "own" else 1.0 for run in part])
        templates = [queries[run["query"]].template for run in part]

        def fitted(some: Flags, work: Floats = work, ns: Floats = ns, own: Floats = own) -> Floats:
            return fit(work[some], ns[some], own[some])

        print(f"{title}: {elsewhere(work, ns, templates, fitted)} of {len(part)} plans")
        if write:
            card = {
                "ns": dict(zip(names, fit(work, ns, own).round(3).tolist(), strict=True)),
                "command": "python benchmarks/join_ordering_prices.py --runs FILE --write",
                "plans": len(part),
                "templates": "training and validation splits",
                "date": f"{datetime.now(UTC):%Y-%m-%d}",
            }
            path.write_text(json.dumps(card, indent=1) + "\n")
            print(f"written: {path}")


def elsewhere(work: Floats, ns: Floats, templates: Sequence[str], fitted: Callable[[Flags], Floats]) -> str:
    """How far predictions are off on templates that prices were not fitted to, in two halves.

    `fitted`: prices by some of the rows of `work` (runs, units) and `ns` (runs,).
    """
    order = sorted(set(templates))
    half = np.array([order.index(template) % 2 for template in templates])
    predicted = np.zeros(len(ns))
    for k in (0, 1):
        predicted[half == k] = work[half == k] @ fitted(half != k)
    off = np.exp(np.quantile(np.log(predicted / ns), [0.02, 0.1, 0.5, 0.9, 0.98])).round(2).tolist()
    return f"predicted / measured, 2, 10, 50, 90 and 98 %: {off}"


def fit(work: Floats, ns: Floats, importance: Floats) -> Floats:
    """Non-negative least squares on relative errors, again and again with less weight on what is far off."""
    base = importance * ns**-0.8
    weights = base
    for _ in range(6):
        prices = nnls(work * weights[:, None], ns * weights)[0]
        off = np.log(np.maximum(work @ prices, 1.0) / ns)
        weights = base * np.exp(-((off / 0.5) ** 2) / 4)
    return np.asarray(prices)


if __name__ == "__main__":
    raise SystemExit(main())
