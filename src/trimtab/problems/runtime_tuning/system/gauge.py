# SPDX-License-Identifier: Apache-2.0
"""`Gauge`: what the default takes at this moment, from its re-runs, on a machine whose speed wanders.

A local level model (Harvey 1989, section 2.3): the log of what a run of the default
takes is a level, which wanders from one control to the next, plus the noise of a
run. A Kalman filter gives the level now and its variance; how much it wanders is
taken from the controls by maximum likelihood, on a grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

WANDER: Final = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)  # variance of a step of the level, in units of a run's
PRIOR_SD: Final = 0.05  # of a run, before anything was measured
PRIOR_WEIGHT: Final = 2.0  # runs that this counts for
LIKELY: Final = 0.1  # how much it wanders, before anything was measured; worth as much as e times the likelihood


@dataclass(frozen=True)
class Level:
    """The log of what the default takes now."""

    mean: float
    variance: float


class Gauge:
    """Controls in the order in which they were measured (natural logs)."""

    def __init__(self, controls: Iterable[float] = ()) -> None:
        self._controls: list[float] = []
        self._fit = (PRIOR_SD**2, LIKELY, Level(math.nan, math.inf))
        for control in controls:
            self.add(control)

    def __len__(self) -> int:
        return len(self._controls)

    def add(self, control: float) -> None:
        self._controls.append(control)
        fits = [self._filter(wander) for wander in WANDER]
        scores = [fit[0] + (1.0 if wander == LIKELY else 0.0) for fit, wander in zip(fits, WANDER, strict=True)]
        best = max(range(len(WANDER)), key=scores.__getitem__)
        _, variance, level = fits[best]
        self._fit = (variance, WANDER[best], level)

    def copy(self) -> Gauge:
        made = Gauge()
        made._controls, made._fit = list(self._controls), self._fit
        return made

    @property
    def sd(self) -> float:
        """Of the log of one run, around the level."""
        return math.sqrt(self._fit[0])

    @property
    def level(self) -> Level:
        """For the run that comes next."""
        variance, wander, level = self._fit
        return Level(level.mean, level.variance + wander * variance)

    def _filter(self, wander: float) -> tuple[float, float, Level]:
        """Log likelihood up to a constant, the variance of a run, and the level after the last control."""
        mean, spread = self._controls[0], 1.0  # in units of a run's variance
        squares, logs = 0.0, 0.0
        for control in self._controls[1:]:
            spread += wander
            surprise, expected = control - mean, spread + 1.0
            squares += surprise**2 / expected
            logs += math.log(expected)
            gain = spread / expected
            mean += gain * surprise
            spread *= 1.0 - gain
        n = len(self._controls) - 1
        variance = (squares + PRIOR_WEIGHT * PRIOR_SD**2) / (n + PRIOR_WEIGHT)
        likelihood = -0.5 * (logs + (n + PRIOR_WEIGHT) * math.log(variance))
        return likelihood, variance, Level(mean, spread * variance)
