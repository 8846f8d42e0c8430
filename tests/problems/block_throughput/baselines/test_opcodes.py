# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

pytest.importorskip("iced_x86")

from trimtab.problems.block_throughput.baselines.opcodes import OpcodeCostsLearner, mean_costs, regression

from .made import COSTS, made


def test_the_mean_of_an_opcode_by_hand() -> None:
    counts = csr_array(np.array([[0, 2, 0], [0, 1, 1]], float))
    costs = mean_costs(counts, np.array([4.0, 6.0]))  # 2 and 3 cycles an instruction
    np.testing.assert_allclose(costs, [10 / 4, (2 + 2 + 3) / 3, 3])


def test_regression_finds_costs_that_add_up_in_spite_of_outliers() -> None:
    rng = np.random.default_rng(0)
    true = np.array([1.0, 0.25, 3.0, 12.0])
    counts = rng.integers(0, 5, (400, 4)).astype(float)
    counts[:, 0] += 1
    cycles = counts @ true
    cycles[::20] *= 5  # a twentieth is five times too long: least absolute errors don't mind
    np.testing.assert_allclose(regression(csr_array(counts), cycles), true, rtol=2e-2)


def test_the_learner_on_a_law_that_is_linear() -> None:
    seen, unseen = made(0), made(1)
    model = OpcodeCostsLearner("linear").model(seen, np.inf)
    for target in (0, 1):
        part = unseen.take(np.flatnonzero(unseen.target == target))
        np.testing.assert_allclose(model.predict(part.code, part.blocks, target), part.cycles, rtol=0.02)
    means = OpcodeCostsLearner("mean_opcode").model(seen, np.inf)
    part = unseen.take(np.flatnonzero(unseen.target == 0))
    guess = np.abs(np.median(part.cycles) / part.cycles - 1).mean()
    assert np.abs(means.predict(part.code, part.blocks, 0) / part.cycles - 1).mean() < guess
    assert len(model.words) == 1 + len(COSTS)
