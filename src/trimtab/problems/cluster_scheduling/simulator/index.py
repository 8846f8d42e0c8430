# SPDX-License-Identifier: Apache-2.0
"""An index rule: every job has a price, the best is served, on as many executors as pay for themselves.

For a job and a parallelism p the profile gives two numbers: S(p), how long the
rest of the job takes, and W(p), the executor time that it uses up. A second of
S delays this job; a second of W delays, through the cluster, all who wait
behind it. So a job's parallelism is argmin S(p) + price * W(p), where the price
grows with the number of jobs behind. Jobs are then ranked by an index: the
logarithms of S and W at that p, where the waiting executors are, and what the
job holds already. A small network looks at the same things and corrects both
the index and the parallelism. SRPT is a special case.

The parameters are found by evolution (`learned/evolved.py`).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..problem import Floats
from .compiled import compiled, inner
from .curves import GRID
from .jobs import others_held
from .state import NONE, State
from .tables import Tables

#: The rule's own parameters, and where evolution starts: what a first one, of the rule alone, ended with on
#: training streams. The network's weights follow them.
START: Final = {
    "log_price": 1.59,  # price = exp(log_price) * crowd ^ price_power / executors
    "price_power": 2.74,
    "log_cap": 1.5,  # cap = p * exp(log_cap)
    "span": -0.96,  # weight of -log S beside -log W in the index
    "stay": 3.07,  # bonus of the job that the waiting executors belong to
    "held": -0.41,  # weight of executors held / cap
    "waits": 0.26,  # penalty of a job whose best stage has to wait for another
    "over_cap": 2.7,  # penalty of a job at its cap
    "log_stage_price": 0.37,  # as log_price, for the executors of one stage
    "stage_price_power": -0.85,
    "path": 2.12,  # stage order: weight of the log of the heaviest path ahead
    "stage_work": -1.25,  # ... of the log of the stage's own work
    "move": 1.67,  # weight of a move and a fresh start in the stage's price
    "small": 2.15,  # bonus of a stage with fewer tasks than executors wait
    "entry": 1.0,  # weight of moves and fresh starts in the job's price
    "behind": 1.57,  # crowd: all jobs, or (at 1) those with more work left
    "excess": 1.1,  # penalty that grows with what a job holds over its cap
    "progress": -0.82,  # bonus of a job that is nearly done
    "stage_waits": 3.86,  # stage order: penalty of a stage that has to wait for another
    "backlog": 0.15,  # price *= (1 + s of the whole cluster ahead) ^ backlog
}
(
    LOG_PRICE, PRICE_POWER, LOG_CAP, SPAN, STAY, HELD, WAITS, OVER_CAP, LOG_STAGE_PRICE, STAGE_PRICE_POWER,
    PATH, STAGE_WORK, MOVE, SMALL, ENTRY, BEHIND, EXCESS, PROGRESS, STAGE_WAITS, BACKLOG,
) = range(len(START))  # fmt: skip

FEATURES: Final = 14
HIDDEN: Final = 8
_W1: Final = len(START)
_B1: Final = _W1 + FEATURES * HIDDEN
_W2: Final = _B1 + HIDDEN
_B2: Final = _W2 + 2 * HIDDEN
SIZE: Final = _B2 + 2

_G: Final = len(GRID)
_S: Final = 2  # places in a job's memo: after what it was made for, S and W over the grid
_W: Final = 2 + _G
_USUAL: Final = 5  # place in the grid of the parallelism at which stages are compared
_TINY: Final = 1e-3  # s


def prior() -> Floats:
    """Where evolution starts: the rule alone, before a network with random features and no say.  (SIZE,)"""
    values = np.zeros(SIZE)
    values[: len(START)] = list(START.values())
    values[_W1:_B1] = 0.4 * np.random.default_rng(1).normal(size=_B1 - _W1)
    return values


@compiled
def index_rule(state: State, tables: Tables, parameters: Floats) -> tuple[int, int]:
    """The best stage of the job with the highest index, and how many executors it is worth."""
    cluster = state.cluster[0]
    backlog_s = _backlog_s(state)
    best, top, room = NONE, -np.inf, 0
    features = np.empty(FEATURES)
    for i in range(cluster.num_active):
        slot = state.active[i]
        if state.jobs[slot].candidates > 0:
            refresh_memo(state, tables, slot)
            s = _best_stage(state, tables, slot, parameters)
            score, cap = _index(state, tables, slot, s, backlog_s, features, parameters)
            if score > top:
                best, top, room = s, score, int(np.ceil(cap)) - others_held(state, slot)
    return best, _worth(state, tables, best, room, parameters)


@inner
def _backlog_s(state: State) -> float:
    """How long all executors together would work on what is there."""
    cluster = state.cluster[0]
    work_s = 0.0
    for i in range(cluster.num_active):
        work_s += state.jobs[state.active[i]].remaining_s
    return float(work_s / cluster.num_executors)


@inner
def refresh_memo(state: State, tables: Tables, slot: int) -> None:
    """S(p) and W(p), s, of the job's tasks that have not started, unless they are still those of last time."""
    job, memo = state.jobs[slot], state.memo[slot]
    if memo[0] == job.remaining_s and memo[1] == job.index:
        return
    memo[0], memo[1] = job.remaining_s, job.index
    memo[_S:] = 0.0
    first, row = slot * state.max_stages, tables.profiles[job.profile].first_stage
    for i in range(job.num_stages):
        stage = state.stages[first + i]
        left = float(stage.num_tasks - stage.started)
        if left > 0:
            begins = 1.0 if stage.started == 0 else 0.0
            expected = tables.curves[row + i]
            for g in range(_G):
                p = float(GRID[g])
                rest, extra = expected[2, g], begins * (expected[1, g] - expected[2, g])
                memo[_S + g] += max(left / p, 1.0) * rest + extra
                memo[_W + g] += left * rest + min(left, p) * extra


@inner
def _best_stage(state: State, tables: Tables, slot: int, parameters: Floats) -> int:
    """The job's candidate on a long path that is runnable and has little work of its own."""
    job, waiting = state.jobs[slot], state.cluster[0].num_source
    first, row = slot * state.max_stages, tables.profiles[job.profile].first_stage
    best, top = NONE, -np.inf
    for i in range(job.num_stages):
        stage = state.stages[first + i]
        if stage.candidate == 1:
            left = stage.num_tasks - stage.planned
            work = tables.curves[row + i, 1, _USUAL] + left * tables.curves[row + i, 2, _USUAL]
            score = parameters[PATH] * np.log(stage.path_s + _TINY) + parameters[STAGE_WORK] * np.log(work + _TINY)
            if stage.runnable == 0:
                score -= parameters[STAGE_WAITS]
            if left < waiting:
                score += parameters[SMALL]
            if score > top:
                best, top = first + i, score
    return best


@inner
def _index(
    state: State, tables: Tables, slot: int, s: int, backlog_s: float, x: Floats, parameters: Floats
) -> tuple[float, float]:
    """A job's index, and its cap on executors."""
    cluster, job, stage, memo = state.cluster[0], state.jobs[slot], state.stages[s], state.memo[slot]
    expected = tables.curves[tables.profiles[job.profile].first_stage + s - slot * state.max_stages]
    held, here = others_held(state, slot), slot == cluster.source_job
    behind = _jobs_behind(state, slot)
    price = _price(state, behind, backlog_s, parameters)
    enter_s = parameters[ENTRY] * 1e-3 * cluster.moving_delay_ms
    at = _parallelism(memo, expected, price, held + (cluster.num_source if here else 0), enter_s, parameters[ENTRY])
    span, work = memo[_S + at], memo[_W + at]
    x[0] = np.log(work + _TINY) * 0.3 - 1.0
    x[1] = np.log(span + _TINY) * 0.3 - 0.5
    x[2] = np.log(GRID[at]) * 0.5 - 1.0
    x[3] = np.log(memo[_S + _G - 1] + _TINY) * 0.3 - 0.5
    x[4] = np.log1p(held) * 0.5 - 0.5
    x[5] = 1.0 if here else 0.0
    x[6] = float(stage.runnable)
    x[7] = job.remaining_s / max(job.work_s, _TINY)
    x[8] = np.log(cluster.num_active) * 0.5 - 1.0
    x[9] = behind / cluster.num_active
    x[10] = np.log(cluster.num_source) * 0.5
    x[11] = np.log(stage.num_tasks - stage.planned) * 0.4 - 1.0
    x[12] = np.log((expected[1, at] + 0.01) / (expected[2, at] + 0.01)) * 0.5
    x[13] = np.log1p(backlog_s) * 0.3 - 1.0
    score, log_cap = _network(x, parameters)
    cap = max(1.0, GRID[at] * np.exp(parameters[LOG_CAP] + log_cap))
    score -= np.log(work + _TINY) + parameters[SPAN] * np.log(span + _TINY)
    score += parameters[HELD] * min(2.0, held / cap) + parameters[PROGRESS] * (1.0 - x[7])
    if here:
        score += parameters[STAY]
    if stage.runnable == 0:
        score -= parameters[WAITS]
    if held >= cap:
        score -= parameters[OVER_CAP] + parameters[EXCESS] * held / cap
    return score, cap


@inner
def _jobs_behind(state: State, slot: int) -> int:
    """Jobs with more work left."""
    behind = 0
    for i in range(state.cluster[0].num_active):
        if state.jobs[state.active[i]].remaining_s > state.jobs[slot].remaining_s:
            behind += 1
    return behind


@inner
def _price(state: State, behind: int, backlog_s: float, parameters: Floats) -> float:
    """Of an executor second, in seconds of the job's own."""
    cluster = state.cluster[0]
    crowd = 1.0 + (1.0 - parameters[BEHIND]) * (cluster.num_active - 1) + parameters[BEHIND] * behind
    price = np.exp(parameters[LOG_PRICE]) * max(crowd, 0.1) ** parameters[PRICE_POWER] / cluster.num_executors
    return float(price * (1.0 + backlog_s) ** parameters[BACKLOG])


@inner
def _parallelism(memo: Floats, expected: Floats, price: float, here: int, move_s: float, entry: float) -> int:
    """The place in the grid of argmin S + price * W; executors from elsewhere cost a move and a fresh start."""
    best, least = 0, np.inf
    for g in range(_G):
        coming = max(0, GRID[g] - here)
        cost = memo[_S + g] + price * (memo[_W + g] + coming * (move_s + entry * expected[0, g]))
        if cost < least:
            best, least = g, cost
    return best


@inner
def _network(x: Floats, parameters: Floats) -> tuple[float, float]:
    """One hidden layer: corrections of the index and of the log of the cap."""
    score, log_cap = parameters[_B2], parameters[_B2 + 1]
    for h in range(HIDDEN):
        z = parameters[_B1 + h]
        for f in range(FEATURES):
            z += parameters[_W1 + h * FEATURES + f] * x[f]
        z = np.tanh(z)
        score += parameters[_W2 + h] * z
        log_cap += parameters[_W2 + HIDDEN + h] * z
    return score, log_cap


@inner
def _worth(state: State, tables: Tables, s: int, room: int, parameters: Floats) -> int:
    """How many executors a stage is worth: its own time against the executor time that it takes."""
    cluster, stage = state.cluster[0], state.stages[s]
    row = tables.profiles[state.jobs[stage.job].profile].first_stage + s - stage.job * state.max_stages
    expected, left = tables.curves[row], stage.num_tasks - stage.planned
    crowd = float(cluster.num_active) ** parameters[STAGE_PRICE_POWER]
    price = np.exp(parameters[LOG_STAGE_PRICE]) * crowd / cluster.num_executors
    best, least = 1, np.inf
    for g in range(_G):
        p = min(GRID[g], left)
        start = expected[1, g]
        if stage.job != cluster.source_job:
            start = parameters[MOVE] * (expected[0, g] + 1e-3 * cluster.moving_delay_ms)
        time_s = start + (max(left / p, 1.0) - 1.0) * expected[2, g]
        cost = time_s + price * (p * start + (left - p) * expected[2, g])
        if cost < least:
            best, least = p, cost
        if GRID[g] >= left:
            break
    return max(1, min(best, room))
