# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from trimtab.problems.runtime_tuning.optimiser.acquisition import expected_gain


def test_the_gain_is_that_of_simulated_trials() -> None:
    """Draws of the posterior mean after one more run, and what is kept then."""
    told = np.array([0.0, 0.4, 1.0])
    rng = np.random.default_rng(0)
    for mean, variance, noise in ((0.3, 0.5, 0.1), (-0.2, 0.05, 0.3), (0.9, 1.0, 0.0)):
        step = variance / np.sqrt(variance + noise)
        after = mean + step * rng.standard_normal(400_000)
        simulated = np.maximum(told.min() - after, 0.0).mean()
        found = expected_gain(np.array([mean]), np.array([variance]), noise, told, np.array([-1]))
        assert found[0] == pytest.approx(simulated, rel=0.02, abs=1e-4)


def test_repeating_the_best_gains_when_it_may_fall_behind_the_second() -> None:
    told = np.array([0.0, 0.05])
    rng = np.random.default_rng(1)
    step = 0.04 / np.sqrt(0.04 + 0.01)
    after = 0.0 + step * rng.standard_normal(400_000)
    simulated = np.maximum(after - told[1], 0.0).mean()  # switching instead of keeping
    found = expected_gain(np.array([0.0]), np.array([0.04]), 0.01, told, np.array([0]))
    assert found[0] == pytest.approx(simulated, rel=0.02)


def test_what_is_known_gains_nothing() -> None:
    told = np.array([0.0, 1.0])
    assert expected_gain(np.array([0.5]), np.array([1e-12]), 0.1, told, np.array([-1]))[0] == pytest.approx(0.0)
