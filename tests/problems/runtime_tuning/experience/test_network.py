# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from trimtab.problems.runtime_tuning.experience.network import STRENGTHS, Network, fit, left_out


def _bent(n: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(n, 12))
    truth = np.tanh(x[:, 0] + x[:, 1]) - 0.5 * x[:, 2] + 0.4 * np.tanh(2.0 * x[:, 3] * x[:, 4])
    return x, truth / truth.std(), truth / truth.std() + noise * rng.normal(size=n)


def test_it_finds_what_is_behind_noise() -> None:
    """Closer to the truth than what it was fitted to, and than the best linear function."""
    x, truth, y = _bent(900, 0.4)
    seen = left_out(x, y, np.ones(900), 0)
    linear = x @ np.linalg.lstsq(x, truth, rcond=None)[0]
    error = float(((seen - truth) ** 2).mean())
    assert error < 0.5 * 0.4**2
    assert error < 0.8 * float(((linear - truth) ** 2).mean())


def test_noisy_rows_want_stronger_penalties() -> None:
    """And what is left out says so: it ranks strengths as the truth does."""
    x, truth, y = _bent(200, 2.0)
    seen = {strength: left_out(x, y, np.ones(200), 0, strength) for strength in STRENGTHS}
    error = {strength: float(((found - truth) ** 2).mean()) for strength, found in seen.items()}
    told = {strength: float(((found - y) ** 2).mean()) for strength, found in seen.items()}
    assert error[STRENGTHS[-1]] < 0.7 * error[STRENGTHS[0]]
    assert min(told, key=lambda s: told[s]) == min(error, key=lambda s: error[s])


def test_what_is_left_out_is_not_seen() -> None:
    """Of pure noise it can say nothing; fitted to it, it could."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(200, 12)), rng.normal(size=200)
    assert abs(float(np.corrcoef(left_out(x, y, np.ones(200), 0), y)[0, 1])) < 0.25
    assert np.corrcoef(fit(x, y, np.ones(200), 0)(x), y)[0, 1] > 0.5


def test_a_row_of_nine_runs_weighs_as_three_rows() -> None:
    x, _, y = _bent(60, 0.4)
    root = np.random.default_rng(0).integers(1, 4, 60)
    once = fit(x, y, np.square(root.astype(np.float64)), 3)
    often = fit(np.repeat(x, root, axis=0), np.repeat(y, root), np.ones(root.sum()), 3)
    assert often(x) == pytest.approx(once(x), abs=0.02)


def test_arrays_there_and_back() -> None:
    x, _, y = _bent(80, 0.1)
    network = fit(x, y, np.ones(80), 0)
    arrays = {name: array.astype(np.float32) for name, array in network.arrays().items()}
    assert {name: array.shape for name, array in arrays.items()} == Network.shapes(12)
    assert Network.of(arrays)(x) == pytest.approx(network(x), abs=1e-5)
