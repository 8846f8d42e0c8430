# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.core.errors import DataError, UsageError
from trimtab.problems.runtime_tuning.problem import Constraint, Objective
from trimtab.problems.runtime_tuning.system.gauge import Gauge
from trimtab.problems.runtime_tuning.system.journal import Journal
from trimtab.problems.runtime_tuning.system.records import Prior, Record, chance
from trimtab.problems.runtime_tuning.system.session import POLICY, Policy, Session
from trimtab.problems.runtime_tuning.system.tuning import Plan, Tuning

from .fakes import SPACE, Draws, Fake, truth


def session(path: Path, meter: Fake, objective: Objective | None = None, policy: Policy = POLICY) -> Session:
    journal = Journal(path / "journal", {"seed": 0})
    return Session(SPACE, objective or Objective(), Draws(), [meter], journal, policy)


def test_the_default_comes_first_and_is_its_own_measure(tmp_path: Path) -> None:
    made = session(tmp_path, Fake())
    made.search(trials=1)
    (row,) = made.rows
    assert row.trial.values == SPACE.default and (row.trial.loss, row.trial.runs) == (0.0, 3)
    assert [shot.control for shot in row.shots] == [True] * 3


def test_losses_are_log_ratios_to_the_default_on_a_machine_that_slows_down(tmp_path: Path) -> None:
    """The machine becomes 3 times slower over 200 runs; a loss lags behind by that of a few runs."""
    made = session(tmp_path, Fake(noise=0.01, drift=lambda n: n * math.log(3) / 200), policy=Policy(repeats=1))
    made.search(trials=120)
    errors = [t.loss - truth(t.values) for t in made.optimiser.trials[20:] if t.status == "ok"]  # type: ignore[attr-defined]
    assert abs(np.mean(errors)) < 0.05 and np.std(errors) < 0.03
    drift = made.meters[0].n * math.log(3) / 200  # type: ignore[attr-defined]
    assert drift > 0.8  # what a comparison with the first run of the default would be wrong by


def test_a_control_after_every_few_runs(tmp_path: Path) -> None:
    made = session(tmp_path, Fake(), policy=Policy(control=4))
    made.search(trials=40)
    since = 0
    for row in made.rows:
        for shot in row.shots:
            since = 0 if shot.control else since + 1
        assert since < 4 + made.policy.repeats


def test_only_what_may_win_is_run_again(tmp_path: Path) -> None:
    made = session(tmp_path, Fake(noise=0.01))
    made.search(trials=60)
    best = 0.0
    for trial in made.optimiser.trials[1:]:  # type: ignore[attr-defined]
        if truth(trial.values) > best + 0.1:
            assert trial.runs == 1
        elif truth(trial.values) < best - 0.1:
            assert trial.runs == 3
        best = min(best, truth(trial.values))


def test_what_is_too_slow_is_killed_and_its_loss_is_a_bound(tmp_path: Path) -> None:
    meter = Fake(truth=lambda values: 2.0 if values["y"] == "c" else 0.0)
    made = session(tmp_path, meter)
    made.search(trials=20)
    censored = [t for t in made.optimiser.trials if t.status == "censored"]  # type: ignore[attr-defined]
    assert {t.values["y"] for t in censored} == {"c"}
    assert all(t.loss == pytest.approx(math.log(3), abs=0.1) for t in censored)  # 3 times the best yet
    assert made.best() is None or made.best().values["y"] != "c"  # type: ignore[union-attr]


def test_failures_are_trials(tmp_path: Path) -> None:
    meter = Fake(fails=lambda values: {"a": "", "b": "crash", "c": "timeout"}[str(values["y"])])
    made = session(tmp_path, meter)
    made.search(trials=20)
    told = {str(t.values["y"]): t.status for t in made.optimiser.trials}  # type: ignore[attr-defined]
    assert told == {"a": "ok", "b": "crash", "c": "timeout"}
    best = made.best()
    assert best is not None and best.values["y"] == "a"


def test_the_default_that_fails_later_is_the_end(tmp_path: Path) -> None:
    meter = Fake()
    meter.fails = lambda values: "crash" if meter.n > 10 and values == SPACE.default else ""
    made = session(tmp_path, meter)
    with pytest.raises(UsageError, match="every knob at its default"):
        made.search(trials=50)
    assert 3 <= made.trials < 50


def test_a_constraint_keeps_a_configuration_from_winning(tmp_path: Path) -> None:
    made = session(tmp_path, Fake(), Objective(constraints=(Constraint("rss", 1.5e8),)))
    made.search(trials=40)
    best = made.best()
    assert best is not None and best.values["y"] == "a"  # b is faster, and takes twice the memory
    assert {t.status for t in made.optimiser.trials if t.values["y"] == "b"} == {"constraint"}  # type: ignore[attr-defined]


def test_maximising(tmp_path: Path) -> None:
    made = session(tmp_path, Fake(truth=lambda values: 0.1 * float(values["x"])), Objective(goal="maximize"))  # type: ignore[arg-type]
    made.search(trials=30)
    best = made.best()
    assert best is not None and best.values["x"] == 9 and best.mean == pytest.approx(-0.9, abs=0.1)


def test_the_budget_is_kept(tmp_path: Path) -> None:
    made = session(tmp_path, Fake())
    made.search(seconds=10.0)
    assert 10.0 <= made.spent < 10.0 + max(row.trial.seconds for row in made.rows) + 1


# -- the journal


def tuning(path: Path, meter: Fake, header: dict[str, Any] | None = None) -> Tuning:
    journal = Journal(path, header or {"seed": 0, "command": {"argv": ["a"]}})
    meter.n = sum(len(row.get("shots", row.get("order", ()))) for row in journal.rows)
    plan = Plan(trials=25, minimise=True)
    return Tuning(SPACE, Objective(), Draws(seed=3), [meter], journal, seed=3, plan=plan)


def timeless(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in ("overhead", "elapsed", "load")} for row in rows]


def test_a_run_that_is_cut_off_anywhere_ends_the_same(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    answer = tuning(whole, Fake()).run()
    data = whole.read_bytes()
    rng = np.random.default_rng(0)
    for cut in sorted(rng.integers(1, len(data), 25)):
        path = tmp_path / f"cut{cut}"
        path.write_bytes(data[:cut])  # what a kill leaves, the middle of a line included
        again = tuning(path, Fake())
        assert len(again.journal.rows) >= data[:cut].count(b"\n") - 1
        resumed = again.run()
        again.journal.close()
        assert timeless(path) == timeless(whole)
        assert (resumed.values, resumed.proof) == (answer.values, answer.proof)


def test_another_command_is_said(tmp_path: Path) -> None:
    with tuning(tmp_path / "j", Fake()).journal as journal:
        assert not journal.rows
    tuning(tmp_path / "j", Fake(), {"seed": 2}).journal.close()  # nothing came of the first
    with tuning(tmp_path / "j", Fake()).journal as journal:
        journal.append({"kind": "probe"})
    with pytest.raises(UsageError, match=r'another command: command.argv was \["a"\], and is \["b"\]'):
        tuning(tmp_path / "j", Fake(), {"seed": 0, "command": {"argv": ["b"]}})
    with pytest.raises(UsageError, match="another seed: seed was 0, and is 1"):
        tuning(tmp_path / "j", Fake(), {"seed": 1, "command": {"argv": ["a"]}})


def test_a_journal_in_use_or_of_something_else(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {}), pytest.raises(UsageError, match="is in use"):
        Journal(tmp_path / "j", {})
    for text in ("something of the user's own\n", '{"a": 1}\n', "x"):
        (tmp_path / "k").write_text(text)
        with pytest.raises((UsageError, DataError)):
            Journal(tmp_path / "k", {})
        assert (tmp_path / "k").read_text() == text


def test_a_line_in_the_middle_that_is_damaged(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {}) as journal:
        journal.append({"kind": "trial"})
    with (tmp_path / "j").open("a") as file:
        file.write('{"kind": "tri\n{"kind": "trial"}\n')
    with pytest.raises(DataError, match="j:3: this line is damaged"):
        Journal(tmp_path / "j", {})


# -- its statistics


def test_a_steady_machine_is_averaged_and_a_wandering_one_followed() -> None:
    rng = np.random.default_rng(1)
    steady = Gauge(rng.normal(0.0, 0.05, 60))
    assert abs(steady.level.mean) < 0.02 and steady.sd == pytest.approx(0.05, rel=0.2)
    walk = np.cumsum(rng.normal(0.0, 0.1, 60))
    wandering = Gauge(walk + rng.normal(0.0, 0.03, 60))
    assert wandering.level.mean == pytest.approx(walk[-1], abs=0.1)
    assert wandering.level.variance > steady.level.variance


def test_the_level_is_the_mean_where_nothing_wanders() -> None:
    """Closed form: without wandering the Kalman filter is the running mean, of variance s^2/n."""
    gauge = Gauge()
    controls = [0.0, 0.1, -0.1, 0.05, -0.05, 0.02]
    for control in controls:
        gauge.add(control)
    likelihood, variance, level = gauge._filter(0.0)
    assert level.mean == pytest.approx(np.mean(controls))
    assert level.variance == pytest.approx(variance / len(controls))
    assert math.isfinite(likelihood)


def test_shrinking_undoes_the_winners_curse() -> None:
    """The best of 40 configurations that are all the same, over 300 searches: seen -0.1, expected about 0."""
    rng = np.random.default_rng(2)
    seen, expected, truths = [], [], []
    for spread in (0.0, 0.05):
        for _ in range(300):
            true = rng.normal(0.0, spread, 40)
            records = [Record({}, [t + 0.05 * rng.standard_normal()], [0.0]) for t in true]
            prior = Prior.of(records, 0.05)
            best = min(range(40), key=lambda k: records[k].mean)
            seen.append(records[best].mean)
            expected.append(prior.shrink(records[best].mean, 0.05**2)[0])
            truths.append(true[best])
    assert np.mean(seen) < np.mean(truths) - 0.05
    assert np.mean(expected) == pytest.approx(np.mean(truths), abs=0.01)


def test_chance() -> None:
    assert chance((0.0, 1.0), (0.0, 1.0)) == 0.5
    assert chance((0.0, 0.5), (1.96, 0.5)) == pytest.approx(0.975, abs=1e-3)
    assert (chance((0.0, 0.0), (1.0, 0.0)), chance((1.0, 0.0), (0.0, 0.0))) == (1.0, 0.0)
