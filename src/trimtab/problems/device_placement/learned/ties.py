# SPDX-License-Identifier: Apache-2.0
"""Plans of the tie-keeping list scheduler (`decode`), with or without a network's beliefs.

`KeptTies` believes in every tie alike. It is what the network has to beat: the
decoder's rule alone is worth much where transfers are long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from trimtab.core.task import Task

from ..baselines.common import Prepared, decide, prepare, upward_rank
from ..problem import Floats, Ints, Placement, PlacementInstance
from .decode import decode

Start = tuple[Ints, Floats]  # devices of units, priorities of ops


class Guide(NamedTuple):
    """What the decoder is told."""

    orders: Sequence[Floats]  # (ops,) each: importance
    ties: Floats  # (opinions, edges) s: transfer times times beliefs


#: How much a broken tie costs beside an op's finish; the plan that ends first by its own reckoning is taken.
MIXTURES: Final = (0.0, 0.25, 0.5, 1.0, 2.0)


class KeptTies:
    """List scheduling by upward rank, earliest finish, and the transfers to all that is near: no network."""

    track = "policy"

    @property
    def config(self) -> dict[str, Any]:
        return {"mixtures": list(MIXTURES)}

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        ready = prepare(task.instance)
        where, priority = plans(ready, every_tie(task.instance, ready))[0]
        return decide(task.instance, where, priority)


def every_tie(instance: PlacementInstance, ready: Prepared) -> Guide:
    """Upward ranks, and all ties believed in."""
    return Guide([upward_rank(ready, instance)], transfer_seconds(ready)[None])


def plans(ready: Prepared, guide: Guide) -> list[Start]:
    """A plan of each mixture in each order, by the first opinion; those first that end first by their own reckoning."""
    made, ends = [], []
    for importance in guide.orders:
        for weight in MIXTURES:
            where, begin, end = decode(
                ready.packed,
                ready.unit,
                ready.unit_bytes,
                ready.unit_workspace,
                ready.unit_cost,
                np.ascontiguousarray(importance, np.float64),
                guide.ties[0],
                weight,
            )
            made.append((np.asarray(where, np.int64), -np.asarray(begin)))
            ends.append(float(end))
    return [made[at] for at in np.argsort(ends, kind="stable")]


def transfer_seconds(ready: Prepared) -> Floats:
    """Mean time of each edge's transfer between two devices, s.  (edges,)"""
    p = ready.packed
    apart = ~np.eye(len(p.overhead), dtype=bool)
    if not apart.any():
        return np.zeros(len(p.reader))
    tensor = p.alpha[apart].mean() + p.beta[apart].mean() * p.bytes
    return np.repeat(tensor, np.diff(p.reader_start))
