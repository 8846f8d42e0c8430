# SPDX-License-Identifier: Apache-2.0
"""Interleaved, paired measurements, and what may be said of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..problem import Floats


@dataclass(frozen=True)
class Sample:
    """One run. Censored: it was stopped at its time limit, so it takes at least `ms`."""

    ms: float  # on-CPU
    censored: bool = False


@dataclass(frozen=True)
class Comparison:
    """A plan against another one: geometric mean of the paired ratios, and its 95 % t interval on logs."""

    ratio: float
    low: float
    high: float
    rounds: int

    @property
    def verdict(self) -> str:
        if self.high < 1:
            return "faster"
        return "slower" if self.low > 1 else "no change"

    @property
    def text(self) -> str:
        return (
            f"{self.verdict}: {self.ratio:.3f} times its on-CPU time, 95 % interval {self.low:.3f} to {self.high:.3f}"
        )


def interleave(runs: Sequence[Callable[[], Sample]], rounds: int, seed: int = 0) -> list[list[Sample]]:
    """Every run once a round, in a new random order each time: (runs, rounds).

    What slows the machine for a while then slows them all. A run that was censored
    is not repeated: it keeps that sample.
    """
    rng = np.random.default_rng(seed)
    found: list[list[Sample]] = [[] for _ in runs]
    for _ in range(rounds):
        for at in rng.permutation(len(runs)).tolist():
            stopped = found[at] and found[at][-1].censored
            found[at].append(found[at][-1] if stopped else runs[at]())
    return found


def milliseconds(samples: Sequence[Sample]) -> Floats:
    return np.array([sample.ms for sample in samples])


def compare(plan_ms: Floats, other_ms: Floats) -> Comparison:
    """Paired by round. (rounds,) each, at least two."""
    from scipy import stats

    logs = np.log(np.maximum(plan_ms, 1e-6)) - np.log(np.maximum(other_ms, 1e-6))
    rounds = len(logs)
    if rounds < 2:
        raise ValueError("an interval needs two rounds")
    half = float(stats.t.ppf(0.975, rounds - 1)) * float(logs.std(ddof=1)) / math.sqrt(rounds)
    mean = float(logs.mean())
    return Comparison(math.exp(mean), math.exp(mean - half), math.exp(mean + half), rounds)
