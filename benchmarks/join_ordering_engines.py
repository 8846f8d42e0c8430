# SPDX-License-Identifier: Apache-2.0
"""Plans chosen for queries that were never run, in PostgreSQL and in DuckDB, against each engine's own.

    python benchmarks/join_ordering_engines.py [--quick] [--only postgresql,duckdb] [--rounds 10]

The database is aptdb. What is learnt is learnt on the training and validation
templates of the shipped set: the correction from their counts, ns per unit of work
from their plans, what an engine is told in general. Tested are two sets of held-out
templates: `test`, the shipped set's test split, and `heavy`, generated here with the
same generator, one more fan-out and another seed: the first 30 that take PostgreSQL
at least 20 ms and at most 0.7 s as they stand.

All are run in interleaved rounds. Time is on-CPU: of the backend with its planning,
plus, for the chosen plans, all that this process and the backend spend on choosing,
in every round anew. Baselines: the engine's own plan (ratio 1), the hint set that is
best on the training queries, and a tuned configuration, chosen there, too.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.problems.join_ordering import PROBLEM
from trimtab.problems.join_ordering.problem import JoinPlan, JoinQuery
from trimtab.problems.join_ordering.selection import correction, statistics, synopsis
from trimtab.problems.join_ordering.selection.choose import Chooser, DuckChooser
from trimtab.problems.join_ordering.selection.estimator import Estimator
from trimtab.problems.join_ordering.system.duckdb import DuckEngine
from trimtab.problems.join_ordering.system.measure import Sample, compare
from trimtab.problems.join_ordering.system.plans import ARMS, EnginePlan, Settings
from trimtab.problems.join_ordering.system.postgresql import Engine, PostgreSQL
from trimtab.problems.join_ordering.workload import harvest
from trimtab.problems.join_ordering.workload.aptdb import HABITS, build_aptdb
from trimtab.problems.join_ordering.workload.database import Database, into_duckdb
from trimtab.problems.join_ordering.workload.generator import Predicates, draw_shape, to_sql

RATIO, WORST = 0.80, 1.2  # targets
HEAVY, LEAST_MS, MOST_MS = 30, 20.0, 700.0

#: What guides for PostgreSQL on fast disks or with all data in memory advise, in parts.
CONFIGURATIONS: Mapping[str, Settings] = {
    "random_page_cost=1.1": (("random_page_cost", "1.1"),),
    "page costs 0.1": (("random_page_cost", "0.1"), ("seq_page_cost", "0.1")),
    "work_mem=64MB": (("work_mem", "64MB"),),
    "random_page_cost=1.1, work_mem=64MB": (("random_page_cost", "1.1"), ("work_mem", "64MB")),
}

Floats = NDArray[np.float64]
Queries = Mapping[str, JoinQuery]


@dataclass
class Table:
    """ms by contender, query and round."""

    contenders: Sequence[str]
    ms: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, contender: str, query: str, ms: float) -> None:
        self.ms.setdefault(contender, {}).setdefault(query, []).append(ms)

    def rounds(self, contender: str) -> Floats:
        """Total of all queries, (rounds,)."""
        return np.asarray(np.array(list(self.ms[contender].values())).sum(axis=0), np.float64)

    def ratios(self, contender: str) -> dict[str, float]:
        """By query: geometric mean over the rounds of the ratio to the default."""
        default = self.ms["default"]
        return {
            query: math.exp(float(np.mean(np.log(np.array(ms) / np.array(default[query])))))
            for query, ms in self.ms[contender].items()
        }

    def show(self, title: str) -> bool:
        """Prints all; whether "chosen" meets the targets."""
        total = self.rounds("default")
        print(f"\n{title}: {len(self.ms['default'])} queries, {len(total)} rounds of {total.mean():.0f} ms by default")
        met = False
        for contender in self.contenders:
            found = compare(self.rounds(contender), total)
            ratios = self.ratios(contender)
            worst = max(ratios, key=lambda query: ratios[query])
            gm = math.exp(float(np.mean(np.log(list(ratios.values())))))
            print(
                f"  {contender:36s} total {found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}]   per query gm {gm:.3f}"
                f"   worst {ratios[worst]:.2f} ({worst})"
            )
            if contender == "chosen":
                met = found.ratio <= RATIO and found.high < 1 and ratios[worst] <= WORST and found.rounds >= 10
        said = "met" if met else "missed"
        print(f"  -> targets: total <= {RATIO}, significant over >= 10 rounds, no query above {WORST}: {said}")
        return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few queries, 3 rounds")
    parser.add_argument("--only", default="postgresql,duckdb")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    database = build_aptdb()
    connection = into_duckdb(database)
    training = {**PROBLEM.instances("train"), **PROBLEM.instances("validation")}
    estimator = learn(connection, database, training)
    rounds = 3 if options.quick else options.rounds
    backend = PostgreSQL()
    sets: dict[str, Queries] = {"test": dict(PROBLEM.instances("test"))}
    known = {query.template for split in ("train", "validation", "test") for query in PROBLEM.instances(split).values()}
    sets["heavy"] = heavy(connection, database, backend.engine, known, 6 if options.quick else HEAVY)
    if options.quick:
        sets["test"] = dict(list(sets["test"].items())[::4])
    met = True
    for name, queries in sets.items():
        if "postgresql" in options.only:
            met &= postgresql(name, queries, training, estimator, backend.engine, rounds, options.quick)
        if "duckdb" in options.only:
            met &= duckdb(name, queries, estimator, DuckEngine(connection), rounds)
    return 0 if met or options.quick else 1


def learn(connection: Any, database: Database, training: Queries) -> Estimator:
    before = time.process_time()
    columns = statistics.gather(connection, database)
    learnt = correction.fit(list(training.values()), [columns.base_rows(query) for query in training.values()])
    estimator = Estimator(columns, learnt, synopsis.gather(connection, database))
    print(f"learnt from {len(training)} counted queries and the tables in {time.process_time() - before:.1f} CPU s")
    return estimator


def heavy(connection: Any, database: Database, engine: Engine, known: set[str], count: int) -> Queries:
    """Queries of templates that are not `known`, in the order in which they are drawn."""
    habits = replace(HABITS, num_relations=(5, 6, 7, 8), fan_outs=4)
    rng, seen = np.random.default_rng(11), set(known)
    catalogue, predicates = (
        harvest.catalogue_of_database(connection, database),
        Predicates(connection, database, habits),
    )
    found: dict[str, JoinQuery] = {}
    while len(found) < count:
        shape = draw_shape(database, habits.num_relations[len(found) % 4], habits, rng)
        if shape is None or shape.template in seen:
            continue
        name = f"heavy-{len(found):02d}"
        query = harvest.query_of(to_sql(shape, predicates.draw(shape, rng)), name, catalogue)
        if LEAST_MS <= _warm(engine, query) <= MOST_MS:
            found[name] = query
            seen.add(shape.template)
    return found


def _warm(engine: Engine, query: JoinQuery) -> float:
    """ms of the second run as it stands; infinite where the first takes far too long."""
    engine.discards[query.name] = False  # a count is one row
    first = engine.run(query, None, 3 * MOST_MS)
    return math.inf if first.censored or first.ms > MOST_MS else engine.run(query, None, 3 * MOST_MS).ms


def postgresql(
    title: str, queries: Queries, training: Queries, estimator: Estimator, engine: Engine, rounds: int, quick: bool
) -> bool:
    chooser = Chooser(estimator)
    fixed = {
        **best_fixed(engine, training, "hint set", ARMS, quick),
        **best_fixed(engine, training, "configuration", CONFIGURATIONS, quick),
    }
    table = Table(["default", *fixed, "chosen"])
    limits = {name: max(1000.0, 20 * engine.run(query, None, 60_000).ms) for name, query in queries.items()}

    def chosen(query: JoinQuery) -> float:
        assert engine.clock is not None
        own, backend = time.process_time_ns(), engine.clock()
        plan = chooser.choose(query)
        spent = (time.process_time_ns() - own + engine.clock() - backend) / 1e6
        return spent + _ms(engine.run(query, plan, limits[query.name]))

    runs: dict[str, Callable[[JoinQuery], float]] = {
        "default": lambda query: _ms(engine.run(query, None, limits[query.name])),
        **{label: _fixed(engine, plan, limits) for label, plan in fixed.items()},
        "chosen": chosen,
    }
    interleaved(queries, runs, table, rounds)
    return table.show(f"PostgreSQL, {title}")


def _fixed(engine: Engine, plan: JoinPlan | None, limits: Mapping[str, float]) -> Callable[[JoinQuery], float]:
    return lambda query: _ms(engine.run(query, plan, limits[query.name]))


def _ms(sample: Sample) -> float:
    """A run that was stopped took at least what it had used; limits are far above what any contender may lose."""
    return sample.ms


def best_fixed(
    engine: Engine, training: Queries, what: str, among: Mapping[str, Settings], quick: bool
) -> dict[str, JoinPlan | None]:
    """The settings with the least total on training queries, the same for all queries."""
    nothing = np.zeros((0, 2), np.int64)
    plans = {label: EnginePlan(nothing, settings=settings, forced=False) for label, settings in among.items()}
    totals = dict.fromkeys(plans, 0.0)
    for query in list(training.values())[:: 12 if quick else 2]:
        engine.discards[query.name] = False
        limit = 20 * engine.run(query, None, 60_000).ms + 100
        for label, plan in plans.items():
            totals[label] += engine.run(query, plan, limit).ms
    best = min(totals, key=lambda label: totals[label])
    return {f"best {what}: {best}": plans[best]}


def duckdb(title: str, queries: Queries, estimator: Estimator, engine: DuckEngine, rounds: int) -> bool:
    chooser = DuckChooser(estimator)
    table = Table(["default", "tuned configuration", "chosen"])

    def chosen(query: JoinQuery) -> float:
        before = time.process_time_ns()
        plan = chooser.choose(query)
        return (time.process_time_ns() - before) / 1e6 + _ms(engine.run(query, plan, 60_000, lean=True))

    runs: dict[str, Callable[[JoinQuery], float]] = {
        "default": lambda query: _ms(engine.run(query, None, 60_000)),
        "tuned configuration": lambda query: _ms(engine.run(query, None, 60_000, lean=True)),
        "chosen": chosen,
    }
    interleaved(queries, runs, table, rounds)
    return table.show(f"DuckDB, {title}")


def interleaved(queries: Queries, runs: Mapping[str, Callable[[JoinQuery], float]], table: Table, rounds: int) -> None:
    """Every contender on every query once a round, contenders in random order; one unmeasured round before."""
    rng = np.random.default_rng(0)
    for number in range(-1, rounds):
        for name, query in queries.items():
            for label in rng.permutation(list(runs)).tolist():
                ms = runs[label](query)
                if number >= 0:
                    table.add(label, name, ms)


if __name__ == "__main__":
    raise SystemExit(main())
