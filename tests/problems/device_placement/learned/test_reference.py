# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trimtab.core.task import Budget, Task  # noqa: E402
from trimtab.problems.device_placement.baselines.common import prepare  # noqa: E402
from trimtab.problems.device_placement.learned.reference import PAPERS, PolicyGradient  # noqa: E402
from trimtab.problems.device_placement.learned.reference.solver import build, runs  # noqa: E402
from trimtab.problems.device_placement.problem import PlacementInstance, homogeneous  # noqa: E402
from trimtab.problems.device_placement.simulator import Simulator  # noqa: E402
from trimtab.problems.device_placement.workload import sharded  # noqa: E402

from ..made import graph_of  # noqa: E402


def two_chains() -> PlacementInstance:
    """Best: a chain on each device, 4 s; anything that tears a chain takes over 100 s."""
    edges = [(4 * c + i, 4 * c + i + 1, 100.0) for c in range(2) for i in range(3)]
    return PlacementInstance(graph_of([1.0] * 8, edges), homogeneous("two", 2, kind="core", bandwidth=1.0))


@pytest.mark.parametrize("paper", PAPERS)
def test_log_probabilities_are_those_of_the_draws(paper: str) -> None:
    """Asked again for the same placements it answers the same; with one unit less random they sum to 1."""
    instance = two_chains()
    torch.manual_seed(0)
    policy = build(paper, instance, prepare(instance))
    with torch.no_grad():
        device, drawn, log, entropy = policy(None, 500)
        again = policy(drawn, 500)
    assert torch.equal(again[0], device)
    torch.testing.assert_close(again[2], log)
    assert bool((entropy >= 0).all())
    mean = float(-log.mean())  # of many draws: the entropy
    assert mean == pytest.approx(float(entropy.mean()), rel=0.1)


@pytest.mark.parametrize("paper", PAPERS)
def test_learns_to_keep_chains_together(paper: str) -> None:
    """After training its draws are better than at first."""
    instance = two_chains()
    task = Task(instance, Simulator(), Budget(3000), 0, "step_time")
    placement = PolicyGradient(paper, rate=1e-2).solve(task)
    outcome = Simulator().evaluate(instance, placement, seed=0)
    assert task.evaluations <= 3000
    assert outcome.metrics["step_time"] <= 8.0


def test_runs_are_even_and_in_order() -> None:
    ready = prepare(sharded.draw("feed", 2))
    group = runs(ready)
    work = np.bincount(group, ready.unit_cost.min(axis=1))
    assert set(group) == set(range(group.max() + 1))
    assert work.max() <= 3 * work.mean() + ready.unit_cost.max()
