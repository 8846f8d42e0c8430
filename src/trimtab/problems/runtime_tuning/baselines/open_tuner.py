# SPDX-License-Identifier: Apache-2.0
"""OpenTuner (Ansel et al., PACT 2014): its ensemble of search techniques under a bandit."""

from __future__ import annotations

import contextlib
import logging
import random
from typing import Any

import numpy as np

from trimtab.core.extras import need

from ..problem import Target, Trial
from ..space import Values
from .flat import Flat, Parameter
from .noisy import NoisyBest


class OpenTuner(NoisyBest):
    """The default is a seed configuration; what has no value is told as an error."""

    def __init__(self, target: Target, seed: int, budget: int | None = None) -> None:
        super().__init__(target, seed)
        self._ot: Any = need("opentuner", extra="opentuner", purpose="the solver 'opentuner'")
        api: Any = need("opentuner.api", extra="opentuner", purpose="the solver 'opentuner'")
        need("opentuner.resultsdb.models", extra="opentuner", purpose="the solver 'opentuner'")
        main: Any = need("opentuner.tuningrunmain", extra="opentuner", purpose="the solver 'opentuner'")
        main.init_logging = lambda: None  # it would write opentuner.log where it is run, and take over the root logger
        for name in ("opentuner", "opentuner.search", "opentuner.measurement"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self._flat = Flat(target.space)
        self._state: tuple[Any, Any] = (
            random.Random(seed).getstate(),
            np.random.RandomState(seed % (1 << 32)).get_state(),
        )
        with self._seeded():
            self._manager = self._start(api, budget)
        self._asked: list[tuple[Values, Any]] = []

    def _start(self, api: Any, budget: int | None) -> Any:
        ot, flat = self._ot, self._flat
        manipulator = ot.ConfigurationManipulator()
        for parameter in flat.parameters:
            manipulator.add_parameter(_parameter(ot, parameter))
        settings = {p.name: p.default for p in flat.parameters}

        class Interface(ot.MeasurementInterface):  # type: ignore[misc, name-defined]
            def seed_configurations(self) -> list[dict[str, Any]]:
                return [settings]

            def run(self, desired_result: Any, input: Any, limit: Any) -> Any:
                raise NotImplementedError

        arguments = ot.default_argparser().parse_args(
            ["--no-dups", f"--test-limit={budget or 1000}", "--database=sqlite://", "--quiet"]
        )
        interface = Interface(
            args=arguments, manipulator=manipulator, project_name="trimtab", program_name=self.target.name,
            program_version="1",
        )  # fmt: skip
        return api.TuningRunManager(interface, arguments)

    @contextlib.contextmanager
    def _seeded(self) -> Any:
        """OpenTuner draws from the global generators: it gets its own state of them, and leaves them as they were."""
        kept = random.getstate(), np.random.get_state()
        random.setstate(self._state[0])
        np.random.set_state(self._state[1])
        try:
            yield
        finally:
            self._state = random.getstate(), np.random.get_state()
            random.setstate(kept[0])
            np.random.set_state(kept[1])

    def ask(self) -> Values:
        while True:
            with self._seeded():
                wanted = self._manager.get_next_desired_result()
            if wanted is None:  # it has no idea that it did not try
                return self.space.draw(np.random.default_rng((self.seed, 6)))
            values = self._flat.values(wanted.configuration.data)
            if self.space.allows(values):
                break
            self._report(wanted, None)
        self._asked.append((values, wanted))
        return values

    def tell(self, trial: Trial) -> None:
        super().tell(trial)
        for i, (values, wanted) in enumerate(self._asked):
            if values == trial.values:
                del self._asked[i]
                self._report(wanted, None if trial.loss is None else self.penalised(trial))
                return

    def _report(self, wanted: Any, loss: float | None) -> None:
        result = self._ot.resultsdb.models.Result
        told = result(time=float("inf"), state="ERROR") if loss is None else result(time=float(np.exp(loss)))
        with self._seeded():
            self._manager.report_result(wanted, told)


def _parameter(ot: Any, parameter: Parameter) -> Any:
    if parameter.kind == "choice":
        return ot.EnumParameter(parameter.name, list(range(int(parameter.high) + 1)))
    if parameter.kind == "whole":
        kind = ot.LogIntegerParameter if parameter.log else ot.IntegerParameter
        return kind(parameter.name, int(parameter.low), int(parameter.high))
    kind = ot.LogFloatParameter if parameter.log else ot.FloatParameter
    return kind(parameter.name, parameter.low, parameter.high)
