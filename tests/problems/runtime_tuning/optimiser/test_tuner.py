# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest

from trimtab.core.errors import UsageError
from trimtab.problems.runtime_tuning.optimiser import Tuner
from trimtab.problems.runtime_tuning.problem import Constraint, Objective, Trial
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace, Values

from ..spaces import MIXED, Bumpy


def _run(tuner: Tuner, target: Bumpy, trials: int, seed: int = 0) -> list[Values]:
    rng, asked = np.random.default_rng(seed), []
    for _ in range(trials):
        asked.append(tuner.ask())
        tuner.tell(target.measure(asked[-1], rng))
    return asked


def test_the_default_comes_first_and_is_kept_while_nothing_is_better() -> None:
    tuner = Tuner(MIXED)
    assert tuner.best() == dict(MIXED.default)
    assert tuner.ask() == MIXED.default
    tuner.tell(Trial(MIXED.default, "ok", 0.0))
    for loss in (0.3, 0.4, 0.5, 0.6):
        tuner.tell(Trial(tuner.ask(), "ok", loss))
    assert tuner.best() == dict(MIXED.default)


def test_everything_asked_is_allowed_and_open_questions_are_not_asked_twice() -> None:
    tuner = Tuner(MIXED, seed=2)
    rng = np.random.default_rng(0)
    for _ in range(12):
        asked = [tuner.ask() for _ in range(3)]
        for values in asked:
            MIXED.check(values)
            assert dict(values) == MIXED.canonical(values)
        assert len({tuple(v.items()) for v in asked}) == 3
        for values in asked:
            tuner.tell(Trial(values, "ok", float(rng.normal())))


@pytest.mark.parametrize("cut", [1, 5, 17])
def test_the_same_tells_lead_to_the_same_question(cut: int) -> None:
    """A run that is resumed from a journal, with no questions in between, goes on as if it had never stopped."""
    target = Bumpy(1)
    whole = Tuner(target.space, seed=4, budget=20)
    rng, journal, asked = np.random.default_rng(0), [], []
    for _ in range(20):
        asked.append(whole.ask())
        journal.append(target.measure(asked[-1], rng))
        whole.tell(journal[-1])
    resumed = Tuner(target.space, seed=4, budget=20)
    for trial in journal[:cut]:
        resumed.tell(trial)
    for expected, trial in zip(asked[cut:], journal[cut:], strict=True):
        assert resumed.ask() == expected
        resumed.tell(trial)
    assert resumed.best() == whole.best()
    assert Tuner(target.space, seed=5).seed != whole.seed
    assert _run(Tuner(target.space, seed=5), target, 4)[1:] != asked[1:4]


def test_it_beats_random_search_on_functions_that_it_was_not_tuned_on() -> None:
    """20 trials against 40 random ones, on 6 functions: a gain on the mean, and on four of them or more."""
    wins, gaps = 0, []
    for seed in range(100, 106):
        target = Bumpy(seed)
        tuner = Tuner(target.space, seed=seed, budget=20)
        _run(tuner, target, 20)
        rng = np.random.default_rng(seed)
        drawn = [target.measure(target.space.draw(rng), rng) for _ in range(40)]
        lowest = min(drawn, key=lambda t: t.loss if t.loss is not None else math.inf)
        ours, theirs = target.loss(tuner.best()), target.loss(lowest.values)
        wins += ours < theirs
        gaps.append((theirs - ours) / -target.lowest())
    assert np.mean(gaps) > 0.1
    assert wins >= 4


def test_a_hidden_rule_is_avoided() -> None:
    target = Bumpy(107)
    bad = next(k for k in target.space.knobs if k.kind == "enum")
    refused = {v for v in bad.choices if v != bad.default}
    refused = set(sorted(refused, key=str)[:2])  # half of all values
    tuner, rng, failed = Tuner(target.space, seed=0), np.random.default_rng(0), []
    for _ in range(45):
        values = tuner.ask()
        failed.append(values[bad.name] in refused)
        tuner.tell(Trial(values, "crash") if failed[-1] else target.measure(values, rng))
    assert sum(failed[20:]) <= 2
    assert tuner.best()[bad.name] not in refused


def test_a_constraint_is_modelled_and_what_breaks_it_is_not_kept() -> None:
    """The less memory the slower: the best allowed configuration is at the limit."""
    space = KnobSpace((Knob("heap", "int", 100, 50, 1000, log=True), Knob("idle", "real", 0.5, 0.0, 1.0)))
    objective = Objective(constraints=(Constraint("rss", 400.0),))
    tuner, rng = Tuner(space, objective, seed=1), np.random.default_rng(0)
    broken = 0
    for i in range(30):
        values = tuner.ask()
        heap = values["heap"]
        assert isinstance(heap, int)
        rss = heap * float(np.exp(0.02 * rng.normal()))
        loss = -0.5 * math.log(heap / 100) + 0.01 * float(rng.normal())
        broken += rss > 400.0 and i >= 12
        tuner.tell(Trial(values, "constraint" if rss > 400.0 else "ok", loss, metrics={"rss": rss}))
    heap = tuner.best()["heap"]
    assert isinstance(heap, int)
    assert 250 < heap <= 410
    assert broken <= 14  # of 18, where none of them is at the limit by chance


def test_what_is_kept_is_not_the_luckiest_sample() -> None:
    space = KnobSpace((Knob("x", "real", 0.0, 0.0, 1.0),))
    tuner, rng = Tuner(space, seed=0), np.random.default_rng(1)
    for x in np.linspace(0.0, 1.0, 12):
        for _ in range(3):
            tuner.tell(Trial({"x": float(x)}, "ok", float(-x + 0.1 * rng.normal())))
    tuner.tell(Trial({"x": 0.05}, "ok", -1.3))  # a lucky one
    x = tuner.best()["x"]
    assert isinstance(x, float)
    assert x > 0.7


def test_a_space_that_is_used_up_is_asked_again() -> None:
    space = KnobSpace((Knob("a", "bool", False), Knob("b", "bool", False)))
    tuner, rng = Tuner(space, seed=0), np.random.default_rng(0)
    seen = set()
    for _ in range(12):
        values = tuner.ask()
        seen.add((values["a"], values["b"]))
        tuner.tell(Trial(values, "ok", -0.5 * bool(values["a"]) + 0.05 * float(rng.normal())))
    assert len(seen) == 4
    assert tuner.best()["a"] is True


def test_all_trials_may_fail() -> None:
    tuner = Tuner(MIXED, seed=0)
    for _ in range(30):
        tuner.tell(Trial(tuner.ask(), "crash"))
    assert tuner.best() == dict(MIXED.default)


def test_only_values_of_the_space_are_told() -> None:
    with pytest.raises(UsageError, match="ratio"):
        Tuner(MIXED).tell(Trial({**MIXED.default, "ratio": 7.0}, "ok", 0.0))


def test_the_safe_mode_costs_little_more_than_the_default_and_still_gains() -> None:
    worst, free, gain = [], [], []
    for seed in range(3):
        target = Bumpy(110 + seed)
        asked = _run(Tuner(target.space, seed=seed, safe=True), target, 30)
        worst.append(np.mean([target.loss(v) > math.log(1.1) for v in asked]))
        free.append(np.mean([target.loss(v) > math.log(1.1) for v in _run(Tuner(target.space, seed=seed), target, 30)]))
        gain.append(min(target.loss(v) for v in asked))
    assert np.mean(worst) < 0.5 * np.mean(free)
    assert np.mean(gain) < -0.05
