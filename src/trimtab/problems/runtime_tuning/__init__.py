# SPDX-License-Identifier: Apache-2.0
"""How should a program's knobs be set?"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

from trimtab.core.extras import Lazy, lazy
from trimtab.core.problem import Problem

from .problem import METRICS
from .workload import SUITES, instances, parse

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from trimtab.core.solver import Solver

    from .problem import Configuration, Target


def _search(name: str, extra: str = "fast") -> Lazy:
    return lazy(f"{__name__}.solvers:Searcher", extra=extra, name=name)


def _load(path: Path) -> Solver[Target, Configuration]:
    from .experience.learning import Experienced

    return Experienced.load(path)


def _capture() -> click.Command:
    from .workload.capture import command

    return command


PROBLEM: Final = Problem(
    name="runtime_tuning",
    question="How should a program's knobs be set?",
    metrics=METRICS,
    instances=instances,
    suites=SUITES,
    backends={
        "simulator": lazy(f"{__name__}.simulator:Simulator", extra="fast"),
        "system": lazy(f"{__name__}.system:System"),
    },
    reference="random",  # at the same number of trials
    solvers={
        "default": lazy(f"{__name__}.solvers:Default"),
        "portfolio": _search("portfolio"),
        "experienced": lazy(f"{__name__}.experience.learning:Experienced", extra="fast"),
        "random": _search("random"),
        "sobol": _search("sobol"),
        "local": _search("local"),
        "coordinate": _search("coordinate"),
        "successive_halving": _search("successive_halving"),
        "projection": _search("projection"),
        "optuna_tpe": _search("optuna_tpe", extra="tuners"),
        "optuna_gp": _search("optuna_gp", extra="tuners"),
        "cma_es": _search("cma_es", extra="tuners"),
        "smac": _search("smac", extra="smac"),
        "opentuner": _search("opentuner", extra="opentuner"),
    },
    learners={"experienced": lazy(f"{__name__}.experience.learning:ExperienceLearner", extra="fast")},
    quick={"solvers": ("default", "random", "optuna_tpe", "portfolio", "experienced")},
    parse=parse,
    load=_load,
    capture=_capture,
    card=lambda: files(__name__).joinpath("README.md").read_text(),
)
