# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time

import numpy as np
import pytest

pytest.importorskip("iced_x86")
pytest.importorskip("lightgbm")

from trimtab.problems.block_throughput.baselines.boosted import BoostedCountsLearner

from .made import made


def test_it_learns_a_law_of_counts_for_both_cpus() -> None:
    seen, unseen = made(0, 3000), made(1)
    model = BoostedCountsLearner(trees=150).model(seen, np.inf)
    for target in (0, 1):
        part = unseen.take(np.flatnonzero(unseen.target == target))
        error = np.abs(model.predict(part.code, part.blocks, target) / part.cycles - 1)
        assert error.mean() < 0.08


def test_it_ends_in_time_with_the_trees_it_has() -> None:
    started = time.perf_counter()
    model = BoostedCountsLearner(trees=100_000).model(made(0), 0.3)
    assert time.perf_counter() - started < 20
    assert 1 <= model.card["trees"] < 100_000
