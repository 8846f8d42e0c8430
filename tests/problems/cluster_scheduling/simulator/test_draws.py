# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling.simulator.draws import lower, mix, stage_key, task_word, upper

from . import specification

words = st.integers(0, 2**64 - 1)


@given(words)
def test_mix_is_splitmix64s_finaliser(word: int):
    assert int(mix(np.uint64(word))) == specification.mix(word)


def test_mix_against_published_outputs():
    """The first outputs of SplitMix64 from state 1234567 (the vector in Rosetta Code and in Java's tests)."""
    state, golden = 1234567, specification.GOLDEN
    outputs = [int(mix(np.uint64((state + i * golden) & specification.WORD))) for i in (1, 2, 3)]
    assert outputs == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(st.integers(0, 2**63 - 1), st.integers(0, 5000), st.integers(0, 300), st.integers(0, 10_000))
def test_a_tasks_word_has_a_name(seed: int, job: int, stage: int, task: int):
    word = int(task_word(np.uint64(stage_key(seed, job, stage)), task))
    assert word == specification.task_word(seed, job, stage, task)


@given(words, st.integers(1, 2**31))
def test_halves_are_scaled_into_range(word: int, n: int):
    assert int(upper(np.uint64(word), n)) == ((word >> 32) * n) >> 32 < n
    assert int(lower(np.uint64(word), n)) == ((word & 0xFFFFFFFF) * n) >> 32 < n


def test_tasks_draw_uniformly_and_independently():
    """Chi-square over the two halves, and of neighbouring tasks, stages, jobs and seeds against each other."""
    key = np.uint64(stage_key(3, 5, 7))
    drawn = [np.uint64(task_word(key, task)) for task in range(20_000)]
    table = np.zeros((16, 16))
    for word in drawn:
        table[upper(word, 16), lower(word, 16)] += 1
    assert stats.chisquare(table.ravel()).pvalue > 1e-4
    for near in (stage_key(3, 5, 8), stage_key(3, 6, 7), stage_key(4, 5, 7)):
        others = [lower(np.uint64(task_word(np.uint64(near), task)), 1 << 20) for task in range(4000)]
        mine = [lower(word, 1 << 20) for word in drawn[:4000]]
        assert abs(stats.pearsonr(mine, others).statistic) < 0.06
    mine = [lower(word, 1 << 20) for word in drawn]
    assert abs(stats.pearsonr(mine[1:], mine[:-1]).statistic) < 0.03
