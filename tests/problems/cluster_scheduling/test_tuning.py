# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling import baselines, tuning
from trimtab.problems.cluster_scheduling.baselines import RULES
from trimtab.problems.cluster_scheduling.problem import JobStream
from trimtab.problems.cluster_scheduling.simulator import simulate, srpt
from trimtab.problems.cluster_scheduling.simulator.made import made_profiles, made_stream
from trimtab.problems.cluster_scheduling.tuning import GRIDS, regime_streams, tune


def streams(count: int) -> list[JobStream]:
    profiles, rng = made_profiles(1), np.random.default_rng(1)
    return [JobStream(profiles, rng.integers(len(profiles), size=5), np.zeros(5), 6) for _ in range(count)]


def log_jct(candidate: tuple[float, ...], instances: list[JobStream]) -> float:
    """Mean log average JCT of srpt, one simulation after the other; stream i draws by seed i."""
    runs = [simulate(s, srpt(*candidate), seed=i).metrics["average_jct"] for i, s in enumerate(instances)]
    return float(np.log(runs).mean())


def test_the_best_candidate_is_found() -> None:
    grid = [(0.3, 0.5), (1.0, 0.5), (4.0, 0.5), (8.0, 0.0)]
    instances = streams(3)
    best = min(grid, key=lambda candidate: log_jct(candidate, instances))
    for rotated in (grid, grid[::-1], grid[2:] + grid[:2]):
        assert tune("srpt_concave", rotated, instances) == best


def test_of_many_candidates_the_best_on_a_few_streams_go_on() -> None:
    grid = [(2.0**e, power) for e in range(-3, 4) for power in (0.3, 0.6)]
    instances = streams(4)
    ahead = sorted(grid, key=lambda candidate: log_jct(candidate, instances[:2]))[:8]
    assert tune("srpt_concave", grid, instances) == min(ahead, key=lambda candidate: log_jct(candidate, instances))


def test_a_planted_winner_wins() -> None:
    """A cap of one executor for each of many equal jobs of one wide stage against all executors for one job."""
    profiles = made_profiles(1)
    alone = [JobStream(profiles, np.array([2]), np.zeros(1), 8)] * 2  # for a job alone, no cap is ever too large
    assert tune("sjf_cp", [()], alone) == ()
    caps = [(0.5,), (1.0,), (100.0,)]
    scores = [log_jct((*cap, 0.0), alone) for cap in caps]
    assert tune("srpt_constant", caps, alone) == caps[int(np.argmin(scores))]


def test_only_the_train_split_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def suite(split: str) -> dict[str, JobStream]:
        asked.append(split)
        return {"batch-8-000": made_stream(1), "batch-8-001": made_stream(2), "stream-16-000": made_stream(3)}

    monkeypatch.setattr(tuning, "instances", suite)
    monkeypatch.setattr(tuning, "SUITES", {"one": suite, "two": suite})
    found = {name: len(members) for name, members in regime_streams()}
    assert found == {"shipped-batch-8": 2, "shipped-stream-16": 1, "one": 3, "two": 3}
    assert asked == ["train"] * 3


def test_the_grids() -> None:
    assert set(GRIDS) == set(RULES)
    assert [round(10 * alpha) for (alpha,) in GRIDS["weighted_fair"]] == list(range(-20, 21))  # the paper's 41
    for rule, grid in GRIDS.items():
        assert len(set(grid)) == len(grid)
        assert len({RULES[rule](*candidate).kind for candidate in grid}) == 1


def test_what_is_written_is_what_the_rules_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "tuned.json"
    monkeypatch.setattr(tuning, "TUNED", path)
    monkeypatch.setattr(tuning, "GRIDS", {"fifo": [()], "srpt_constant": [(2.0,), (4.0,)]})
    monkeypatch.setattr(tuning, "regime_streams", lambda: iter([("here", streams(2))]))
    tuning.main()
    monkeypatch.setattr(baselines, "TUNED", path)
    (regime,) = baselines.regimes.__wrapped__()
    assert (regime.name, regime.batch, regime.executors) == ("here", True, 6)
    assert regime.parameters["fifo"] == ()
    assert regime.parameters["srpt_constant"] in [(2.0,), (4.0,)]
    assert json.loads(path.read_text())["split"] == "train"
