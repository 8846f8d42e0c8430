# SPDX-License-Identifier: Apache-2.0
"""Step times to the last bit as the plain rules say, and laws that hold for any schedule."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.problems.device_placement.problem import LINKS
from trimtab.problems.device_placement.simulator import Simulator, timeline

from ..made import random_instance
from .oracle import step_time


@pytest.mark.parametrize("links", LINKS)
def test_equals_the_plain_rules_to_the_last_bit(links: str) -> None:
    """`benchmarks/device_placement_speed.py` asks 10,000 of each."""
    rng = np.random.default_rng(LINKS.index(links))
    for case in range(300):
        instance, placement = random_instance(rng, links)
        expected, start = step_time(instance, placement)
        outcome = Simulator().evaluate(instance, placement, seed=0)
        assert outcome.metrics["step_time"] == expected, f"case {case}"
        if start:
            assert timeline(instance, placement)[0].tolist() == start, f"case {case}"
