# SPDX-License-Identifier: Apache-2.0
"""Jobs that leave nothing to chance: every task of a stage takes the same, in every wave, at every parallelism."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.problems.cluster_scheduling.problem import JobProfile, JobStream


def profile(
    tasks: Sequence[int], ms: Sequence[float], edges: Sequence[tuple[int, int]] = (), name: str = "plain"
) -> JobProfile:
    """A stage for each number of tasks."""
    return JobProfile(
        name=name,
        group=name,
        num_tasks=np.array(tasks),
        edges=np.array(edges, np.int64).reshape(-1, 2),
        levels=np.array([1]),
        durations=np.array(ms, np.float64),
        offsets=np.array([[[[s, s + 1]] * 3] for s in range(len(tasks))]),
    )


def stream(profiles: Sequence[JobProfile], executors: int, *, moving_ms: float = 0.0, gap_ms: float = 0.0) -> JobStream:
    """One job of each profile, one after the other."""
    arrival_ms = gap_ms * np.arange(len(profiles))
    return JobStream(tuple(profiles), np.arange(len(profiles)), arrival_ms, executors, moving_ms, 0.0)
