# SPDX-License-Identifier: Apache-2.0
"""Placements that are run: the backends ``processes`` and ``emulated``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np

from trimtab.core.errors import Unavailable
from trimtab.core.outcome import Outcome

from ..bounds import load_bound, step_time_bound
from ..problem import DeviceTopology, Floats, Ints, OpGraph, Placement, PlacementInstance, memory
from ..program.reading import Runnable, runnable
from ..simulator.pack import ranks
from .session import Emulated, Measured, Processes, Session

REPEATS: Final = 3  # steps that count; one before them warms up


class _Running:
    """A backend that keeps its processes from one placement to the next."""

    exclusive = True

    def __init__(self, repeats: int = REPEATS) -> None:
        self.repeats = repeats
        self._session: Processes | None = None
        self._loaded: PlacementInstance | None = None

    def evaluate(self, instance: PlacementInstance, decision: Placement, *, seed: int) -> Outcome:
        """The median of the steps' times. Memory is reckoned, as the simulator does."""
        flaw = decision.flaw(instance)
        if flaw:
            return Outcome({}, feasible=False, note=flaw)
        session = self._ready(instance)
        rank = ranks(instance, decision.priority).tolist()
        steps = [session.step(decision.device, rank) for _ in range(self.repeats + 1)][1:]
        step = float(np.median([each.step_time for each in steps]))
        load = float(np.median([loads(each, instance.graph, decision.device).max() for each in steps]))
        used = memory(instance, decision.device)
        least_step, least_load = step_time_bound(instance), load_bound(instance)
        return Outcome(
            {
                "step_time": step,
                "step_time_ratio": step / least_step if least_step else 1.0,
                "max_load": load,
                "max_load_ratio": load / least_load if least_load else 1.0,
                "peak_memory": float(used.max()),
                "memory_ratio": float((used / np.maximum(instance.topology.memory_bytes, 1.0)).max()),
            }
        )

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = self._loaded = None

    def _ready(self, instance: PlacementInstance) -> Processes:
        if self._session is None or self._session.closed or instance is not self._loaded:
            self.close()
            self._session = self._start(instance)
            self._loaded = instance
        return self._session

    def _start(self, instance: PlacementInstance) -> Processes:
        raise NotImplementedError


class RealProcesses(_Running):
    """Runs the ops of a module: of a shipped graph, or of one in `modules`, by the name of its graph."""

    def __init__(self, repeats: int = REPEATS, modules: Mapping[str, Runnable] | None = None) -> None:
        super().__init__(repeats)
        self.modules = dict(modules or {})

    def _start(self, instance: PlacementInstance) -> Session:
        rate = _rate(instance.topology)
        name = instance.graph.name
        program = self.modules.get(name) or shipped(name)
        nodes = program.program.nodes
        if tuple(nodes[op].name for op in program.program.ops) != instance.graph.op_name:
            raise Unavailable(
                f"the ops of graph {name!r} are not those that this PyTorch traces in its module; capture it again"
            )
        session = Session(instance.topology.num_devices, rate)
        try:
            session.load(program, instance.graph)
        except BaseException:
            session.close()
            raise
        return session


class EmulatedDevices(_Running):
    """Runs any graph, on any number of devices, by sleeping."""

    def _start(self, instance: PlacementInstance) -> Emulated:
        session = Emulated(instance.topology.num_devices)
        try:
            session.load(instance)
        except BaseException:
            session.close()
            raise
        return session


def loads(step: Measured, graph: OpGraph, device: Ints) -> Floats:
    """Time that each device worked: its ops, and the transfers in which it took part.  (devices,) s

    A transfer lasts from the end of its op, or from the arrival before it on the same way, to its arrival.
    """
    load = step.busy.copy()
    before: dict[tuple[int, int], float] = {}
    sending: dict[int, float] = {}
    for (tensor, to), at in sorted(step.arrival.items(), key=lambda item: item[1]):
        op = int(graph.tensor_op[tensor])
        way = int(device[op]), to
        span = at - max(float(step.end[op]), before.get(way, 0.0))
        before[way] = at
        load[to] += span
        sending[tensor] = max(sending.get(tensor, 0.0), span)
    for tensor, span in sending.items():
        load[device[graph.tensor_op[tensor]]] += span
    return load


@lru_cache(maxsize=4)
def shipped(name: str) -> Runnable:
    """The module behind a shipped graph, such as ``gpt2-training``."""
    from ..workload import models, torch_graph

    family, _, kind = name.rpartition("-")
    if family not in models.MODELS or kind not in ("inference", "training"):
        raise Unavailable(
            f"graph {name!r} is of no module that trimtab can make, and so its ops can't be run; the backend "
            "'emulated' sleeps for their times"
        )
    module, inputs = models.make(family)
    training = kind == "training"
    traced = torch_graph.trace_training(module, inputs) if training else torch_graph.export_module(module, inputs)
    return runnable(traced, name)


def _rate(topology: DeviceTopology) -> float:
    """B/s of a topology whose devices have one way out each, all the same; 0 where transfers cost nothing per byte."""
    apart = ~np.eye(topology.num_devices, dtype=bool)
    betas = topology.beta_s_per_B[apart]
    if topology.links != "bus":
        raise Unavailable(f"real processes have one way out each (links 'bus'), not {topology.links!r}")
    if betas.size and np.ptp(betas) > 0.05 * betas.max():
        raise Unavailable("links of unequal bandwidth are not shaped; the backend 'emulated' has them")
    return float(1 / betas.mean()) if betas.size and betas.mean() > 0 else 0.0
