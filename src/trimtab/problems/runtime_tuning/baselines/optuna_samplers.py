# SPDX-License-Identifier: Apache-2.0
"""Optuna's samplers: TPE (Watanabe 2023), and its Gaussian process (needs torch)."""

from __future__ import annotations

import math
from typing import Any, Literal

from trimtab.core.extras import need

from ..problem import Target, Trial
from ..space import Values
from .flat import Flat, Parameter
from .noisy import NoisyBest


class Optuna(NoisyBest):
    """The default is enqueued first; a trial that has no value is told as failed."""

    def __init__(
        self, target: Target, seed: int, budget: int | None = None, *, sampler: Literal["tpe", "gp"] = "tpe"
    ) -> None:
        super().__init__(target, seed)
        optuna = need("optuna", extra="tuners", purpose=f"the solver 'optuna_{sampler}'")
        if sampler == "gp":
            need("torch", extra="learn", purpose="the solver 'optuna_gp'")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna: Any = optuna
        self._flat = Flat(target.space)
        self._distributions = {p.name: _distribution(optuna, p) for p in self._flat.parameters}
        samplers = optuna.samplers
        chosen = samplers.TPESampler(seed=seed, multivariate=True) if sampler == "tpe" else _gp(samplers, seed)
        self._study = optuna.create_study(sampler=chosen)
        self._study.enqueue_trial({p.name: p.default for p in self._flat.parameters})
        self._asked: list[tuple[Values, Any]] = []

    def ask(self) -> Values:
        while True:
            trial = self._study.ask(self._distributions)
            values = self._flat.values(trial.params)
            if self.space.allows(values):
                break
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        self._asked.append((values, trial))
        return values

    def tell(self, trial: Trial) -> None:
        super().tell(trial)
        for i, (values, asked) in enumerate(self._asked):
            if values == trial.values:
                del self._asked[i]
                if trial.loss is None:
                    self._study.tell(asked, state=self._optuna.trial.TrialState.FAIL)
                else:
                    self._study.tell(asked, self.penalised(trial))
                return
        if trial.loss is not None and math.isfinite(trial.loss):
            create = self._optuna.trial.create_trial
            settings = self._flat.settings(self.space.canonical(trial.values))
            self._study.add_trial(
                create(params=settings, distributions=self._distributions, value=self.penalised(trial))
            )


def _gp(samplers: Any, seed: int) -> Any:
    import warnings

    with warnings.catch_warnings():  # "experimental"
        warnings.simplefilter("ignore")
        return samplers.GPSampler(seed=seed)


def _distribution(optuna: Any, parameter: Parameter) -> Any:
    kinds = optuna.distributions
    if parameter.kind == "choice":
        return kinds.CategoricalDistribution(list(range(int(parameter.high) + 1)))
    if parameter.kind == "whole":
        return kinds.IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return kinds.FloatDistribution(parameter.low, parameter.high, log=parameter.log)
