# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from trimtab.core.backend import Rollout


class Walk(gymnasium.Env[int, int]):
    """A random walk that ends at `far`, or is cut off after 50 steps."""

    def __init__(self, far: int) -> None:
        self.far = far
        self.closed: list[bool] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.steps = 0, 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        self.place += action + int(self.np_random.integers(2))
        return self.place, 0.0, self.place >= self.far, self.steps >= 50, {"steps": self.steps, "place": self.place}

    def close(self) -> None:
        self.closed.append(True)


class Stride:
    def __init__(self, length: int) -> None:
        self.length = length

    def act(self, observation: int) -> int:
        return self.length


class Stumble:
    def act(self, observation: int) -> int:
        raise RuntimeError("fell")


def measure(info: dict[str, Any]) -> dict[str, float]:
    return {"steps": info["steps"]}


def test_an_episode_to_its_end_with_the_seed_s_draws() -> None:
    rollout = Rollout(Walk, measure)
    outcome = rollout.evaluate(10, Stride(1), seed=4)
    draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence(4)))  # Gymnasium's own rule
    place = steps = 0
    while place < 10:
        place, steps = place + 1 + int(draws.integers(2)), steps + 1
    assert outcome.metrics == {"steps": steps}
    assert rollout.evaluate(10, Stride(1), seed=4) == outcome


def test_truncation_ends_it_too() -> None:
    assert Rollout(Walk, measure).evaluate(10**6, Stride(0), seed=0).metrics == {"steps": 50}


def test_the_environment_is_closed_whatever_happens() -> None:
    made: list[Walk] = []

    def make(far: int) -> Walk:
        made.append(Walk(far))
        return made[-1]

    with pytest.raises(RuntimeError, match="fell"):
        Rollout(make, measure).evaluate(3, Stumble(), seed=0)
    assert made[0].closed == [True]
