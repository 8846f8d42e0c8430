# SPDX-License-Identifier: Apache-2.0
"""What tunes a target: trimtab's optimiser and others, as solvers with one budget and one measuring rule."""

from __future__ import annotations

from typing import Final, Literal

from trimtab.core.errors import UnknownName

from ..asktell import AskTell
from ..problem import Target
from .search import Searcher
from .simple import Default

#: Solvers that search; `PROBLEM` registers each, and `default` beside them.
SEARCHES: Final = (
    "trimtab",
    "random",
    "sobol",
    "local",
    "coordinate",
    "successive_halving",
    "projection",
    "optuna_tpe",
    "optuna_gp",
    "cma_es",
    "smac",
    "opentuner",
)

__all__ = ["SEARCHES", "Default", "Searcher", "optimiser", "searcher"]


def searcher(name: str) -> Searcher:
    """The solver of that name."""
    return Searcher(lambda target, seed, budget: optimiser(name, target, seed, budget))


def optimiser(name: str, target: Target, seed: int, budget: int | None = None) -> AskTell:
    """An optimiser by its name in `SEARCHES`; raises `MissingExtra` where its package is not installed."""
    match name:
        case "trimtab":
            from ..optimiser import Tuner

            return Tuner(target.space, target.objective, seed=seed, budget=budget)
        case "optuna_tpe" | "optuna_gp":
            from .optuna_samplers import Optuna

            sampler: Literal["tpe", "gp"] = "tpe" if name == "optuna_tpe" else "gp"
            return Optuna(target, seed, budget, sampler=sampler)
        case "cma_es":
            from .cma_es import CMAES

            return CMAES(target, seed, budget)
        case "smac":
            from .smac_facade import SMAC

            return SMAC(target, seed, budget)
        case "opentuner":
            from .open_tuner import OpenTuner

            return OpenTuner(target, seed, budget)
        case "projection":
            from .projection import Projected

            return Projected(target, seed, budget)
        case _:
            from . import simple

            kinds = {
                "random": simple.Drawn,
                "sobol": simple.Sobol,
                "local": simple.Local,
                "coordinate": simple.Coordinate,
                "successive_halving": simple.Halving,
            }
            if name not in kinds:
                raise UnknownName("optimiser", name, SEARCHES)
            return kinds[name](target, seed, budget)
