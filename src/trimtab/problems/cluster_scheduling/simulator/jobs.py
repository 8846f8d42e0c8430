# SPDX-License-Identifier: Apache-2.0
"""What rules ask about jobs: what they hold, what is their share, which of their stages is next."""

from __future__ import annotations

import numpy as np

from .compiled import inner
from .state import NONE, State


@inner
def others_held(state: State, slot: int) -> int:
    """Executors that a job has or is promised, without those that wait for this decision."""
    cluster, job = state.cluster[0], state.jobs[slot]
    waiting = cluster.num_source if slot == cluster.source_job else 0
    return int(job.executors + job.incoming - waiting)


@inner
def sum_weights(state: State, alpha: float) -> float:
    """Of the jobs that still have an unsaturated stage; sets each job's `weight`."""
    cluster = state.cluster[0]
    total = 0.0
    for i in range(cluster.num_active):
        job = state.jobs[state.active[i]]
        if np.isnan(job.weight):
            job.weight = max(job.work_s, 1e-9) ** alpha
        if job.unsaturated > 0:
            total += job.weight
    return total


@inner
def share(state: State, slot: int, total: float) -> int:
    return int(np.ceil(state.cluster[0].num_executors * state.jobs[slot].weight / total))


@inner
def anyone(state: State) -> tuple[int, int]:
    """The source's own job if it has a candidate, else the oldest that has."""
    cluster = state.cluster[0]
    if state.jobs[cluster.source_job].candidates > 0:
        return critical_stage(state, cluster.source_job), cluster.num_source
    at = 0
    while state.jobs[state.active[at]].candidates == 0:
        at += 1
    return critical_stage(state, state.active[at]), cluster.num_source


@inner
def first_stage(state: State, slot: int) -> int:
    """The candidate that became runnable first; if none is, the first in the job."""
    first = slot * state.max_stages
    for i in range(first, first + state.jobs[slot].num_frontier):
        if state.stages[state.frontier[i]].candidate == 1:
            return int(state.frontier[i])
    s = first
    while state.stages[s].candidate == 0:
        s += 1
    return int(s)


@inner
def critical_stage(state: State, slot: int) -> int:
    """The candidate with the most work on its path to the end of the job; runnable ones go first."""
    first = slot * state.max_stages
    best, most = NONE, -1.0
    for i in range(first, first + state.jobs[slot].num_frontier):
        stage = state.stages[state.frontier[i]]
        if stage.candidate == 1 and stage.path_s > most:
            best, most = int(state.frontier[i]), stage.path_s
    if best == NONE:
        for s in range(first, first + state.jobs[slot].num_stages):
            stage = state.stages[s]
            if stage.candidate == 1 and stage.path_s > most:
                best, most = s, stage.path_s
    return best
