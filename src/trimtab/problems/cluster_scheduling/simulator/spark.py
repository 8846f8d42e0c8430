# SPDX-License-Identifier: Apache-2.0
"""Spark's own scheduling on our cluster: what `TaskSchedulerImpl` does within one application.

Unlike in Decima's model a task slot belongs to nobody: whenever it is free it
takes the next task of the first stage in line, whoever's that is.

FIFO
    the stage of the Spark job that was submitted first, in it the lowest stage.
FAIR
    each job has a pool of equal weight: the one with the fewest running tasks, in it
    as above. Equal ones go by the pool's name (`FairSchedulingAlgorithm`), so with few
    slots and many pools the order of the names decides most; here it is that of arrival.

Slots of one executor share its JVM: a stage's code is loaded once, so those of its
tasks that start before any is finished are a first wave, and all others the rest.

A SQL query submits several Spark jobs one after another, so under FIFO its later
ones queue behind queries that came meanwhile. A Spark job is submitted when the
driver stage before it (`JobProfile.driver`) ends. Driver stages go first: the
driver doesn't ask the scheduler. In local mode they keep a core busy all the same.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..problem import Floats, Ints, JobProfile
from .cluster import admit, set_level, unbind_job, unbind_stage
from .compiled import compiled
from .engine import DONE, FULL, LOG_FULL, STALLED, _log, _open_children, _start, _vacate
from .policy import CompiledPolicy, as_parameters
from .rules import EXTERNAL
from .state import JOB_ARRIVED, NONE, TASK_DONE, State
from .tables import Tables
from .timeline import replay

FIFO: Final = 0.0
FAIR: Final = 1.0


def spark_fifo(profiles: tuple[JobProfile, ...]) -> CompiledPolicy:
    """``spark.scheduler.mode=FIFO``, for streams of these profiles."""
    return CompiledPolicy("spark_fifo", EXTERNAL, _parameters(FIFO, profiles), run_spark)


def spark_fair(profiles: tuple[JobProfile, ...]) -> CompiledPolicy:
    """``spark.scheduler.mode=FAIR`` with a pool for each job, for streams of these profiles."""
    return CompiledPolicy("spark_fair", EXTERNAL, _parameters(FAIR, profiles), run_spark)


def _parameters(mode: float, profiles: tuple[JobProfile, ...]) -> Floats:
    """The mode, then 1 for each driver stage and 0 for any other, in the order of the tables."""
    driver = [np.zeros(p.num_stages) if p.driver is None else p.driver for p in profiles]
    return as_parameters([mode, *np.concatenate(driver)])


@compiled
def run_spark(state: State, tables: Tables, jobs: Ints, arrival_ms: Floats, kind: int, parameters: Floats) -> int:
    """In place of `engine.run`. A stage's `path_s` holds when its Spark job was submitted."""
    cluster = state.cluster[0]
    cluster.num_source = 0
    if cluster.events == 0 and cluster.decisions == 0:
        for i in range(cluster.num_active):  # those that were there from the beginning
            _submit(state, state.active[i], 0.0)
    while True:
        _assign(state, tables, parameters)
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
            _arrive(state, tables, jobs[cluster.next_job], arrival)
        elif soonest < np.inf:
            cluster.time_ms = soonest
            _end_task(state, tables, e, parameters)
        else:
            return DONE if cluster.num_active == 0 else STALLED
        cluster.events += 1


@compiled
def _assign(state: State, tables: Tables, parameters: Floats) -> None:
    """Every free slot takes a task, while there are any."""
    cluster = state.cluster[0]
    for e in range(cluster.num_executors):
        executor = state.executors[e]
        if executor.time_ms == np.inf:
            s = _next_stage(state, tables, parameters)
            if s == NONE:
                return
            cluster.decisions += 1
            slot = state.stages[s].job
            if executor.job != slot:
                _join(state, tables, e, slot)
            state.jobs[slot].granted += 1
            if state.stages[s].finished > 0:
                _warm(state, e, s)
            _start(state, tables, e, s)


@compiled
def _warm(state: State, e: int, s: int) -> None:
    """As if the slot had worked on the stage before: another thread of its JVM has."""
    if state.executors[e].stage != s:
        unbind_stage(state, e)
        state.executors[e].stage = s
        state.stages[s].executors += 1


@compiled
def _join(state: State, tables: Tables, e: int, slot: int) -> None:
    before = state.executors[e].job
    unbind_job(state, e)
    if before != NONE:
        set_level(state, tables, before)
    state.executors[e].job = slot
    state.jobs[slot].executors += 1
    set_level(state, tables, slot)


@compiled
def _next_stage(state: State, tables: Tables, parameters: Floats) -> int:
    """The first runnable stage in line. A job's `granted` is its number of running tasks."""
    best, best_running, best_submitted = NONE, np.inf, np.inf
    for i in range(state.cluster[0].num_active):
        job = state.jobs[state.active[i]]
        first = state.active[i] * state.max_stages
        running = job.granted + i / (state.cluster[0].num_active + 1.0) if parameters[0] == FAIR else 0.0
        for f in range(first, first + job.num_frontier):
            s = state.frontier[f]
            if parameters[1 + tables.profiles[job.profile].first_stage + s - first] == 1.0:
                return int(s)
            submitted = state.stages[s].path_s
            if running < best_running or (running == best_running and submitted < best_submitted):
                best, best_running, best_submitted = s, running, submitted
    return int(best)


@compiled
def _arrive(state: State, tables: Tables, profile: int, arrival_ms: float) -> None:
    cluster = state.cluster[0]
    cluster.time_ms = arrival_ms
    admit(state, tables, cluster.next_job, profile, arrival_ms)
    _submit(state, state.active[cluster.num_active - 1], arrival_ms)
    _log(state, JOB_ARRIVED, arrival_ms, cluster.next_job, NONE, -1, -1)
    cluster.next_job += 1


@compiled
def _end_task(state: State, tables: Tables, e: int, parameters: Floats) -> None:
    cluster, executor = state.cluster[0], state.executors[e]
    executor.time_ms = np.inf
    replay(state, e)
    s = executor.stage
    stage = state.stages[s]
    job = state.jobs[stage.job]
    cluster.busy_ms += cluster.time_ms - executor.since_ms
    _log(state, TASK_DONE, executor.since_ms, job.index, s, executor.task, e)
    job.granted -= 1
    stage.finished += 1
    if stage.finished == stage.num_tasks:
        _open_children(state, tables, s)
        _submit_children(state, tables, s, parameters)
        if job.num_done == job.num_stages:
            _end_job(state, stage.job)


@compiled
def _submit(state: State, slot: int, time_ms: float) -> None:
    """A job's first stages. (Those that wait for a driver stage get its end.)"""
    first = slot * state.max_stages
    for f in range(first, first + state.jobs[slot].num_frontier):
        state.stages[state.frontier[f]].path_s = time_ms


@compiled
def _submit_children(state: State, tables: Tables, s: int, parameters: Floats) -> None:
    """After the driver comes a Spark job; after a stage, more of its own."""
    stage = state.stages[s]
    first = stage.job * state.max_stages
    driver = parameters[1 + tables.profiles[state.jobs[stage.job].profile].first_stage + s - first] == 1.0
    since = state.cluster[0].time_ms if driver else stage.path_s
    for edge in range(stage.first_child, stage.end_child):
        state.stages[first + tables.children[edge]].path_s = since


@compiled
def _end_job(state: State, slot: int) -> None:
    cluster = state.cluster[0]
    state.done_ms[state.jobs[slot].index] = cluster.time_ms
    for e in range(cluster.num_executors):
        if state.executors[e].job == slot:
            unbind_job(state, e)
    _vacate(state, slot)
