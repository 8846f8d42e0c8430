# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

from trimtab.core.task import Budget, Task
from trimtab.problems.cluster_scheduling import PROBLEM, baselines
from trimtab.problems.cluster_scheduling.baselines import RULES, Regime, Rule, describe, nearest, regimes
from trimtab.problems.cluster_scheduling.problem import JobStream
from trimtab.problems.cluster_scheduling.simulator import Decision, Simulator, simulate
from trimtab.problems.cluster_scheduling.simulator.made import made_stream

from .plain import profile, stream


def task(instance: JobStream) -> Task[JobStream, Decision]:
    return Task(instance, Simulator(), Budget(0), seed=0)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches, large batches, streams; srpt's cap is 1, 2, 3."""
    sizes = [("small", True, 4, 10.0), ("large", True, 40, 100.0), ("stream", False, 4, 10.0)]
    made = [Regime(*size, {"srpt_constant": (float(cap),)}) for cap, size in enumerate(sizes, 1)]
    monkeypatch.setattr(baselines, "regimes", lambda: tuple(made))


def test_a_rule_takes_the_parameters_of_the_nearest_regime(three: None) -> None:
    short, long = profile([4], [2500.0]), profile([40], [2500.0])  # 10 and 100 s of work
    for instance, cap in (
        (stream([short], 4), 1),
        (stream([short], 11), 1),
        (stream([long], 13), 2),
        (stream([long], 400), 2),
        (stream([short] * 2, 4, gap_ms=10), 3),
        (stream([long] * 2, 40, gap_ms=10), 3),  # the kind of arrivals counts before the sizes
    ):
        policy = Rule("srpt_constant").solve(task(instance))
        assert policy.parameters.tolist() == [cap, 0]


def test_parameters_that_are_given_are_taken(three: None) -> None:
    given = Rule("srpt_constant", (7.0,))
    assert given.solve(task(stream([profile([1], [1.0])], 4))).parameters.tolist() == [7, 0]
    assert given.config == {"rule": "srpt_constant", "parameters": (7.0,)}
    tuned = Rule("srpt_constant").config["parameters"]
    assert tuned == {"small": (1.0,), "large": (2.0,), "stream": (3.0,)}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("mean_gap_ms", [0.0, 4000.0])
def test_every_rule_finishes_every_job(rule: str, mean_gap_ms: float) -> None:
    instance = made_stream(3, jobs=10, executors=6, mean_gap_ms=mean_gap_ms)
    played = simulate(instance, Rule(rule).solve(task(instance)), seed=5, trace=True)
    assert np.isfinite(played.done_ms).all()
    assert len(played.tasks) == sum(int(instance.profiles[job].num_tasks.sum()) for job in instance.jobs)


def test_every_rule_is_tuned_in_every_regime_and_is_a_solver() -> None:
    assert len(regimes()) == len({regime.name for regime in regimes()}) >= 9
    for regime in regimes():
        assert set(regime.parameters) == set(RULES)
        for rule, parameters in regime.parameters.items():
            assert np.isfinite(RULES[rule](*parameters).parameters).all()
    assert set(RULES) <= set(PROBLEM.solvers)


def test_a_shipped_instance_is_nearest_to_its_own_regime() -> None:
    for name, instance in PROBLEM.instances("test").items():
        assert nearest(instance).name == f"shipped-{name.rpartition('-')[0]}"


def test_a_regime_describes_its_streams() -> None:
    streams = [stream([profile([2], [500.0]), profile([4], [750.0])], 8)] * 2
    regime = describe("here", streams, {})
    assert (regime.name, regime.batch, regime.executors, regime.work_s) == ("here", True, 8, pytest.approx(2.0))
    assert regime.distance(regime) == 0
    assert regime.distance(replace(regime, executors=16)) == pytest.approx(np.log(2))
    assert regime.distance(replace(regime, batch=False)) > regime.distance(replace(regime, executors=10_000))
