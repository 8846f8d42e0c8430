# SPDX-License-Identifier: Apache-2.0
"""How much is left to win over the shipped learned rule on batches?

    TRIMTAB_DATA=... python benchmarks/cluster_scheduling_headroom.py [--quick] [--batches 6]

Three answers, each as a ratio of average JCT to weighted fair with its tuned exponent:

rollouts
    At every decision each likely action is tried and the rule plays on from there, under
    SAMPLES draws of the durations that are not known yet (those of running tasks given how
    long they have run); an action replaces the rule's own if it is better by two standard
    errors. One step of policy iteration (Bertsekas, Rollout, Policy Iteration, and
    Distributed Reinforcement Learning, 2020, chapter 2), at some ten thousand times the
    rule's cost: what a better rule of the same kind could hope for.
rollouts that know
    The same with the true durations: no policy can know them, so what this gains is more
    than any policy can gain by one better decision at a time.
fluid
    Jobs as fluids: at any time each progresses at the rate at which it would be done alone
    on as many executors as it has (simulated, the best of three rules, made concave), and
    executors change jobs at once and for nothing; the best of a family of allocations.
    Optimistic: no moves, no fresh starts after the first, no stage that keeps its executors.

Validation instances: nothing was trained on them, and the test instances stay unseen.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from trimtab.problems.cluster_scheduling.baselines import nearest
from trimtab.problems.cluster_scheduling.learned.evolved import EvolvedIndex
from trimtab.problems.cluster_scheduling.problem import FIRST, REST, JobStream
from trimtab.problems.cluster_scheduling.simulator import policy, simulate
from trimtab.problems.cluster_scheduling.simulator.curves import GRID
from trimtab.problems.cluster_scheduling.simulator.draws import lower, mix, task_word
from trimtab.problems.cluster_scheduling.simulator.engine import DECIDE, DONE, run, select
from trimtab.problems.cluster_scheduling.simulator.index import index_rule
from trimtab.problems.cluster_scheduling.simulator.jobs import critical_stage
from trimtab.problems.cluster_scheduling.simulator.many import pack_streams, simulate_many
from trimtab.problems.cluster_scheduling.simulator.policy import CompiledPolicy
from trimtab.problems.cluster_scheduling.simulator.rules import EXTERNAL, INDEX, SRPT, WEIGHTED_FAIR
from trimtab.problems.cluster_scheduling.simulator.state import NONE, State
from trimtab.problems.cluster_scheduling.simulator.tables import Tables
from trimtab.problems.cluster_scheduling.simulator.timeline import replay
from trimtab.problems.cluster_scheduling.workload import SUITES

SAMPLES: Final = 12
FEW: Final = 3  # after which actions worse than the rule's are dropped
MARGIN: Final = 2.0  # standard errors
MOST_ACTIONS: Final = 48
ALONE_SEEDS: Final = 5

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def rollouts(weights: Floats, samples: int) -> CompiledPolicy:
    """The rule, improved by rollouts. With 0 samples one rollout of each action, under the true durations."""
    return CompiledPolicy("rollouts", EXTERNAL, np.concatenate(([float(samples)], weights)), _run)


@numba.njit(nogil=True)
def _run(state: State, tables: Tables, jobs: Ints, arrival_ms: Floats, kind: int, parameters: Floats) -> int:
    """In place of engine.run, for batches: all jobs are there."""
    samples, weights = int(parameters[0]), parameters[1:]
    stages, limits = np.zeros(MOST_ACTIONS, np.int64), np.zeros(MOST_ACTIONS, np.int64)
    totals = np.zeros((MOST_ACTIONS, max(samples, 1)))
    cluster = state.cluster[0]
    code = run(state, tables, jobs, arrival_ms, EXTERNAL, weights)
    while code == DECIDE:
        count = _actions(state, tables, weights, stages, limits)
        best = 0
        if count > 1:
            for a in range(count):
                _play_on(state, tables, jobs, arrival_ms, weights, stages[a], limits[a], totals[a, :FEW], samples > 0)
            promising = totals[:, :FEW].sum(axis=1) <= totals[0, :FEW].sum()  # the rule's own among them
            for a in range(count):
                if promising[a]:
                    _play_on(state, tables, jobs, arrival_ms, weights, stages[a], limits[a], totals[a], samples > 0)
                else:
                    totals[a] = np.inf
            best = _clearly_best(totals[:count])
        cluster.decisions += 1
        select(state, tables, stages[best], limits[best])
        code = run(state, tables, jobs, arrival_ms, EXTERNAL, weights)
    return code


@numba.njit(nogil=True)
def _play_on(
    state: State,
    tables: Tables,
    jobs: Ints,
    arrival_ms: Floats,
    weights: Floats,
    stage: int,
    limit: int,
    totals: Floats,
    blind: bool,
) -> None:
    """The sum of all completion times, s, when the rule goes on after an action, once for each place in `totals`."""
    for k in range(len(totals)):
        trial = _copy(state)
        if blind:
            _draw_anew(trial, tables, state.cluster[0].decisions * 1000003 + k + 1)
        select(trial, tables, stage, limit)
        finished = run(trial, tables, jobs, arrival_ms, INDEX, weights) == DONE
        totals[k] = trial.done_ms.sum() / 1000 if finished else np.inf


@numba.njit(nogil=True)
def _actions(state: State, tables: Tables, weights: Floats, stages: Ints, limits: Ints) -> int:
    """The rule's own first; it with fewer and with more executors; its job's other stages; other jobs; to wait."""
    cluster, count = state.cluster[0], 1
    own, limit = index_rule(state, tables, weights)
    room = min(cluster.num_source, state.stages[own].num_tasks - state.stages[own].planned)
    limit = min(limit, room)
    stages[0], limits[0] = own, limit
    for other in (limit // 4, limit // 2, limit - 1, limit + 1, 2 * limit, room):
        if 0 < other <= room and other != limit:
            stages[count], limits[count] = own, other
            count += 1
    home = state.stages[own].job
    for s in range(home * state.max_stages, home * state.max_stages + state.jobs[home].num_stages):
        if state.stages[s].candidate == 1 and s != own and count < MOST_ACTIONS - 1:
            stages[count], limits[count] = s, limit
            count += 1
    for i in range(cluster.num_active):
        slot = state.active[i]
        if slot != home and state.jobs[slot].candidates > 0:
            for share in (limit, max(1, limit // 3)):
                if count < MOST_ACTIONS - 1:
                    stages[count], limits[count] = critical_stage(state, slot), share
                    count += 1
    if state.executors[state.winners[1]].time_ms < np.inf:
        stages[count], limits[count] = NONE, cluster.num_source
        count += 1
    return count


@numba.njit(nogil=True)
def _copy(state: State) -> State:
    return State(
        state.cluster.copy(),
        state.jobs.copy(),
        state.stages.copy(),
        state.frontier.copy(),
        state.active.copy(),
        state.free_slots.copy(),
        state.executors.copy(),
        state.winners.copy(),
        state.commits.copy(),
        state.ready.copy(),
        state.selected.copy(),
        state.done_ms.copy(),
        state.log[:0].copy(),
        state.memo.copy(),
        state.max_stages,
    )


@numba.njit(nogil=True)
def _draw_anew(state: State, tables: Tables, salt: int) -> None:
    """Other durations for all tasks that have not ended; a running one gets one that is longer than it has run."""
    cluster = state.cluster[0]
    for i in range(cluster.num_active):
        first = state.active[i] * state.max_stages
        for s in range(first, first + state.jobs[state.active[i]].num_stages):
            state.stages[s].key = mix(state.stages[s].key ^ mix(np.uint64(salt)))
    for e in range(cluster.num_executors):
        executor = state.executors[e]
        if executor.time_ms < np.inf and executor.moving == 0:
            stage = state.stages[executor.stage]
            elapsed_ms = cluster.time_ms - executor.since_ms
            duration_ms = 1.2 * elapsed_ms + 1.0
            word = task_word(stage.key, executor.task)
            for attempt in range(12):
                wave = REST if attempt < 6 else FIRST
                draw = tables.draws[stage.first_draw + state.jobs[stage.job].level + wave]
                drawn_ms = tables.durations[draw.start + lower(word, draw.count)] + draw.delay_ms
                if drawn_ms > elapsed_ms:
                    duration_ms = drawn_ms
                    break
                word = mix(word)
            executor.time_ms = executor.since_ms + duration_ms
            replay(state, e)


@numba.njit(nogil=True)
def _clearly_best(totals: Floats) -> int:
    """Of the actions (rows) that beat the first by MARGIN standard errors, the one with the least mean."""
    best, least = 0, totals[0].mean()
    for a in range(1, len(totals)):
        if totals[a, 0] == np.inf:
            continue
        gain = totals[0] - totals[a]
        error = gain.std() / np.sqrt(max(len(gain) - 1, 1))
        if gain.mean() > MARGIN * error and totals[a].mean() < least:
            best, least = a, totals[a].mean()
    return best


def fluid_s(stream: JobStream, rates: Floats) -> float:
    """Average JCT of the fluid, s: at any time executors go, one by one, to the job whose weighted rate gains most."""
    return min(_fluid_s(rates[stream.jobs], power) for power in np.linspace(0.2, 3.0, 29))


def alone_rates(stream: JobStream, weights: Floats) -> Floats:
    """1 / completion time of each profile alone on p = 0, 1, ... executors, concave.  (profiles, executors + 1) 1/s"""
    most, some = int(stream.num_executors), [int(p) for p in GRID if p <= stream.num_executors]
    profiles = range(len(stream.profiles))
    streams = [
        replace(stream, jobs=np.array([k]), arrival_ms=np.zeros(1), num_executors=p)
        for k in profiles
        for p in some
        for _ in range(ALONE_SEEDS)
    ]
    packed, seeds = pack_streams(streams), np.tile(np.arange(ALONE_SEEDS), len(streams) // ALONE_SEEDS)
    rivals = ((INDEX, weights), (WEIGHTED_FAIR, np.zeros(1)), (SRPT, np.array([1e9, 0.0])))
    jct_s = np.min([simulate_many(packed, kind, vector[None], seeds)[0, :, 0] for kind, vector in rivals], axis=0)
    mean_s = jct_s.reshape(len(profiles), len(some), ALONE_SEEDS).mean(axis=2)
    rates = np.zeros((len(profiles), most + 1))
    for row, spans in zip(rates, mean_s, strict=True):
        row[:] = _concave(np.interp(np.arange(most + 1), [0, *some], [0.0, *np.maximum.accumulate(1 / spans)]))
    return rates


def _concave(values: Floats) -> Floats:
    """The least concave function above."""
    hull = [0]
    for p in range(1, len(values)):
        while len(hull) > 1 and (values[p] - values[hull[-1]]) * (hull[-1] - hull[-2]) >= (
            values[hull[-1]] - values[hull[-2]]
        ) * (p - hull[-1]):
            hull.pop()
        hull.append(p)
    return np.interp(np.arange(len(values)), hull, values[hull])


@numba.njit(nogil=True)
def _fluid_s(rates: Floats, power: float) -> float:
    jobs, most = len(rates), rates.shape[1] - 1
    left, now, total, alive = np.ones(jobs), 0.0, 0.0, jobs
    while alive > 0:
        held = np.zeros(jobs, np.int64)
        for _ in range(most):
            best, top = -1, 0.0
            for j in range(jobs):
                if left[j] > 0 and held[j] < most:
                    gain = (rates[j, held[j] + 1] - rates[j, held[j]]) * (rates[j, most] / left[j]) ** power
                    if gain > top:
                        best, top = j, gain
            if best < 0:
                break
            held[best] += 1
        step = max(1.0, 0.02 * now)
        for j in range(jobs):
            if left[j] > 0 and held[j] > 0:
                step = min(step, left[j] / rates[j, held[j]])
        total += alive * step
        now += step
        for j in range(jobs):
            if left[j] > 0:
                left[j] -= step * rates[j, held[j]]
                if left[j] < 1e-9:
                    left[j] = 0.0
                    alive -= 1
    return total / jobs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one batch")
    parser.add_argument("--batches", type=int, default=4)
    options = parser.parse_args()
    weights = EvolvedIndex().weights["batch"].astype(np.float64)
    streams = list(SUITES["decima-batch"]("validation").values())[: 1 if options.quick else options.batches]
    rival = policy.weighted_fair(*nearest(streams[0]).parameters["weighted_fair"])
    rates = alone_rates(streams[0], weights)
    players = {
        "the rule": policy.CompiledPolicy("rule", INDEX, weights),
        "rollouts": rollouts(weights, SAMPLES),
        "rollouts that know": rollouts(weights, 0),
    }
    logs: dict[str, list[float]] = {name: [] for name in (*players, "fluid")}
    spent = dict.fromkeys(players, 0.0)
    for seed, stream in enumerate(streams):
        fair_s = simulate(stream, rival, seed=seed).metrics["average_jct"]
        for name, player in players.items():
            began = time.process_time()
            logs[name].append(np.log(simulate(stream, player, seed=seed).metrics["average_jct"] / fair_s))
            spent[name] += time.process_time() - began
        logs["fluid"].append(np.log(fluid_s(stream, rates) / fair_s))
        print(
            f"batch {seed + 1}: " + ", ".join(f"{name} {np.exp(log[-1]):.3f}" for name, log in logs.items()), flush=True
        )
    print(f"\naverage JCT / tuned weighted fair, geometric mean over {len(streams)} batches")
    for name, log in logs.items():
        cost = f"   {spent[name] / len(streams):8.2f} CPU s a batch" if name in spent else ""
        print(f"  {name:20} {np.exp(np.mean(log)):.3f}{cost}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
