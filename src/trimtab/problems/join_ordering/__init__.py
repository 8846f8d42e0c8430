# SPDX-License-Identifier: Apache-2.0
"""In which order, and how, are the relations of a query joined?"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trimtab.core.extras import Lazy, lazy
from trimtab.core.problem import Problem, Rendering

from .problem import METRICS, JoinPlan, JoinQuery
from .workload import SUITES, instances, parse

if TYPE_CHECKING:
    import click

    from trimtab.core.backend import Backend
    from trimtab.core.solver import Solver


def _exhaustive(shape: str) -> Lazy:
    return lazy(f"{__name__}.baselines:Exhaustive", extra="fast", shape=shape)


def _planner(name: str, **options: float) -> Lazy:
    return lazy(f"{__name__}.baselines:Planner", extra="fast", name=name, **options)


def _render(query: JoinQuery, plan: JoinPlan, backend: Backend[JoinQuery, JoinPlan], seed: int) -> Rendering:
    from .rendering import render

    return render(query, plan, backend, seed)


def _at(dsn: str) -> Problem[JoinQuery, JoinPlan]:
    from .deploy import at

    return at(dsn)


def _capture() -> click.Command:
    from .workload.capture import command

    return command


def _load(path: Path) -> Solver[JoinQuery, JoinPlan]:
    from .learned import load

    return load(path)


PROBLEM: Final = Problem(
    name="join_ordering",
    question="In which order, and how, are the relations of a query joined?",
    metrics=METRICS,
    instances=instances,
    suites=SUITES,
    backends={
        "simulator": lazy(f"{__name__}.simulator:Simulator", extra="fast"),
        "postgresql": lazy(f"{__name__}.system.postgresql:PostgreSQL", extra="sql"),
        "duckdb": lazy(f"{__name__}.system.duckdb:DuckDB", extra="sql"),
    },
    reference="goo",  # of all that plans queries of any size, from any row counts
    solvers={
        "dp": _exhaustive("bushy"),
        "left_deep": _exhaustive("left_deep"),
        "right_deep": _exhaustive("right_deep"),
        "zig_zag": _exhaustive("zig_zag"),
        "ikkbz": _planner("ikkbz"),
        "lindp": _planner("lindp"),
        "goo": _planner("goo"),
        "min_selectivity": _planner("min_selectivity"),
        "quickpick": _planner("quickpick", draws=1000),
        "annealing": _planner("annealing", steps=20_000, hot=1.0, cold=0.001),
        "geqo": _planner("geqo"),
        "simpli_squared": lazy(f"{__name__}.baselines:Simpli", extra="fast"),
        "pessimistic": lazy(f"{__name__}.baselines:Pessimistic", extra="fast"),
        "postgresql_planner": lazy(f"{__name__}.system.planners:PostgreSQLPlanner", extra="sql"),
        "selected": lazy(f"{__name__}.selection.solver:Selected", extra="sql"),
        "corrected": lazy(f"{__name__}.learned:Corrected", extra="fast"),
        "dq": lazy(f"{__name__}.learned:DQ", extra="fast"),
        "dq_polished": lazy(f"{__name__}.learned:DQ", extra="fast", polish=20_000),
    },
    learners={
        "corrected": lazy(f"{__name__}.learned:CorrectedLearner", extra="fast"),
        "dq": lazy(f"{__name__}.learned:DQLearner", extra="learn"),
    },
    quick={"solvers": ("dp", "goo", "left_deep", "simpli_squared", "corrected", "dq")},
    parse=parse,
    load=_load,
    render=_render,
    capture=_capture,
    at=_at,
    card=lambda: files(__name__).joinpath("README.md").read_text(),
)
