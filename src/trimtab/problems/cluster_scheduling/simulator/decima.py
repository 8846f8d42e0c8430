# SPDX-License-Identifier: Apache-2.0
"""Decima inside the event loop: what it sees of a cluster, and what it decides.

The features, their scales, the masks and the meaning of a limit are those of
decima-sim's ``actor_agent.py``. A policy's parameters are ``[seed, *weights]``:
a negative seed takes the likeliest stage and limit, any other draws them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ..problem import Floats, Ints
from .compiled import compiled
from .decima_net import JOB_FEATURES, MAX_DEPTH, STAGE_FEATURES, choose, embed, limit_logits, stage_logits
from .draws import mix
from .engine import DECIDE, run, select
from .jobs import others_held
from .policy import CompiledPolicy
from .rules import EXTERNAL
from .state import State
from .tables import Tables

EXECUTORS_SCALE: Final = 20.0
WORK_SCALE_MS: Final = 1e5
TASKS_SCALE: Final = 200.0
SOURCE_MARK: Final = 2.0

#: The features of a job.
HELD, IS_SOURCE, WAITING = range(3)


class View(NamedTuple):
    """The unfinished stages of a cluster, by height; rows and jobs are numbered from 0."""

    features: Floats  # (5, stages)
    stage: Ints  # (stages,) number in the state
    job_of: Ints  # (stages,)
    level: Ints  # (MAX_DEPTH + 3,) rows of height h are level[h]:level[h + 1]
    child_start: Ints  # (stages + 1,)
    child: Ints  # (edges,) rows
    candidates: Ints  # (candidates,) rows that may be chosen now
    slots: Ints  # (jobs,)
    job_features: Floats  # (3, jobs)


class Choice(NamedTuple):
    """`stage` in the state's numbers (NONE: all stay idle), and how many of the waiting executors it gets."""

    stage: int
    executors: int
    candidate: int  # index into View.candidates
    limit: int  # of executors that the stage's job may hold


def decima(weights: Floats, *, seed: int = -1) -> CompiledPolicy:
    """The policy with these weights (decima_net.NUM_WEIGHTS); a `seed` of 0 or more draws its choices."""
    return CompiledPolicy("decima", EXTERNAL, np.concatenate(([float(seed)], weights)), run_decima)


@compiled
def run_decima(state: State, tables: Tables, jobs: Ints, arrival_ms: Floats, kind: int, parameters: Floats) -> int:
    """engine.run, with Decima's decisions."""
    cluster = state.cluster[0]
    code = run(state, tables, jobs, arrival_ms, kind, parameters)
    while code == DECIDE:
        uniforms = (-1.0, -1.0)
        if parameters[0] >= 0.0:
            uniforms = two_uniforms(int(parameters[0]), cluster.key, cluster.decisions)
        choice = decide_on(state, view(state, tables), parameters[1:], uniforms)
        cluster.decisions += 1
        select(state, tables, choice.stage, choice.executors)
        code = run(state, tables, jobs, arrival_ms, kind, parameters)
    return code


@compiled
def two_uniforms(seed: int, key: int, decision: int) -> tuple[float, float]:
    """In [0, 1), by name as in draws.py: the policy's luck is its own."""
    first = mix(mix(np.uint64(seed) + np.uint64(0xD1B54A32D192ED03)) + np.uint64(key))
    first = mix(first + np.uint64(decision) * np.uint64(0x9E3779B97F4A7C15))
    second = mix(first + np.uint64(0x9E3779B97F4A7C15))
    return np.float64(first >> np.uint64(11)) * 2.0**-53, np.float64(second >> np.uint64(11)) * 2.0**-53


@compiled
def decide_on(state: State, seen: View, weights: Floats, uniforms: tuple[float, float]) -> Choice:
    """Draw a stage at quantile uniforms[0], then a limit for its job at uniforms[1]; see `choose`."""
    stages, jobs, cluster = embed(
        weights, seen.features, seen.level, seen.child_start, seen.child, seen.job_of, len(seen.slots)
    )
    scores = stage_logits(weights, seen.features, stages, jobs, cluster, seen.job_of, seen.candidates)
    candidate = choose(scores, uniforms[0])
    row = seen.candidates[candidate]
    job = seen.job_of[row]
    slot = seen.slots[job]
    limits = np.arange(others_held(state, slot) + 1, state.cluster[0].num_executors + 1).astype(np.float64)
    chosen = choose(limit_logits(weights, seen.job_features, jobs, cluster, job, limits), uniforms[1])
    limit = int(limits[chosen])
    return Choice(int(seen.stage[row]), limit - others_held(state, slot), candidate, limit)


@compiled
def view(state: State, tables: Tables) -> View:
    """What Decima sees."""
    cluster = state.cluster[0]
    slots = state.active[: cluster.num_active].copy()
    heights, level = _heights(state, tables, slots)
    n = level[-1]
    row_of = np.empty(len(heights), np.int64)
    stage, job_of = np.empty(n, np.int64), np.empty(n, np.int64)
    features, job_features = np.empty((STAGE_FEATURES, n)), _job_features(state, slots)
    free = level[:-1].copy()
    candidates, num_candidates = np.empty(n, np.int64), 0
    for j in range(len(slots)):
        first = slots[j] * state.max_stages
        for s in range(state.jobs[slots[j]].num_stages):
            at = j * state.max_stages + s
            if heights[at] < 0:
                continue
            row = free[heights[at]]
            free[heights[at]] += 1
            row_of[at], stage[row], job_of[row] = row, first + s, j
            record = state.stages[first + s]
            left = record.num_tasks - record.started
            features[:JOB_FEATURES, row] = job_features[:, j]
            features[3, row], features[4, row] = left * record.mean_ms / WORK_SCALE_MS, left / TASKS_SCALE
            if record.candidate == 1:
                candidates[num_candidates] = row
                num_candidates += 1
    child_start, child = _children(state, tables, stage, job_of, row_of)
    return View(features, stage, job_of, level, child_start, child, candidates[:num_candidates], slots, job_features)


@compiled
def _job_features(state: State, slots: Ints) -> Floats:
    cluster = state.cluster[0]
    features = np.empty((JOB_FEATURES, len(slots)))
    for j in range(len(slots)):
        job = state.jobs[slots[j]]
        features[HELD, j] = (job.executors + job.incoming) / EXECUTORS_SCALE
        features[IS_SOURCE, j] = SOURCE_MARK if slots[j] == cluster.source_job else -SOURCE_MARK
        features[WAITING, j] = cluster.num_source / EXECUTORS_SCALE
    return features


@compiled
def _heights(state: State, tables: Tables, slots: Ints) -> tuple[Ints, Ints]:
    """Longest path to a leaf for each unfinished stage (-1: finished), cut above MAX_DEPTH; and where levels start."""
    heights = np.full(len(slots) * state.max_stages, -1)
    level = np.zeros(MAX_DEPTH + 3, np.int64)
    for j in range(len(slots)):
        num_stages, first = state.jobs[slots[j]].num_stages, slots[j] * state.max_stages
        here = heights[j * state.max_stages : j * state.max_stages + num_stages]
        for s in range(num_stages):
            if state.stages[first + s].finished < state.stages[first + s].num_tasks:
                here[s] = 0
        _relax(state, tables, first, here)
        for height in here:
            if height >= 0:
                level[height + 1] += 1
    return heights, np.cumsum(level)


@compiled
def _relax(state: State, tables: Tables, first: int, heights: Ints) -> None:
    """Raise each stage above its children until none moves; few sweeps, as stages are mostly numbered along the DAG."""
    moved = True
    while moved:
        moved = False
        for s in range(len(heights) - 1, -1, -1):
            if heights[s] < 0:
                continue
            stage = state.stages[first + s]
            for edge in range(stage.first_child, stage.end_child):
                above = min(MAX_DEPTH + 1, heights[tables.children[edge]] + 1)
                if heights[s] < above:
                    heights[s], moved = above, True


@compiled
def _children(state: State, tables: Tables, stage: Ints, job_of: Ints, row_of: Ints) -> tuple[Ints, Ints]:
    """Each row's children as rows. An unfinished stage has only unfinished children."""
    start = np.zeros(len(stage) + 1, np.int64)
    for row in range(len(stage)):
        record = state.stages[stage[row]]
        start[row + 1] = start[row] + record.end_child - record.first_child
    child = np.empty(start[-1], np.int64)
    for row in range(len(stage)):
        record = state.stages[stage[row]]
        for i in range(record.end_child - record.first_child):
            child[start[row] + i] = row_of[job_of[row] * state.max_stages + tables.children[record.first_child + i]]
    return start, child
