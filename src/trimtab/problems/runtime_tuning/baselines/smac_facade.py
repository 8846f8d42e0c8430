# SPDX-License-Identifier: Apache-2.0
"""SMAC3 (Lindauer et al., JMLR 2022): its facade for hyper-parameters, a forest."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

from trimtab.core.extras import need

from ..problem import Target, Trial
from ..space import Values
from .flat import Flat, Parameter
from .noisy import NoisyBest


class SMAC(NoisyBest):
    """The default is told before its design (it draws its own); what has no value is told as crashed."""

    def __init__(self, target: Target, seed: int, budget: int | None = None) -> None:
        super().__init__(target, seed)
        smac: Any = need("smac", extra="smac", purpose="the solver 'smac'")
        spaces: Any = need("ConfigSpace", extra="smac", purpose="the solver 'smac'")
        logging.getLogger("smac").setLevel(logging.ERROR)
        self._smac = smac
        self._flat = Flat(target.space)
        space = spaces.ConfigurationSpace(seed=seed)
        space.add([_hyperparameter(spaces, p) for p in self._flat.parameters])
        self._folder = tempfile.TemporaryDirectory(prefix="trimtab-smac-")
        scenario = smac.Scenario(
            space, deterministic=True, n_trials=budget or 1000, seed=seed, output_directory=Path(self._folder.name)
        )
        facade = smac.HyperparameterOptimizationFacade
        self._facade = facade(scenario, lambda config, seed=0: 0.0, overwrite=True, logging_level=False)
        self._home = smac.runhistory.TrialInfo(space.get_default_configuration(), seed=0)
        self._asked: list[tuple[Values, Any]] = []
        self._first = True

    def ask(self) -> Values:
        if self._first:
            self._first = False
            self._asked.append((self.space.default, self._home))
            return self.space.default
        while True:
            info = self._facade.ask()
            values = self._flat.values(dict(info.config))
            if self.space.allows(values):
                break
            self._crashed(info)
        self._asked.append((values, info))
        return values

    def tell(self, trial: Trial) -> None:
        super().tell(trial)
        for i, (values, info) in enumerate(self._asked):
            if values == trial.values:
                del self._asked[i]
                if trial.loss is None:
                    self._crashed(info)
                else:
                    value = self._smac.runhistory.TrialValue(cost=self.penalised(trial))
                    self._facade.tell(info, value, save=False)
                return

    def _crashed(self, info: Any) -> None:
        history = self._smac.runhistory
        crash = history.TrialValue(cost=self.worst + 0.1, status=history.StatusType.CRASHED)
        self._facade.tell(info, crash, save=False)


def _hyperparameter(spaces: Any, parameter: Parameter) -> Any:
    if parameter.kind == "choice":
        choices = list(range(int(parameter.high) + 1))
        return spaces.CategoricalHyperparameter(parameter.name, choices, default_value=parameter.default)
    low, high, default = parameter.low, parameter.high, parameter.default
    if parameter.kind == "whole":
        return spaces.UniformIntegerHyperparameter(
            parameter.name, int(low), int(high), default_value=default, log=parameter.log
        )
    return spaces.UniformFloatHyperparameter(parameter.name, low, high, default_value=default, log=parameter.log)
