# SPDX-License-Identifier: Apache-2.0
"""The lower bound against policies that try to beat it, and against jobs whose optimum is plain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling.bounds import least_durations_ms, lower_bound_s
from trimtab.problems.cluster_scheduling.problem import JobProfile
from trimtab.problems.cluster_scheduling.simulator import CompiledPolicy, fifo, random, simulate, sjf_cp, srpt
from trimtab.problems.cluster_scheduling.simulator.index import SIZE, prior
from trimtab.problems.cluster_scheduling.simulator.made import made_stream
from trimtab.problems.cluster_scheduling.simulator.rules import INDEX

from .plain import profile, stream


@given(
    st.integers(0, 1000),
    st.integers(1, 8),
    st.integers(1, 12),
    st.sampled_from([0.0, 1500.0, 20_000.0]),
    st.integers(0, 2**31),
)
@settings(max_examples=80)
def test_no_policy_beats_it(seed: int, jobs: int, executors: int, mean_gap_ms: float, draws: int) -> None:
    made = made_stream(seed, jobs=jobs, executors=executors, mean_gap_ms=mean_gap_ms)
    vector = prior() + np.random.default_rng(draws).normal(scale=0.5, size=SIZE)
    policies = [random(), fifo(), sjf_cp(), srpt(0.5, 0.5), srpt(2.0, 0.0), CompiledPolicy("index", INDEX, vector)]
    bound = lower_bound_s(made, draws)
    reached = min(simulate(made, policy, seed=draws).metrics["average_jct"] for policy in policies)
    assert 0 < bound <= reached * (1 + 1e-9)


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(0, 2**31))
@settings(max_examples=40)
def test_no_task_takes_less_than_its_least(seed: int, executors: int, draws: int) -> None:
    made = made_stream(seed, jobs=5, executors=executors)
    least = least_durations_ms(made, draws)
    for policy in (random(), srpt(0.5, 0.5)):
        tasks = simulate(made, policy, seed=draws, trace=True).tasks
        for row in tasks:
            counts = made.profiles[made.jobs[row["job"]]].num_tasks
            at = counts[: row["stage"]].sum() + row["task"]
            assert row["time_ms"] - row["since_ms"] >= least[row["job"]][at] - 1e-6


def test_it_is_tight_where_the_optimum_is_plain() -> None:
    chain = profile([1, 1], [300, 500], [(0, 1)])
    wide = profile([8], [500], [])
    assert lower_bound_s(stream([chain], 4), 0) == pytest.approx(0.8)  # the critical path
    assert lower_bound_s(stream([wide], 4), 0) == pytest.approx(1.0)  # the work
    assert lower_bound_s(stream([chain], 4, moving_ms=2000), 0) == pytest.approx(2.8)  # and the way to it
    single = [profile([1], [ms], []) for ms in (1000, 2000, 3000)]
    assert lower_bound_s(stream(single, 1), 0) == pytest.approx((1 + 3 + 6) / 3)  # shortest first
    assert lower_bound_s(stream([single[2], single[0]], 1, gap_ms=1500), 0) == pytest.approx((4 + 1) / 2)  # preempted


def test_cuts_are_better_than_work_and_path_alone() -> None:
    """A wide stage and then a narrow one: the whole takes the work of the first and the path of the second."""
    job = profile([8, 1], [500, 4000], [(0, 1)])
    assert lower_bound_s(stream([job], 4), 0) == pytest.approx(1.0 + 4.0)
    three = lower_bound_s(stream([job] * 3, 4), 0)
    assert three == pytest.approx((1 + 2 + 3) / 3 + 4.0)


def test_the_first_task_of_a_job_is_fresh_and_no_first_task_a_second_one() -> None:
    offsets = np.array([[[[0, 1], [1, 2], [2, 3]]]] * 2)
    ms = np.array([90.0, 50.0, 10.0])
    two = JobProfile("two", "two", np.array([2, 2]), np.array([(0, 1)]), np.array([1]), ms, offsets)
    (least,) = least_durations_ms(stream([two], 3), 0)
    assert least.tolist() == [90, 10, 50, 10]
    apart = JobProfile("apart", "apart", np.array([2, 2]), np.zeros((0, 2), np.int64), np.array([1]), ms, offsets)
    (least,) = least_durations_ms(stream([apart], 3), 0)
    assert least.tolist() == [50, 10, 50, 10]


def test_levels_that_the_cluster_is_too_small_for_do_not_count() -> None:
    offsets = np.array([[[[0, 1]] * 3, [[1, 2]] * 3, [[2, 3]] * 3]])
    one = JobProfile(
        "one", "one", np.array([4]), np.zeros((0, 2), np.int64), np.array([1, 3, 9]), np.array([9.0, 5.0, 1.0]), offsets
    )
    for executors, allowed in ((1, {9.0}), (2, {9.0, 5.0}), (3, {5.0}), (4, {5.0, 1.0}), (9, {1.0})):
        drawn = {float(v) for seed in range(20) for v in least_durations_ms(stream([one], executors), seed)[0]}
        assert drawn == allowed
