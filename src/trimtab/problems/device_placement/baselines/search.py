# SPDX-License-Identifier: Apache-2.0
"""Searches over units' devices, and where queues have them over priorities, compiled with the simulator.

Each spends simulator calls: as many as the task's budget has, or as fit into its
seconds, or `CALLS` where it has neither. The calls are made by compiled code on the
same model that judges, and are counted in the task like any other evaluation. All
minimise the step time; bytes that do not fit are charged 10 % of it per percent of
a device's memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from trimtab.core.errors import BudgetSpent, UnknownName
from trimtab.core.task import Task
from trimtab.kit.compiled import compiled

from ..problem import Floats, Ints, Placement, PlacementInstance
from ..simulator.engine import State, makespan, new_state, overfull
from ..simulator.pack import Ints32, Packed, ranks
from .common import Prepared, prepare, repaired, upward_rank
from .constructed import best_constructed

CALLS: Final = 20_000
CHUNK: Final = 200_000  # ops simulated between two looks at the clock: a few ms
PENALTY: Final = 10.0
PATIENCE: Final = 4  # times all single moves without a better placement, before hill climbing starts anew


class Space(NamedTuple):
    """What a search moves in: units, their ops, and where each can run."""

    members: Ints32
    member_start: Ints32
    unit: Ints32
    allowed: Any  # (units, devices) bool
    prioritised: bool


@dataclass
class Best:
    """The best decision so far, and how many simulator calls it took."""

    value: float
    unit_device: Ints
    priority: Floats
    calls: int = 0


class Search:
    """One of `SEARCHES`; `warm` begins from the best constructed placement, `start` from one that you have."""

    track = "search"

    def __init__(self, name: str, *, warm: bool = False, start: Placement | None = None, **options: Any) -> None:
        if name not in SEARCHES:
            raise UnknownName("search", name, SEARCHES)
        self.name, self.warm, self.options = name, warm, options
        self.weights = {} if start is None else {"start": start.device}
        self._start = start

    @property
    def config(self) -> dict[str, Any]:
        return {"search": self.name, "warm": self.warm, **self.options}

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        instance = task.instance
        ready = prepare(instance)
        meter = Meter(task)
        if self._start is not None:
            start = units_of(instance, ready, self._start)
        elif self.warm:
            start = warm_start(instance, ready, task.seed, meter)
        else:
            start = cold_start(instance, ready, task.seed)
        best = SEARCHES[self.name](instance, ready, start, meter, task.seed, self.options)
        placement = finished(instance, ready, best)
        meter.settle(placement)
        return placement


class Meter:
    """Simulator calls that a task allows. One is kept back, to try the result through the task itself."""

    def __init__(self, task: Task[PlacementInstance, Placement]) -> None:
        self._task = task
        self._chunk = min(500, max(16, CHUNK // task.instance.graph.num_ops))
        self._evaluations, self._seconds = task.remaining.evaluations, task.remaining.seconds
        self._until = time.perf_counter() + self._seconds
        self.spent = 0
        if not np.isfinite(self._evaluations):
            self._evaluations = np.inf if np.isfinite(self._seconds) else CALLS

    def left(self) -> int:
        """How many calls may be made before the next look at the clock."""
        if time.perf_counter() >= self._until:
            return 0
        return int(max(0, min(self._chunk, self._evaluations - 1 - self.spent)))

    def progress(self, more: int = 0) -> float:
        """Share of the budget that is spent, or will be after so many calls more; in time, `more` does not count."""
        if np.isfinite(self._evaluations):
            return float(min(1.0, (self.spent + more) / max(1, self._evaluations - 1)))
        return float(min(1.0, 1.0 - (self._until - time.perf_counter()) / max(self._seconds, 1e-9)))

    def settle(self, placement: Placement) -> None:
        """Count the calls, and evaluate the result."""
        self._task.evaluations += self.spent
        try:
            self._task.evaluate(placement)
        except BudgetSpent:  # the seconds ran out meanwhile, or there was no evaluation to begin with
            return


def space(instance: PlacementInstance, ready: Prepared) -> Space:
    return Space(
        ready.members,
        ready.member_start,
        ready.unit,
        np.isfinite(ready.unit_cost),
        instance.topology.queue == "priority",
    )


def warm_start(instance: PlacementInstance, ready: Prepared, seed: int, meter: Meter) -> tuple[Ints, Floats]:
    """Devices of units and priorities of ops of the best constructed placement that the budget allows to look for."""
    best, calls = best_constructed(instance, seed, meter.left())
    meter.spent += calls
    return units_of(instance, ready, best)


def units_of(instance: PlacementInstance, ready: Prepared, placement: Placement) -> tuple[Ints, Floats]:
    """Devices of units and priorities of ops of a placement; upward ranks where it has none."""
    first = ready.members[ready.member_start[:-1]]
    priority = upward_rank(ready, instance) if placement.priority is None else placement.priority
    return placement.device[first], np.asarray(priority, np.float64)


def cold_start(instance: PlacementInstance, ready: Prepared, seed: int) -> tuple[Ints, Floats]:
    """Random devices, and upward ranks."""
    rng = np.random.default_rng(seed)
    keys = np.where(np.isfinite(ready.unit_cost), rng.random(ready.unit_cost.shape), -1.0)
    return keys.argmax(axis=1), upward_rank(ready, instance)


def finished(instance: PlacementInstance, ready: Prepared, best: Best) -> Placement:
    device = repaired(instance, np.asarray(best.unit_device, np.int64))
    return Placement(device[ready.unit], best.priority if instance.topology.queue == "priority" else None)


@compiled
def value_of(p: Packed, unit: Ints32, unit_device: Ints32, device: Ints32, rank: Ints32, state: State) -> float:
    """Step time of units' devices, with the penalty for memory."""
    for i in range(len(unit)):
        device[i] = unit_device[unit[i]]
    return makespan(p, device, rank, state) * (1.0 + PENALTY * overfull(p, device))


@compiled
def values_of(p: Packed, unit: Ints32, unit_devices: Ints32, ranks_: Ints32) -> Floats:
    """Of many, with a ranking each, or one for all.  (placements,) s"""
    state, device = new_state(p), np.zeros(len(unit), np.int32)
    out = np.empty(len(unit_devices))
    for b in range(len(unit_devices)):
        rank = ranks_[b] if len(ranks_) > 1 else ranks_[0]
        out[b] = value_of(p, unit, unit_devices[b], device, rank, state)
    return out


@compiled
def walk(
    p: Packed, s: Space, current: Ints32, best: Ints32, importance: Floats, best_importance: Floats, rank: Ints32,
    state: State, values: Floats, calls: int, hot: float, cold: float, seed: int,
) -> None:  # fmt: skip
    """`calls` steps of annealing (or of hill climbing, where hot is 0): one unit moves, or two ops change priorities.

    The heat falls geometrically from `hot` to `cold`, as shares of the current value.
    `values` holds the current and the best value; arrays are changed in place.
    """
    np.random.seed(seed)
    units, k = s.allowed.shape
    device = np.zeros(len(s.unit), np.int32)
    for step in range(calls):
        heat = hot * (cold / hot) ** (step / max(1, calls - 1)) if hot > 0.0 else 0.0
        if s.prioritised and np.random.random() < 0.3:
            a, b = np.random.randint(len(rank)), np.random.randint(len(rank))
            rank[a], rank[b] = rank[b], rank[a]
            importance[a], importance[b] = importance[b], importance[a]
            value = value_of(p, s.unit, current, device, rank, state)
            if accepted(value, values[0], heat):
                values[0] = value
            else:
                rank[a], rank[b] = rank[b], rank[a]
                importance[a], importance[b] = importance[b], importance[a]
        else:
            u, d = np.random.randint(units), np.random.randint(k)
            before = current[u]
            if d == before or not s.allowed[u, d]:
                d = (d + 1) % k
                if d == before or not s.allowed[u, d]:
                    continue
            current[u] = d
            value = value_of(p, s.unit, current, device, rank, state)
            if accepted(value, values[0], heat):
                values[0] = value
            else:
                current[u] = before
        if values[0] < values[1]:
            values[1] = values[0]
            best[:] = current
            best_importance[:] = importance


@compiled
def accepted(value: float, current: float, heat: float) -> bool:
    if value <= current:
        return True
    return heat > 0.0 and np.random.random() < np.exp((current - value) / (heat * current))


def _walk(
    instance: PlacementInstance, ready: Prepared, start: tuple[Ints, Floats], meter: Meter, seed: int,
    options: Mapping[str, Any],
) -> Best:  # fmt: skip
    """Simulated annealing, cooled over the whole budget; without heat it is hill climbing with restarts."""
    p, s, state = ready.packed, space(instance, ready), new_state(ready.packed)
    current, importance = start[0].astype(np.int32), start[1].astype(np.float64).copy()
    rank = _ranks(instance, importance)
    device = np.zeros(len(ready.unit), np.int32)
    value = value_of(p, ready.unit, current, device, rank, state)
    meter.spent += 1
    best, best_importance, values = current.copy(), importance.copy(), np.array([value, value])
    hot, cold = options.get("hot", 0.0), options.get("cold", 1e-4)
    leg = stale = 0
    while (calls := meter.left()) > 0:
        before = values[0]
        now, then = (hot * (cold / hot) ** meter.progress(more) if hot else 0.0 for more in (0, calls))
        walk(p, s, current, best, importance, best_importance, rank, state, values, calls, now, then,
             (seed + leg) % (1 << 31))  # fmt: skip
        meter.spent += calls
        leg += 1
        stale = 0 if values[0] < before else stale + calls
        if (
            hot == 0.0 and stale >= PATIENCE * current.size * ready.unit_cost.shape[1]
        ):  # hill climbing has arrived: begin elsewhere
            stale = 0
            fresh = cold_start(instance, ready, seed + leg)
            current[:] = fresh[0]
            importance[:] = fresh[1]
            rank = _ranks(instance, importance)
            values[0] = np.inf
    return Best(float(values[1]), best.astype(np.int64), best_importance, meter.spent)


def _ranks(instance: PlacementInstance, importance: Floats) -> Ints32:
    return ranks(instance, importance)


def _random(
    instance: PlacementInstance, ready: Prepared, start: tuple[Ints, Floats], meter: Meter, seed: int,
    options: Mapping[str, Any],
) -> Best:  # fmt: skip
    """Independent uniform draws."""
    rng = np.random.default_rng(seed)
    rank = _ranks(instance, start[1])[None]
    best = Best(np.inf, start[0], start[1])
    while (calls := meter.left()) > 0:
        count = min(calls, 256)
        keys = rng.random((count, *ready.unit_cost.shape), np.float32)
        drawn = np.where(np.isfinite(ready.unit_cost), keys, -1.0).argmax(axis=2).astype(np.int32)
        if meter.spent == 0:
            drawn[0] = start[0]
        values = values_of(ready.packed, ready.unit, drawn, rank)
        meter.spent += count
        if values.min() < best.value:
            best = Best(float(values.min()), drawn[values.argmin()].astype(np.int64), start[1], meter.spent)
    return best


def _cross_entropy(
    instance: PlacementInstance, ready: Prepared, start: tuple[Ints, Floats], meter: Meter, seed: int,
    options: Mapping[str, Any],
) -> Best:  # fmt: skip
    """Cross-entropy method, a distribution over devices for each unit: Post (NeurIPS 2018) without its PPO."""
    rng = np.random.default_rng(seed)
    population, elite, rate = options.get("population", 200), options.get("elite", 0.1), options.get("rate", 0.3)
    allowed = np.isfinite(ready.unit_cost)
    chance = allowed / allowed.sum(axis=1, keepdims=True)
    rank = _ranks(instance, start[1])[None]
    best = Best(np.inf, start[0], start[1])
    while (calls := meter.left()) > 0:
        count = min(calls, population)
        edges = np.cumsum(chance, axis=1)[None]
        drawn = (rng.random((count, len(chance), 1)) > edges).sum(axis=2).clip(0, chance.shape[1] - 1).astype(np.int32)
        drawn = np.where(np.take_along_axis(allowed, drawn.T, 1).T, drawn, ready.unit_cost.argmin(axis=1)).astype(
            np.int32
        )
        values = values_of(ready.packed, ready.unit, np.ascontiguousarray(drawn), rank)
        meter.spent += count
        order = np.argsort(values, kind="stable")
        if values[order[0]] < best.value:
            best = Best(float(values[order[0]]), drawn[order[0]].astype(np.int64), start[1], meter.spent)
        chosen = drawn[order[: max(1, int(elite * count))]]
        share = np.stack([(chosen == d).mean(axis=0) for d in range(chance.shape[1])], axis=1)
        chance = (1 - rate) * chance + rate * share
        chance = np.where(allowed, np.maximum(chance, 1e-3), 0.0)
        chance /= chance.sum(axis=1, keepdims=True)
    return best


def _brkga(
    instance: PlacementInstance, ready: Prepared, start: tuple[Ints, Floats], meter: Meter, seed: int,
    options: Mapping[str, Any],
) -> Best:  # fmt: skip
    """Biased random-key genetic algorithm (Goncalves and Resende 2011), as REGAL (ICLR 2020) uses it.

    A key per unit chooses its device; where queues have priorities, a key per op is its priority.
    """
    rng = np.random.default_rng(seed)
    size = options.get("population", 100)
    elites, mutants, bias = max(1, int(0.2 * size)), max(1, int(0.15 * size)), 0.7
    units = len(ready.unit_cost)
    extra = len(ready.unit) if instance.topology.queue == "priority" else 0
    allowed = np.isfinite(ready.unit_cost)
    choice = np.argsort(~allowed, axis=1, kind="stable")  # possible devices first
    count = allowed.sum(axis=1)
    best = Best(np.inf, start[0], start[1])

    def decode(keys: Floats) -> tuple[Any, Any]:
        at = (keys[:, :units] * count).astype(np.int64).clip(0, count - 1)
        device = np.take_along_axis(choice, at.T, 1).T.astype(np.int32)
        if not extra:
            return device, _ranks(instance, start[1])[None]
        return device, np.stack([_ranks(instance, row) for row in keys[:, units:]])

    def judge(keys: Floats) -> Floats:
        nonlocal best
        device, rank = decode(keys)
        values = values_of(ready.packed, ready.unit, np.ascontiguousarray(device), np.ascontiguousarray(rank))
        meter.spent += len(keys)
        at = int(values.argmin())
        if values[at] < best.value:
            priority = keys[at, units:].copy() if extra else start[1]
            best = Best(float(values[at]), device[at].astype(np.int64), priority, meter.spent)
        return np.asarray(values)

    allowance = meter.left()
    if allowance <= 0:
        return best
    keys = rng.random((min(size, allowance), units + extra))
    values = judge(keys)
    while (calls := meter.left()) > 0 and len(keys) == size:
        order = np.argsort(values, kind="stable")
        keys, values = keys[order], values[order]
        mother = rng.integers(0, elites, size - elites - mutants)
        father = rng.integers(elites, size, size - elites - mutants)
        mask = rng.random((len(mother), units + extra)) < bias
        fresh = np.concatenate([np.where(mask, keys[mother], keys[father]), rng.random((mutants, units + extra))])[
            :calls
        ]
        fresh_values = judge(fresh)
        keys = np.concatenate([keys[:elites], fresh, keys[elites + len(fresh) :]])
        values = np.concatenate([values[:elites], fresh_values, values[elites + len(fresh) :]])
    return best


Run = Callable[
    [PlacementInstance, Prepared, tuple[Ints, Floats], Meter, int, Mapping[str, Any]],
    Best,
]

SEARCHES: Final[Mapping[str, Run]] = {
    "random": _random,
    "walk": _walk,
    "cross_entropy": _cross_entropy,
    "brkga": _brkga,
}

__all__ = ["SEARCHES", "Search", "values_of"]
