# SPDX-License-Identifier: Apache-2.0
"""The index rule: whatever its parameters, it is a scheduler."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling.problem import Floats, JobStream
from trimtab.problems.cluster_scheduling.simulator import CompiledPolicy, fifo, pack_streams, simulate, simulate_many
from trimtab.problems.cluster_scheduling.simulator.index import SIZE, START, prior
from trimtab.problems.cluster_scheduling.simulator.made import made_profiles, made_stream
from trimtab.problems.cluster_scheduling.simulator.rules import INDEX

from ..plain import profile, stream


def index(parameters: Floats) -> CompiledPolicy:
    return CompiledPolicy("index", INDEX, parameters)


@given(st.integers(0, 1000), st.integers(1, 9), st.integers(1, 12), st.sampled_from([0.0, 3000.0]), st.floats(0.01, 5))
@settings(max_examples=60)
def test_any_parameters_finish_every_task(
    seed: int, jobs: int, executors: int, mean_gap_ms: float, scale: float
) -> None:
    made = made_stream(seed, jobs=jobs, executors=executors, mean_gap_ms=mean_gap_ms)
    parameters = np.random.default_rng(seed).normal(scale=scale, size=SIZE)
    run = simulate(made, index(parameters), seed=seed, trace=True)
    assert np.isfinite(run.done_ms).all()
    expected = sum(int(made.profiles[job].num_tasks.sum()) for job in made.jobs)
    assert len(np.unique(run.tasks[["job", "stage", "task"]])) == len(run.tasks) == expected


def test_it_repeats_itself() -> None:
    made = made_stream(4, jobs=12, executors=6, mean_gap_ms=2000)
    first, again = (simulate(made, index(prior()), seed=2, trace=True) for _ in range(2))
    np.testing.assert_array_equal(first.trace, again.trace)


def test_what_it_remembers_of_a_job_is_not_taken_for_another() -> None:
    """Many episodes in one state give what each gives alone."""
    profiles, rng = made_profiles(5), np.random.default_rng(0)
    streams = [JobStream(profiles, rng.integers(len(profiles), size=6), np.zeros(6), 5) for _ in range(6)]
    vectors = np.stack([prior(), prior() + rng.normal(scale=0.3, size=SIZE)])
    together = simulate_many(pack_streams(streams), INDEX, vectors, range(6))[:, :, 0]
    alone = [[simulate(s, index(v), seed=i).metrics["average_jct"] for i, s in enumerate(streams)] for v in vectors]
    np.testing.assert_allclose(together, alone)


def test_the_shorter_of_two_jobs_goes_first_and_fifo_is_beaten() -> None:
    long, short = profile([4], [5000]), profile([4], [500])
    jobs = stream([long, short], 2)
    run = simulate(jobs, index(prior()), seed=0)
    assert run.done_ms[1] < run.done_ms[0]
    assert run.jct_ms.mean() < simulate(jobs, fifo(), seed=0).jct_ms.mean()


def test_the_prior_is_the_rule_before_a_network_without_a_say() -> None:
    start = prior()
    assert len(start) == SIZE
    assert start[: len(START)].tolist() == list(START.values())
    silent = start.copy()
    silent[len(START) : len(START) + 40] = 9.0  # what the network looks at does not matter yet
    made = made_stream(6, jobs=8, executors=5)
    runs = [simulate(made, index(parameters), seed=1).done_ms for parameters in (start, silent)]
    np.testing.assert_array_equal(*runs)
