# SPDX-License-Identifier: Apache-2.0
"""Made-up jobs: small, seeded, with every oddity that measured ones have. For tests, and for a first look."""

from __future__ import annotations

import numpy as np

from ..problem import FIRST, FRESH, REST, Ints, JobProfile, JobStream

_LEVELS = np.array([2, 4, 8])
_STEP_MS = 250.0  # durations are its multiples, so that events coincide


def made_profiles(seed: int, count: int = 6, *, max_stages: int = 8, max_tasks: int = 20) -> tuple[JobProfile, ...]:
    """Random DAGs whose stages lack some waves, and the higher levels where they have few tasks."""
    rng = np.random.default_rng(seed)
    return tuple(_profile(rng, f"made-{seed}-{i}", max_stages, max_tasks) for i in range(count))


def made_stream(seed: int, *, jobs: int = 6, executors: int = 5, mean_gap_ms: float = 0.0) -> JobStream:
    """A stream over `made_profiles(seed)`: a batch, or Poisson arrivals."""
    rng = np.random.default_rng((seed, 1))
    profiles = made_profiles(seed)
    gaps = np.round(rng.exponential(mean_gap_ms, jobs) / _STEP_MS) * _STEP_MS if mean_gap_ms > 0 else np.zeros(jobs)
    return JobStream(profiles, rng.integers(len(profiles), size=jobs), np.cumsum(gaps), executors)


def _profile(rng: np.random.Generator, name: str, max_stages: int, max_tasks: int) -> JobProfile:
    stages = int(rng.integers(1, max_stages + 1))
    num_tasks = np.maximum(1, np.exp(rng.uniform(0, np.log(max_tasks), stages))).astype(np.int64)
    samples: list[float] = []
    offsets = np.zeros((stages, len(_LEVELS), 3, 2), np.int64)
    for stage, tasks in enumerate(num_tasks):
        scale = rng.uniform(1, 12)
        for level in range(len(_LEVELS)):
            if level == 0 or tasks >= _LEVELS[level]:
                _measure(rng, samples, offsets[stage, level], scale)
    return JobProfile(name, name, num_tasks, _edges(rng, stages), _LEVELS, np.array(samples), offsets)


def _edges(rng: np.random.Generator, stages: int) -> Ints:
    """From lower to higher numbers after a shuffle, so that stage numbers are no topological order."""
    names = rng.permutation(stages)
    pairs = [(names[a], names[b]) for b in range(stages) for a in range(b) if rng.random() < 1.5 / stages]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _measure(rng: np.random.Generator, samples: list[float], offsets: Ints, scale: float) -> None:
    """Write the ranges of one stage and level; at least fresh or first durations are there."""
    has = {FRESH: rng.random() < 0.7, FIRST: rng.random() < 0.7, REST: rng.random() < 0.7}
    has[FIRST] |= not has[FRESH]
    for wave, slow in ((FRESH, 2.0), (FIRST, 1.3), (REST, 1.0)):
        n = int(rng.integers(1, 6)) if has[wave] else 0
        offsets[wave] = len(samples), len(samples) + n
        samples.extend(np.sort(_STEP_MS * np.ceil(slow * scale * rng.lognormal(0, 0.5, n))))
