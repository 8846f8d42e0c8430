# SPDX-License-Identifier: Apache-2.0
"""Where an executor goes next: to what it was promised to, or to the first thing to do; and how long that takes."""

from __future__ import annotations

from ..problem import FIRST, FRESH, REST
from .cluster import (
    drop_commit,
    frontier_remove,
    plan,
    pool_add,
    pool_remove,
    set_level,
    unbind_job,
    unbind_stage,
)
from .compiled import inlined, inner
from .draws import lower, task_word, upper
from .state import NONE, State
from .tables import Tables
from .timeline import schedule


@inner
def fulfil(state: State, tables: Tables, e: int, c: int) -> None:
    """An executor follows a commitment of its source."""
    executor, entry = state.executors[e], state.commits[c]
    target, foreign = entry.target, entry.foreign
    entry.count -= 1
    if entry.count == 0:
        drop_commit(state, c)
    if executor.free == 1:
        pool_remove(state, e)
    if target == NONE:
        _idle(state, tables, e)
        return
    stage = state.stages[target]
    if stage.started == stage.num_tasks:
        state.jobs[stage.job].incoming -= foreign
        plan(state, tables, target, -1)
        take_anything(state, tables, e)
    elif executor.job != stage.job:
        _move(state, tables, e, target)
    elif stage.runnable == 1:
        start_task(state, tables, e, target)
    else:
        plan(state, tables, target, -1)
        pool_add(state, e, executor.job)


@inner
def _idle(state: State, tables: Tables, e: int) -> None:
    """Stay with the job while it has tasks left to start; else belong to no job."""
    slot = state.executors[e].job
    first = slot * state.max_stages
    if slot != NONE:
        for s in range(first, first + state.jobs[slot].num_stages):
            if state.stages[s].started < state.stages[s].num_tasks:
                pool_add(state, e, slot)
                return
    _release(state, tables, e)


@inner
def _release(state: State, tables: Tables, e: int) -> None:
    slot = state.executors[e].job
    pool_add(state, e, NONE)
    if slot != NONE:
        set_level(state, tables, slot)


@inner
def take_anything(state: State, tables: Tables, e: int) -> None:
    """The rule for who comes too late: a stage of the same job, else the first candidate, else stay free."""
    cluster, slot = state.cluster[0], state.executors[e].job
    if slot != NONE:
        first = slot * state.max_stages
        for i in range(first, first + state.jobs[slot].num_frontier):
            s = state.frontier[i]
            if state.stages[s].planned < state.stages[s].num_tasks:
                plan(state, tables, s, 1)
                start_task(state, tables, e, s)
                return
    for i in range(cluster.num_active):
        if state.jobs[state.active[i]].candidates > 0:
            s = state.active[i] * state.max_stages
            while state.stages[s].candidate == 0:
                s += 1
            plan(state, tables, s, 1)
            state.jobs[state.active[i]].incoming += 1
            _move(state, tables, e, s)
            return
    pool_add(state, e, slot)


@inner
def _move(state: State, tables: Tables, e: int, target: int) -> None:
    """Set off for a stage that counts on it; the way takes the moving delay."""
    cluster, executor = state.cluster[0], state.executors[e]
    slot = executor.job
    unbind_job(state, e)
    if slot != NONE:
        set_level(state, tables, slot)
    executor.moving, executor.target, executor.since_ms = 1, target, cluster.time_ms
    schedule(state, e, cluster.time_ms + cluster.moving_delay_ms)


@inner
def start_task(state: State, tables: Tables, e: int, s: int) -> None:
    """Run the next task of a stage that counts on it."""
    executor = state.executors[e]
    wave = FRESH if executor.stage == NONE else (REST if executor.stage == s else FIRST)
    if executor.stage != s:
        unbind_stage(state, e)
        executor.stage = s
        state.stages[s].executors += 1
    run_next(state, tables, e, s, wave)


@inlined
def run_next(state: State, tables: Tables, e: int, s: int, wave: int) -> None:
    """An executor that is bound to a stage runs its next task."""
    cluster, executor, stage = state.cluster[0], state.executors[e], state.stages[s]
    schedule(state, e, cluster.time_ms + draw_duration(state, tables, s, wave))
    executor.task, executor.moving, executor.since_ms = stage.started, 0, cluster.time_ms
    stage.started += 1
    state.jobs[stage.job].remaining_s -= stage.mean_ms * 1e-3
    if stage.started == stage.num_tasks:
        frontier_remove(state, s)


@inlined
def draw_duration(state: State, tables: Tables, s: int, wave: int) -> float:
    """Of the stage's next task, ms (decima-sim, node.py: its interpolation is near the *wrong* end; so is ours)."""
    stage = state.stages[s]
    job = state.jobs[stage.job]
    word = task_word(stage.key, stage.started)
    at = stage.first_draw + job.level + wave
    if job.gap > 0 and upper(word, job.gap) >= job.into:
        at += 3
    draw = tables.draws[at]
    return float(tables.durations[draw.start + lower(word, draw.count)] + draw.delay_ms)
