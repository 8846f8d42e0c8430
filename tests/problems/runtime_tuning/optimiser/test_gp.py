# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from trimtab.problems.runtime_tuning.encoding import Encoding, Floats
from trimtab.problems.runtime_tuning.optimiser.gp import Data, Kernel, condition, learn

from ..spaces import MIXED, wide


def _some(seed: int, n: int = 14) -> tuple[Encoding, Kernel, Data, Floats]:
    encoding = Encoding(MIXED)
    rng = np.random.default_rng(seed)
    codes = encoding.spread(rng.random((n, encoding.size)))
    kernel = Kernel(encoding.owner, encoding.feature_owner, encoding.size)
    data = Data(*encoding.arrays(codes), rng.normal(size=n), rng.integers(1, 4, n).astype(float), 3, 0.4)
    return encoding, kernel, data, kernel.mode + rng.normal(size=len(kernel.mode))


def _covariance(kernel: Kernel, theta: Floats, a: Data, b: Data) -> Floats:
    """The formula of the module's docstring, entry by entry."""
    d, table = kernel.knobs, np.zeros((len(a.y), len(b.y)))
    for i in range(len(a.y)):
        for j in range(len(b.y)):
            own = squared = 0.0
            for k in range(d):
                f, z = kernel.feature_owner == k, kernel.owner == k
                own += math.exp(theta[k]) * float(a.features[i, f] @ b.features[j, f])
                squared += math.exp(theta[d + k]) * float(((a.coordinates[i, z] - b.coordinates[j, z]) ** 2).sum())
            r = math.sqrt(5.0 * squared)
            table[i, j] = 1.0 + own + math.exp(theta[2 * d]) * (1.0 + r + r * r / 3.0) * math.exp(-r)
    return table


def test_the_posterior_is_that_of_the_textbook() -> None:
    encoding, kernel, data, theta = _some(0)
    other = encoding.spread(np.random.default_rng(9).random((5, encoding.size)))
    new = Data(*encoding.arrays(other), np.zeros(5), np.ones(5))
    noisy = _covariance(kernel, theta, data, data) + np.diag(math.exp(theta[-1]) / data.runs + 1e-8)
    cross = _covariance(kernel, theta, new, data)
    mean = cross @ np.linalg.solve(noisy, data.y)
    variance = np.diag(_covariance(kernel, theta, new, new) - cross @ np.linalg.solve(noisy, cross.T))
    found = condition(kernel, theta, data).predict(new.coordinates, new.features)
    assert found[0] == pytest.approx(mean, abs=1e-8)
    # Nyström features of numbers have a variance a little below 1
    assert found[1] == pytest.approx(variance, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_gradients_are_those_of_finite_differences(seed: int) -> None:
    _, kernel, data, theta = _some(seed)
    _, gradient = kernel.loss(theta, data)
    for i in range(len(theta)):
        step = np.zeros_like(theta)
        step[i] = 1e-5
        slope = (kernel.loss(theta + step, data)[0] - kernel.loss(theta - step, data)[0]) / 2e-5
        assert gradient[i] == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_left_out_predictions_are_those_of_fits_without_the_row() -> None:
    _, kernel, data, theta = _some(1)
    mean, variance = condition(kernel, theta, data).left_out()
    for i in range(len(data.y)):
        keep = np.arange(len(data.y)) != i
        rest = Data(data.coordinates[keep], data.features[keep], data.y[keep], data.runs[keep])
        m, v = condition(kernel, theta, rest).predict(data.coordinates[[i]], data.features[[i]])
        assert mean[i] == pytest.approx(m[0], abs=1e-6)
        assert variance[i] == pytest.approx(v[0] + math.exp(theta[-1]) / data.runs[i], abs=1e-6)


def test_means_of_repeats_have_the_likelihood_of_the_repeats() -> None:
    """The density of all single runs, against that of their means with `extra` and `within`: equal up to a constant."""
    encoding, kernel, _, _ = _some(2)
    rng = np.random.default_rng(3)
    codes = encoding.spread(rng.random((6, encoding.size)))
    place = np.repeat(np.arange(6), [1, 3, 2, 1, 4, 1])
    y = rng.normal(size=len(place))
    count = np.bincount(place).astype(float)
    mean = np.bincount(place, y) / count
    within = float(((y - mean[place]) ** 2).sum())
    data = Data(*encoding.arrays(codes), mean, count, len(y) - 6, within)
    gaps = []
    for seed in range(4):
        theta = kernel.mode + np.random.default_rng(seed).normal(size=len(kernel.mode))
        away = (theta - kernel.mode) / kernel.spread
        ours = -(kernel.loss(theta, data)[0] - 0.5 * float(away @ away))
        single = Data(data.coordinates[place], data.features[place], y, np.ones(len(y)))
        whole = _covariance(kernel, theta, single, single) + np.diag(np.full(len(y), math.exp(theta[-1])))
        gaps.append(ours - float(multivariate_normal.logpdf(y, np.zeros(len(y)), whole)))
    assert np.ptp(gaps) < 1e-3


def test_learning_finds_the_knobs_that_matter_and_the_noise() -> None:
    space = wide(5, 10)
    encoding = Encoding(space)
    rng = np.random.default_rng(0)
    codes = encoding.spread(rng.random((80, encoding.size)))
    numbers = encoding.numbers[:2]
    clean = np.sin(3.0 * codes[:, numbers[0]]) + 1.5 * codes[:, numbers[1]]
    y = (clean - clean.mean()) / clean.std() + 0.2 * rng.normal(size=80)
    kernel = Kernel(encoding.owner, encoding.feature_owner, encoding.size)
    theta = learn(kernel, Data(*encoding.arrays(codes), y, np.ones(80)), None, 100)
    weight = np.exp(theta[: encoding.size])
    assert set(np.argsort(-weight)[:2]) == set(numbers)
    assert 0.1 < math.exp(0.5 * theta[-1]) < 0.3
