# SPDX-License-Identifier: Apache-2.0
"""A program whose truth is known, and an optimiser that draws at random."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from trimtab.problems.runtime_tuning.problem import Trial
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace, Values
from trimtab.problems.runtime_tuning.system.measure import Reading
from trimtab.problems.runtime_tuning.system.meter import FOREVER, Patience

SPACE = KnobSpace(
    (
        Knob("x", "int", 0, 0, 9),
        Knob("y", "enum", "a", values=("a", "b", "c")),
        Knob("idle", "bool", False),
        Knob("order", "permutation", ("p", "q", "r"), values=("p", "q", "r")),
    )
)


def truth(values: Values) -> float:
    """Log ratio to the default: x helps up to 0.45, y=b by 0.2, y=c hurts by 0.3; the others do nothing."""
    assert isinstance(values["x"], int)
    return -0.05 * values["x"] + {"a": 0.0, "b": -0.2, "c": 0.3}[str(values["y"])]


def nothing(values: Values) -> float:
    return 0.0


@dataclass
class Fake:
    """A meter: the n-th reading of all depends on nothing but n and the configuration."""

    truth: Callable[[Values], float] = truth
    noise: float = 0.02
    drift: Callable[[int], float] = lambda n: 0.0  # of the machine, log
    fails: Callable[[Values], str] = lambda values: ""
    n: int = 0
    seed: int = 0
    asked: list[tuple[Values, Patience]] = field(default_factory=list)

    def read(self, values: Values, patience: Patience = FOREVER) -> Reading:
        self.asked.append((values, patience))
        rng = np.random.default_rng((self.seed, self.n))
        log = self.truth(values) + self.drift(self.n) + self.noise * rng.standard_normal()
        self.n += 1
        failure = self.fails(values)
        if failure:
            return Reading(failure, seconds=0.1, note="as it was told")  # type: ignore[arg-type]
        cpu = 0.5 * math.exp(log)
        rss = 1e8 * (2 if values["y"] == "b" else 1)
        if cpu > patience[1]:
            return Reading("censored", {"cpu": patience[1], "wall": patience[1], "rss": rss}, patience[1])
        return Reading("ok", {"cpu": cpu, "wall": cpu * 1.1, "rss": rss}, cpu * 1.2)

    def stop(self) -> None:
        return


@dataclass
class Draws:
    """An optimiser: the default, then random configurations; its best is that of the least mean."""

    space: KnobSpace = SPACE
    seed: int = 0
    trials: list[Trial] = field(default_factory=list)

    def ask(self) -> Values:
        if not self.trials:
            return self.space.default
        return self.space.draw(np.random.default_rng((self.seed, len(self.trials))))

    def tell(self, trial: Trial) -> None:
        self.trials.append(trial)

    def best(self) -> Values:
        known = [t for t in self.trials if t.status == "ok" and t.loss is not None]
        return min(known, key=lambda trial: trial.loss or 0.0).values if known else self.space.default
