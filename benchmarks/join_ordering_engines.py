# SPDX-License-Identifier: Apache-2.0
"""Plans chosen for queries that were never run, in PostgreSQL and in DuckDB, against each engine's own.

    python benchmarks/join_ordering_engines.py [--quick] [--only postgresql,duckdb] [--sets test,heavy] [--rounds 10]

The database is aptdb. Prices of work and the few constants of the choice come from
the training and validation templates (`join_ordering_prices.py`). Tested are two sets
of 30 queries, drawn here from templates of the test split by seeds that nothing was tuned on:

test   as the shipped queries are drawn
heavy  one more fan-out, 5 to 8 relations, and the best plan there is, under exact
       counts, makes at least 10,000 rows of intermediate results

All are run in interleaved rounds; shown is each set, and both as one. Time is on-CPU:
of the backends with their planning, plus, for the chosen plans, all that this process spends on choosing, looking at
plans and writing SQL, in every round anew. Not counted is, on both sides, reading the
SQL into relations and joins, as the engine's parser does. Baselines: the engine's own
plan (ratio 1), the same again as a control (the noise), the hint set that is best on
the training queries, and a tuned configuration, chosen there, too.

A query is worse than 1.2 where the geometric mean of its rounds' ratios is; the
second number are those of them whose 95 % interval lies above 1.2.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.problems.join_ordering import PROBLEM
from trimtab.problems.join_ordering.problem import JoinPlan, JoinQuery
from trimtab.problems.join_ordering.selection.choose import TOLD, Chooser
from trimtab.problems.join_ordering.selection.counting import Sizes
from trimtab.problems.join_ordering.selection.gather import gather
from trimtab.problems.join_ordering.selection.hashed import C_OUT, DuckChooser
from trimtab.problems.join_ordering.selection.memory import Memory
from trimtab.problems.join_ordering.selection.pricing import cheapest
from trimtab.problems.join_ordering.system.clock import backend_clock
from trimtab.problems.join_ordering.system.duckdb import FORCED, DuckEngine, duckdb_statement
from trimtab.problems.join_ordering.system.measure import Comparison, compare
from trimtab.problems.join_ordering.system.plans import ARMS, EnginePlan, Settings
from trimtab.problems.join_ordering.system.postgresql import Engine, PostgreSQL
from trimtab.problems.join_ordering.system.prepared import Prepared
from trimtab.problems.join_ordering.system.session import connect
from trimtab.problems.join_ordering.workload import harvest
from trimtab.problems.join_ordering.workload.aptdb import HABITS, build_aptdb
from trimtab.problems.join_ordering.workload.database import Database, into_duckdb
from trimtab.problems.join_ordering.workload.generator import Habits, Predicates, draw_shape, to_sql
from trimtab.problems.join_ordering.workload.suites import split_of

RATIO, WORST = 0.80, 1.2  # targets
QUERIES, MOST_ROWS = 30, 5_000_000


@dataclass(frozen=True)
class Draw:
    habits: Habits
    seed: int
    least_rows: float = 0.0  # of intermediate results of the best plan


DRAWS: Mapping[str, Draw] = {
    "test": Draw(HABITS, 20261129),
    "heavy": Draw(replace(HABITS, num_relations=(5, 6, 7, 8), fan_outs=4), 20261128, 10_000.0),
}

#: What guides for PostgreSQL on fast disks or with all data in memory advise, in parts.
CONFIGURATIONS: Mapping[str, Settings] = {
    "random_page_cost=1.1": (("random_page_cost", "1.1"),),
    "page costs 0.1": (("random_page_cost", "0.1"), ("seq_page_cost", "0.1")),
    "work_mem=64MB": (("work_mem", "64MB"),),
    "random_page_cost=1.1, work_mem=64MB": (("random_page_cost", "1.1"), ("work_mem", "64MB")),
}

Floats = NDArray[np.float64]
Queries = Mapping[str, JoinQuery]
Run = Callable[[JoinQuery], float]  # on-CPU ms


@dataclass
class Table:
    """ms by contender, query and round."""

    contenders: Sequence[str]
    ms: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)  # what was chosen, by query

    def add(self, contender: str, query: str, ms: float) -> None:
        self.ms.setdefault(contender, {}).setdefault(query, []).append(ms)

    def rounds(self, contender: str) -> Floats:
        """Total of all queries, (rounds,)."""
        return np.asarray(np.array(list(self.ms[contender].values())).sum(axis=0), np.float64)

    def ratios(self, contender: str) -> dict[str, Comparison]:
        """By query, paired by round."""
        default = self.ms["default"]
        return {query: compare(np.array(ms), np.array(default[query])) for query, ms in self.ms[contender].items()}

    def joined(self, other: Table) -> Table:
        """Both, as of one set of queries."""
        ms = {contender: {**self.ms[contender], **other.ms[contender]} for contender in self.contenders}
        return Table(self.contenders, ms, {**self.notes, **other.notes})

    def show(self, title: str) -> bool:
        """Prints all; whether "chosen" meets the targets."""
        total = self.rounds("default")
        print(f"\n{title}: {len(self.ms['default'])} queries, {len(total)} rounds of {total.mean():.0f} ms by default")
        met = False
        for contender in self.contenders:
            found, ratios = compare(self.rounds(contender), total), self.ratios(contender)
            worst = max(ratios, key=lambda query: ratios[query].ratio)
            gm = math.exp(float(np.mean([math.log(r.ratio) for r in ratios.values()])))
            above = [r for r in ratios.values() if r.ratio > WORST]
            print(
                f"  {contender:42s} total {found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}]   per query gm {gm:.3f}"
                f"   worst {ratios[worst].text.split(': ')[1].split(' ')[0]} ({worst})"
                f"   above {WORST}: {len(above)}, surely {sum(r.low > WORST for r in above)}"
            )
            if contender == "chosen":
                met = found.ratio <= RATIO and found.high < 1 and not above and found.rounds >= 10
                for query, r in sorted(ratios.items(), key=lambda item: -item[1].ratio)[:4]:
                    took = np.median(self.ms["default"][query])
                    note = self.notes.get(query, "")
                    print(f"      {query} {r.ratio:.3f} [{r.low:.3f}, {r.high:.3f}] of {took:.1f} ms  {note}")
        kept = sum(note == "own" for note in self.notes.values())
        print(f"  the engine's own plan was kept for {kept} of {len(self.notes)}")
        said = "met" if met else "missed"
        print(
            f"  -> targets: total <= {RATIO}, significant over >= 10 rounds, no query above {WORST}: {said}", flush=True
        )
        return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few queries, 3 rounds")
    parser.add_argument("--only", default="postgresql,duckdb")
    parser.add_argument("--sets", default=",".join(DRAWS))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--fixed", default="", help="hint set:configuration that an earlier run found to be best")
    parser.add_argument("--tuning", action="store_true", help="other templates and seeds: what constants are chosen on")
    options = parser.parse_args()
    database = build_aptdb()
    connection = into_duckdb(database)
    before = time.process_time()
    memory = gather(connection, database)
    print(f"tables in memory in {time.process_time() - before:.1f} CPU s")
    rounds = 3 if options.quick else options.rounds
    met = True
    count = 6 if options.quick else QUERIES
    sets = {name: draw(connection, database, memory, name, count, options.tuning) for name in options.sets.split(",")}
    if "postgresql" in options.only:
        backend = PostgreSQL()
        fixed = known_fixed(options.fixed) or best_fixed_of(backend.engine, options.quick)
        met &= shown("PostgreSQL", sets, lambda queries: postgresql(queries, fixed, memory, backend.engine, rounds))
    if "duckdb" in options.only:
        met &= shown("DuckDB", sets, lambda queries: duckdb(queries, memory, connection, rounds))
    return 0 if met or options.quick else 1


def shown(engine: str, sets: Mapping[str, Queries], measure: Callable[[Queries], Table]) -> bool:
    """Each set by itself, and all as one."""
    tables, met = [], True
    for name, queries in sets.items():
        tables.append(measure(queries))
        met &= tables[-1].show(f"{engine}, {name}")
    if len(tables) > 1:
        met &= reduce(Table.joined, tables).show(f"{engine}, all")
    return met


def draw(connection: Any, database: Database, memory: Memory, name: str, count: int, tuning: bool) -> Queries:
    """Non-empty queries of templates of the test split, each template once, in the order in which they are drawn."""
    wanted = DRAWS[name]
    rng, seen = np.random.default_rng(wanted.seed + 1000 * tuning), set[str]()
    catalogue = harvest.catalogue_of_database(connection, database)
    predicates = Predicates(connection, database, wanted.habits)
    whole = replace(memory, sizes=Sizes(1 << 40, 1 << 40))
    found: dict[str, JoinQuery] = {}
    while len(found) < count:
        sizes = wanted.habits.num_relations
        shape = draw_shape(database, sizes[len(found) % len(sizes)], wanted.habits, rng)
        if shape is None or shape.template in seen:
            continue
        made = f"{name}-{len(found):02d}"
        query = harvest.query_of(to_sql(shape, predicates.draw(shape, rng)), made, catalogue)
        if (split_of(query) == "test") == tuning:
            continue
        counted, sheet = whole.rows(query), whole.sheet(query)
        assert counted is not None
        assert sheet is not None
        rows = dict(zip(counted[0].tolist(), counted[1].tolist(), strict=True))
        if (
            rows[query.everything]
            and np.nanmax(sheet.rows) <= MOST_ROWS
            and cheapest(sheet, C_OUT)[0] >= wanted.least_rows
        ):
            found[made] = query
            seen.add(shape.template)
    return found


def postgresql(
    queries: Queries, fixed: Mapping[str, JoinPlan | None], memory: Memory, engine: Engine, rounds: int
) -> Table:
    chooser = Chooser(memory)
    table = Table(["default", "control: default again", *fixed, "chosen"])
    limits = {name: max(1000.0, 20 * engine.run(query, None, 60_000).ms) for name, query in queries.items()}
    with ExitStack() as stack:
        told = [stack.enter_context(connect(engine.session.address)) for _ in TOLD]
        for session, settings in zip(told, TOLD, strict=True):
            stack.enter_context(session.settings(dict(settings)))
        sessions = [Prepared(session) for session in told]
        clocks = [clock for s in sessions if (clock := backend_clock(s.session)) is not None]
        assert len(clocks) == len(sessions)

        def chosen(query: JoinQuery) -> float:
            spent, own = -sum(clock() for clock in clocks), time.process_time_ns()
            choice = chooser.choose(query, *sessions)
            own = time.process_time_ns() - own
            choice.run()
            choice.forget()
            spent += sum(clock() for clock in clocks)
            table.notes[query.name] = choice.plan.label if choice.plan else "own"
            return (spent + own) / 1e6

        def fixed_run(plan: JoinPlan | None) -> Run:
            return lambda query: engine.run(query, plan, limits[query.name]).ms

        runs: dict[str, Run] = {
            "default": fixed_run(None),
            "control: default again": fixed_run(None),
            **{label: fixed_run(plan) for label, plan in fixed.items()},
            "chosen": chosen,
        }
        interleaved(queries, runs, table, rounds)
    return table


def known_fixed(text: str) -> dict[str, JoinPlan | None]:
    """``HINTS:CONFIGURATION``, so that a long measurement can be made in parts."""
    hints, _, configuration = text.partition(":")
    told = {
        f"best hint set: {hints}": ARMS.get(hints),
        f"best configuration: {configuration}": CONFIGURATIONS.get(configuration),
    }
    nothing = np.zeros((0, 2), np.int64)
    return {label: EnginePlan(nothing, settings=s, forced=False) for label, s in told.items() if s is not None}


def best_fixed_of(engine: Engine, quick: bool) -> dict[str, JoinPlan | None]:
    training = {**PROBLEM.instances("train"), **PROBLEM.instances("validation")}
    return {
        **best_fixed(engine, training, "hint set", ARMS, quick),
        **best_fixed(engine, training, "configuration", CONFIGURATIONS, quick),
    }


def best_fixed(
    engine: Engine, training: Queries, what: str, among: Mapping[str, Settings], quick: bool
) -> dict[str, JoinPlan | None]:
    """The settings with the least total on training queries, the same for all queries."""
    nothing = np.zeros((0, 2), np.int64)
    plans = {label: EnginePlan(nothing, settings=settings, forced=False) for label, settings in among.items()}
    totals = dict.fromkeys(plans, 0.0)
    for query in list(training.values())[:: 12 if quick else 3]:
        engine.discards[query.name] = False
        limit = 20 * engine.run(query, None, 60_000).ms + 100
        for label, plan in plans.items():
            totals[label] += engine.run(query, plan, limit).ms
    best = min(totals, key=lambda label: totals[label])
    return {f"best {what}: {best}": plans[best]}


def duckdb(queries: Queries, memory: Memory, connection: Any, rounds: int) -> Table:
    """The same process chooses and runs, so its time is all there is: that of telling DuckDB to keep an order, too."""
    chooser, engine = DuckChooser(memory), DuckEngine(connection)
    table = Table(["default", "control: default again", "tuned configuration", "chosen"])

    def run(query: JoinQuery, off: Sequence[str], plan: JoinPlan | None = None) -> None:
        engine.tell(off)
        connection.execute(duckdb_statement(query, plan)).fetchall()

    def choose_and_run(query: JoinQuery) -> None:
        plan = chooser.choose(query)
        table.notes[query.name] = "own" if plan is None else "order"
        run(query, () if plan is None else (*FORCED, *engine.needless), plan)

    def timed(run: Callable[[JoinQuery], None]) -> Run:
        def ms(query: JoinQuery) -> float:
            before = time.process_time_ns()
            run(query)
            return (time.process_time_ns() - before) / 1e6

        return ms

    runs = {
        "default": timed(lambda query: run(query, ())),
        "control: default again": timed(lambda query: run(query, ())),
        "tuned configuration": timed(lambda query: run(query, engine.needless)),
        "chosen": timed(choose_and_run),
    }
    interleaved(queries, runs, table, rounds)
    return table


def interleaved(queries: Queries, runs: Mapping[str, Run], table: Table, rounds: int) -> None:
    """In every round every contender, in random order, runs all queries; one unmeasured round before.

    So a query finds in the processor's caches what other queries left there, as in a
    workload, not what the contender before it has just read.
    """
    rng = np.random.default_rng(0)
    for number in range(-1, rounds):
        for label in rng.permutation(list(runs)).tolist():
            for name, query in queries.items():
                ms = runs[label](query)
                if number >= 0:
                    table.add(label, name, ms)


if __name__ == "__main__":
    raise SystemExit(main())
