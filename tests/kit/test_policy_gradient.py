# SPDX-License-Identifier: Apache-2.0
"""Returns, baselines and the surrogate against closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.kit.policy_gradient import (
    AverageRate,
    Ramp,
    clipped_surrogate,
    differential,
    memoryless_horizon,
    returns_to_go,
    time_aligned_baselines,
)


def test_returns_to_go() -> None:
    assert returns_to_go(np.array([1.0, 2.0, 4.0])).tolist() == [7.0, 6.0, 4.0]


def test_differential_rewards_of_a_steady_stream_are_nothing() -> None:
    durations = np.array([1.0, 2.0, 0.5])
    rewards = -3.0 * durations
    rate = AverageRate(episodes=2)
    rate.add(-1000.0, 1.0)  # forgotten: only two episodes count
    for _ in range(2):
        rate.add(float(rewards.sum()), float(durations.sum()))
    assert rate.value == pytest.approx(-3.0)
    np.testing.assert_allclose(differential(rewards, durations, rate.value), 0, atol=1e-12)


def test_a_rate_of_nothing_is_nothing() -> None:
    assert AverageRate(3).value == 0.0


def line(times: list[float], returns: list[float], t: float) -> float:
    """The textbook interpolation, knot by knot."""
    if t <= times[0]:
        return returns[0]
    for i in range(1, len(times)):
        if t <= times[i]:
            share = (t - times[i - 1]) / (times[i] - times[i - 1])
            return returns[i - 1] + share * (returns[i] - returns[i - 1])
    return returns[-1]


series = st.lists(
    st.tuples(st.integers(0, 50), st.floats(-100, 100)), min_size=1, max_size=8, unique_by=lambda pair: pair[0]
).map(sorted)


@given(st.lists(series, min_size=1, max_size=4))
def test_the_baseline_is_the_mean_of_all_rollouts_at_the_same_time(rollouts: list[list[tuple[int, float]]]) -> None:
    times = [[float(t) for t, _ in rollout] for rollout in rollouts]
    returns = [[g for _, g in rollout] for rollout in rollouts]
    found = time_aligned_baselines([np.array(t) for t in times], [np.array(g) for g in returns])
    for own, baseline in zip(times, found, strict=True):
        expected = [np.mean([line(t, g, at) for t, g in zip(times, returns, strict=True)]) for at in own]
        np.testing.assert_allclose(baseline, expected, atol=1e-9)


def test_equal_rollouts_have_no_advantage() -> None:
    times, returns = np.array([0.0, 1.0, 1.0, 5.0]), np.array([-9.0, -7.0, -7.0, 0.0])
    for baseline in time_aligned_baselines([times] * 3, [returns] * 3):
        np.testing.assert_allclose(baseline, returns)


def test_the_baseline_wants_one_time_series_for_each_return() -> None:
    with pytest.raises(ValueError, match="1 time series for 2"):
        time_aligned_baselines([np.zeros(1)], [np.zeros(1)] * 2)


def test_the_baseline_removes_the_variance_of_the_input() -> None:
    """Two inputs that differ by 1,000 and actions that differ by 1: siblings only differ by the actions."""
    rng = np.random.default_rng(0)
    advantages = []
    for luck in (0.0, 1000.0):
        times = [np.arange(3.0)] * 4
        returns = [luck + rng.normal(size=3) for _ in times]
        baselines = time_aligned_baselines(times, returns)
        advantages += [g - b for g, b in zip(returns, baselines, strict=True)]
    assert np.std(np.concatenate(advantages)) < 2


def test_a_memoryless_horizon_has_the_mean_and_the_spread_of_an_exponential() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([memoryless_horizon(rng, 20.0) for _ in range(4000)])
    assert drawn.mean() == pytest.approx(20, rel=0.06)
    assert drawn.std() == pytest.approx(20, rel=0.08)


def test_a_ramp_moves_and_stays() -> None:
    ramp = Ramp(1.0, 0.2, 4)
    assert [round(ramp(step), 6) for step in (0, 1, 2, 4, 100)] == [1.0, 0.8, 0.6, 0.2, 0.2]
    assert Ramp(1.0, 2.0, 0)(0) == 1.0


def test_the_surrogate_is_reinforce_at_the_old_policy_and_flat_beyond_the_clip() -> None:
    torch = pytest.importorskip("torch")
    log_ratio = torch.tensor([0.0, 0.5, -0.5, 0.5, -0.5], requires_grad=True)
    advantage = torch.tensor([3.0, 1.0, 1.0, -1.0, -1.0])
    clipped_surrogate(log_ratio, advantage, 0.2).sum().backward()
    expected = [3.0, 0.0, np.exp(-0.5), -np.exp(0.5), 0.0]  # pessimistic: only harmful moves are still pushed back
    np.testing.assert_allclose(log_ratio.grad, expected, rtol=1e-6)
