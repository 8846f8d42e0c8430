# SPDX-License-Identifier: Apache-2.0
"""Job streams made from profiles: batches, Poisson arrivals, and the arrivals of a trace at another pace.

The *load* of a stream is the work that arrives, in executor-seconds at mean
durations, over the executor-seconds that there are:
``load = mean work s / (mean gap s * executors)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.core.errors import UsageError

from ..problem import Floats, JobProfile, JobStream


def batch(profiles: Sequence[JobProfile], rng: np.random.Generator, *, jobs: int, executors: int) -> JobStream:
    """`jobs` uniform draws from the profiles, all there at time 0."""
    drawn = rng.integers(len(profiles), size=jobs)
    return JobStream(tuple(profiles), drawn, np.zeros(jobs), executors)


def poisson(
    profiles: Sequence[JobProfile],
    rng: np.random.Generator,
    *,
    jobs: int,
    executors: int,
    load: float | None = None,
    mean_gap_ms: float | None = None,
) -> JobStream:
    """`jobs` uniform draws that arrive as a Poisson process, on whole milliseconds.

    The pace is either the mean gap between arrivals, or the load at which the
    profiles, each equally frequent, would keep the executors.
    """
    if (load is None) == (mean_gap_ms is None):
        raise UsageError("poisson: give either load or mean_gap_ms")
    gap = mean_gap_ms if mean_gap_ms is not None else gap_for_load(profiles, load or 0.0, executors)
    if not 0 < gap < np.inf:
        raise UsageError(f"poisson: the mean gap must be positive, got {gap} ms")
    drawn = rng.integers(len(profiles), size=jobs)
    arrival_ms = np.floor(np.cumsum(rng.exponential(gap, size=jobs)))
    return JobStream(tuple(profiles), drawn, arrival_ms, executors)


def replay(
    profiles: Sequence[JobProfile],
    submit_ms: Floats,
    rng: np.random.Generator,
    *,
    jobs: int,
    executors: int,
    load: float,
) -> JobStream:
    """`jobs` different jobs of a trace, drawn at random, in their own order and rhythm.

    Their submissions are stretched evenly until the work drawn makes `load` over
    the time from first to last arrival: the bursts stay, the pace fits the cluster.
    """
    drawn = np.sort(rng.choice(len(profiles), size=jobs, replace=False))
    submitted = submit_ms[drawn] - submit_ms[drawn[0]]
    if submitted[-1] <= 0:
        raise UsageError(f"replay: the {jobs} jobs drawn were all submitted at one moment")
    work_ms = 1000 * sum(profiles[job].work_s for job in drawn)
    arrival_ms = np.floor(submitted * (work_ms / (load * executors * submitted[-1])))
    return JobStream(tuple(profiles), drawn, arrival_ms, executors)


def gap_for_load(profiles: Sequence[JobProfile], load: float, executors: int) -> float:
    """The mean gap between arrivals that makes `load`.  ms"""
    if not load > 0:
        raise UsageError(f"poisson: the load must be positive, got {load}")
    return float(np.mean([profile.work_s for profile in profiles])) * 1000 / (load * executors)
