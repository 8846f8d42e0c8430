# SPDX-License-Identifier: Apache-2.0
"""Decima inside the event loop against the network written out stage by stage, and against what the simulator says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("numba")

import itertools

from trimtab.problems.cluster_scheduling.simulator import Run, simulate, srpt
from trimtab.problems.cluster_scheduling.simulator.decima import View, decide_on, decima, two_uniforms, view
from trimtab.problems.cluster_scheduling.simulator.decima_net import (
    LIMIT_SCALE,
    MAX_DEPTH,
    NUM_WEIGHTS,
    PERCEPTRONS,
    choose,
    embed,
    limit_logits,
    stage_logits,
)
from trimtab.problems.cluster_scheduling.simulator.engine import select
from trimtab.problems.cluster_scheduling.simulator.made import made_stream

Floats = NDArray[np.float64]
WEIGHTS = np.random.default_rng(0).normal(scale=0.3, size=NUM_WEIGHTS)


def perceptron(name: str, x: Floats, *, activate_last: bool = True) -> Floats:
    """By the layout that decima_net documents."""
    at = sum((i + 1) * o for n, s in PERCEPTRONS.items() for i, o in itertools.pairwise(s) if before(n, name))
    sizes = PERCEPTRONS[name]
    for k, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        matrix = WEIGHTS[at : at + inputs * outputs].reshape(inputs, outputs)
        bias = WEIGHTS[at + inputs * outputs : at + (inputs + 1) * outputs]
        x = x @ matrix + bias
        if activate_last or k < len(sizes) - 2:
            x = np.where(x > 0, x, 0.2 * x)
        at += (inputs + 1) * outputs
    return x


def before(name: str, other: str) -> bool:
    names = list(PERCEPTRONS)
    return names.index(name) < names.index(other)


def states(seeds: range) -> Iterator[tuple[Run, View]]:
    """Every decision of some small streams under arbitrary choices."""
    for seed in seeds:
        run = Run(made_stream(seed, jobs=5, executors=5, mean_gap_ms=3000 * (seed % 2)), seed)
        rng = np.random.default_rng(seed)
        while run.next_decision() is not None:
            seen = view(run.state, run.tables)
            yield run, seen
            run.state.cluster["decisions"] += 1
            chosen = seen.stage[rng.choice(seen.candidates)]
            select(run.state, run.tables, int(chosen), int(rng.integers(1, 4)))


def test_the_network_is_the_one_in_the_paper() -> None:
    for _, seen in states(range(4)):
        jobs = len(seen.slots)
        stages, summaries, cluster = embed(
            WEIGHTS, seen.features, seen.level, seen.child_start, seen.child, seen.job_of, jobs
        )
        own = perceptron("prepare", seen.features.T)
        for v in range(len(seen.stage)):  # children come in lower rows
            children = seen.child[seen.child_start[v] : seen.child_start[v + 1]]
            if len(children):
                messages = perceptron("message", own[children]).sum(0)
                own[v] += perceptron("aggregate", messages)
        np.testing.assert_allclose(stages.T, own, atol=1e-9)
        shares = perceptron("job", np.hstack([seen.features.T, own]))
        expected = np.array([shares[seen.job_of == j].sum(0) for j in range(jobs)])
        np.testing.assert_allclose(summaries.T, expected, atol=1e-9)
        everything = perceptron("cluster", expected).sum(0)
        np.testing.assert_allclose(cluster[:, 0], everything, atol=1e-9)

        job = seen.job_of[seen.candidates]
        shared = np.tile(everything, (len(job), 1))
        inputs = np.hstack([seen.features.T[seen.candidates], own[seen.candidates], expected[job], shared])
        found = stage_logits(WEIGHTS, seen.features, stages, summaries, cluster, seen.job_of, seen.candidates)
        np.testing.assert_allclose(found, perceptron("stage_head", inputs, activate_last=False)[:, 0], atol=1e-8)

        limits = np.arange(1.0, 6.0)
        rows = [[*seen.job_features[:, 0], *expected[0], *everything, limit / LIMIT_SCALE] for limit in limits]
        found = limit_logits(WEIGHTS, seen.job_features, summaries, cluster, 0, limits)
        expected_logits = perceptron("limit_head", np.array(rows), activate_last=False)[:, 0]
        np.testing.assert_allclose(found, expected_logits, atol=1e-8)


def test_what_decima_sees_is_the_state_of_the_cluster() -> None:
    for run, seen in states(range(4)):
        state, cluster = run.state, run.state.cluster[0]
        per_job = state.max_stages
        unfinished = {
            int(slot) * per_job + s
            for slot in state.active[: cluster["num_active"]]
            for s in range(state.jobs[slot]["num_stages"])
            if state.stages["finished"][slot * per_job + s] < state.stages["num_tasks"][slot * per_job + s]
        }
        assert sorted(seen.stage) == sorted(unfinished)
        chosen_now = {int(s) for s in np.flatnonzero(state.stages["candidate"]) if int(s) in unfinished}
        assert {int(seen.stage[row]) for row in seen.candidates} == chosen_now
        left = (state.stages["num_tasks"] - state.stages["started"])[seen.stage]
        np.testing.assert_allclose(seen.features[4], left / 200)
        np.testing.assert_allclose(seen.features[3], left * state.stages["mean_ms"][seen.stage] / 1e5)
        jobs = state.jobs[seen.slots]
        np.testing.assert_allclose(seen.job_features[0], (jobs["executors"] + jobs["incoming"]) / 20)
        source = seen.slots == cluster["source_job"]
        np.testing.assert_allclose(seen.job_features[1], np.where(source, 2, -2))
        np.testing.assert_allclose(seen.job_features[2], cluster["num_source"] / 20)
        np.testing.assert_allclose(seen.features[:3], seen.job_features[:, seen.job_of])


def test_rows_are_in_order_of_height_and_edges_are_those_of_the_profiles() -> None:
    for run, seen in states(range(4)):
        heights = np.searchsorted(seen.level, np.arange(len(seen.stage)), side="right") - 1
        edges = set()
        for v in range(len(seen.stage)):
            children = seen.child[seen.child_start[v] : seen.child_start[v + 1]]
            below = [int(heights[c]) for c in children]
            assert heights[v] == min(MAX_DEPTH + 1, 1 + max(below, default=-1))
            edges |= {(int(seen.stage[v]), int(seen.stage[c])) for c in children}
        expected = set()
        for j, slot in enumerate(seen.slots):
            profile = run.stream.profiles[run.state.jobs["profile"][slot]]
            mine = set(seen.stage[seen.job_of == j])
            base = int(slot) * run.state.max_stages
            expected |= {(base + p, base + c) for p, c in profile.edges.tolist() if base + p in mine}
        assert edges == expected


def test_a_limit_counts_what_the_job_already_holds() -> None:
    for run, seen in states(range(3)):
        state, cluster = run.state, run.state.cluster[0]
        for luck in (0.0, 0.3, 0.7, 0.999):
            choice = decide_on(state, seen, WEIGHTS, (luck, luck))
            slot = int(state.stages["job"][choice.stage])
            held = int(state.jobs["executors"][slot] + state.jobs["incoming"][slot])
            waiting = int(cluster["num_source"]) if slot == cluster["source_job"] else 0
            assert choice.executors == choice.limit - held + waiting
            assert choice.executors >= 1
            assert choice.limit <= cluster["num_executors"]
            assert seen.stage[seen.candidates[choice.candidate]] == choice.stage


def test_choose_draws_from_the_softmax() -> None:
    logits = np.log(np.array([0.1, 0.6, 0.3])) + 700
    quantiles = (np.arange(1000) + 0.5) / 1000
    drawn = np.bincount([choose(logits, u) for u in quantiles])
    assert drawn.tolist() == [100, 600, 300]
    assert choose(logits, -1.0) == 1


def test_uniforms_are_uniform_and_named() -> None:
    drawn = np.array([two_uniforms(3, 7, step) for step in range(4000)])
    assert ((drawn >= 0) & (drawn < 1)).all()
    np.testing.assert_allclose(np.quantile(drawn, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.02)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.05
    assert two_uniforms(3, 7, 11) == two_uniforms(3, 7, 11) != two_uniforms(4, 7, 11)


@pytest.mark.parametrize("seed", [-1, 5])
def test_decima_finishes_every_job_and_repeats_itself(seed: int) -> None:
    stream = made_stream(2, jobs=80, executors=6, mean_gap_ms=500)  # more jobs at once than the first slots
    first, again = (simulate(stream, decima(WEIGHTS, seed=seed), seed=1) for _ in range(2))
    assert not np.isnan(first.done_ms).any()
    np.testing.assert_array_equal(first.done_ms, again.done_ms)
    assert first.decisions == again.decisions > 0


def test_draws_of_choices_differ_by_seed_and_those_of_durations_do_not_depend_on_them() -> None:
    stream = made_stream(3, jobs=8, executors=6)
    runs = [simulate(stream, decima(WEIGHTS, seed=seed), seed=1) for seed in range(4)]
    assert len({run.end_ms for run in runs}) > 1
    assert simulate(stream, srpt(0.5, 0.5), seed=1).events >= stream.num_jobs
