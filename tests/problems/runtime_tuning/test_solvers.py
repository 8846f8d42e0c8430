# SPDX-License-Identifier: Apache-2.0
"""Every optimiser, behind ask and tell, and as a solver."""

import importlib.util
import math
import sys

import numpy as np
import pytest

from trimtab.core.errors import MissingExtra, UnknownName
from trimtab.core.outcome import Outcome
from trimtab.core.task import Budget, Task
from trimtab.problems.runtime_tuning.problem import Configuration, Constraint, Objective, Target, Trial
from trimtab.problems.runtime_tuning.solvers import SEARCHES, Default, Searcher, optimiser, trial_of
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace

from .spaces import MIXED, Bumpy

EXTRAS = {"optuna_tpe": "optuna", "optuna_gp": "optuna", "cma_es": "cma", "smac": "smac", "opentuner": "opentuner"}
OPTIONAL = ("smac", "opentuner")  # of extras that CI does not install


def _here(name: str) -> bool:
    return importlib.util.find_spec(EXTRAS.get(name, "trimtab")) is not None


HERE = [name for name in SEARCHES if name not in OPTIONAL or _here(name)]


@pytest.mark.parametrize("name", HERE)
def test_an_optimiser_starts_at_the_default_and_finds_something_better(name: str) -> None:
    target = Bumpy(120, count=8)
    tuner, rng = optimiser(name, Target("t", target.space), 3, 25), np.random.default_rng(0)
    told: list[Trial] = []
    for i in range(25):
        values = tuner.ask()
        target.space.check(values)
        assert i or values == target.space.default
        told.append(Trial(values, "crash") if i % 7 == 5 else target.measure(values, rng))
        tuner.tell(told[-1])
    best = tuner.best()
    assert any(best == trial.values for trial in told if trial.valid)
    assert target.loss(best) < -0.03


@pytest.mark.parametrize("name", HERE)
def test_an_optimiser_keeps_to_conditions_and_clauses(name: str) -> None:
    tuner, rng = optimiser(name, Target("t", MIXED), 0, 20), np.random.default_rng(0)
    for _ in range(16):
        values = tuner.ask()
        MIXED.check(values)
        assert dict(values) == MIXED.canonical(values)
        tuner.tell(Trial(values, "ok", float(rng.normal())))


@pytest.mark.parametrize("name", [n for n in HERE if n != "smac"])
def test_equal_seeds_ask_the_same(name: str) -> None:
    """SMAC breaks ties by the hash of its configurations, which a process draws anew."""
    target = Bumpy(121, count=6)

    def asked(seed: int) -> list[object]:
        tuner, rng, found = optimiser(name, Target("t", target.space), seed, 14), np.random.default_rng(0), []
        for _ in range(14):
            found.append(dict(tuner.ask()))
            tuner.tell(target.measure(found[-1], rng))
        return list(found)

    assert asked(1) == asked(1)
    assert name == "coordinate" or asked(1) != asked(2)


@pytest.mark.parametrize("name", OPTIONAL)
def test_what_is_not_installed_says_which_extra_brings_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # as if it were not
    with pytest.raises(MissingExtra, match=rf"trimtab\[{name}\]"):
        optimiser(name, Target("t", MIXED), 0)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="portfolio"):
        optimiser("portfolo", Target("t", MIXED), 0)


class _Bowl:
    """A backend: the ratio is least at x = 0.8; y is refused above 0.9."""

    calls = 0

    def evaluate(self, instance: Target, decision: Configuration, *, seed: int) -> Outcome:
        self.calls += 1
        x, y = decision.values["x"], decision.values["y"]
        assert isinstance(x, float)
        assert isinstance(y, float)
        if y > 0.9:
            return Outcome({}, feasible=False, note="timeout")
        noise = 0.01 * float(np.random.default_rng(seed).normal())
        return Outcome({"ratio": math.exp((x - 0.8) ** 2 - 0.64 + noise)})


BOWL = Target("bowl", KnobSpace((Knob("x", "real", 0.0, 0.0, 1.0), Knob("y", "real", 0.0, 0.0, 1.0))))


@pytest.mark.parametrize("name", ["portfolio", "random", "successive_halving"])
def test_a_solver_spends_its_budget_and_says_what_the_search_took(name: str) -> None:
    backend = _Bowl()
    decision = Searcher(name).solve(Task(BOWL, backend, Budget(evaluations=20), 0, metric="ratio"))
    assert backend.calls == 20
    assert decision.search is not None
    assert decision.search.trials == 20
    assert 0 <= decision.search.invalid < 10
    assert 0.0 < decision.search.overhead < 1.0
    x = decision.values["x"]
    assert isinstance(x, float)
    assert 0.4 < x < 1.0


def test_no_budget_is_a_number_of_trials_of_its_own_and_none_is_the_default() -> None:
    backend = _Bowl()
    decision = Searcher("random", unlimited=12).solve(Task(BOWL, backend, Budget(), 0))
    assert backend.calls == 12
    assert decision.search is not None
    nothing = Searcher("portfolio").solve(Task(BOWL, backend, Budget(evaluations=0), 0))
    assert nothing.values == BOWL.space.default
    assert Default().solve(Task(BOWL, backend, Budget(evaluations=0), 0)).values == BOWL.space.default


def test_outcomes_become_trials() -> None:
    limited = Target("t", MIXED, Objective(constraints=(Constraint("rss", 10.0),)))
    ok = trial_of({}, Outcome({"ratio": 0.5, "trials": 3.0}), limited)
    assert (ok.status, ok.loss) == ("ok", pytest.approx(math.log(0.5)))
    over = trial_of({}, Outcome({"ratio": 0.5, "rss": 20.0}, feasible=False, note="rss 20 > 10"), limited)
    assert over.status == "constraint"
    assert over.metrics == {"rss": 20.0}
    assert trial_of({}, Outcome({}, feasible=False, note="refused"), limited).status == "refused"
    assert trial_of({}, Outcome({}, feasible=False, note="exit 3"), limited).status == "crash"
