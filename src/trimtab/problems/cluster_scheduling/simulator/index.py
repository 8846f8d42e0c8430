# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Final

import numpy as np

from ..problem import Floats
from .compiled import compiled
from .curves import GRID
from .jobs import others_held
from .state import NONE, State
from .tables import Tables

PARAMETERS: Final = (
    "log_price",
    "price_power",
    "log_cap",
    "span",
    "stay",
    "held",
    "age",
    "not_runnable",
    "over_cap",
    "log_stage_price",
    "stage_price_power",
    "path",
    "stage_work",
    "move",
    "small",
    "spread",
    "entry",
    "behind",
    "relax",
    "crowd",
    "progress",
    "critical",
)
_G: Final = len(GRID)
_TINY: Final = 1e-3


@compiled
def index_rule(state: State, tables: Tables, parameters: Floats) -> tuple[int, int]:
    cluster = state.cluster[0]
    best, top, room = NONE, -np.inf, 0
    jobs = cluster.num_active
    for i in range(jobs):
        slot = state.active[i]
        job = state.jobs[slot]
        if job.candidates > 0:
            _refresh_curves(state, tables, slot)
            behind = 0
            for k in range(jobs):
                if state.jobs[state.active[k]].remaining_s > job.remaining_s:
                    behind += 1
            crowd = 1.0 + (1.0 - parameters[17]) * (jobs - 1) + parameters[17] * behind
            price = np.exp(parameters[0]) * max(crowd, 0.1) ** parameters[1] / cluster.num_executors
            held = others_held(state, slot)
            row = tables.profiles[job.profile].first_stage
            s = _best_stage(state, tables, slot, parameters)
            local = row + s - slot * state.max_stages
            mine = held + (cluster.num_source if slot == cluster.source_job else 0)
            at, least = 0, np.inf
            for g in range(_G):
                p = GRID[g]
                enter = parameters[16] * (1e-3 * cluster.moving_delay_ms + tables.curves[local, 0, g])
                more = max(0, p - mine)
                cost = state.memo[slot, 2 + g] + price * (state.memo[slot, 2 + _G + g] + more * enter)
                if cost < least:
                    at, least = g, cost
            cap = max(1.0, GRID[at] * np.exp(parameters[2]))
            span, work = state.memo[slot, 2 + at], state.memo[slot, 2 + _G + at]
            score = -np.log(work + _TINY) - parameters[3] * np.log(span + _TINY)
            if slot == cluster.source_job:
                score += parameters[4]
            score += parameters[5] * min(2.0, held / cap)
            score += parameters[6] * np.log1p(1e-3 * (cluster.time_ms - job.arrival_ms))
            score += parameters[20] * (1.0 - job.remaining_s / job.work_s)
            if state.stages[s].runnable == 0:
                score -= parameters[7]
            if held >= cap:
                score -= parameters[8] + parameters[18] * held / cap
            if score > top:
                best, top, room = s, score, np.int64(np.ceil(cap)) - held
    return best, _limit(state, tables, best, room, parameters)


@compiled
def _refresh_curves(state: State, tables: Tables, slot: int) -> None:
    job = state.jobs[slot]
    if state.memo[slot, 0] == job.remaining_s and state.memo[slot, 1] == job.index:
        return
    memo = state.memo[slot]
    memo[0], memo[1] = job.remaining_s, job.index
    first, row = slot * state.max_stages, tables.profiles[job.profile].first_stage
    memo[2:] = 0.0
    for i in range(job.num_stages):
        stage = state.stages[first + i]
        left = float(stage.num_tasks - stage.started)
        if left > 0:
            fresh_start = 1.0 if stage.started == 0 else 0.0
            expected = tables.curves[row + i]
            for g in range(_G):
                p = float(GRID[g])
                rest, extra = expected[2, g], fresh_start * (expected[1, g] - expected[2, g])
                memo[2 + g] += max(left / p, 1.0) * rest + extra
                memo[2 + _G + g] += left * rest + min(left, p) * extra


@compiled
def _best_stage(state: State, tables: Tables, slot: int, parameters: Floats) -> int:
    job, waiting = state.jobs[slot], state.cluster[0].num_source
    first, row = slot * state.max_stages, tables.profiles[job.profile].first_stage
    best, top = NONE, -np.inf
    for i in range(job.num_stages):
        stage = state.stages[first + i]
        if stage.candidate == 1:
            left = stage.num_tasks - stage.planned
            work = tables.curves[row + i, 1, 5] + left * tables.curves[row + i, 2, 5]
            score = parameters[11] * np.log(stage.path_s + _TINY) + parameters[12] * np.log(work + _TINY)
            if stage.runnable == 0:
                score -= parameters[21]
            if left < waiting:
                score += parameters[14]
            if score > top:
                best, top = first + i, score
    return best


@compiled
def _limit(state: State, tables: Tables, s: int, room: int, parameters: Floats) -> int:
    cluster, stage = state.cluster[0], state.stages[s]
    row = tables.profiles[state.jobs[stage.job].profile].first_stage + s - stage.job * state.max_stages
    expected = tables.curves[row]
    left = stage.num_tasks - stage.planned
    price = np.exp(parameters[9]) * cluster.num_active ** parameters[10] / cluster.num_executors
    foreign = stage.job != cluster.source_job
    best, least = 1, np.inf
    for g in range(_G):
        p = min(GRID[g], left)
        start = expected[1, g]
        if foreign:
            start = parameters[13] * (expected[0, g] + 1e-3 * cluster.moving_delay_ms)
        waves = max(left / p, 1.0) - 1.0
        cost = start + waves * expected[2, g] + price * (p * start + (left - p) * expected[2, g])
        if cost < least:
            best, least = p, cost
        if GRID[g] >= left:
            break
    share = np.int64(np.ceil(cluster.num_source * min(1.0, np.exp(parameters[15]))))
    return max(1, min(best, share, max(room, 1)))
