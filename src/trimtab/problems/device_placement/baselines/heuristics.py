# SPDX-License-Identifier: Apache-2.0
"""Placements that are constructed: no simulator calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from trimtab.core.errors import Unavailable, UnknownName
from trimtab.core.task import Task

from ..problem import Floats, Ints, Placement, PlacementInstance
from . import listing
from .common import Prepared, decide, prepare
from .sct import favourite_children

Plan = Callable[[PlacementInstance, Prepared, int], tuple[Ints, Floats]]


@dataclass(frozen=True)
class Heuristic:
    """One of `HEURISTICS`."""

    name: str

    @property
    def config(self) -> dict[str, Any]:
        return {"heuristic": self.name}

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        if self.name not in HEURISTICS:
            raise UnknownName("heuristic", self.name, HEURISTICS)
        instance = task.instance
        unit_device, priority = HEURISTICS[self.name](instance, prepare(instance), task.seed)
        return decide(instance, unit_device, priority)


def listed(
    ready: Prepared, importance: Floats, bias: Floats | None, insertion: bool, fixed: Any = None
) -> tuple[Ints, Floats]:
    """Devices of units, and priorities in the order of the planned starts."""
    n, k = ready.packed.cost.shape
    where, start = listing.schedule(
        ready.packed,
        ready.order,
        ready.unit,
        ready.unit_bytes,
        ready.unit_workspace,
        ready.unit_cost,
        np.ascontiguousarray(importance, np.float64),
        np.zeros((n, k)) if bias is None else np.ascontiguousarray(bias, np.float64),
        np.full(n, -1, np.int32) if fixed is None else fixed,
        insertion,
    )
    return np.asarray(where, np.int64), -start


def heft(instance: PlacementInstance, ready: Prepared, seed: int) -> tuple[Ints, Floats]:
    up, _ = listing.ranks_of(ready.packed, ready.order)
    return listed(ready, up, None, True)


def critical_path(instance: PlacementInstance, ready: Prepared, seed: int) -> tuple[Ints, Floats]:
    up, _ = listing.ranks_of(ready.packed, ready.order)
    return listed(ready, up, None, False)


def cpop(instance: PlacementInstance, ready: Prepared, seed: int) -> tuple[Ints, Floats]:
    up, down = listing.ranks_of(ready.packed, ready.order)
    both = up + down
    path = np.flatnonzero(both >= both.max() * (1 - 1e-9))
    total = ready.packed.cost[path].sum(axis=0)
    if not np.isfinite(total).any():
        raise Unavailable("cpop: no device runs all of the critical path")
    fixed = np.full(len(up), -1, np.int32)
    fixed[path] = total.argmin()
    return listed(ready, both, None, True, fixed)


def peft(instance: PlacementInstance, ready: Prepared, seed: int) -> tuple[Ints, Floats]:
    table = listing.optimistic(ready.packed, ready.order)
    return listed(ready, table.mean(axis=1), table, True)


def m_etf(instance: PlacementInstance, ready: Prepared, seed: int) -> tuple[Ints, Floats]:
    return _etf(ready, np.full(len(ready.unit), -1, np.int32))


def m_sct(instance: PlacementInstance, ready: Prepared, seed: int) -> tuple[Ints, Floats]:
    return _etf(ready, favourite_children(ready))


def _etf(ready: Prepared, favourite: Any) -> tuple[Ints, Floats]:
    up, _ = listing.ranks_of(ready.packed, ready.order)
    where, start = listing.etf(
        ready.packed, ready.unit, ready.unit_bytes, ready.unit_workspace, ready.unit_cost, up, favourite
    )
    return np.asarray(where, np.int64), -start  # the planned order


def single(instance: PlacementInstance, ready: Prepared, seed: int) -> tuple[Ints, Floats]:
    """All on the device that is fastest for all; declined where nothing has room for it."""
    total = ready.packed.cost.sum(axis=0)
    need = ready.unit_bytes.sum() + ready.unit_workspace.max()
    fits = np.flatnonzero(np.isfinite(total) & (instance.topology.memory_bytes >= need))
    if not len(fits):
        raise Unavailable(f"single: no device has room for all of {instance.graph.name!r} ({need:.4g} B)")
    up, _ = listing.ranks_of(ready.packed, ready.order)
    return np.full(ready.num_units, fits[total[fits].argmin()]), up


def chunks(instance: PlacementInstance, ready: Prepared, seed: int) -> tuple[Ints, Floats]:
    """The topological order, cut where the work reaches 1/k, 2/k, ... of the whole."""
    fastest = np.where(np.isfinite(ready.unit_cost), ready.unit_cost, np.inf).min(axis=1)
    first = np.full(ready.num_units, np.iinfo(np.int64).max)
    np.minimum.at(first, ready.unit[ready.order], np.arange(len(ready.order)))
    order = np.argsort(first, kind="stable")
    through = np.cumsum(fastest[order]) - fastest[order] / 2
    k = instance.topology.num_devices
    where = np.empty(ready.num_units, np.int64)
    where[order] = np.minimum(k - 1, (through / max(fastest.sum(), 1e-300) * k).astype(np.int64))
    up, _ = listing.ranks_of(ready.packed, ready.order)
    return where, up


HEURISTICS: Final[Mapping[str, Plan]] = {
    "single": single,
    "chunks": chunks,
    "heft": heft,
    "critical_path": critical_path,
    "cpop": cpop,
    "peft": peft,
    "m_etf": m_etf,
    "m_sct": m_sct,
}
