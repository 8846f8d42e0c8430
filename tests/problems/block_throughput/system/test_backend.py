# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from trimtab.problems.block_throughput.problem import BlockSet, Prediction
from trimtab.problems.block_throughput.system import System, fingerprint
from trimtab.problems.block_throughput.system.harness import Pool

CHAINS = tuple(bytes.fromhex("480fafc0" * n) for n in range(1, 13))  # imul rax, rax: 3 n cycles
TRUTH = np.array([3.0 * n for n in range(1, 13)])


def instance(cpu: str = "") -> BlockSet:
    return BlockSet(CHAINS, cpu=cpu or fingerprint())


def test_a_right_prediction_scores_well_and_a_wrong_one_does_not(pool: Pool):
    system = System()
    right = system.evaluate(instance(), Prediction(TRUTH), seed=0)
    wrong = system.evaluate(instance(), Prediction(2 * TRUTH), seed=0)
    assert right.feasible
    assert right.metrics["mape"] < 3
    assert right.metrics["kendall_tau"] == pytest.approx(1)
    assert wrong.metrics["mape"] == pytest.approx(100, abs=6)


def test_it_times_the_machine_so_it_must_be_alone():
    assert System.exclusive


def test_a_sample_is_measured_by_the_seed(pool: Pool):
    system = System(sample=4)
    first, again, other = (np.isfinite(system.measure(instance(), seed)) for seed in (0, 0, 1))
    assert first.sum() <= 4
    assert not np.array_equal(np.flatnonzero(first), np.flatnonzero(other)) or not first.any()
    assert again.sum() <= 4


def test_blocks_that_may_not_run_have_no_truth(pool: Pool):
    blocks = BlockSet((bytes.fromhex("0f05"), CHAINS[0]), cpu=fingerprint())
    truth = System().measure(blocks, 0)
    assert np.isnan(truth[0])
    assert truth[1] == pytest.approx(3, rel=0.05) or np.isnan(truth[1])


def test_the_labels_of_another_cpu_cannot_be_measured_here():
    outcome = System().evaluate(instance("GenuineIntel-6-63"), Prediction(TRUTH), seed=0)
    assert not outcome.feasible
    assert "GenuineIntel-6-63" in outcome.note
