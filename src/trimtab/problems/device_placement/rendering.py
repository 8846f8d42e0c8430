# SPDX-License-Identifier: Apache-2.0
"""A plan for people and programs: a summary, a table of devices, ``plan.json``, and its timeline as a picture."""

from __future__ import annotations

import colorsys
import contextlib
import io
import json
from typing import Any, Final

import numpy as np

from trimtab.core.backend import Backend
from trimtab.core.errors import Unavailable
from trimtab.core.extras import need
from trimtab.core.problem import Rendering

from .problem import Ints, Placement, PlacementInstance, memory, topological_order
from .simulator import Simulator, timeline
from .simulator.engine import loads
from .simulator.pack import pack

_MOST_BARS: Final = 20_000


def render(
    instance: PlacementInstance, placement: Placement, backend: Backend[PlacementInstance, Placement], seed: int
) -> Rendering:
    """The plan, by the simulator."""
    metrics = Simulator().evaluate(instance, placement, seed=seed).metrics
    used = memory(instance, placement.device)
    load = loads(pack(instance), placement.device.astype(np.int32))
    summary = (
        f"{instance.graph.num_ops} ops on {instance.topology.num_devices} devices: a step takes "
        f"{metrics['step_time']:.4g} s, {metrics['step_time_ratio']:.3f} times the lower bound; the fullest device "
        f"holds {metrics['peak_memory']:.4g} B."
    )
    table: list[dict[str, str | float]] = [
        {
            "device": name,
            "ops": float((placement.device == d).sum()),
            "load s": float(load[d]),
            "memory B": float(used[d]),
        }
        for d, name in enumerate(instance.topology.device_name)
    ]
    files: dict[str, str | bytes] = {"plan.json": plan_json(instance, placement)}
    if instance.topology.links != "max_load":
        with contextlib.suppress(Unavailable):  # no matplotlib: the plan is what matters
            files["timeline.svg"] = timeline_svg(instance, placement)
    return Rendering(summary, table, files)


def plan_json(instance: PlacementInstance, placement: Placement) -> str:
    """Device of every op by name, priorities, and where the plan is contiguous: the first op of every stage."""
    graph, topology = instance.graph, instance.topology
    plan: dict[str, Any] = {
        "graph": graph.name,
        "topology": topology.name,
        "devices": list(topology.device_name),
        "device_of_op": {name: int(d) for name, d in zip(graph.op_name, placement.device, strict=True)},
        "split_points": split_points(instance, placement.device),
    }
    if placement.priority is not None:
        plan["priority_of_op"] = {name: float(p) for name, p in zip(graph.op_name, placement.priority, strict=True)}
    return json.dumps(plan, indent=1) + "\n"


def split_points(instance: PlacementInstance, device: Ints) -> list[str] | None:
    """Names of the ops that begin the second stage, the third, ... of the forward pass; None where stages interleave.

    What `torch.distributed.pipelining.SplitPoint` wants, for a graph of modules.
    """
    graph = instance.graph
    order = topological_order(graph.num_ops, graph.sources, graph.edge_op)
    forward = order[~graph.is_backward[order]]
    stages = device[forward]
    changes = np.flatnonzero(np.diff(stages)) + 1
    if len(set(stages.tolist())) != len(changes) + 1:
        return None
    return [graph.op_name[forward[at]] for at in changes]


def timeline_svg(instance: PlacementInstance, placement: Placement) -> str:
    """Devices against time; forward ops in one hue, backward ops in another, darker where they take parameters."""
    start, end = timeline(instance, placement)
    figure_module = need("matplotlib.figure", extra="report", purpose="the timeline")
    collections = need("matplotlib.collections", extra="report", purpose="the timeline")
    k = instance.topology.num_devices
    figure = figure_module.Figure(figsize=(11, 1.5 + min(8.0, 0.35 * k)), layout="constrained")
    axes = figure.subplots()
    longest = np.argsort(start - end, kind="stable")[:_MOST_BARS]
    low, high = placement.device[longest] - 0.4, placement.device[longest] + 0.4
    left, right = start[longest], end[longest]
    corners = np.stack([np.stack([left, right, right, left], 1), np.stack([low, low, high, high], 1)], 2)
    colours = [_colour(bool(instance.graph.is_backward[i]), bool(instance.graph.param_bytes[i] > 0)) for i in longest]
    axes.add_collection(collections.PolyCollection(corners, facecolors=colours, linewidths=0))
    axes.set(xlabel="time, s", xlim=(0, float(end.max()) or 1.0), ylim=(k - 0.5, -0.5))
    axes.set_yticks(range(k), instance.topology.device_name)
    axes.set_title("a step: blue forward, red backward; darker: takes parameters", loc="left", fontsize=10)
    out = io.StringIO()
    with need("matplotlib", extra="report").rc_context({"svg.hashsalt": "trimtab"}):  # the same chart, the same text
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _colour(backward: bool, parameters: bool) -> tuple[float, float, float]:
    return colorsys.hls_to_rgb(0.02 if backward else 0.58, 0.42 if parameters else 0.62, 0.6)
