# SPDX-License-Identifier: Apache-2.0
"""A plan, carried out: `run_placed` in your own ``torch.distributed`` world, or split points for its pipelines.

torchrun --nproc-per-node 4 train.py

dist.init_process_group("gloo")
placed = Placed(module, "plan.json", inputs)      # rank r is device r of the plan
for batch in batches:
    loss = placed(batch)                          # a step of a plan that was made with --train
placed.collect()                                  # every rank has all the parameters again
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.core.errors import InvalidInstance, Unavailable, UsageError
from trimtab.core.extras import need

from .problem import OpGraph

if TYPE_CHECKING:
    from .program.reading import Runnable


@dataclass(frozen=True, eq=False)
class Plan:
    """What ``plan.json`` says."""

    graph: str
    devices: int
    device_of_op: Mapping[str, int]
    training: bool
    priority_of_op: Mapping[str, float]


def read_plan(source: str | Path | Mapping[str, Any]) -> Plan:
    """From a file, or its contents. Raises `InvalidInstance` where it is no plan."""
    where = "the plan" if isinstance(source, Mapping) else str(source)
    try:
        data = source if isinstance(source, Mapping) else json.loads(Path(source).read_text())
        device = {str(op): int(d) for op, d in data["device_of_op"].items()}
        priority = {str(op): float(p) for op, p in data.get("priority_of_op", {}).items()}
        plan = Plan(str(data["graph"]), len(data["devices"]), device, bool(data.get("training", False)), priority)
    except OSError as error:
        raise InvalidInstance(f"{where}: can't be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInstance(f"{where}: not a plan of device_placement ({type(error).__name__}: {error})") from error
    bad = next((op for op, d in plan.device_of_op.items() if not 0 <= d < plan.devices), None)
    if bad is not None:
        raise InvalidInstance(f"{where}: op {bad!r} is on device {plan.device_of_op[bad]} of {plan.devices}")
    return plan


def trace(module: Any, inputs: Sequence[Any], plan: Plan) -> tuple[Runnable, OpGraph]:
    """The module as the planner saw it, without times. Raises `InvalidInstance` where the plan is of another one."""
    from .program.reading import runnable
    from .workload import torch_graph

    traced = torch_graph.trace_training(module, inputs) if plan.training else torch_graph.export_module(module, inputs)
    found = runnable(traced, plan.graph)
    ops = {found.program.nodes[op].name for op in found.program.ops}
    for here, there, what in ((ops, plan.device_of_op.keys(), "the plan"), (plan.device_of_op.keys(), ops, "it")):
        missing = sorted(set(here) - set(there))
        if missing:
            raise InvalidInstance(
                f"the plan for {plan.graph!r} is of another module, other inputs or another PyTorch: "
                f"op {missing[0]!r} is not in {what}"
            )
    return found, torch_graph.build(traced, plan.graph, lambda node: 0.0)


class Placed:
    """A module whose ops run where a plan says: rank r of the process group is device r.

    Every rank makes one with the same module, plan and inputs. Only ``gloo`` and the CPU.
    """

    def __init__(
        self, module: Any, plan: str | Path | Mapping[str, Any] | Plan, inputs: Sequence[Any], *, group: Any = None
    ) -> None:
        dist = need("torch.distributed", extra="learn", purpose="running a plan")
        self.plan = plan if isinstance(plan, Plan) else read_plan(plan)
        if not dist.is_initialized():
            raise UsageError("run_placed needs a process group: torch.distributed.init_process_group('gloo') first")
        self.rank, world = dist.get_rank(group), dist.get_world_size(group)
        if world != self.plan.devices:
            raise UsageError(f"the plan is for {self.plan.devices} devices, and this world has {world} ranks")
        if dist.get_backend(group) != "gloo" or any(p.device.type != "cpu" for p in module.parameters()):
            raise Unavailable("plans are run over gloo, on the CPU; other backends have no tagged messages")
        from .program.execute import Executable
        from .system.device import Device
        from .system.share import Wiring, share_of

        self._dist, self._group, self._module = dist, group, module
        self._runnable, graph = trace(module, inputs, self.plan)
        program = self._runnable.program
        names = [program.nodes[op].name for op in program.ops]
        self._where = np.array([self.plan.device_of_op[name] for name in names], np.int64)
        self._share = share_of(Wiring.of(graph), self._where.tolist(), self.rank)
        self._priorities = _ranking([self.plan.priority_of_op.get(name, 0.0) for name in names], self.plan)
        self._device = Device(Executable(program))

    def __call__(self, *inputs: Any) -> Any:
        """A call, or a training step; its result is on every rank. In a step each rank renews its own parameters."""
        from .system.transport import Transport

        executable = self._device.executable
        values = executable.leaves(self._runnable.state, inputs)
        transport = Transport(self._share.receives, self._device.shapes(self._share), self._group)
        transport.start()
        self._device.run(values, self._share, self._priorities, transport, time.monotonic_ns())
        transport.finish()
        mine = {self._device.nodes[op] for op in self._share.ops}
        results = executable.finish(values, mine=lambda node: node in mine)
        program = self._runnable.program
        shared = [self._share_out(result, ref) for result, ref in zip(results, program.results, strict=True)]
        return shared[0] if len(shared) == 1 else tuple(shared)

    def collect(self) -> None:
        """Give every rank the parameters that the others have renewed."""
        program = self._runnable.program
        for leaf, ref in program.updates.items():
            value = self._runnable.state[program.nodes[leaf].name]
            self._dist.broadcast(value, self._owner(ref), group=self._group)

    def _share_out(self, result: Any, ref: Any) -> Any:
        program = self._runnable.program
        if program.nodes[program.base(ref).node].kind != "op":
            return result  # a leaf: everybody has it
        torch = need("torch", extra="learn")
        shape = program.nodes[ref.node].outputs[ref.output]
        assert shape is not None  # a result of a traced module is a tensor
        whole = (
            result.contiguous() if result is not None else torch.empty(shape.size, dtype=getattr(torch, shape.dtype))
        )
        self._dist.broadcast(whole, self._owner(ref), group=self._group)
        return whole

    def _owner(self, ref: Any) -> int:
        program = self._runnable.program
        place = program.ops.index(program.base(ref).node)
        device = int(self._where[place])
        return device if self._group is None else int(self._dist.get_global_rank(self._group, device))


def run_placed(module: Any, plan: str | Path | Mapping[str, Any] | Plan, *inputs: Any, group: Any = None) -> Any:
    """One call of a module, or one training step, as a plan says: `Placed`, once. Every rank of the world calls it."""
    return Placed(module, plan, inputs, group=group)(*inputs)


def split_spec(module: Any, inputs: Sequence[Any], plan: str | Path | Mapping[str, Any] | Plan) -> dict[str, Any]:
    """For ``torch.distributed.pipelining.pipeline(module, inputs, split_spec=...)``: where each stage begins.

    Stages are made of submodules, so that the plan must give the parameters of the
    forward pass, in the order of their use, to one device after the other. Ops without
    parameters go with the submodule before them. Raises `UsageError` where stages interleave.
    """
    plan = plan if isinstance(plan, Plan) else read_plan(plan)
    names = split_names(trace(module, inputs, plan)[0], plan.device_of_op)
    if names is None:
        raise UsageError("this plan's stages interleave, and a pipeline's can't; run_placed runs any plan")
    point = need("torch.distributed.pipelining", extra="learn", purpose="split points").SplitPoint
    return dict.fromkeys(names, point.BEGINNING)


def split_names(found: Runnable, device_of_op: Mapping[str, int]) -> list[str] | None:
    """Submodules with which the second stage, the third, ... begin; None where stages interleave."""
    program = found.program
    stages: dict[str, int] = {}
    for op in program.ops:
        for ref in program.reads(op):
            leaf = program.nodes[ref.node]
            if leaf.kind == "parameter" and "." in leaf.name:
                stages.setdefault(leaf.name.rpartition(".")[0], device_of_op[program.nodes[op].name])
    order = list(stages.values())
    changes = [at for at in range(1, len(order)) if order[at] != order[at - 1]]
    if len(set(order)) != len(changes) + 1:
        return None
    return [list(stages)[at] for at in changes]


def _ranking(priorities: list[float], plan: Plan) -> list[int]:
    if not plan.priority_of_op:
        return []
    rank = np.empty(len(priorities), np.int64)
    rank[np.argsort(-np.array(priorities), kind="stable")] = np.arange(len(priorities))
    return rank.tolist()
