# SPDX-License-Identifier: Apache-2.0
"""The optimum against brute force, the lower bound and what policies reach."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")
pytest.importorskip("ortools")

from trimtab.core.errors import InvalidInstance
from trimtab.problems.cluster_scheduling.bounds import lower_bound_s
from trimtab.problems.cluster_scheduling.exact import Optimum, optimum_s
from trimtab.problems.cluster_scheduling.problem import JobProfile, JobStream
from trimtab.problems.cluster_scheduling.simulator import fair, fifo, random, simulate, sjf_cp, srpt
from trimtab.problems.cluster_scheduling.simulator.made import made_stream

Task = tuple[int, int, int]  # job, stage, number
Span = tuple[float, float]


def tiny(seed: int, *, jobs: int, stages: int, most_tasks: int) -> JobStream:
    """Whole durations, one range for every wave and level."""
    rng = np.random.default_rng(seed)
    profiles = tuple(_profile(rng, f"tiny-{i}", int(rng.integers(1, stages + 1)), most_tasks) for i in range(jobs))
    arrivals = np.sort(rng.integers(0, 2000, jobs)).astype(np.float64) * rng.integers(0, 2)
    return JobStream(profiles, np.arange(jobs), arrivals, int(rng.integers(1, 4)), 0.0, 0.0)


def _profile(rng: np.random.Generator, name: str, stages: int, most_tasks: int) -> JobProfile:
    edges = [(a, b) for b in range(stages) for a in range(b) if rng.random() < 0.5]
    ranges = np.array([(3 * s, 3 * s + 3) for s in range(stages)])
    offsets = np.broadcast_to(ranges[:, None, None], (stages, 1, 3, 2))
    return JobProfile(
        name=name,
        group=name,
        num_tasks=rng.integers(1, most_tasks + 1, stages),
        edges=np.array(edges, np.int64).reshape(-1, 2),
        levels=np.array([1]),
        durations=rng.integers(1, 1500, 3 * stages).astype(np.float64),
        offsets=np.ascontiguousarray(offsets),
    )


def least_by_trying(stream: JobStream, seed: int) -> float:
    """Every order of the tasks, each task as early as it can be after those before it: the least average JCT, s."""
    played = simulate(stream, fifo(), seed=seed, trace=True).tasks
    takes = {(int(r["job"]), int(r["stage"]), int(r["task"])): float(r["time_ms"] - r["since_ms"]) for r in played}
    parents = {
        (job, int(child)): [int(a) for a, b in stream.profiles[stream.jobs[job]].edges.tolist() if b == child]
        for job, child in {(job, stage) for job, stage, _ in takes}
    }
    least = np.inf
    for order in itertools.permutations(takes):
        placed: dict[Task, Span] = {}
        for job, stage, number in order:
            before = [key for key in takes if key[0] == job and key[1] in parents[job, stage]]
            if any(key not in placed for key in before) or (number > 0 and (job, stage, number - 1) not in placed):
                break
            ready = max([float(stream.arrival_ms[job]), *(placed[key][1] for key in before)])
            if number > 0:
                ready = max(ready, placed[job, stage, number - 1][0])
            start = _earliest(ready, takes[job, stage, number], list(placed.values()), stream.num_executors)
            placed[job, stage, number] = (start, start + takes[job, stage, number])
        else:
            ends = [max(end for (j, _, _), (_, end) in placed.items() if j == job) for job in range(stream.num_jobs)]
            least = min(least, float(np.mean(ends - stream.arrival_ms)) / 1000)
    return least


def _earliest(ready: float, duration: float, spans: list[Span], executors: int) -> float:
    for start in sorted({ready, *(end for _, end in spans if end > ready)}):
        moments = [start, *(begin for begin, _ in spans if start < begin < start + duration)]
        if all(sum(begin <= at < end for begin, end in spans) < executors for at in moments):
            return start
    raise AssertionError("after the last task there is room")


@given(st.integers(0, 10_000), st.integers(0, 2**31))
@settings(max_examples=25)
def test_it_is_what_trying_everything_finds(seed: int, draws: int) -> None:
    stream = tiny(seed, jobs=2, stages=2, most_tasks=2)
    if sum(int(p.num_tasks.sum()) for p in stream.profiles) > 6:
        stream = replace(stream, jobs=stream.jobs[:1], arrival_ms=stream.arrival_ms[:1])
    optimum = optimum_s(stream, draws)
    assert optimum.proven
    assert optimum.average_jct == pytest.approx(least_by_trying(stream, draws), rel=1e-9)


@given(st.integers(0, 10_000), st.integers(0, 2**31))
@settings(max_examples=15)
def test_policies_are_not_better_and_the_bound_is_below(seed: int, draws: int) -> None:
    stream = tiny(seed, jobs=3, stages=3, most_tasks=2)
    optimum = optimum_s(stream, draws, seconds=3)
    _is_a_schedule(stream, draws, optimum)
    assert lower_bound_s(stream, draws) <= optimum.average_jct * (1 + 1e-9)
    assert optimum.bound <= optimum.average_jct * (1 + 1e-9)
    for policy in (random(), fifo(), sjf_cp(), fair(), srpt(1.0, 0.0)):
        assert simulate(stream, policy, seed=draws).metrics["average_jct"] >= optimum.bound * (1 - 1e-9)


def _is_a_schedule(stream: JobStream, seed: int, optimum: Optimum) -> None:
    """Every task once, for as long as it takes, after its parents, no two at once on an executor."""
    rows = optimum.assignment
    played = simulate(stream, random(), seed=seed, trace=True).tasks
    spans = {(r["job"], r["stage"], r["task"]): (r["since_ms"], r["time_ms"]) for r in rows}
    assert len(spans) == len(rows) == len(played)
    for row in played:
        since, end = spans[row["job"], row["stage"], row["task"]]
        assert end - since == row["time_ms"] - row["since_ms"]
        assert since >= stream.arrival_ms[row["job"]]
    for job, index in enumerate(stream.jobs):
        for parent, child in stream.profiles[index].edges:
            ends = rows["time_ms"][(rows["job"] == job) & (rows["stage"] == parent)]
            starts = rows["since_ms"][(rows["job"] == job) & (rows["stage"] == child)]
            assert ends.max() <= starts.min()
    for executor in range(stream.num_executors):
        mine = rows[rows["executor"] == executor]
        assert (mine["time_ms"][:-1] <= mine["since_ms"][1:]).all()
    done = [rows["time_ms"][rows["job"] == job].max() for job in range(stream.num_jobs)]
    assert optimum.average_jct == pytest.approx(np.mean(done - stream.arrival_ms) / 1000)


def test_a_search_that_is_cut_short_still_gives_a_schedule_and_a_bound() -> None:
    stream = tiny(3, jobs=6, stages=3, most_tasks=4)
    optimum = optimum_s(stream, 0, seconds=0.3)
    assert not optimum.proven
    _is_a_schedule(stream, 0, optimum)
    assert optimum.bound < optimum.average_jct


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("moving_delay_ms", 2000.0),
        ("warmup_delay_ms", 1000.0),
        ("arrival_ms", np.array([0.0, 0.5])),
        ("durations", 2.5),
    ],
)
def test_what_the_model_does_not_hold_is_refused(field: str, value: object) -> None:
    stream = tiny(1, jobs=2, stages=2, most_tasks=2)
    if field == "durations":
        odd = replace(stream.profiles[1], durations=np.full_like(stream.profiles[1].durations, value))
        stream = replace(stream, profiles=(stream.profiles[0], odd))
    elif field == "warmup_delay_ms":  # matters only where no fresh duration was measured
        offsets = stream.profiles[0].offsets.copy()
        offsets[:, :, 0] = 0
        stream = replace(stream, profiles=(replace(stream.profiles[0], offsets=offsets), *stream.profiles[1:]))
        stream, field = replace(stream, warmup_delay_ms=1000.0), "offsets"
    else:
        stream = replace(stream, **{field: value})
    with pytest.raises(InvalidInstance, match=f"field '{field}'"):
        optimum_s(stream, 0)


def test_durations_that_depend_on_the_wave_are_refused() -> None:
    stream = replace(made_stream(0, jobs=2), moving_delay_ms=0.0, warmup_delay_ms=0.0)
    with pytest.raises(InvalidInstance, match=r"job 'made-0-\d', field 'offsets': the durations of stage 0"):
        optimum_s(stream, 0)
