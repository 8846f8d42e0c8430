# SPDX-License-Identifier: Apache-2.0
"""join_ordering on the user's own PostgreSQL: ``trimtab solve join_ordering query.sql --dsn URL``.

The problem stays what it is, but its queries are read with the database's own
catalogue and estimates, its solvers propose what a managed PostgreSQL can be told
(an order of joins, settings), and its backend is that server. Every proposal is
measured beside the query as it stands; the best is then proven in fresh rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from trimtab.core.errors import InvalidInstance, TrimtabError
from trimtab.core.outcome import Outcome
from trimtab.core.problem import Metric, Problem, Rendering
from trimtab.core.solver import Solver
from trimtab.core.task import Task

from .problem import ESTIMATE, HASH, INDEX, Cardinalities, JoinPlan, JoinQuery
from .sql.catalogue import Catalogue
from .system.measure import Sample, interleave
from .system.plans import ARMS, IN_MEMORY, LOOPS, EnginePlan, Settings, settings_of
from .system.postgresql import Engine, check_tables, open_engine, statement
from .system.session import Address, Refused, catalogue_of

METRICS: Final = (
    Metric("regression", "1"),  # time of the plan / of the query as it stands, measured side by side
    Metric("cost", "ms"),  # of the plan, planning included
)

#: Solvers of the problem whose order is worth a try.
ORDERS: Final = ("dp", "left_deep", "goo", "lindp", "simpli_squared", "pessimistic", "corrected")

#: What may be said beside an order, or alone: loops that look inner operands up; advice for data in memory.
BESIDE: Final[Mapping[str, Settings]] = {"loops": LOOPS, "in_memory": IN_MEMORY}

#: Subsets whose estimates are asked for: all of them up to so many, then pairs, from which others follow.
MOST_SUBSETS: Final = 1_500


def at(dsn: str) -> Problem[JoinQuery, JoinPlan]:
    """The problem, on the PostgreSQL at `dsn`. Connects when it is first needed."""
    from . import PROBLEM

    server = Server(Address(dsn))
    orders = {name: Ordered(name, PROBLEM.solvers[name]) for name in ORDERS if name in PROBLEM.solvers}
    hints = {f"hint:{arm}": Hinted(server, arm, told) for arm, told in ARMS.items() if arm != "default"}
    beside = {f"dp+{name}": Ordered("dp", PROBLEM.solvers["dp"], told) for name, told in BESIDE.items()}
    beside["dp+bound"] = Ordered("dp", PROBLEM.solvers["dp"], bound=True)
    alone = {"in_memory": Hinted(server, "in_memory", IN_MEMORY)}
    solvers: dict[str, Any] = {"postgresql": Hinted(server, "default"), **hints, **alone, **orders, **beside}
    return replace(
        PROBLEM,
        metrics=METRICS,
        backends={"postgresql": lambda: Deployed(server)},
        solvers={name: _always(solver) for name, solver in solvers.items()},
        reference="postgresql",
        learners={},
        suites={},
        quick={},
        parse=server.parse,
        render=_render,
    )


def _always(solver: Any) -> Any:
    return lambda: solver


@dataclass
class Server:
    """One connection to the user's server, and what is known of its tables."""

    address: Address
    longest_ms: int = 300_000
    _engine: Engine | None = field(default=None, repr=False)
    _catalogue: Catalogue | None = field(default=None, repr=False)

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            self._engine = open_engine(self, self.address, self.longest_ms)
        return self._engine

    @property
    def catalogue(self) -> Catalogue:
        if self._catalogue is None:
            self._catalogue = catalogue_of(self.engine.session)
        return self._catalogue

    def parse(self, paths: Sequence[Path]) -> Mapping[str, JoinQuery]:
        """``.sql`` files, with the optimiser's estimates; or query files of `capture`, with the counts in them."""
        from .workload.capture_counts import read_sql
        from .workload.files import load_queries
        from .workload.harvest import query_of

        found: dict[str, JoinQuery] = {}
        for path in map(Path, paths):
            if path.is_dir() or path.suffix == ".sql":
                made = {name: self._estimated(query_of(text, name, self.catalogue)) for name, text in read_sql([path])}
            else:
                made = load_queries(path)
                for query in made.values():
                    check_tables(query, self.catalogue, self.address.shown)
            twice = next((name for name in made if name in found), None)
            if twice is not None:
                raise InvalidInstance(f"{path}: a second query has the name {twice!r}")
            found |= made
        return found

    def _estimated(self, query: JoinQuery) -> JoinQuery:
        """With what EXPLAIN says of its connected subsets. Nothing is counted: the numbers are flagged as estimates."""
        from .sql.text import connected_subsets, rows_sql
        from .workload.harvest import version_of

        session = self.engine.session
        subsets = connected_subsets(query, at_most=MOST_SUBSETS)
        if query.everything not in subsets:
            subsets = [subset for subset in subsets if subset.bit_count() <= 2]
        rows = {subset: float(session.plan(rows_sql(query, subset))["Plan Rows"]) for subset in subsets}
        known = Cardinalities.of(rows, version_of(session), kind=ESTIMATE)
        edges = tuple(
            replace(edge, selectivity=_selectivity(rows, 1 << edge.left, 1 << edge.right)) for edge in query.edges
        )
        return replace(query, edges=edges, cardinalities=known, estimates=known)


def _selectivity(rows: Mapping[int, float], left: int, right: int) -> float:
    both = rows.get(left | right)
    return float("nan") if both is None else both / (max(1.0, rows[left]) * max(1.0, rows[right]))


@dataclass
class Hinted:
    """The engine's own plan, under a hint set. The query stays as it is written."""

    server: Server
    arm: str
    told: Settings = ()
    track: ClassVar[str] = "policy"

    def solve(self, task: Task[JoinQuery, JoinPlan]) -> JoinPlan:
        plan, _ = self.server.engine.own_plan(task.instance, self.told)
        if plan is None:
            raise TrimtabError(f"the plan of {task.instance.name!r} under {self.arm} is no tree of its relations")
        return EnginePlan(plan.joins, plan.operators, settings=self.told, forced=False, label=self.arm)


@dataclass
class Ordered:
    """An order of joins by a solver of the problem, from counts where there are any, else from the estimates."""

    name: str
    make: Any
    told: Settings = ()
    bound: bool = False  # PostgreSQL is bound to the operators of the cost model pg_like, too
    track: ClassVar[str] = "policy"

    def solve(self, task: Task[JoinQuery, JoinPlan]) -> JoinPlan:
        query = task.instance
        counted = bool((query.cardinalities.kinds != ESTIMATE).any())
        known = replace(query, cost_model="pg_like", estimates=None if counted else query.estimates)
        solver: Solver[JoinQuery, JoinPlan] = self.make()
        plan = solver.solve(replace(task, instance=known))
        if self.bound:
            from .simulator import plan_costs

            operators = plan_costs(known, plan, "pg_like", known.planning).operators
            lookups = np.where(operators == INDEX, INDEX, HASH).astype(np.int8)
            return EnginePlan(plan.joins, lookups, label=f"{self.name}, operators bound", bound=True)
        return EnginePlan(plan.joins, settings=self.told, label=self.name)


@dataclass
class Deployed:
    """Backend: the user's server. A plan that is the engine's own anyway is not run; one that met its limit, once."""

    server: Server
    exclusive: ClassVar[bool] = True
    _limits: dict[tuple[str, str], float] = field(default_factory=dict)
    _stopped: dict[tuple[str, str], Sample] = field(default_factory=dict)

    def evaluate(self, instance: JoinQuery, decision: JoinPlan, *, seed: int) -> Outcome:
        flaw = decision.flaw(instance)
        if flaw:
            return Outcome({"regression": float("inf"), "cost": float("inf")}, feasible=False, note=flaw)
        engine = self.server.engine
        limit = self.limit_ms(instance)
        try:
            shape = self.shape(instance, decision)
        except Refused as error:  # such as a column that depends on a key, which a subquery hides
            never = {"regression": float("inf"), "cost": float("inf")}
            return Outcome(never, feasible=False, note=f"it can't be written so: {error}"[:200])
        if shape == self.shape(instance, None):
            own = engine.run(instance, None, limit)
            return Outcome({"regression": 1.0, "cost": own.ms}, note="the engine's own plan")
        if (instance.name, shape) not in self._stopped:
            runs = [lambda: engine.run(instance, None, limit), lambda: engine.run(instance, decision, limit)]
            (own,), (tried,) = interleave(runs, 1, seed)
            if not tried.censored:
                return Outcome({"regression": tried.ms / max(own.ms, 1e-6), "cost": tried.ms}, note=engine_note(engine))
            self._stopped[instance.name, shape] = tried
        least = self._stopped[instance.name, shape].ms
        usual = self._limits[instance.name, "own"]
        return Outcome(
            {"regression": least / usual, "cost": least}, feasible=False, note=f"stopped after {least:.0f} ms"
        )

    def limit_ms(self, query: JoinQuery) -> float:
        """Three times what the query takes as it stands, at least 0.2 s: a plan that is worse is of no use."""
        if (query.name, "limit") not in self._limits:
            longest = self.server.longest_ms
            first = self.server.engine.run(query, None, longest)  # also warms the caches
            if first.censored:
                raise TrimtabError(f"query {query.name!r}: it does not end within {longest / 1000:g} s as it stands")
            wall = self._wall_ms(query)
            self._limits[query.name, "own"] = first.ms
            self._limits[query.name, "limit"] = min(float(longest), max(200.0, 3 * wall))
        return self._limits[query.name, "limit"]

    def _wall_ms(self, query: JoinQuery) -> float:
        import time

        before = time.perf_counter()
        self.server.engine.run(query, None, self.server.longest_ms)
        return (time.perf_counter() - before) * 1000

    def shape(self, query: JoinQuery, plan: JoinPlan | None) -> str:
        """The physical plan that comes of a decision, without its numbers."""
        session = self.server.engine.session
        with session.settings(dict(() if plan is None else settings_of(plan))):
            return shape_of(session.plan(statement(query, plan)))


def engine_note(engine: Engine) -> str:
    return "" if engine.clock is not None else engine.unit


def shape_of(node: Mapping[str, Any]) -> str:
    told = ("Node Type", "Alias", "Index Name", "Parent Relationship", "Join Type")
    below = ",".join(shape_of(child) for child in node.get("Plans", ()))
    return "/".join(str(node.get(key, "")) for key in told) + f"({below})"


def _render(query: JoinQuery, plan: JoinPlan, backend: Any, seed: int) -> Rendering:
    from .rendering import render_deployed

    return render_deployed(query, plan, backend, seed)


__all__ = ["METRICS", "Deployed", "Server", "at", "shape_of"]
