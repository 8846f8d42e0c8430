# SPDX-License-Identifier: Apache-2.0
"""Arrivals have the pace that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trimtab.core.errors import UsageError
from trimtab.problems.cluster_scheduling.problem import JobProfile
from trimtab.problems.cluster_scheduling.workload.streams import batch, gap_for_load, poisson, replay


def profile(seconds: float, tasks: int = 1) -> JobProfile:
    offsets = np.array([[[[0, 1], [0, 1], [0, 1]]]])
    edges = np.zeros((0, 2), np.int64)
    durations = np.array([seconds * 1000])
    return JobProfile(f"job-{seconds}", "q1", np.array([tasks]), edges, np.array([1]), durations, offsets)


PROFILES = tuple(profile(seconds, tasks) for seconds, tasks in ((1.0, 4), (2.0, 8), (40.0, 1)))  # 4, 16, 40 s of work


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_a_batch_is_there_at_once() -> None:
    stream = batch(PROFILES, rng(), jobs=3000, executors=7)
    assert stream.num_executors == 7
    assert not stream.arrival_ms.any()
    assert stats.chisquare(np.bincount(stream.jobs)).pvalue > 0.001


def test_the_gap_of_a_load() -> None:
    assert gap_for_load(PROFILES, load=0.5, executors=10) == pytest.approx(20_000 / 5)


def test_poisson_arrivals_are_exponential_gaps_at_the_load() -> None:
    stream = poisson(PROFILES, rng(), jobs=4000, executors=10, load=0.5)
    gaps = np.diff(stream.arrival_ms, prepend=0.0)
    assert stats.kstest(gaps, stats.expon(scale=4000).cdf).pvalue > 0.001
    assert (stream.arrival_ms == np.floor(stream.arrival_ms)).all()
    work_s = sum(PROFILES[job].work_s for job in stream.jobs)
    assert work_s / (stream.arrival_ms[-1] / 1000 * 10) == pytest.approx(0.5, rel=0.05)


def test_equal_seeds_make_equal_streams() -> None:
    one, other = (poisson(PROFILES, rng(), jobs=50, executors=3, mean_gap_ms=10.0) for _ in range(2))
    assert (one.jobs == other.jobs).all() and (one.arrival_ms == other.arrival_ms).all()


@pytest.mark.parametrize(
    "pace",
    [{}, {"load": 0.5, "mean_gap_ms": 1.0}, {"load": 0.0}, {"load": -1.0}, {"mean_gap_ms": float("nan")}],
)
def test_an_impossible_pace_is_refused(pace: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="poisson"):
        poisson(PROFILES, rng(), jobs=5, executors=3, **pace)  # type: ignore[arg-type]


def test_a_replay_keeps_order_and_rhythm_and_meets_the_load() -> None:
    profiles = tuple(profile(float(seconds)) for seconds in range(1, 101))
    submit_ms = np.sort(np.random.default_rng(2).integers(0, 100, size=100)) * 1000.0
    stream = replay(profiles, submit_ms, rng(), jobs=40, executors=5, load=0.8)
    assert (np.diff(stream.jobs) > 0).all()
    work_s = sum(profiles[job].work_s for job in stream.jobs)
    assert work_s / (stream.arrival_ms[-1] / 1000 * 5) == pytest.approx(0.8, rel=1e-3)
    told = submit_ms[stream.jobs] - submit_ms[stream.jobs[0]]
    assert np.allclose(stream.arrival_ms / stream.arrival_ms[-1], told / told[-1], atol=1e-4)


def test_a_replay_of_one_moment_is_refused() -> None:
    with pytest.raises(UsageError, match="one moment"):
        replay(PROFILES, np.zeros(3), rng(), jobs=2, executors=1, load=0.5)
