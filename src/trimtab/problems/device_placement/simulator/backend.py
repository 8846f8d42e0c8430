# SPDX-License-Identifier: Apache-2.0
"""The fast model as a backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.core.outcome import Outcome

from ..bounds import load_bound, step_time_bound
from ..problem import Floats, Placement, PlacementInstance, memory
from . import engine
from .liveness import live_memory
from .pack import Ints32, Packed, pack, ranks


@dataclass(frozen=True)
class Simulator:
    """Step time, load and memory of a placement; nothing is random, so the seed does not matter."""

    def evaluate(self, instance: PlacementInstance, decision: Placement, *, seed: int) -> Outcome:
        flaw = decision.flaw(instance)
        if flaw:
            return Outcome({}, feasible=False, note=flaw)
        packed = pack(instance)
        device = decision.device.astype(np.int32)
        state = engine.new_state(packed)
        step = engine.makespan(packed, device, ranks(instance, decision.priority), state)
        load = float(engine.loads(packed, device).max())
        used = memory(instance, decision.device)
        least_step, least_load = step_time_bound(instance), load_bound(instance)
        live: dict[str, float] = {}
        if instance.topology.links != "max_load":
            start, end = _times(packed, device, state)
            live["live_memory"] = float(live_memory(instance, decision.device, start, end).max())
        return Outcome(
            {
                "step_time": float(step),
                "step_time_ratio": float(step) / least_step if least_step else 1.0,
                "max_load": load,
                "max_load_ratio": load / least_load if least_load else 1.0,
                "peak_memory": float(used.max()),
                "memory_ratio": float((used / np.maximum(instance.topology.memory_bytes, 1.0)).max()),
                **live,
            }
        )

    def evaluate_many(self, instance: PlacementInstance, decisions: Sequence[Placement], *, seed: int) -> list[Outcome]:
        return [self.evaluate(instance, decision, seed=seed) for decision in decisions]


def timeline(instance: PlacementInstance, decision: Placement) -> tuple[Floats, Floats]:
    """Start and end of every op, s.  ((ops,), (ops,))  In max_load links there is no order, and so no timeline."""
    packed = pack(instance)
    state = engine.new_state(packed)
    device = decision.device.astype(np.int32)
    engine.makespan(packed, device, ranks(instance, decision.priority), state)
    return _times(packed, device, state)


def _times(packed: Packed, device: Ints32, state: engine.State) -> tuple[Floats, Floats]:
    """Start and end of every op of the run that `state` has made."""
    start = state.ops["start"].copy()
    return start, start + packed.cost[np.arange(len(start)), device]


def step_times(
    instance: PlacementInstance,
    devices: Any,
    priority: Floats | None = None,
) -> Floats:
    """Step times of many placements at once, unchecked: ``(placements, ops) -> (placements,)`` s."""
    return engine.makespans(pack(instance), np.ascontiguousarray(devices, np.int32), ranks(instance, priority))
