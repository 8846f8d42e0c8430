# SPDX-License-Identifier: Apache-2.0
"""Other optimisers, behind the same ask and tell."""

from __future__ import annotations

from typing import Any

from trimtab.core.extras import lazy

from ..asktell import AskTell
from ..problem import Target


def make(name: str, target: Target, seed: int, budget: int | None) -> AskTell:
    """One of those that `solvers.SEARCHES` names."""
    found: AskTell = _MAKERS[name](target=target, seed=seed, budget=budget)
    return found


def _here(place: str, **fixed: Any) -> Any:
    return lazy(f"{__name__}.{place}", **fixed)


_MAKERS = {
    "random": _here("simple:Drawn"),
    "sobol": _here("simple:Sobol"),
    "local": _here("simple:Local"),
    "coordinate": _here("simple:Coordinate"),
    "successive_halving": _here("simple:Halving"),
    "projection": _here("projection:Projected"),
    "optuna_tpe": _here("optuna_samplers:Optuna", sampler="tpe"),
    "optuna_gp": _here("optuna_samplers:Optuna", sampler="gp"),
    "cma_es": _here("cma_es:CMAES"),
    "smac": _here("smac_facade:SMAC"),
    "opentuner": _here("open_tuner:OpenTuner"),
}
