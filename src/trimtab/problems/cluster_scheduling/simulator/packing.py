# SPDX-License-Identifier: Apache-2.0
"""Rules from packing and from DAG scheduling, in the form that one kind of resource leaves of them."""

from __future__ import annotations

import numpy as np

from .compiled import inner
from .jobs import anyone, critical_stage, others_held, share, sum_weights
from .state import NONE, State


@inner
def critical_path(state: State) -> tuple[int, int]:
    """Of all stages of all jobs, the one with the most work on its path to the end of its job."""
    cluster = state.cluster[0]
    best, most = NONE, -1.0
    for i in range(cluster.num_active):
        slot = state.active[i]
        if state.jobs[slot].candidates > 0:
            s = critical_stage(state, slot)
            if state.stages[s].path_s > most:
                best, most = s, state.stages[s].path_s
    return best, cluster.num_source


@inner
def tetris(state: State, weight: float) -> tuple[int, int]:
    """The stage that packs best, and then the shorter job (Grandl et al., SIGCOMM 2014).

    Tetris scores a task by the product of what it demands and what is free, and
    adds the job's remaining work with a weight. With one resource, what a stage
    demands is as many executors as it has tasks left to give away; a stage that
    has to wait for others demands nothing yet, and comes last.
    """
    cluster = state.cluster[0]
    least = np.inf
    for i in range(cluster.num_active):
        job = state.jobs[state.active[i]]
        if job.candidates > 0:
            least = min(least, job.remaining_s)
    best, top = NONE, -np.inf
    for i in range(cluster.num_active):
        slot = state.active[i]
        if state.jobs[slot].candidates > 0:
            shortness = weight * (least + 1e-3) / (state.jobs[slot].remaining_s + 1e-3)
            first = slot * state.max_stages
            for s in range(first, first + state.jobs[slot].num_stages):
                stage = state.stages[s]
                if stage.candidate == 1:
                    packed = min(1.0, (stage.num_tasks - stage.planned) / cluster.num_source)
                    packed -= 0.0 if stage.runnable == 1 else 1e6
                    if packed + shortness > top:
                        best, top = s, packed + shortness
    return best, cluster.num_source


@inner
def graphene(state: State, alpha: float, threshold: float) -> tuple[int, int]:
    """Troublesome stages first, on tuned weighted fair shares: the Graphene* of Decima's section 7.1.

    A stage is troublesome when its work is at least `threshold` times that of the
    heaviest stage of its job (Grandl et al., OSDI 2016); what leads to one goes
    before what does not, each in critical-path order.
    """
    cluster = state.cluster[0]
    total = sum_weights(state, alpha)
    source = cluster.source_job
    best, most = NONE, 0
    for i in range(cluster.num_active):
        slot = state.active[i]
        if state.jobs[slot].candidates > 0:
            room = share(state, slot, total) - others_held(state, slot)
            if slot == source and room > 0:
                return _troublesome_stage(state, slot, threshold), min(room, cluster.num_source)
            if room > most:
                best, most = slot, room
    if best != NONE:
        return _troublesome_stage(state, best, threshold), min(most, cluster.num_source)
    return anyone(state)


@inner
def _troublesome_stage(state: State, slot: int, threshold: float) -> int:
    first = slot * state.max_stages
    best, most = NONE, -1.0
    for s in range(first, first + state.jobs[slot].num_stages):
        stage = state.stages[s]
        if stage.candidate == 1:
            score = (
                stage.path_s + (1e12 if stage.trouble >= threshold else 0.0) + (1e24 if stage.runnable == 1 else 0.0)
            )
            if score > most:
                best, most = s, score
    return best
