# SPDX-License-Identifier: Apache-2.0
"""`PolicyGradient`: one of the papers' networks, trained on the instance that it is to place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from trimtab.core.errors import UnknownName
from trimtab.core.extras import need
from trimtab.core.task import Task

from ...baselines.common import Prepared, prepare, repaired, upward_rank
from ...baselines.search import Meter, values_of
from ...problem import Placement, PlacementInstance
from ...simulator.pack import ranks
from ..features import features

PAPERS: Final = ("sequence", "hierarchical", "graph_attention")
GROUPS: Final = 40  # at most; the papers had 280 and 256
SAMPLES: Final = 32  # placements of a step; the papers had 4 to 20 workers, and PPO mini-batches


class PolicyGradient:
    """REINFORCE (2017, 2018) with a moving average as baseline, or PPO (GDP); reward -sqrt(step time / first mean).

    Of all placements that were drawn the best is the answer.
    """

    track = "search"

    def __init__(self, paper: str, rate: float = 3e-3, entropy: float = 0.01) -> None:
        if paper not in PAPERS:
            raise UnknownName("paper", paper, PAPERS)
        self.paper, self.rate, self.entropy = paper, rate, entropy

    @property
    def config(self) -> dict[str, Any]:
        return {"paper": self.paper, "rate": self.rate, "entropy": self.entropy}

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        torch = need("torch", extra="learn", purpose="training a policy")
        instance = task.instance
        ready, meter = prepare(instance), Meter(task)
        torch.manual_seed(task.seed)
        policy = build(self.paper, instance, ready)
        optimiser = torch.optim.Adam(policy.parameters(), lr=self.rate)
        up = upward_rank(ready, instance)
        rank = ranks(instance, up)[None]
        best_value, best = np.inf, ready.unit_cost.argmin(axis=1)
        scale = baseline = None
        while (calls := meter.left()) > 0:
            count = min(calls, SAMPLES)
            with torch.no_grad():
                device, drawn, before, _ = policy(None, count)
            unit_device = runnable(ready, device.numpy())
            values = values_of(ready.packed, ready.unit, unit_device, rank)
            meter.spent += count
            if values.min() < best_value:
                best_value, best = float(values.min()), unit_device[values.argmin()]
            scale = scale or float(values.mean())
            reward = -np.sqrt(values / scale)
            baseline = float(reward.mean()) if baseline is None else 0.9 * baseline + 0.1 * float(reward.mean())
            advantage = torch.from_numpy((reward - baseline).astype(np.float32))
            for _ in range(3 if self.paper == "graph_attention" else 1):
                loss = self._loss(policy, drawn, before, advantage)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
                optimiser.step()
        device = repaired(instance, np.asarray(best, np.int64))[ready.unit]
        placement = Placement(device, up if instance.topology.queue == "priority" else None)
        meter.settle(placement)
        return placement

    def _loss(self, policy: Any, drawn: Any, before: Any, advantage: Any) -> Any:
        from trimtab.kit.policy_gradient import clipped_surrogate

        _, _, log, entropy = policy(drawn, len(drawn))
        if self.paper == "graph_attention":
            scaled = advantage / (advantage.std() + 1e-6)
            gain = clipped_surrogate(log - before, scaled, 0.2).mean()
        else:
            gain = (log * advantage).mean()
        return -gain - self.entropy * entropy.mean() / drawn.shape[1]


def build(paper: str, instance: PlacementInstance, ready: Prepared) -> Any:
    """The untrained network, with what it knows of the instance."""
    import torch

    from .policies import GraphAttention, Hierarchical, Sequence

    makers: Mapping[str, Callable[..., Any]] = {
        "sequence": Sequence, "hierarchical": Hierarchical, "graph_attention": GraphAttention,
    }  # fmt: skip
    first = ready.members[ready.member_start[:-1]]
    known = torch.from_numpy(features(instance).node[first].astype(np.float32))
    adjacency = torch.zeros(ready.num_units, ready.num_units)
    graph = instance.graph
    adjacency[ready.unit[graph.sources].astype(np.int64), ready.unit[graph.edge_op].astype(np.int64)] = 1.0
    return makers[paper](known, torch.from_numpy(runs(ready)), adjacency, instance.topology.num_devices)


def runs(ready: Prepared) -> Any:
    """Groups of neighbours in the topological order, of about equal work.  (units,)"""
    place = np.empty(len(ready.order), np.int64)
    place[ready.order] = np.arange(len(ready.order))
    order = np.argsort(place[ready.members[ready.member_start[:-1]]], kind="stable")
    work = np.where(np.isfinite(ready.unit_cost), ready.unit_cost, np.inf).min(axis=1)[order] + 1e-12
    share = (np.cumsum(work) - work / 2) / work.sum()
    group = np.empty(len(order), np.int64)
    group[order] = np.unique((share * min(GROUPS, len(order))).astype(np.int64), return_inverse=True)[1].ravel()
    return group


def runnable(ready: Prepared, device: Any) -> Any:
    """Drawn devices, where a unit can't run there its fastest.  (samples, units)"""
    possible = np.isfinite(ready.unit_cost)[np.arange(ready.num_units), device]
    return np.ascontiguousarray(np.where(possible, device, ready.unit_cost.argmin(axis=1)), np.int32)
