# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from trimtab.problems.runtime_tuning.system.records import condensed


@pytest.mark.parametrize("runs", [2, 3])
def test_squares_say_how_noisy_the_median_of_normal_runs_is(runs: int) -> None:
    rng = np.random.default_rng(runs)
    draws = 0.1 * rng.standard_normal((20_000, runs))
    found = np.array([condensed(list(row)) for row in draws])
    a_run = found[:, 1].mean() / (runs - 1)  # variance of a run, as it is told
    assert found[:, 0].var() == pytest.approx(a_run / runs, rel=0.04)


def test_one_disturbed_run_of_three_moves_neither() -> None:
    assert condensed([0.1, 0.12, 5.0]) == pytest.approx(condensed([0.1, 0.12, 0.15]))


def test_one_run_tells_nothing_of_noise() -> None:
    assert condensed([0.3]) == (0.3, 0.0)
