# SPDX-License-Identifier: Apache-2.0
"""Small moves of the state: saturation, pools, binding, commitments. The engine is made of these.

A stage is *saturated* when as many tasks as it has are started, committed or on
their way (decima-sim, env.py); it is a *candidate* when it is unsaturated, all
its parents are saturated and it was not selected in this round; it is
*runnable*, in its job's frontier, when its parents are finished.
"""

from __future__ import annotations

import numpy as np

from .compiled import inlined, inner
from .draws import stage_key
from .state import END, NONE, State
from .tables import Tables


@inner
def refresh(state: State, s: int) -> None:
    """Keep `candidate` and the counts of candidates true."""
    stage = state.stages[s]
    now = stage.planned < stage.num_tasks and stage.unsaturated_parents == 0 and stage.selected == 0
    if now != (stage.candidate == 1):
        change = 1 if now else -1
        stage.candidate = 1 if now else 0
        state.jobs[stage.job].candidates += change
        state.cluster[0].num_candidates += change


@inlined
def plan(state: State, tables: Tables, s: int, count: int) -> None:
    """`count` more tasks of a stage are spoken for (or fewer, if negative)."""
    stage = state.stages[s]
    was = stage.planned >= stage.num_tasks
    stage.planned += count
    now = stage.planned >= stage.num_tasks
    if was != now:
        _flip(state, tables, s, -1 if now else 1)


@inner
def _flip(state: State, tables: Tables, s: int, change: int) -> None:
    """A stage became unsaturated (+1) or saturated (-1)."""
    stage = state.stages[s]
    job = state.jobs[stage.job]
    job.unsaturated += change
    refresh(state, s)
    first = stage.job * state.max_stages
    for edge in range(stage.first_child, stage.end_child):
        child = first + tables.children[edge]
        state.stages[child].unsaturated_parents += change
        refresh(state, child)


@inner
def pool_add(state: State, e: int, slot: int) -> None:
    """Put an executor at the end of a job's free executors; slot NONE belongs to no job."""
    executor, job = state.executors[e], state.jobs[slot]
    if slot == NONE:
        unbind_job(state, e)
    else:
        unbind_stage(state, e)
    executor.free = 1
    executor.previous, executor.next = job.pool_tail, END
    if job.pool_tail == END:
        job.pool_head = e
    else:
        state.executors[job.pool_tail].next = e
    job.pool_tail = e
    job.pool_size += 1


@inner
def pool_remove(state: State, e: int) -> None:
    executor = state.executors[e]
    job = state.jobs[executor.job]
    if executor.previous == END:
        job.pool_head = executor.next
    else:
        state.executors[executor.previous].next = executor.next
    if executor.next == END:
        job.pool_tail = executor.previous
    else:
        state.executors[executor.next].previous = executor.previous
    executor.free = 0
    job.pool_size -= 1


@inner
def unbind_stage(state: State, e: int) -> None:
    executor = state.executors[e]
    if executor.stage != NONE:
        state.stages[executor.stage].executors -= 1
        executor.stage = NONE


@inner
def unbind_job(state: State, e: int) -> None:
    executor = state.executors[e]
    unbind_stage(state, e)
    if executor.job != NONE:
        state.jobs[executor.job].executors -= 1
        executor.job = NONE


@inner
def set_level(state: State, tables: Tables, slot: int) -> None:
    """Between which measured parallelisms a job's number of executors lies."""
    job = state.jobs[slot]
    profile = tables.profiles[job.profile]
    levels, last = profile.first_level, profile.num_levels - 1
    at = 0
    while at < last and tables.levels[levels + at + 1] <= job.executors:
        at += 1
    job.level, job.gap, job.into = 3 * at, 0, 0
    if at < last and tables.levels[levels + at] < job.executors:
        job.gap = tables.levels[levels + at + 1] - tables.levels[levels + at]
        job.into = job.executors - tables.levels[levels + at]


@inner
def commit(state: State, source: int, target: int, count: int, foreign: int) -> None:
    """Promise `count` executors of a source (a stage, or NONE: the free ones) to a stage."""
    cluster = state.cluster[0]
    c = cluster.free_commit
    entry = state.commits[c]
    cluster.free_commit = entry.next
    entry.target, entry.count, entry.source, entry.foreign, entry.next = target, count, source, foreign, END
    tail = cluster.commit_tail if source == NONE else state.stages[source].commit_tail
    if tail != END:
        state.commits[tail].next = c
    elif source == NONE:
        cluster.commit_head = c
    else:
        state.stages[source].commit_head = c
    if source == NONE:
        cluster.commit_tail = c
    else:
        state.stages[source].commit_tail = c


@inner
def drop_commit(state: State, c: int) -> None:
    """Take an entry out of its source's list."""
    cluster, entry = state.cluster[0], state.commits[c]
    source = entry.source
    at = cluster.commit_head if source == NONE else state.stages[source].commit_head
    before = END
    while at != c:
        before, at = at, state.commits[at].next
    if before != END:
        state.commits[before].next = entry.next
    elif source == NONE:
        cluster.commit_head = entry.next
    else:
        state.stages[source].commit_head = entry.next
    if entry.next == END:
        if source == NONE:
            cluster.commit_tail = before
        else:
            state.stages[source].commit_tail = before
    entry.count = 0
    entry.next = cluster.free_commit
    cluster.free_commit = c


@inner
def admit(state: State, tables: Tables, index: int, profile: int, arrival_ms: float) -> None:
    """Give a job a slot, and write its stages there."""
    cluster = state.cluster[0]
    cluster.num_free_slots -= 1
    slot = state.free_slots[cluster.num_free_slots]
    state.active[cluster.num_active] = slot
    cluster.num_active += 1
    head, job = tables.profiles[profile], state.jobs[slot]
    job.index, job.profile, job.num_stages, job.num_done = index, profile, head.num_stages, 0
    job.executors, job.incoming, job.candidates, job.num_frontier = 0, 0, 0, 0
    job.unsaturated = head.num_stages
    job.pool_head, job.pool_tail, job.pool_size = END, END, 0
    job.arrival_ms, job.work_s, job.remaining_s = arrival_ms, head.work_s, head.work_s
    job.granted, job.weight = 0, np.nan
    set_level(state, tables, slot)
    for i in range(head.num_stages):
        _write_stage(state, tables, slot, i)


@inner
def _write_stage(state: State, tables: Tables, slot: int, i: int) -> None:
    cluster, job = state.cluster[0], state.jobs[slot]
    s = slot * state.max_stages + i
    stage, source = state.stages[s], tables.stages[tables.profiles[job.profile].first_stage + i]
    stage.job, stage.num_tasks, stage.mean_ms, stage.path_s = slot, source.num_tasks, source.mean_ms, source.path_s
    stage.started, stage.finished, stage.planned, stage.executors = 0, 0, 0, 0
    stage.open_parents, stage.unsaturated_parents = source.num_parents, source.num_parents
    stage.candidate, stage.selected, stage.runnable = 0, 0, 0
    stage.commit_head, stage.commit_tail = END, END
    stage.first_child, stage.end_child = source.first_child, source.end_child
    stage.first_draw, stage.trouble = source.first_draw, source.trouble
    stage.key = stage_key(cluster.key, job.index, i)
    if source.num_parents == 0:
        frontier_add(state, s)
    refresh(state, s)


@inner
def frontier_add(state: State, s: int) -> None:
    stage = state.stages[s]
    job = state.jobs[stage.job]
    stage.runnable = 1
    state.frontier[stage.job * state.max_stages + job.num_frontier] = s
    job.num_frontier += 1


@inner
def frontier_remove(state: State, s: int) -> None:
    stage = state.stages[s]
    job = state.jobs[stage.job]
    first = stage.job * state.max_stages
    stage.runnable = 0
    at = first
    while state.frontier[at] != s:
        at += 1
    job.num_frontier -= 1
    for i in range(at, first + job.num_frontier):
        state.frontier[i] = state.frontier[i + 1]


@inner
def open_children(state: State, tables: Tables, s: int) -> bool:
    """A stage is finished: children without open parents become runnable. True if there are any."""
    stage = state.stages[s]
    state.jobs[stage.job].num_done += 1
    opened = False
    for edge in range(stage.first_child, stage.end_child):
        child = stage.job * state.max_stages + tables.children[edge]
        state.stages[child].open_parents -= 1
        if state.stages[child].open_parents == 0:
            frontier_add(state, child)
            opened = True
    return opened


@inner
def vacate(state: State, slot: int) -> None:
    cluster = state.cluster[0]
    at = 0
    while state.active[at] != slot:
        at += 1
    cluster.num_active -= 1
    for i in range(at, cluster.num_active):
        state.active[i] = state.active[i + 1]
    state.free_slots[cluster.num_free_slots] = slot
    cluster.num_free_slots += 1


@inner
def log_event(state: State, kind: int, since_ms: float, job: int, s: int, task: int, executor: int) -> None:
    if len(state.log) > 0:
        cluster = state.cluster[0]
        row = state.log[cluster.num_logged]
        row.time_ms, row.since_ms, row.kind = cluster.time_ms, since_ms, kind
        row.job, row.task, row.executor = job, task, executor
        row.stage = s - state.stages[s].job * state.max_stages if s != NONE else -1
        cluster.num_logged += 1
