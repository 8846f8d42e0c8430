# SPDX-License-Identifier: Apache-2.0
"""Better starts from the same decoder: orders and the weight of ties are drawn around what is believed.

List scheduling is greedy: with a little noise in its order it makes other plans, and the
best of many is much better than the one without noise. The first draws are independent;
then the best one is changed, and kept where that is no worse. A draw costs a decoding
and a simulation, and counts as a simulator call.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from trimtab.kit.compiled import compiled

from ..baselines.common import Prepared
from ..baselines.search import Meter
from ..problem import Floats
from ..simulator.engine import State, new_state
from ..simulator.pack import Ints32, Packed
from .decode import decode, outcome
from .ties import Guide, Start

SHARE: Final = 0.5  # of the budget, at most
DRAWS: Final = 4000  # at most
INDEPENDENT: Final = 0.2  # of the share
SLOWER: Final = 8  # a decoding is, than a simulation, about


class Units(NamedTuple):
    """What is placed as one, as `decode` wants it."""

    unit: Ints32  # (ops,)
    bytes: Floats  # (units,)
    workspace: Floats  # (units,)
    cost: Floats  # (units, devices) s


class Drawn(NamedTuple):
    """The best draw; changed in place."""

    importance: Floats  # (ops,)
    tie: Floats  # (edges,) s, weighed
    where: Ints32  # (units,)
    start: Floats  # (ops,) s, planned
    value: Floats  # (1,) s


def drawn(ready: Prepared, guide: Guide, prioritised: bool, meter: Meter, seed: int) -> list[Start]:
    """The best start that part of the meter's budget finds; none where there is no budget."""
    n, edges = len(ready.unit), guide.ties.shape[1]
    units = Units(ready.unit, ready.unit_bytes, ready.unit_workspace, ready.unit_cost)
    best = Drawn(
        np.zeros(n), np.zeros(edges), np.zeros(ready.num_units, np.int32), np.zeros(n), np.array([np.inf])
    )  # fmt: skip
    orders, state = np.ascontiguousarray([_standard(order) for order in guide.orders]), new_state(ready.packed)
    done = leg = 0
    while (spent := meter.progress()) < SHARE and (calls := min(meter.left() // SLOWER, DRAWS - done)) > 0:
        alone = calls if done == 0 or spent < INDEPENDENT * SHARE else 0
        leg_seed = (seed * 1_000_003 + leg) % (1 << 31)
        draw(ready.packed, units, orders, guide.ties, best, state, prioritised, alone, calls, leg_seed)
        meter.spent += calls
        done, leg = done + calls, leg + 1
    return [(best.where.astype(np.int64), -best.start)] if done else []


def _standard(x: Floats) -> Floats:
    return np.asarray((x - x.mean()) / max(float(x.std()), 1e-12))


@compiled
def draw(
    p: Packed, units: Units, orders: Floats, ties: Floats, best: Drawn, state: State, prioritised: bool,
    independent: int, calls: int, seed: int,
) -> None:  # fmt: skip
    """`calls` draws, the first `independent` of them not from `best`.

    `orders` (orders, ops) of mean 0 and variance 1, of which two are mixed; `ties`
    (opinions, edges) s, of which a draw takes one.
    """
    np.random.seed(seed)
    n, edges = len(units.unit), ties.shape[1]
    importance, tie = np.zeros(n), np.zeros(edges)
    device, rank = np.zeros(n, np.int32), np.zeros(n if prioritised else 0, np.int32)
    for call in range(calls):
        sigma = 0.2 * np.random.random() ** 2
        if call < independent:
            weight = np.exp(np.random.uniform(np.log(0.1), np.log(5.0)))
            a, b, mix = np.random.randint(len(orders)), np.random.randint(len(orders)), np.random.random()
            for i in range(n):
                importance[i] = mix * orders[a, i] + (1.0 - mix) * orders[b, i] + sigma * np.random.normal()
            tie[:] = weight * ties[np.random.randint(len(ties))]
        else:
            few, weight = np.random.random() ** 3, 1.0
            if np.random.random() < 0.5:
                weight = np.exp(np.random.normal(0.0, 0.3))
            for i in range(n):
                importance[i] = best.importance[i]
                if np.random.random() < few:
                    importance[i] += 2.0 * sigma * np.random.normal()
            tie[:] = weight * best.tie
        where, start, _ = decode(p, units.unit, units.bytes, units.workspace, units.cost, importance, tie, 1.0)
        value = outcome(p, units.unit, where, start, device, rank, state)
        if value <= best.value[0]:
            best.value[0] = value
            best.importance[:] = importance
            best.tie[:] = tie
            best.where[:] = where
            best.start[:] = start
