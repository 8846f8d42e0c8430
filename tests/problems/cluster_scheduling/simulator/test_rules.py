# SPDX-License-Identifier: Apache-2.0
"""What each rule decides in cases small enough to follow by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling.simulator import (
    CompiledPolicy,
    fair,
    fifo,
    random,
    releasing_fair,
    simulate,
    sjf_cp,
    srpt,
    weighted_fair,
)
from trimtab.problems.cluster_scheduling.simulator.made import made_stream
from trimtab.problems.cluster_scheduling.simulator.traces import rows

from ..plain import profile, stream

SECOND = 1000.0


def first_executors(policy: CompiledPolicy, work: list[int], executors: int) -> list[int]:
    """How many executors start in each of several one-stage jobs of that many one-second tasks."""
    jobs = stream([profile([tasks], [SECOND]) for tasks in work], executors)
    tasks = simulate(jobs, policy, seed=0, trace=True).tasks
    at_once = tasks[tasks["since_ms"] == 0]
    return [int((at_once["job"] == job).sum()) for job in range(len(work))]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (fifo(), [8, 0, 0]),
        (sjf_cp(), [0, 4, 4]),
        (fair(), [3, 3, 2]),  # ceil(8 / 3), in order of arrival
        (weighted_fair(0.0), [3, 3, 2]),
        (weighted_fair(1.0), [7, 1, 0]),  # ceil(6.7), ceil(0.3), none left
        (weighted_fair(-1.0), [1, 4, 3]),  # ceil(0.2), ceil(6.2) but four tasks, then ceil(6.9) of those unsaturated
        (releasing_fair(), [3, 3, 2]),
        (srpt(8, 0), [0, 4, 4]),
        (srpt(2, 0), [2, 2, 2]),  # a stage is selected once in a round: two executors idle
        (srpt(0.5, 0.5), [5, 1, 2]),  # ceil(0.5 sqrt(work)): one and two; the largest job five
        (srpt(0.25, 1), [3, 1, 4]),
    ],
)
def test_who_starts(policy: CompiledPolicy, expected: list[int]):
    assert first_executors(policy, [100, 4, 16], 8) == expected


def test_the_critical_path_goes_first():
    """Two roots; the one with the longer work below it."""
    jobs = stream([profile([1, 1, 1, 1], [SECOND, SECOND, 9 * SECOND, SECOND], [(1, 2), (0, 3)])], 1)
    tasks = simulate(jobs, sjf_cp(), seed=0, trace=True).tasks
    assert tasks["stage"].tolist()[0] == 1
    tasks = simulate(jobs, fifo(), seed=0, trace=True).tasks
    assert tasks["stage"].tolist()[0] == 0


def test_fair_keeps_what_releasing_fair_gives_back():
    """A job alone on the cluster, then one that arrives: who gives executors up before the first one ends?"""
    jobs = stream([profile([8, 40], [SECOND, SECOND], [(0, 1)]), profile([40], [SECOND])], 4, gap_ms=500.0)
    kept = simulate(jobs, fair(), seed=0, trace=True)
    given = simulate(jobs, releasing_fair(), seed=0, trace=True)

    def began(done):
        return done.tasks["since_ms"][done.tasks["job"] == 1].min()

    assert began(given) == 2000.0  # when the first stage is done
    assert began(kept) > 10_000.0


def test_fair_is_weighted_fair_without_weights():
    for seed in range(10):
        jobs = made_stream(seed, jobs=8, executors=7, mean_gap_ms=2000.0)
        one, other = (simulate(jobs, p, seed=seed, trace=True) for p in (fair(), weighted_fair(0.0)))
        assert np.array_equal(rows(one), rows(other))


def test_random_is_any_of_them_and_repeats():
    shares = np.array([first_executors(random(), [9, 9], 1) for _ in range(2)])
    assert np.array_equal(shares[0], shares[1])
    firsts = [
        int(simulate(made_stream(1, jobs=4, executors=1), random(), seed=seed, trace=True).tasks["job"][0])
        for seed in range(60)
    ]
    assert set(firsts) == {0, 1, 2, 3}
