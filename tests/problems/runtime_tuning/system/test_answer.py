# SPDX-License-Identifier: Apache-2.0
"""From what a search found to what is said of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.problems.runtime_tuning.problem import Constraint, Objective
from trimtab.problems.runtime_tuning.space import Values
from trimtab.problems.runtime_tuning.system.importance import main_effects
from trimtab.problems.runtime_tuning.system.journal import Journal
from trimtab.problems.runtime_tuning.system.minimise import Reduction, minimise
from trimtab.problems.runtime_tuning.system.pairs import Interval, Turns
from trimtab.problems.runtime_tuning.system.proof import ENOUGH, LEAST, MOST, pairs_for, prove
from trimtab.problems.runtime_tuning.system.records import Record
from trimtab.problems.runtime_tuning.system.tuning import Answer, Plan, Tuning

from .fakes import SPACE, Draws, Fake, nothing, truth

PLAN = Plan(trials=30)
BEST: dict[str, Any] = {"x": 9, "y": "b", "idle": True, "order": ("r", "q", "p")}


def tuned(path: Path, meter: Fake, seed: int = 0, plan: Plan = PLAN, **objective: Any) -> Answer:
    with Journal(path / f"journal{seed}", {}) as journal:
        return Tuning(SPACE, Objective(**objective), Draws(seed=seed), [meter], journal, seed, plan).run()


def turns(path: Path, meter: Fake) -> Callable[[str], Turns]:
    journal = Journal(path / "journal", {})
    return lambda stage: Turns(stage, Objective(), meter, journal, 0)


def test_a_gain_is_proved_and_its_interval_holds_the_truth(tmp_path: Path) -> None:
    inside = 0
    for seed in range(20):
        answer = tuned(tmp_path, Fake(seed=seed), seed)
        assert answer.proved and answer.proof is not None
        true = truth(answer.values)
        inside += answer.proof.interval.low <= true <= answer.proof.interval.high
        assert true < -0.3
    assert inside >= 16  # of 20 at 95 %: fewer has a chance of 0.3 %


def test_where_nothing_helps_that_is_said(tmp_path: Path) -> None:
    better, seen, expected = 0, [], []
    for seed in range(40):
        answer = tuned(tmp_path, Fake(nothing, noise=0.1, seed=seed), seed, Plan(trials=20))
        better += answer.proved
        if not answer.proved:
            assert answer.values == SPACE.default
        if answer.finding is not None:
            seen.append(answer.finding.seen)
            expected.append(answer.finding.loss)
    assert np.mean(seen) < -0.04 and abs(np.mean(expected)) < 0.02  # what was seen is too good to be true
    assert better <= 4  # 2.5 % of 40 is 1; more than 4 has a chance of 0.4 %


def test_a_default_that_is_the_best(tmp_path: Path) -> None:
    worse = Fake(lambda values: 0.2 * (values != SPACE.default))
    answer = tuned(tmp_path, worse)
    assert answer.values == SPACE.default and not answer.proved and answer.finding is None


def test_the_answer_keeps_the_constraints(tmp_path: Path) -> None:
    answer = tuned(tmp_path, Fake(), constraints=(Constraint("rss", 1.5e8),))
    assert answer.values["y"] == "a" and answer.proved
    meter = Fake()
    made = turns(tmp_path, meter)("proof")
    broken = prove(made, SPACE.default, BEST, Objective(constraints=(Constraint("rss", 1.5e8),)), 8)
    assert broken.verdict == "breaks a constraint" and broken.broken == "rss <= 1.5e+08"


def test_a_configuration_that_fails_in_the_proof(tmp_path: Path) -> None:
    meter = Fake()
    meter.fails = lambda values: "crash" if values["y"] == "b" and meter.n == 9 else ""
    assert prove(turns(tmp_path, meter)("proof"), SPACE.default, BEST, Objective(), 8).verdict in ("fails", "better")
    meter.fails = lambda values: "crash" if values["y"] == "b" else ""
    assert prove(turns(tmp_path, meter)("again"), SPACE.default, BEST, Objective(), 8).verdict == "fails"


def test_the_order_within_pairs_is_random(tmp_path: Path) -> None:
    meter = Fake()
    prove(turns(tmp_path, meter)("proof"), SPACE.default, BEST, Objective(), 30)
    first = [meter.asked[k][0] == SPACE.default for k in range(0, 60, 2)]
    assert 8 <= sum(first) <= 22
    assert all(
        (meter.asked[k][0] == SPACE.default) != (meter.asked[k + 1][0] == SPACE.default) for k in range(0, 60, 2)
    )


def test_an_interval_against_the_textbook() -> None:
    """Student's own sleep data (1908): the mean difference is 1.58, with a 95 % interval from 0.70 to 2.46."""
    interval = Interval.of([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    assert interval.mean == pytest.approx(1.58)
    assert (interval.low, interval.high) == (pytest.approx(0.7001, abs=1e-4), pytest.approx(2.4599, abs=1e-4))
    assert interval.sd == pytest.approx(1.23, abs=1e-2)


def test_the_size_of_a_proof() -> None:
    assert pairs_for(-0.5, 0.02, math.inf, 1.0) == ENOUGH  # plain to see
    assert pairs_for(-0.02, 0.1, math.inf, 1.0) == MOST
    assert ENOUGH < pairs_for(-0.2, 0.1, math.inf, 1.0) < MOST
    assert pairs_for(-0.02, 0.1, 20.0, 2.0) == 10  # what there is time for
    assert pairs_for(-0.02, 0.1, 1.0, 2.0) == LEAST


def test_a_reported_gain_lies_in_the_interval_of_a_few_fresh_pairs_nine_times_in_ten() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(4000):
        reported = float(rng.standard_normal(ENOUGH).mean())
        again = Interval.of(list(rng.standard_normal(LEAST)))
        inside += again.low <= reported <= again.high
    assert inside / 4000 >= 0.9


def least(path: Path, meter: Fake, values: Values = BEST) -> Reduction:
    return minimise(SPACE, values, truth(values), turns(path, meter), 0.03)


def test_the_smallest_change_that_keeps_the_gain(tmp_path: Path) -> None:
    reduction = least(tmp_path, Fake())
    assert SPACE.changed(reduction.values) == {"x": 9, "y": "b"}
    assert sorted(reduction.removed) == ["idle", "order"]
    assert reduction.worth["x"] == pytest.approx(0.45, abs=0.05)
    assert reduction.worth["y"] == pytest.approx(0.2, abs=0.05)


def test_a_knob_that_can_not_be_put_back(tmp_path: Path) -> None:
    meter = Fake(lambda values: 0.0, fails=lambda values: "" if values["idle"] else "crash")
    reduction = least(tmp_path, meter)
    assert SPACE.changed(reduction.values) == {"idle": True}
    assert reduction.worth == {"idle": math.inf}


def test_minimising_is_part_of_tuning(tmp_path: Path) -> None:
    answer = tuned(tmp_path, Fake(), plan=Plan(trials=30, minimise=True))
    assert answer.proved and answer.reduction is not None
    assert set(SPACE.changed(answer.values)) <= {"x", "y"}


def test_importance_finds_the_knobs_that_matter() -> None:
    rng = np.random.default_rng(0)
    records = []
    for _ in range(60):
        values = SPACE.draw(rng)
        records.append(Record(values, [truth(values) + 0.02 * rng.standard_normal()], [0.0]))
    found = main_effects(SPACE, records)
    assert list(found)[:2] in (["x", "y"], ["y", "x"])
    assert found["x"] > 0.2 and found["y"] > 0.2 and found["idle"] < 0.1 and found["order"] < 0.15
    assert main_effects(SPACE, records[:5]) == {}


def test_no_knob_is_important_where_nothing_helps() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(50):
        records = [Record(SPACE.draw(rng), [rng.standard_normal()], [0.0]) for _ in range(30)]
        found.append(list(main_effects(SPACE, records).values()))
    assert np.mean(found) < 0.05
