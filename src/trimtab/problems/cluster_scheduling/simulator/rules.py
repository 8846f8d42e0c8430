# SPDX-License-Identifier: Apache-2.0
"""Scheduling rules that run inside the event loop.

`decide` is called while executors wait and at least one stage may be selected.
It answers with a stage (its number in `State.stages`; NONE: the executors stay
idle) and with how many of the waiting executors the stage may have at most.

To look at what may be selected: jobs in the order of their arrival are
``state.active[:cluster.num_active]``; a job has ``candidates`` of them, the
stages ``s`` in ``range(slot * max_stages, slot * max_stages + num_stages)``
with ``state.stages[s].candidate == 1``. `state.py` says what each field means.
A new kind is a function with the arguments of the others, one number, and one
line in `decide`.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..problem import Floats
from .compiled import inner
from .draws import mix, upper
from .index import index_rule
from .jobs import anyone, critical_stage, first_stage, others_held, share, sum_weights
from .packing import critical_path, graphene, tetris
from .state import NONE, State
from .tables import Tables

#: Kinds of rule. EXTERNAL: somebody outside the loop decides.
EXTERNAL, RANDOM, FIFO, SJF_CP, WEIGHTED_FAIR, RELEASING_FAIR, SRPT, CRITICAL_PATH, TETRIS, GRAPHENE, INDEX = range(11)

_NOBODY: Final = -1


@inner
def decide(state: State, tables: Tables, kind: int, parameters: Floats) -> tuple[int, int]:
    """(stage, limit) of the rule of that kind."""
    if kind == INDEX:
        return index_rule(state, tables, parameters)
    if kind == SRPT:
        return srpt(state, parameters[0], parameters[1])
    if kind == WEIGHTED_FAIR:
        return weighted_fair(state, parameters[0])
    if kind == RELEASING_FAIR:
        return releasing_fair(state, parameters[0])
    if kind == FIFO:
        return fifo(state)
    if kind == SJF_CP:
        return sjf_cp(state)
    if kind == CRITICAL_PATH:
        return critical_path(state)
    if kind == TETRIS:
        return tetris(state, parameters[0])
    if kind == GRAPHENE:
        return graphene(state, parameters[0], parameters[1])
    return random(state)


@inner
def random(state: State) -> tuple[int, int]:
    """Any candidate, any limit, alike likely; the same ones again for the same seed."""
    cluster = state.cluster[0]
    word = mix(np.uint64(cluster.key) ^ mix(np.uint64(cluster.decisions + 1)))
    left = upper(word, cluster.num_candidates)
    limit = 1 + upper(mix(word), cluster.num_source)
    at = 0
    while state.jobs[state.active[at]].candidates <= left:
        left -= state.jobs[state.active[at]].candidates
        at += 1
    s = state.active[at] * state.max_stages
    while state.stages[s].candidate == 0 or left > 0:
        left -= state.stages[s].candidate
        s += 1
    return s, limit


@inner
def fifo(state: State) -> tuple[int, int]:
    """The oldest job first (decima-sim's SparkAgent, with all executors as its cap).

    As there, a job is sent no more executors than the cluster has, all in all:
    what it has had it finds itself, through rounds for its own executors.
    """
    cluster = state.cluster[0]
    if state.jobs[cluster.source_job].candidates > 0:
        return first_stage(state, cluster.source_job), cluster.num_source
    for i in range(cluster.num_active):
        job = state.jobs[state.active[i]]
        if job.candidates > 0 and job.granted < cluster.num_executors:
            s = first_stage(state, state.active[i])
            stage = state.stages[s]
            room = min(stage.num_tasks - stage.planned, cluster.num_executors - job.granted, cluster.num_source)
            job.granted += room
            return s, room
    return NONE, cluster.num_source


@inner
def sjf_cp(state: State) -> tuple[int, int]:
    """The job with the least total work first; in it, the stage on the critical path."""
    cluster = state.cluster[0]
    best, least = _NOBODY, np.inf
    for i in range(cluster.num_active):
        job = state.jobs[state.active[i]]
        if job.candidates > 0 and job.work_s < least:
            best, least = state.active[i], job.work_s
    return critical_stage(state, best), cluster.num_source


@inner
def weighted_fair(state: State, alpha: float) -> tuple[int, int]:
    """Shares in proportion to (total work)^alpha; alpha = 0 is decima-sim's DynamicPartitionAgent.

    A job keeps its executors while it has stages to give them; others go, in
    order of arrival, to jobs below their share.
    """
    cluster = state.cluster[0]
    if state.jobs[cluster.source_job].candidates > 0:
        return first_stage(state, cluster.source_job), cluster.num_source
    total = sum_weights(state, alpha)
    for i in range(cluster.num_active):
        job = state.jobs[state.active[i]]
        if job.candidates > 0:
            cap = int(np.ceil(cluster.num_executors * job.weight / total))
            held = job.executors + job.incoming
            if held < cap:
                return first_stage(state, state.active[i]), min(cap - held, cluster.num_source)
    return NONE, cluster.num_source


@inner
def releasing_fair(state: State, alpha: float) -> tuple[int, int]:
    """Weighted fair shares that are kept: executors above a job's share go to the job furthest below its own.

    Stages in critical-path order. With everyone at their share, executors stay
    in their job, and what it can't use goes to the first that can.
    """
    cluster = state.cluster[0]
    total = sum_weights(state, alpha)
    source = cluster.source_job
    if state.jobs[source].candidates > 0:
        room = share(state, source, total) - others_held(state, source)
        if room > 0:
            return critical_stage(state, source), min(room, cluster.num_source)
    best, most = _NOBODY, 0
    for i in range(cluster.num_active):
        slot = state.active[i]
        if state.jobs[slot].candidates > 0 and slot != source:
            room = share(state, slot, total) - others_held(state, slot)
            if room > most:
                best, most = slot, room
    if best != _NOBODY:
        return critical_stage(state, best), min(most, cluster.num_source)
    return anyone(state)


@inner
def srpt(state: State, scale: float, power: float) -> tuple[int, int]:
    """The job with the least remaining work first, on at most ceil(scale * remaining_s^power) executors.

    power 0: a constant cap; 1: as many as finish in 1/scale seconds; 0.5: a square
    root. Stages in critical-path order. With every job at its cap, executors stay
    in their job, and what it can't use goes to the first that can.
    """
    cluster = state.cluster[0]
    best, least = _NOBODY, np.inf
    room = 0
    for i in range(cluster.num_active):
        slot = state.active[i]
        job = state.jobs[slot]
        if job.candidates > 0 and job.remaining_s < least:
            free = concave_cap(job.remaining_s, scale, power) - others_held(state, slot)
            if free > 0:
                best, least, room = slot, job.remaining_s, free
    if best != _NOBODY:
        return critical_stage(state, best), min(room, cluster.num_source)
    return anyone(state)


@inner
def concave_cap(remaining_s: float, scale: float, power: float) -> int:
    if power == 0.5:
        cap = scale * np.sqrt(max(remaining_s, 0.0))
    elif power == 0.0:
        cap = scale
    elif power == 1.0:
        cap = scale * remaining_s
    else:
        cap = scale * max(remaining_s, 0.0) ** power
    return max(1, int(np.ceil(cap)))
