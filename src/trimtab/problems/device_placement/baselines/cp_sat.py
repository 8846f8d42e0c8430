# SPDX-License-Identifier: Apache-2.0
"""Constraint programming (OR-Tools CP-SAT): the optimum of small instances, and a bound where time runs out.

The model has links that never contend, or in max_load links the loads of a full
pipeline. A bound on it is a bound on the other link modes, where transfers also
wait for one another. Times are rounded down to whole steps of the horizon's
`STEPS`-th part, so that the bound stays one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from trimtab.core.errors import Unavailable
from trimtab.core.extras import need
from trimtab.core.task import Task
from trimtab.kit.cp_sat import new_solver

from ..problem import Floats, Ints, Placement, PlacementInstance
from ..simulator import timeline
from .common import Prepared, decide, prepare
from .constructed import best_constructed, step_time

STEPS: Final = 200_000
MOST: Final = 4_000  # ops x devices


@dataclass(frozen=True)
class Optimum:
    """What CP-SAT found."""

    unit_device: Ints
    priority: Floats
    value: float  # s, of the model
    bound: float  # s, no placement is below it
    proved: bool


@dataclass(frozen=True)
class CpSat:
    """The best placement found in so much of its deterministic time (a unit is a few seconds), hinted by heuristics."""

    seconds: float = 0.5
    workers: int = 1  # with more the answer is not the same every time
    most: int = 500  # ops x devices; larger instances are declined

    @property
    def config(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "workers": self.workers, "most": self.most}

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        found = optimum(task.instance, self.seconds, self.workers, task.seed, self.most)
        planned = decide(task.instance, found.unit_device, found.priority)
        hint, _ = best_constructed(task.instance, task.seed)
        return min((planned, hint), key=lambda placement: step_time(task.instance, placement))


def optimum(
    instance: PlacementInstance, seconds: float, workers: int = 1, seed: int = 0, most: int = MOST,
    hint: Placement | None = None,
) -> Optimum:  # fmt: skip
    """Search for so long, from `hint` or what heuristics make; `Unavailable` for more than `most` ops x devices."""
    ready, k = prepare(instance), instance.topology.num_devices
    if instance.graph.num_ops * k > most:
        raise Unavailable(f"cp_sat: {instance.graph.num_ops} ops on {k} devices; planned are up to {most} pairs")
    cp = need("ortools.sat.python.cp_model", extra="exact", purpose="cp_sat")
    hint = hint or best_constructed(instance, seed)[0]
    scale = STEPS / max(step_time(instance, hint), 1e-300)
    model = cp.CpModel()
    place = [[model.new_bool_var("") for _ in range(k)] for _ in range(ready.num_units)]
    _assignments(model, place, ready, instance)
    horizon = 2 * STEPS
    if instance.topology.links == "max_load":
        starts: list[Any] = []
        goal = _loads(model, place, ready, scale, horizon)
    else:
        goal, starts = _schedule(model, place, ready, scale, horizon)
    model.minimize(goal)
    unit_hint = hint.device[ready.members[ready.member_start[:-1]]]
    for u, row in enumerate(place):
        for d, var in enumerate(row):
            model.add_hint(var, int(unit_hint[u] == d))
    if starts:
        for start, begin in zip(starts, timeline(instance, hint)[0], strict=True):
            model.add_hint(start, int(begin * scale))  # rounded down, as durations are: the schedule stays one
    solver = new_solver(workers=workers, max_deterministic_time=seconds, random_seed=seed % (1 << 30))
    status = solver.solve(model)
    if status not in (cp.OPTIMAL, cp.FEASIBLE):
        return Optimum(unit_hint, np.zeros(len(ready.unit)), np.inf, solver.best_objective_bound / scale, False)
    device = np.array([int(np.argmax([solver.value(var) for var in row])) for row in place])
    order = np.array([-float(solver.value(s)) for s in starts]) if starts else np.zeros(len(ready.unit))
    return Optimum(
        device, order, solver.objective_value / scale, solver.best_objective_bound / scale, status == cp.OPTIMAL
    )


def _assignments(model: Any, place: Any, ready: Prepared, instance: PlacementInstance) -> None:
    room = instance.topology.memory_bytes
    unit_bytes = np.ceil(ready.unit_bytes)
    for u, row in enumerate(place):
        model.add_exactly_one(row)
        for d, var in enumerate(row):
            if not np.isfinite(ready.unit_cost[u, d]) or ready.unit_bytes[u] + ready.unit_workspace[u] > room[d]:
                model.add(var == 0)
    for d in range(len(room)):
        if np.isfinite(room[d]):
            workspace = model.new_int_var(0, int(np.ceil(ready.unit_workspace.max())), "")
            for u, row in enumerate(place):
                if ready.unit_workspace[u] > 0:
                    model.add(workspace >= int(np.ceil(ready.unit_workspace[u]))).only_enforce_if(row[d])
            held = sum(int(unit_bytes[u]) * row[d] for u, row in enumerate(place))
            model.add(held + workspace <= int(room[d]))


def _schedule(model: Any, place: Any, ready: Prepared, scale: float, horizon: int) -> tuple[Any, list[Any]]:
    p, k = ready.packed, len(ready.packed.overhead)
    n = len(ready.unit)
    starts = [model.new_int_var(0, horizon, "") for _ in range(n)]
    end = model.new_int_var(0, horizon, "")
    lanes: list[list[Any]] = [[] for _ in range(k)]
    ends: list[Any] = []
    for i in range(n):
        row = place[ready.unit[i]]
        spent = [0 if not np.isfinite(c) else int(c * scale) for c in p.cost[i]]
        stop = starts[i] + sum(spent[d] * row[d] for d in range(k))
        ends.append(stop)
        model.add(end >= stop)
        for d in range(k):
            busy = spent[d] + (int(p.overhead[d] * scale) if p.cost[i, d] > 0 else 0)
            if np.isfinite(p.cost[i, d]) and busy:
                lanes[d].append(model.new_optional_fixed_size_interval_var(starts[i], busy, row[d], ""))
    for lane in lanes:
        model.add_no_overlap(lane)
    together: dict[tuple[int, int], Any] = {}
    for t in range(len(p.bytes)):
        i = int(p.tensor_op[t])
        delay = _delay(p, t, scale)
        for j in p.reader[p.reader_start[t] : p.reader_start[t + 1]]:
            a, b = int(ready.unit[i]), int(ready.unit[j])
            model.add(starts[j] >= ends[i])
            if a != b and delay > 0:
                key = (min(a, b), max(a, b))
                if key not in together:
                    together[key] = model.new_bool_var("")
                    for d in range(k):
                        model.add(place[a][d] == place[b][d]).only_enforce_if(together[key])
                model.add(starts[j] >= ends[i] + delay).only_enforce_if(together[key].negated())
    return end, starts


def _loads(model: Any, place: Any, ready: Prepared, scale: float, horizon: int) -> Any:
    p, k = ready.packed, len(ready.packed.overhead)
    load: list[list[Any]] = [[] for _ in range(k)]
    for u, row in enumerate(place):
        for d in range(k):
            if np.isfinite(ready.unit_cost[u, d]):
                load[d].append(int(ready.unit_cost[u, d] * scale) * row[d])
    for t in range(len(p.bytes)):
        maker = int(ready.unit[p.tensor_op[t]])
        readers = {int(ready.unit[j]) for j in p.reader[p.reader_start[t] : p.reader_start[t + 1]]} - {maker}
        takes = _delay(p, t, scale)
        if not readers or not takes:
            continue
        for d in range(k):
            receives, sends = model.new_bool_var(""), model.new_bool_var("")
            for reader in readers:
                model.add_bool_or(place[reader][d].negated(), place[maker][d], receives)
                model.add_bool_or(place[maker][d].negated(), place[reader][d], sends)
            if p.pays[d]:
                load[d] += [takes * receives, takes * sends]
    most = model.new_int_var(0, horizon, "")
    for terms in load:
        model.add(most >= sum(terms))
    return most


def _delay(p: Any, t: int, scale: float) -> int:
    """The least time that tensor t takes between two devices."""
    k = len(p.overhead)
    apart = ~np.eye(k, dtype=bool)
    return 0 if k == 1 else int((p.alpha[apart] + p.beta[apart] * p.bytes[t]).min() * scale)
