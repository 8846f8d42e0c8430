# SPDX-License-Identifier: Apache-2.0
"""The engine against a plain specification, against traces of the reference, and against laws of conservation."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.errors import TrimtabError
from trimtab.problems.cluster_scheduling.problem import JobStream
from trimtab.problems.cluster_scheduling.simulator import (
    Action,
    CompiledPolicy,
    Observation,
    Simulation,
    fair,
    fifo,
    releasing_fair,
    simulate,
    sjf_cp,
    srpt,
    weighted_fair,
)
from trimtab.problems.cluster_scheduling.simulator import random as any_stage
from trimtab.problems.cluster_scheduling.simulator.made import made_stream
from trimtab.problems.cluster_scheduling.simulator.state import EXECUTOR_ARRIVED, JOB_ARRIVED, TASK_DONE
from trimtab.problems.cluster_scheduling.simulator.traces import digest, rows

from .specification import Specification, Stage, Stalled

DATA = Path(__file__).parents[1] / "data"
GOLDEN = json.loads((DATA / "golden_traces.json").read_text())["episodes"]
POLICIES = {
    "fifo": fifo(),
    "sjf_cp": sjf_cp(),
    "fair": fair(),
    "weighted_fair": weighted_fair(-1.0),
    "random": any_stage(),
}


class Dice:
    """Throws a candidate and a limit; now and then leaves everyone idle."""

    def __init__(self, seed: int, idle: float) -> None:
        self.rng, self.idle = random.Random(seed), idle

    def throw(self, candidates: int, waiting: int) -> tuple[int, int]:
        if self.rng.random() < self.idle:
            return -1, waiting
        return self.rng.randrange(candidates), self.rng.randint(1, waiting)

    def act(self, observation: Observation) -> Action:
        return Action(*self.throw(len(observation.candidates), observation.num_source))

    def choose(self, _: Specification, candidates: list[Stage], waiting: int) -> tuple[Stage | None, int]:
        at, limit = self.throw(len(candidates), waiting)
        return (candidates[at] if at >= 0 else None), limit


def made(seed: int, jobs: int, executors: int, gap_ms: float, moving_ms: float) -> JobStream:
    return replace(made_stream(seed, jobs=jobs, executors=executors, mean_gap_ms=gap_ms), moving_delay_ms=moving_ms)


streams = st.builds(
    made,
    st.integers(0, 10_000),
    st.integers(1, 8),
    st.integers(1, 12),
    st.sampled_from([0.0, 3000.0, 30000.0]),
    st.sampled_from([0.0, 2000.0, 25000.0]),  # a job may end while executors are on their way to it
)


@settings(max_examples=120, deadline=None)
@given(stream=streams, seed=st.integers(0, 2**40), idle=st.sampled_from([0.0, 0.0, 0.2]))
def test_equals_the_specification(stream: JobStream, seed: int, idle: float) -> None:
    plain = Specification(stream, seed, Dice(seed, idle).choose)
    try:
        plain.run()
    except Stalled:
        with pytest.raises(TrimtabError, match="idle"):
            simulate(stream, Dice(seed, idle), seed=seed)
        return
    done = simulate(stream, Dice(seed, idle), seed=seed, trace=True)
    assert [tuple(row) for row in rows(done)] == plain.log
    assert done.done_ms.tolist() == [plain.done[job] for job in range(stream.num_jobs)]


@settings(max_examples=40, deadline=None)
@given(stream=streams, seed=st.integers(0, 2**40), policy=st.sampled_from(list(POLICIES.values())))
def test_conserves_work(stream: JobStream, seed: int, policy: CompiledPolicy) -> None:
    done = simulate(stream, policy, seed=seed, trace=True)
    check_laws(stream, done)


@pytest.mark.parametrize("policy", [releasing_fair(), releasing_fair(-1.0), srpt(0.5, 0.5), srpt(3, 0), srpt(0.1, 1)])
def test_conserves_work_under_rules_of_our_own(policy: CompiledPolicy) -> None:
    for seed in range(20):
        stream = made_stream(seed, jobs=8, executors=1 + seed % 9, mean_gap_ms=5000.0 * (seed % 2))
        check_laws(stream, simulate(stream, policy, seed=seed, trace=True))


def check_laws(stream: JobStream, done: Simulation) -> None:
    trace, tasks = done.trace, done.tasks
    assert trace is not None
    assert (np.diff(trace["time_ms"]) >= 0).all()
    expected = {
        (job, stage, task)
        for job, kind in enumerate(stream.jobs)
        for stage, count in enumerate(stream.profiles[kind].num_tasks)
        for task in range(count)
    }
    ran = list(zip(tasks["job"].tolist(), tasks["stage"].tolist(), tasks["task"].tolist(), strict=True))
    assert len(ran) == len(expected) and set(ran) == expected  # each task once
    assert done.busy_ms == pytest.approx((tasks["time_ms"] - tasks["since_ms"]).sum())
    moves = trace[trace["kind"] == EXECUTOR_ARRIVED]
    assert (moves["time_ms"] - moves["since_ms"] == stream.moving_delay_ms).all()
    assert done.moving_ms == pytest.approx(len(moves) * stream.moving_delay_ms)
    assert done.events == len(trace)
    assert (trace["kind"] == JOB_ARRIVED).sum() == (stream.arrival_ms > 0).sum()
    _one_thing_at_a_time(stream, trace[trace["kind"] != JOB_ARRIVED])
    _children_after_parents(stream, done)


def _one_thing_at_a_time(stream: JobStream, spans: np.ndarray) -> None:
    assert set(spans["executor"].tolist()) <= set(range(stream.num_executors))
    for executor in range(stream.num_executors):
        mine = spans[spans["executor"] == executor]
        assert (mine["since_ms"][1:] >= mine["time_ms"][:-1]).all()


def _children_after_parents(stream: JobStream, done: Simulation) -> None:
    tasks = done.tasks
    for job, kind in enumerate(stream.jobs):
        mine = tasks[tasks["job"] == job]
        assert mine["since_ms"].min() >= stream.arrival_ms[job]
        assert mine["time_ms"].max() == done.done_ms[job]
        for parent, child in stream.profiles[kind].edges:
            ends = mine["time_ms"][mine["stage"] == parent].max()
            assert mine["since_ms"][mine["stage"] == child].min() >= ends


@pytest.mark.parametrize("entry", GOLDEN, ids=lambda e: f"{e['policy']}-{e['seed']}")
def test_equals_the_reference(entry: dict[str, object]) -> None:
    """Digests of traces of decima-sim itself; benchmarks/cluster_scheduling_parity.py --golden wrote them."""
    made = made_stream(entry["seed"], **entry["stream"])  # type: ignore[arg-type]
    assert digest(np.concatenate([p.durations for p in made.profiles])) == entry["input"], "the made-up jobs changed"
    done = simulate(made, POLICIES[str(entry["policy"])], seed=int(str(entry["seed"])), trace=True)
    assert done.jct_ms.tolist() == entry["jct_ms"]
    assert digest(rows(done)) == entry["trace"]


def test_a_bug_would_show() -> None:
    """The golden digests tell apart what differs in one event."""
    done = simulate(made_stream(1), fifo(), seed=1, trace=True)
    changed = rows(done)
    changed[3, 0] += 250.0
    assert digest(changed) != digest(rows(done))
    assert TASK_DONE in changed[:, 1]
