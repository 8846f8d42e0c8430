# SPDX-License-Identifier: Apache-2.0
"""Two independent simulators say the same where no two things happen at once."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from trimtab.problems.device_placement.problem import PlacementInstance, homogeneous
from trimtab.problems.device_placement.simulator import step_times

from ..made import layered

BENCHMARKS = Path(__file__).parents[4] / "benchmarks"


@pytest.fixture(scope="module")
def peers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("device_placement_peers", BENCHMARKS / "device_placement_peers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["Placeto", "Lean"])
@pytest.mark.parametrize("seed", range(6))
def test_an_event_simulator_of_a_bus(peers: ModuleType, seed: int, kind: str) -> None:
    """Placeto's semantics, with its overhead after an op and its gap after a transfer."""
    rng = np.random.default_rng(seed)
    graph = layered(rng, ops=60, width=6)
    topology = homogeneous(
        "t", 3, kind="core", bandwidth=1.3, latency_s=0.01, op_overhead_s=0.021, link_gap_s=0.033, links="bus"
    )
    instance = PlacementInstance(graph, topology)
    devices = rng.integers(0, 3, (5, 60))
    other = getattr(peers, kind)(instance)
    assert step_times(instance, devices) == pytest.approx([other.run(d.tolist()) for d in devices], rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_simpy_with_links_that_never_contend(peers: ModuleType, seed: int) -> None:
    rng = np.random.default_rng(seed)
    instance = PlacementInstance(
        layered(rng, ops=60, width=6), homogeneous("t", 3, kind="core", bandwidth=1.3, latency_s=0.01, links="parallel")
    )
    devices = rng.integers(0, 3, (5, 60))
    expected = [peers.simulate_simpy(instance, d.tolist()) for d in devices]
    assert step_times(instance, devices) == pytest.approx(expected, rel=1e-12)
