# SPDX-License-Identifier: Apache-2.0
"""Which stage of which job gets the next executors, and how many?"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trimtab.core.extras import Lazy, lazy
from trimtab.core.problem import Problem, Rendering

from .problem import METRICS, JobStream
from .workload import SUITES, instances, parse

if TYPE_CHECKING:
    import click

    from trimtab.core.backend import Backend
    from trimtab.core.solver import Solver

    from .simulator import Decision


def _rule(name: str) -> Lazy:
    return lazy(f"{__name__}.baselines:Rule", extra="fast", rule=name)


def _render(stream: JobStream, decision: Decision, backend: Backend[JobStream, Decision], seed: int) -> Rendering:
    from .gantt import render

    return render(stream, decision, backend, seed)


def _load(path: Path) -> Solver[JobStream, Decision]:
    from .learned import load

    return load(path)


def _capture() -> click.Command:
    from .workload.capture import command

    return command


PROBLEM: Final = Problem(
    name="cluster_scheduling",
    question="Which stage of which job gets the next executors, and how many?",
    metrics=METRICS,
    instances=instances,
    suites=SUITES,
    backends={
        "simulator": lazy(f"{__name__}.simulator:Simulator", extra="fast"),
        "system": lazy(f"{__name__}.system:Spark", extra="spark"),
    },
    reference="srpt_concave",
    solvers={
        "fifo": _rule("fifo"),
        "sjf_cp": _rule("sjf_cp"),
        "critical_path": _rule("critical_path"),
        "tetris": _rule("tetris"),
        "fair": _rule("fair"),
        "fair_releasing": _rule("fair_releasing"),
        "weighted_fair": _rule("weighted_fair"),
        "graphene": _rule("graphene"),
        "srpt_constant": _rule("srpt_constant"),
        "srpt_linear": _rule("srpt_linear"),
        "srpt_concave": _rule("srpt_concave"),
        "decima": lazy(f"{__name__}.learned:Decima", extra="fast"),
        "evolved_index": lazy(f"{__name__}.learned:EvolvedIndex", extra="fast"),
    },
    learners={
        "decima": lazy(f"{__name__}.learned:DecimaLearner", extra="learn"),
        "evolved_index": lazy(f"{__name__}.learned:EvolvedIndexLearner", extra="learn"),
    },
    quick={"solvers": ("fifo", "fair", "weighted_fair", "srpt_concave", "decima", "evolved_index")},
    parse=parse,
    render=_render,
    load=_load,
    capture=_capture,
    card=lambda: files(__name__).joinpath("README.md").read_text(),
)
