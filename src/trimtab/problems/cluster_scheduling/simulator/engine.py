# SPDX-License-Identifier: Apache-2.0
"""The event loop: Decima's simulator (hongzimao/decima-sim, env.py), event for event.

Whenever executors are left without work, a *round* begins: the policy selects a
stage and how many of the waiting executors it may have, again and again until
all are promised; then those that are free leave, and the others follow when
their tasks are done. An executor keeps its stage while that has tasks. A move
to another job takes a while; who arrives too late takes the first thing to do.
"""

from __future__ import annotations

import numpy as np

from ..problem import REST, Floats, Ints
from .assignment import fulfil, run_next, start_task, take_anything
from .cluster import (
    admit,
    commit,
    drop_commit,
    log_event,
    open_children,
    plan,
    pool_add,
    pool_remove,
    refresh,
    set_level,
    unbind_job,
    vacate,
)
from .compiled import compiled, inlined, inner
from .rules import EXTERNAL, decide
from .state import END, EXECUTOR_ARRIVED, JOB_ARRIVED, NONE, TASK_DONE, State
from .tables import Tables
from .timeline import clear, replay

#: Why `run` came back.
DONE, DECIDE, STALLED, FULL, LOG_FULL = range(5)


@compiled
def begin(
    state: State,
    tables: Tables,
    jobs: Ints,
    arrival_ms: Floats,
    num_executors: int,
    moving_delay_ms: float,
    horizon_ms: float,
    seed: int,
) -> None:
    """An empty cluster, all executors waiting; jobs that arrive at 0 are there already."""
    cluster = state.cluster[0]
    cluster.time_ms, cluster.horizon_ms, cluster.moving_delay_ms = 0.0, horizon_ms, moving_delay_ms
    cluster.busy_ms, cluster.moving_ms = 0.0, 0.0
    cluster.threads, cluster.worked_ms = 0, 0.0
    cluster.key, cluster.order, cluster.events, cluster.decisions, cluster.num_logged = seed, 0, 0, 0, 0
    cluster.num_executors, cluster.num_slots = num_executors, len(state.jobs)
    cluster.num_active, cluster.num_candidates, cluster.num_selected = 0, 0, 0
    cluster.num_free_slots = len(state.jobs) - 1
    for i in range(cluster.num_free_slots):
        state.free_slots[i] = cluster.num_free_slots - i
    for c in range(len(state.commits)):
        state.commits[c].next = c + 1
        state.commits[c].count = 0
    cluster.free_commit, cluster.commit_head, cluster.commit_tail = 0, END, END
    state.done_ms[:] = np.nan
    clear(state)
    _gather(state, num_executors)
    cluster.next_job = 0
    while cluster.next_job < len(jobs) and arrival_ms[cluster.next_job] == 0:
        admit(state, tables, cluster.next_job, jobs[cluster.next_job], 0.0)
        cluster.next_job += 1


@inner
def _gather(state: State, num_executors: int) -> None:
    """Every executor in the pool of no job, and waiting for a decision."""
    nobody = state.jobs[NONE]
    nobody.pool_head, nobody.pool_tail, nobody.pool_size = END, END, 0
    for e in range(num_executors):
        executor = state.executors[e]
        executor.job, executor.stage, executor.moving, executor.target = NONE, NONE, 0, NONE
        pool_add(state, e, NONE)
    _consult_pool(state, NONE)


@compiled
def run(
    state: State,
    tables: Tables,
    jobs: Ints,
    arrival_ms: Floats,
    kind: int,
    parameters: Floats,
) -> int:
    """Go on until all jobs are done, or something outside is needed."""
    return _loop(state, tables, jobs, arrival_ms, kind, parameters)


@inner
def _loop(state: State, tables: Tables, jobs: Ints, arrival_ms: Floats, kind: int, parameters: Floats) -> int:
    cluster = state.cluster[0]
    while True:
        if cluster.num_source > 0:
            if cluster.num_candidates == 0:
                _select(state, tables, NONE, cluster.num_source)
            elif kind == EXTERNAL:
                return DECIDE
            else:
                stage, limit = decide(state, tables, kind, parameters)
                cluster.decisions += 1
                _select(state, tables, stage, limit)
            continue
        if 0 < len(state.log) <= cluster.num_logged:
            return LOG_FULL
        e = state.winners[1]
        soonest = state.executors[e].time_ms
        arrival = arrival_ms[cluster.next_job] if cluster.next_job < len(jobs) else np.inf
        if min(arrival, soonest) > cluster.horizon_ms:
            cluster.time_ms = cluster.horizon_ms
            return DONE
        if arrival <= soonest and arrival < np.inf:
            if cluster.num_free_slots == 0:
                return FULL
            _job_arrives(state, tables, jobs[cluster.next_job], arrival)
        elif soonest < np.inf:
            cluster.time_ms = soonest
            state.executors[e].time_ms = np.inf
            if state.executors[e].moving == 1:
                _executor_arrives(state, tables, e)
            else:
                _task_ends(state, tables, e)
            if state.executors[e].time_ms == np.inf:
                replay(state, e)
        else:
            return DONE if cluster.num_active == 0 else STALLED
        cluster.events += 1


@compiled
def select(state: State, tables: Tables, target: int, limit: int) -> None:
    """Promise up to `limit` waiting executors to a stage (NONE: all of them idle). Ends the round with the last one."""
    _select(state, tables, target, limit)


@inner
def _select(state: State, tables: Tables, target: int, limit: int) -> None:
    cluster = state.cluster[0]
    if target == NONE:
        count = cluster.num_source
        commit(state, cluster.source_stage, NONE, count, 0)
    else:
        stage = state.stages[target]
        count = max(1, min(limit, stage.num_tasks - stage.planned, cluster.num_source))
        foreign = 1 if stage.job != cluster.source_job else 0
        commit(state, cluster.source_stage, target, count, foreign)
        state.jobs[stage.job].incoming += foreign * count
        stage.selected = 1
        state.selected[cluster.num_selected] = target
        cluster.num_selected += 1
        plan(state, tables, target, count)
        refresh(state, target)
    cluster.num_source -= count
    if cluster.num_source == 0:
        for i in range(cluster.num_selected):
            state.stages[state.selected[i]].selected = 0
            refresh(state, state.selected[i])
        cluster.num_selected = 0
        _send_off(state, tables)


@inner
def _send_off(state: State, tables: Tables) -> None:
    """Free executors leave for where they were promised to."""
    cluster = state.cluster[0]
    source = cluster.source_stage
    for i in range(cluster.num_ready):
        head = cluster.commit_head if source == NONE else state.stages[source].commit_head
        if head == END:
            break
        fulfil(state, tables, state.ready[i], head)


@inner
def _consult_pool(state: State, slot: int) -> None:
    """A round for a job's free executors."""
    cluster, job = state.cluster[0], state.jobs[slot]
    cluster.source_job, cluster.source_stage = slot, NONE
    cluster.num_source = cluster.num_ready = job.pool_size
    e = job.pool_head
    for i in range(job.pool_size):
        state.ready[i] = e
        e = state.executors[e].next


@inner
def _consult_one(state: State, e: int, num_source: int) -> None:
    """A round for `num_source` executors of a stage, of which one can leave now."""
    cluster, executor = state.cluster[0], state.executors[e]
    cluster.source_job, cluster.source_stage = executor.job, executor.stage
    cluster.num_source, cluster.num_ready = num_source, 1
    state.ready[0] = e


@inner
def _job_arrives(state: State, tables: Tables, profile: int, arrival_ms: float) -> None:
    cluster = state.cluster[0]
    cluster.time_ms = arrival_ms
    index = cluster.next_job
    admit(state, tables, index, profile, arrival_ms)
    cluster.next_job += 1
    log_event(state, JOB_ARRIVED, arrival_ms, index, NONE, -1, -1)
    if state.jobs[NONE].pool_size > 0:
        _consult_pool(state, NONE)


@inner
def _executor_arrives(state: State, tables: Tables, e: int) -> None:
    cluster, executor = state.cluster[0], state.executors[e]
    target = executor.target
    executor.moving, executor.target = 0, NONE
    cluster.moving_ms += cluster.time_ms - executor.since_ms
    if target == NONE:
        log_event(state, EXECUTOR_ARRIVED, executor.since_ms, -1, NONE, -1, e)
        take_anything(state, tables, e)
        return
    stage = state.stages[target]
    job = state.jobs[stage.job]
    log_event(state, EXECUTOR_ARRIVED, executor.since_ms, job.index, target, -1, e)
    executor.job = stage.job
    job.executors += 1
    job.incoming -= 1
    set_level(state, tables, stage.job)
    if stage.started == stage.num_tasks:
        plan(state, tables, target, -1)
        take_anything(state, tables, e)
    elif stage.runnable == 1:
        start_task(state, tables, e, target)
    else:
        plan(state, tables, target, -1)
        pool_add(state, e, stage.job)


@inlined
def _task_ends(state: State, tables: Tables, e: int) -> None:
    cluster, executor = state.cluster[0], state.executors[e]
    s = executor.stage
    stage = state.stages[s]
    cluster.busy_ms += cluster.time_ms - executor.since_ms
    log_event(state, TASK_DONE, executor.since_ms, state.jobs[stage.job].index, s, executor.task, e)
    stage.finished += 1
    if stage.started < stage.num_tasks:
        plan(state, tables, s, 1)
        run_next(state, tables, e, s, REST)
    else:
        _leave_stage(state, tables, e, s)


@inner
def _leave_stage(state: State, tables: Tables, e: int, s: int) -> None:
    """The stage has no more tasks for an executor: it follows its commitment, or asks."""
    stage = state.stages[s]
    slot = stage.job
    opened = stage.finished == stage.num_tasks and open_children(state, tables, s)
    if opened:
        if stage.commit_head != END:
            fulfil(state, tables, e, stage.commit_head)
        else:
            pool_add(state, e, slot)
        _consult_pool(state, slot)
    elif stage.commit_head != END:
        fulfil(state, tables, e, stage.commit_head)
    else:
        _consult_one(state, e, stage.executors)
    if state.jobs[slot].num_done == state.jobs[slot].num_stages:
        _job_ends(state, slot)


@inner
def _job_ends(state: State, slot: int) -> None:
    """Its executors belong to no job; who was promised or moving to it has nowhere to go."""
    cluster, job = state.cluster[0], state.jobs[slot]
    state.done_ms[job.index] = cluster.time_ms
    first, end = slot * state.max_stages, (slot + 1) * state.max_stages
    for c in range(len(state.commits)):
        if state.commits[c].count > 0 and first <= state.commits[c].target < end:
            drop_commit(state, c)
    e = job.pool_head
    while e != END:
        following = state.executors[e].next
        pool_remove(state, e)
        pool_add(state, e, NONE)
        e = following
    for e in range(cluster.num_executors):
        if state.executors[e].job == slot:
            unbind_job(state, e)
        if first <= state.executors[e].target < end:
            state.executors[e].target = NONE
    if cluster.source_job == slot:
        cluster.source_job, cluster.source_stage = NONE, NONE
    vacate(state, slot)
