# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling.simulator.compiled import compiled
from trimtab.problems.cluster_scheduling.simulator.made import made_profiles
from trimtab.problems.cluster_scheduling.simulator.state import State, allocate
from trimtab.problems.cluster_scheduling.simulator.tables import pack
from trimtab.problems.cluster_scheduling.simulator.timeline import clear, schedule


@compiled
def play(state: State, first: np.ndarray, delays: np.ndarray, order: np.ndarray) -> None:
    """Every executor begins with `first`; who comes up is put off by the next delay."""
    clear(state)
    for executor in range(len(first)):
        schedule(state, executor, first[executor])
    for turn in range(len(delays)):
        executor = state.winners[1]
        order[turn] = executor
        schedule(state, executor, state.executors[executor].time_ms + delays[turn])


@settings(max_examples=60)
@given(st.integers(1, 20), st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(0, 99))
def test_the_tournament_is_a_heap_with_ties_in_order_of_scheduling(executors: int, delays: list[int], seed: int):
    state = allocate(pack(made_profiles(0), 0.0), slots=1, executors=executors, jobs=1)
    first = np.random.default_rng(seed).integers(0, 3, executors).astype(float)
    order = np.zeros(len(delays), np.int64)
    play(state, first, np.array(delays, float), order)
    heap = [(time, turn, turn) for turn, time in enumerate(first)]
    heapq.heapify(heap)
    for turn, delay in enumerate(delays):
        time, _, executor = heapq.heappop(heap)
        assert order[turn] == executor
        heapq.heappush(heap, (time + delay, executors + turn, executor))
