# SPDX-License-Identifier: Apache-2.0
"""A move's value is the simulator's own, to the last bit where there is an order of execution."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.problems.device_placement.problem import LINKS, Placement
from trimtab.problems.device_placement.simulator import Simulator
from trimtab.problems.device_placement.simulator.moves import Moves

from ..made import random_instance


@pytest.mark.parametrize("links", LINKS)
def test_equals_a_full_simulation(links: str) -> None:
    rng = np.random.default_rng(LINKS.index(links))
    for case in range(120):
        instance, placement = random_instance(rng, links, ops=40)
        moves, device = Moves(instance, placement), placement.device.copy()
        n, k = instance.graph.num_ops, instance.topology.num_devices
        for step in range(8):
            op = int(rng.integers(n))
            together = np.flatnonzero(device == device[op])
            ops = together[:3] if op in together[:3] and step % 3 == 0 else np.array([op])
            to = int(rng.integers(k))
            after = device.copy()
            after[ops] = to
            expected = Simulator().evaluate(instance, Placement(after, placement.priority), seed=0).metrics["step_time"]
            found = moves.evaluate(ops, to)
            same = found == expected if links != "max_load" else found == pytest.approx(expected, rel=1e-12, abs=1e-12)
            assert same, f"case {case}, step {step}"
            limit = moves.value * float(rng.choice([0.8, 1.0, 1.2]))
            bounded = moves.evaluate(ops, to, limit)
            if links != "max_load":
                assert bounded == (expected if expected <= limit else np.inf), f"case {case}, step {step}"
            if step % 2:
                moves.apply(ops, to)
                device = after
                assert moves.value == pytest.approx(expected, rel=1e-12, abs=1e-12)
