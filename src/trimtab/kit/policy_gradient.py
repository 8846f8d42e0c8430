# SPDX-License-Identifier: Apache-2.0
"""What policy-gradient training needs whatever the problem: returns, baselines, schedules, the clipped surrogate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]


def returns_to_go(rewards: Floats) -> Floats:
    """Undiscounted sum of each step's reward and all later ones.  (steps,)"""
    return np.cumsum(rewards[::-1])[::-1]


def differential(rewards: Floats, durations: Floats, rate: float) -> Floats:
    """Rewards above the long-run average: ``reward - rate * duration``.

    With these, an endless stream of jobs has finite returns (the average-reward
    formulation, Sutton & Barto section 10.3; Decima section 5.3). `rate` is
    reward per second; see `AverageRate`.
    """
    return rewards - rate * durations


class AverageRate:
    """Reward per second over the most recent episodes, weighted by their length."""

    def __init__(self, episodes: int) -> None:
        self._recent: list[tuple[float, float]] = []
        self._episodes = episodes

    def add(self, reward: float, duration: float) -> None:
        self._recent = [*self._recent[-self._episodes + 1 :], (reward, duration)]

    @property
    def value(self) -> float:
        reward, duration = np.sum(self._recent, axis=0) if self._recent else (0.0, 0.0)
        return float(reward / duration) if duration else 0.0


def time_aligned_baselines(times: Sequence[Floats], returns: Sequence[Floats]) -> list[Floats]:
    """The input-dependent baseline of several rollouts of one input sequence.

    `times[k]` (ascending) and `returns[k]` belong to rollout k. Its baseline at
    a step is the mean over all rollouts of their return-to-go at the same wall
    time, piecewise-linear between steps and constant outside (Mao et al.,
    "Variance reduction for RL in input-driven environments"; Decima section 5.3).
    """
    if len(times) != len(returns) or not times:
        raise ValueError(f"{len(times)} time series for {len(returns)} series of returns")
    knots = [np.unique(t, return_index=True) for t in times]
    sampled = [
        [np.interp(t, instants, g[first]) for (instants, first), g in zip(knots, returns, strict=True)] for t in times
    ]
    return [np.mean(rows, axis=0) for rows in sampled]


def memoryless_horizon(rng: np.random.Generator, mean: float) -> float:
    """An episode length the agent can't foresee, so it can't learn to end well instead of to live well."""
    return float(rng.exponential(mean))


@dataclass(frozen=True)
class Ramp:
    """A value that moves from `start` to `stop` in `steps` steps, then stays."""

    start: float
    stop: float
    steps: int

    def __call__(self, step: float) -> float:
        done = min(1.0, step / max(1, self.steps))
        return self.start + (self.stop - self.start) * done


def clipped_surrogate(log_ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """PPO's pessimistic objective per step, to be maximised (Schulman et al. 2017, eq. 7).

    `log_ratio` is log-probability now minus log-probability when the step was
    taken. At log_ratio = 0 its gradient is REINFORCE's.
    """
    ratio = log_ratio.exp()
    return (ratio * advantage).minimum(ratio.clamp(1 - clip, 1 + clip) * advantage)
