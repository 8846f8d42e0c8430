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

In local mode the driver's work has the same cores as the tasks. Given their number,
more threads than that share them evenly (processor sharing): all of them work
`sharing * cores / threads` as fast, where `sharing` is what is left of a core's work
when threads take turns on it (1: all). So the loop keeps two clocks. Task ends and driver ends are
dated by the work that one thread could have done until then, in ms; arrivals and all
that is reported by real time.

A SQL query submits several Spark jobs one after another, so under FIFO its later
ones queue behind queries that came meanwhile. A Spark job is submitted when the
driver stage before it (`JobProfile.driver`) ends; the driver needs no slot for that.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from trimtab.core.errors import UsageError

from ..problem import FIRST, Floats, Ints, JobProfile
from .assignment import draw_duration, start_task
from .cluster import admit, frontier_remove, log_event, open_children, set_level, unbind_job, unbind_stage, vacate
from .compiled import compiled, inner
from .engine import DONE, FULL, LOG_FULL, STALLED
from .policy import CompiledPolicy, as_parameters
from .rules import EXTERNAL
from .state import JOB_ARRIVED, NONE, TASK_DONE, State
from .tables import Tables
from .timeline import replay

FIFO: Final = 0.0
FAIR: Final = 1.0


def spark_fifo(profiles: tuple[JobProfile, ...], *, cores: float = math.inf, sharing: float = 1.0) -> CompiledPolicy:
    """``spark.scheduler.mode=FIFO``, for streams of these profiles.

    `cores` that tasks and drivers share, in local mode; by default each has its own.
    `sharing` in (0, 1] is the work of shared cores, as a share of the same cores' unshared.
    """
    return CompiledPolicy("spark_fifo", EXTERNAL, _parameters(FIFO, cores, sharing, profiles), run_spark)


def spark_fair(profiles: tuple[JobProfile, ...], *, cores: float = math.inf, sharing: float = 1.0) -> CompiledPolicy:
    """``spark.scheduler.mode=FAIR`` with a pool for each job; otherwise as `spark_fifo`."""
    return CompiledPolicy("spark_fair", EXTERNAL, _parameters(FAIR, cores, sharing, profiles), run_spark)


def _parameters(mode: float, cores: float, sharing: float, profiles: tuple[JobProfile, ...]) -> Floats:
    """The mode, the cores, their work when shared; then 1 for each driver stage, 0 for others, as the tables go."""
    if not cores > 0:
        raise UsageError(f"cores: {cores}; tasks and drivers need some")
    if not 0 < sharing <= 1:
        raise UsageError(f"sharing: {sharing} is not in (0, 1]")
    driver = [np.zeros(p.num_stages) if p.driver is None else p.driver for p in profiles]
    return as_parameters([mode, cores, sharing * cores, *np.concatenate(driver)])


@compiled
def run_spark(state: State, tables: Tables, jobs: Ints, arrival_ms: Floats, kind: int, parameters: Floats) -> int:
    """In place of `engine.run`.

    A stage's `path_s` holds when its Spark job was submitted, that of a driver stage
    when it will end; a job's `weight` the earliest of these ends. All three by the
    clock of work, and so are the executors' `time_ms`.
    """
    cluster = state.cluster[0]
    cluster.num_source = 0
    if cluster.events == 0 and cluster.decisions == 0:
        for i in range(cluster.num_active):  # those that were there from the beginning
            _submit(state, tables, int(state.active[i]), parameters)
    while True:
        _assign(state, tables, parameters)
        if 0 < len(state.log) <= cluster.num_logged:
            return LOG_FULL
        e = state.winners[1]
        task_end = state.executors[e].time_ms
        driver_end = _next_driver_end(state)
        pace = 1.0 if cluster.threads <= parameters[1] else parameters[2] / cluster.threads
        work_end = cluster.time_ms + (min(task_end, driver_end) - cluster.worked_ms) / pace
        arrival = arrival_ms[cluster.next_job] if cluster.next_job < len(jobs) else np.inf
        soonest = min(arrival, work_end)
        if soonest > cluster.horizon_ms:
            cluster.time_ms = cluster.horizon_ms
            return DONE
        if soonest == np.inf:
            return DONE if cluster.num_active == 0 else STALLED
        if arrival == soonest and cluster.num_free_slots == 0:
            return FULL
        cluster.events += 1
        if arrival == soonest:
            cluster.worked_ms += (arrival - cluster.time_ms) * pace
            cluster.time_ms = arrival
            _arrive(state, tables, int(jobs[cluster.next_job]), parameters)
            continue
        cluster.worked_ms, cluster.time_ms = min(task_end, driver_end), work_end
        if driver_end <= task_end:
            _end_driver(state, tables, parameters)
        else:
            _end_task(state, tables, e, parameters)


@inner
def _assign(state: State, tables: Tables, parameters: Floats) -> None:
    """Every free slot takes a task, while there are any."""
    cluster = state.cluster[0]
    for e in range(cluster.num_executors):
        executor = state.executors[e]
        if executor.time_ms == np.inf:
            s = _next_stage(state, parameters[0] == FAIR)
            if s == NONE:
                return
            cluster.decisions += 1
            slot = state.stages[s].job
            if executor.job != slot:
                _join(state, tables, e, slot)
            state.jobs[slot].granted += 1
            if state.stages[s].finished > 0:
                _warm(state, e, s)
            start_task(state, tables, e, s)
            executor.time_ms += cluster.worked_ms - cluster.time_ms
            replay(state, e)
            cluster.threads += 1


@inner
def _warm(state: State, e: int, s: int) -> None:
    """As if the slot had worked on the stage before: another thread of its JVM has."""
    if state.executors[e].stage != s:
        unbind_stage(state, e)
        state.executors[e].stage = s
        state.stages[s].executors += 1


@inner
def _join(state: State, tables: Tables, e: int, slot: int) -> None:
    before = state.executors[e].job
    unbind_job(state, e)
    if before != NONE:
        set_level(state, tables, before)
    state.executors[e].job = slot
    state.jobs[slot].executors += 1
    set_level(state, tables, slot)


@inner
def _next_stage(state: State, fair: bool) -> int:
    """The first runnable stage in line. A job's `granted` is its number of running tasks."""
    best, best_running, best_submitted = NONE, np.inf, np.inf
    for i in range(state.cluster[0].num_active):
        job = state.jobs[state.active[i]]
        first = state.active[i] * state.max_stages
        running = job.granted + i / (state.cluster[0].num_active + 1.0) if fair else 0.0
        for f in range(first, first + job.num_frontier):
            s = state.frontier[f]
            submitted = state.stages[s].path_s
            if running < best_running or (running == best_running and submitted < best_submitted):
                best, best_running, best_submitted = s, running, submitted
    return int(best)


@inner
def _arrive(state: State, tables: Tables, profile: int, parameters: Floats) -> None:
    cluster = state.cluster[0]
    admit(state, tables, cluster.next_job, profile, cluster.time_ms)
    _submit(state, tables, int(state.active[cluster.num_active - 1]), parameters)
    log_event(state, JOB_ARRIVED, cluster.time_ms, cluster.next_job, NONE, -1, -1)
    cluster.next_job += 1


@inner
def _submit(state: State, tables: Tables, slot: int, parameters: Floats) -> None:
    """A job's first stages; as a rule the driver's."""
    first = slot * state.max_stages
    state.jobs[slot].weight = np.inf
    for f in range(first, first + state.jobs[slot].num_frontier):
        state.stages[state.frontier[f]].path_s = state.cluster[0].worked_ms
    _drive(state, tables, slot, parameters)


@inner
def _drive(state: State, tables: Tables, slot: int, parameters: Floats) -> None:
    """The driver begins with what it can."""
    job = state.jobs[slot]
    f = slot * state.max_stages
    while f < slot * state.max_stages + job.num_frontier:
        s = int(state.frontier[f])
        if _is_driver(state, tables, s, parameters):
            stage = state.stages[s]
            stage.path_s = state.cluster[0].worked_ms + draw_duration(state, tables, s, FIRST)
            state.cluster[0].threads += 1
            job.weight = min(job.weight, stage.path_s)
            stage.started = stage.num_tasks
            frontier_remove(state, s)
        else:
            f += 1


@inner
def _is_driver(state: State, tables: Tables, s: int, parameters: Floats) -> bool:
    slot = state.stages[s].job
    number = tables.profiles[state.jobs[slot].profile].first_stage + s - slot * state.max_stages
    return bool(parameters[3 + number] == 1.0)


@inner
def _next_driver_end(state: State) -> float:
    soonest = np.inf
    for i in range(state.cluster[0].num_active):
        soonest = min(soonest, state.jobs[state.active[i]].weight)
    return float(soonest)


@inner
def _end_driver(state: State, tables: Tables, parameters: Floats) -> None:
    """The driver stage that ends now: Spark jobs are submitted."""
    cluster = state.cluster[0]
    at = 0
    while state.jobs[state.active[at]].weight != cluster.worked_ms:
        at += 1
    job, first = state.jobs[state.active[at]], state.active[at] * state.max_stages
    ended, job.weight = NONE, np.inf
    for s in range(first, first + job.num_stages):
        stage = state.stages[s]
        if stage.started > stage.finished and _is_driver(state, tables, s, parameters):
            if ended == NONE and stage.path_s == cluster.worked_ms:
                ended = s
            else:
                job.weight = min(job.weight, stage.path_s)
    cluster.threads -= 1
    state.stages[ended].finished = state.stages[ended].num_tasks
    _end_stage(state, tables, ended, parameters)


@inner
def _end_task(state: State, tables: Tables, e: int, parameters: Floats) -> None:
    cluster, executor = state.cluster[0], state.executors[e]
    executor.time_ms = np.inf
    replay(state, e)
    s = executor.stage
    stage = state.stages[s]
    job = state.jobs[stage.job]
    cluster.busy_ms += cluster.time_ms - executor.since_ms
    log_event(state, TASK_DONE, executor.since_ms, job.index, s, executor.task, e)
    job.granted -= 1
    cluster.threads -= 1
    stage.finished += 1
    if stage.finished == stage.num_tasks:
        _end_stage(state, tables, s, parameters)


@inner
def _end_stage(state: State, tables: Tables, s: int, parameters: Floats) -> None:
    """Its children: those of the driver are a new Spark job, others belong to the same one."""
    stage = state.stages[s]
    first = stage.job * state.max_stages
    open_children(state, tables, s)
    for edge in range(stage.first_child, stage.end_child):
        state.stages[first + tables.children[edge]].path_s = stage.path_s
    _drive(state, tables, stage.job, parameters)
    if state.jobs[stage.job].num_done == state.jobs[stage.job].num_stages:
        _end_job(state, stage.job)


@inner
def _end_job(state: State, slot: int) -> None:
    cluster = state.cluster[0]
    state.done_ms[state.jobs[slot].index] = cluster.time_ms
    for e in range(cluster.num_executors):
        if state.executors[e].job == slot:
            unbind_job(state, e)
    vacate(state, slot)
