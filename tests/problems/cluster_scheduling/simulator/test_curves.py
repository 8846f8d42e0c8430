# SPDX-License-Identifier: Apache-2.0
"""Expected durations against what tasks really take in the event loop."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling.problem import FIRST, FRESH, REST, Floats, JobProfile, JobStream
from trimtab.problems.cluster_scheduling.simulator import fifo, simulate
from trimtab.problems.cluster_scheduling.simulator.curves import GRID
from trimtab.problems.cluster_scheduling.simulator.tables import pack

LEVELS = (2, 5, 10)
PARALLELISMS = (1, 2, 3, 4, 5, 6, 8, 10, 12)  # below, at, between and above the levels
SAMPLES = 4


def profile(stages: int, tasks: int) -> JobProfile:
    """Stages beside each other, all with the same ranges: every level and wave has four durations of its own."""
    rng = np.random.default_rng(3)
    durations = 1000 * np.arange(1, 10)[:, None] + rng.integers(0, 1500, (9, SAMPLES))
    first = SAMPLES * np.arange(9).reshape(3, 3)
    offsets = np.stack([first, first + SAMPLES], axis=-1)
    return JobProfile(
        name="flat",
        group="flat",
        num_tasks=np.full(stages, tasks),
        edges=np.zeros((0, 2), np.int64),
        levels=np.array(LEVELS),
        durations=durations.ravel().astype(np.float64),
        offsets=np.broadcast_to(offsets, (stages, 3, 3, 2)).copy(),
    )


def stream(job: JobProfile, executors: int, **delays: float) -> JobStream:
    return JobStream((job,), np.zeros(1, np.int64), np.zeros(1), executors, moving_delay_ms=0.0, **delays)


def expected(job: JobProfile, executors: int, wave: int) -> float:
    curve: Floats = pack((job,), 1000.0).curves
    return float(curve[0, wave, GRID.tolist().index(executors)])


def agrees(seconds: Floats, mean: float) -> bool:
    return bool(abs(seconds.mean() - mean) < 4.5 * seconds.std() / np.sqrt(len(seconds)))


@pytest.mark.parametrize("executors", PARALLELISMS)
def test_first_and_rest_waves(executors: int) -> None:
    """Executors go from stage to stage without a pause; a task is in the first wave of its stage when its
    executor's last one was of another stage."""
    job = profile(stages=120, tasks=40)
    tasks = simulate(stream(job, executors), fifo(), seed=1, trace=True).tasks
    waves: dict[int, list[float]] = {FIRST: [], REST: []}
    for executor in range(executors):
        mine = np.sort(tasks[tasks["executor"] == executor], order="since_ms")
        assert (mine["since_ms"][1:] == mine["time_ms"][:-1]).all()
        takes = (mine["time_ms"] - mine["since_ms"]) / 1000
        same = mine["stage"][1:] == mine["stage"][:-1]
        waves[REST] += takes[1:][same].tolist()
        waves[FIRST] += takes[1:][~same].tolist()
    for wave, seconds in waves.items():
        assert len(seconds) > 100
        assert agrees(np.array(seconds), expected(job, executors, wave))
        other = FIRST if wave == REST else REST
        assert not agrees(np.array(seconds), expected(job, executors, other))


@pytest.mark.parametrize("executors", [1, 3, 5, 8, 12])
def test_fresh_wave(executors: int) -> None:
    """Of the executors that come to a job the last one finds it at full parallelism."""
    job = profile(stages=1, tasks=executors)
    last = []
    for seed in range(600):
        tasks = simulate(stream(job, executors), fifo(), seed=seed, trace=True).tasks
        row = tasks[tasks["task"] == executors - 1][0]
        last.append((row["time_ms"] - row["since_ms"]) / 1000)
    assert agrees(np.array(last), expected(job, executors, FRESH))


def test_a_fresh_wave_that_was_not_measured_costs_the_warm_up() -> None:
    job = profile(stages=1, tasks=1)
    job.offsets[:, :, FRESH] = 0
    curve = pack((job,), 700.0).curves[0]
    np.testing.assert_allclose(curve[FRESH], curve[FIRST] + 0.7)


def test_levels_are_hit_exactly_and_kept_beyond_the_ends() -> None:
    job = profile(stages=1, tasks=1)
    means = job.durations.reshape(3, 3, SAMPLES).mean(axis=-1) / 1000  # (levels, waves)
    for level, row in zip(LEVELS, means, strict=True):
        for wave in (FRESH, FIRST, REST):
            assert expected(job, level, wave) == pytest.approx(row[wave])
    assert expected(job, 1, REST) == pytest.approx(means[0, REST])
    assert expected(job, 100, REST) == pytest.approx(means[-1, REST])
