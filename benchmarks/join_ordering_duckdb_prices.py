# SPDX-License-Identifier: Apache-2.0
"""ns of DuckDB's time per unit of work, for `selection/hashed.py`: fitted to forced orders that are run here.

    python benchmarks/join_ordering_duckdb_prices.py [--rounds 5] [--quick]

Queries are drawn from templates outside the test split, as `join_ordering_engines.py --tuning`
draws them, and row counts are exact. Of each are run the cheapest orders under several
prices, and random ones. It prints the prices that all runs give, and how far
predictions are off on templates that they were not fitted to (two halves).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
from join_ordering_engines import DRAWS, Queries, draw
from join_ordering_fidelity import random_plan
from join_ordering_prices import elsewhere
from scipy.optimize import nnls

from trimtab.problems.join_ordering.problem import HASH, Floats, JoinPlan, JoinQuery
from trimtab.problems.join_ordering.selection import pricing
from trimtab.problems.join_ordering.selection.counting import Sizes
from trimtab.problems.join_ordering.selection.gather import gather
from trimtab.problems.join_ordering.selection.hashed import C_OUT, PRICES, smaller_inside
from trimtab.problems.join_ordering.system.duckdb import FORCED, DuckEngine, duckdb_statement
from trimtab.problems.join_ordering.workload.aptdb import build_aptdb
from trimtab.problems.join_ordering.workload.database import into_duckdb

#: What is fitted. A row is checked if its table has conditions, and no hash table spares it. The last join's rows are
#: only counted, and the same for every order.
NAMES = ("query", "relation", "scan", "checked", "build", "probe", "emit", "last")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few queries")
    options = parser.parse_args()
    database = build_aptdb()
    connection = into_duckdb(database)
    memory = replace(gather(connection, database), sizes=Sizes(1 << 40, 1 << 40))  # nothing is sampled: counts
    queries: dict[str, JoinQuery] = {}
    for name in DRAWS:
        queries |= draw(connection, database, memory, name, 6 if options.quick else 60, tuning=True)
    sheets = {name: sheet for name, query in queries.items() if (sheet := memory.sheet(query)) is not None}
    plans = {name: plans_of(queries[name], sheet) for name, sheet in sheets.items()}
    ms = measure(DuckEngine(connection), queries, plans, options.rounds)
    work = np.array([work_of(sheets[name], plan) for name in plans for plan in plans[name]])
    ns = 1e6 * np.array([t for name in plans for t in ms[name]])
    templates = [queries[name].template for name in plans for _ in plans[name]]
    off = elsewhere(work, ns, templates, lambda some: fit(work[some], ns[some]))
    print(f"{off} of {len(ns)} orders of {len(plans)} queries")
    for name, price in zip(NAMES, fit(work, ns), strict=True):
        print(f"  {name:10s} {price:12.2f} ns")
    return 0


def plans_of(query: JoinQuery, sheet: pricing.Sheet) -> list[JoinPlan]:
    """Different orders, of at most a million rows."""
    rng = np.random.default_rng(list(query.name.encode()))
    hash_only = np.where(np.arange(len(PRICES)) == pricing.LOOKUP, np.inf, C_OUT)
    prices = [PRICES, hash_only, np.where(np.isin(np.arange(len(PRICES)), [pricing.FILTER, pricing.SPARE]), 0, PRICES)]
    orders = [pricing.cheapest(sheet, p)[1] for p in prices] + [random_plan(query, rng).joins for _ in range(2)]
    turned = {joins.tobytes(): joins for joins in (smaller_inside(sheet, order) for order in orders)}
    return [JoinPlan(joins) for joins in turned.values() if max(sheet.rows[joins.sum(axis=1)]) < 1e6]


def measure(
    engine: DuckEngine, queries: Queries, plans: dict[str, list[JoinPlan]], rounds: int
) -> dict[str, list[float]]:
    """Median on-CPU ms of each plan; in every round all plans, in random order, after one unmeasured round."""
    rng = np.random.default_rng(0)
    taken: dict[str, list[list[float]]] = {name: [[] for _ in plans[name]] for name in plans}
    engine.tell((*FORCED, *engine.needless))
    for number in range(-1, rounds):
        cells = [(name, k) for name in plans for k in range(len(plans[name]))]
        for at in rng.permutation(len(cells)).tolist():
            name, k = cells[at]
            text = duckdb_statement(queries[name], plans[name][k])
            before = time.process_time_ns()
            engine.connection.execute(text).fetchall()
            if number >= 0:
                taken[name][k].append((time.process_time_ns() - before) / 1e6)
    return {name: [float(np.median(ms)) for ms in taken[name]] for name in plans}


def work_of(sheet: pricing.Sheet, plan: JoinPlan) -> Floats:
    """(NAMES,)"""
    units = pricing.units(sheet, JoinPlan(plan.joins, np.full(len(plan.joins), HASH, np.int8)))
    known = dict(zip(pricing.UNITS, units.tolist(), strict=True))
    known["scan"], known["checked"] = float(sheet.table.sum()), known["filter"] - known["spare"]
    known["last"] = float(sheet.rows[-1])
    known["emit"] -= known["last"]
    return np.array([known[name] for name in NAMES])


def fit(work: Floats, ns: Floats) -> Floats:
    """Non-negative least squares, between absolute and relative errors."""
    weights = ns**-0.7
    return np.asarray(nnls(work * weights[:, None], ns * weights)[0])


if __name__ == "__main__":
    raise SystemExit(main())
