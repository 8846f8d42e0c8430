# SPDX-License-Identifier: Apache-2.0
"""Cuts: graph partitioners on the undirected graph of units, weighted by compute and by bytes.

What the papers of 2017 to 2020 compared with: a *cut* objective on a makespan
problem. METIS balances the parts, Scotch maps onto an architecture of devices that
are all linked to one another (`Graph.map`). Neither knows of order or memory;
what does not fit is moved afterwards.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.core.extras import need
from trimtab.core.task import Task

from ..problem import Ints, Placement, PlacementInstance
from .common import Prepared, decide, prepare, upward_rank


@dataclass(frozen=True)
class MetisCut:
    """Recursive multilevel k-way partition (Karypis and Kumar 1998), balanced by compute."""

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        pymetis = need("pymetis", extra="placement", purpose="the baseline 'metis'")
        instance, ready = task.instance, prepare(task.instance)
        k = instance.topology.num_devices
        if k == 1 or ready.num_units == 1:
            return decide(instance, np.zeros(ready.num_units, np.int64))
        start, near, weight, edge_weight = undirected(ready)
        _, part = pymetis.part_graph(
            k,
            pymetis.CSRAdjacency(start, near),
            vweights=weight,
            eweights=edge_weight,
            options=pymetis.Options(seed=task.seed % 32768),
        )
        return decide(instance, np.array(part, np.int64), upward_rank(ready, instance))


@dataclass(frozen=True)
class ScotchMap:
    """Static mapping by dual recursive bipartitioning (Pellegrini and Roman 1996), the Scotch of the 2017 paper."""

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        instance, ready = task.instance, prepare(task.instance)
        k = instance.topology.num_devices
        if k == 1 or ready.num_units == 1:
            return decide(instance, np.zeros(ready.num_units, np.int64))
        os.environ.setdefault("SCOTCH_DETERMINISTIC", "1")  # its threads race for the answer otherwise
        scotch = need("scotchpy", extra="placement", purpose="the baseline 'scotch'")
        start, near, weight, edge_weight = undirected(ready)
        graph, architecture, strategy = scotch.Graph(), scotch.Arch(), scotch.Strat()
        graph.build(verttab=start, edgetab=near, velotab=weight, edlotab=edge_weight)
        architecture.cmplt(k)
        part = np.zeros(ready.num_units, np.int64)
        scotch.common.libscotch.SCOTCH_randomReset()
        graph.map(architecture, strategy, parttab=part)
        return decide(instance, part, upward_rank(ready, instance))


def undirected(ready: Prepared) -> tuple[Ints, Ints, Ints, Ints]:
    """CSR of units: (start, neighbours, compute per unit in 1..1e6, bytes per edge in 1..1e6)"""
    p = ready.packed
    tensor = np.repeat(np.arange(len(p.bytes)), np.diff(p.reader_start))
    a, b = ready.unit[p.tensor_op[tensor]].astype(np.int64), ready.unit[p.reader].astype(np.int64)
    keep = a != b
    low, high, size = np.minimum(a, b)[keep], np.maximum(a, b)[keep], p.bytes[tensor][keep]
    key, at = np.unique(low * ready.num_units + high, return_inverse=True)
    total = np.bincount(at.ravel(), size, len(key))
    u, v = key // ready.num_units, key % ready.num_units
    both = np.concatenate([np.stack([u, v], 1), np.stack([v, u], 1)])
    weight = np.concatenate([total, total])
    order = np.lexsort((both[:, 1], both[:, 0]))
    start = np.searchsorted(both[order, 0], np.arange(ready.num_units + 1))
    fastest = np.where(np.isfinite(ready.unit_cost), ready.unit_cost, np.inf).min(axis=1)
    return start, both[order, 1], _whole(fastest), _whole(weight[order])


def _whole(values: Any) -> Ints:
    most = values.max() if len(values) else 0.0
    scaled = np.zeros(len(values)) if most <= 0 else values / most * 1e6
    return np.asarray(np.maximum(1, np.round(scaled)), np.int64)
