# SPDX-License-Identifier: Apache-2.0
"""The sentences, against cases whose answer is known by construction."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trimtab.study.report.headline import finding, headline

from . import samples

BASE = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
WOBBLE = np.array([0.99, 1.01, 0.98, 1.02, 1.0, 1.005])


def column(effect: float) -> list[float]:
    """Values at this ratio to `BASE`, give or take 2 %."""
    return [float(v) for v in np.array(BASE) * effect * WOBBLE]


def test_a_winner_by_its_ratio_interval_and_count() -> None:
    (first, second) = headline(samples.values({"base": BASE, "good": column(0.8), "fair": column(0.9)}))
    ratio = math.exp(np.log(0.8 * WOBBLE).mean())
    assert first.startswith(f"good wins: its cost is {ratio:.3f}× that of base (95 % interval 0.7")
    assert first.endswith("better on 6 of 6 instances.")
    assert second.startswith("Every other solver is worse than it; the runner-up is fair (1.125×")


def test_higher_can_be_better() -> None:
    first = headline(samples.values({"base": BASE, "good": column(1.2), "bad": column(0.7)}, "maximize"))[0]
    assert first.startswith("good wins: its cost is 1.2")


def test_a_winner_that_is_not_separated_from_others_says_so() -> None:
    close = [float(v) for v in np.array(column(0.8)) * WOBBLE[::-1]]
    said = headline(samples.values({"base": BASE, "good": column(0.8), "close": close}))
    assert said[1] == "It is not separated from close." or said[1] == "It is not separated from good."


def test_a_beaten_reference_is_not_called_level_in_the_next_breath() -> None:
    """good / base is sure at p = 0.029 as the last of three, and not any more as the first of three (Holm)."""
    base = [10.0, 20.0, 30.0]
    good = [10 * math.exp(-0.7), 20 * math.exp(-1.0), 30 * math.exp(-1.3)]
    sure = {name: [v * 0.8 * wobble for v, wobble in zip(base, (0.999, 1.0, 1.001), strict=True)] for name in "ab"}
    said = headline(samples.values({"base": base, "good": good, **sure}))
    assert said[0].startswith("good wins")
    assert said[1] == "It is not separated from a and b."


def test_nothing_beats_the_reference() -> None:
    assert headline(samples.values({"base": BASE, "bad": column(1.2)}))[0].startswith(
        "Nothing beats base: on cost even the nearest, bad, is worse (1.2"
    )


def test_noise_is_not_a_finding() -> None:
    said = headline(samples.values({"base": BASE, "same": column(1.0)}))[0]
    assert said.startswith("Nothing beats base for certain: on cost the nearest is same")
    assert "it would take" in said


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (0.5, "The learned solver learned beats the best untrained one, rule"),
        (0.95, "The learned solver learned loses to the best untrained one, rule"),
    ],
)
def test_a_learned_solver_is_judged_by_the_best_untrained_one(effect: float, said: str) -> None:
    table = {"base": BASE, "rule": column(0.8), "learned": [effect * v for v in BASE]}
    assert any(s.startswith(said) for s in headline(samples.values(table, fit_s=60.0)))


def test_a_solver_that_leaves_instances_out_does_not_win() -> None:
    flattering = [*column(0.5)[:4], math.nan, math.nan]
    said = " ".join(headline(samples.values({"base": BASE, "good": column(0.8), "brittle": flattering})))
    assert said.startswith("good wins")
    assert "brittle has values on only 4 of the 6 instances" in said
    assert "2 cells of brittle gave no feasible outcome." in said


def test_too_few_instances_decide_nothing() -> None:
    assert headline(samples.values({"base": BASE[:1], "good": [1.0]}))[0].startswith("1 instance cannot tell good")


def test_nothing_to_compare() -> None:
    assert "nothing to compare" in headline(samples.values({"base": BASE}))[0]
    assert "No solver gave a feasible outcome" in headline(samples.values({"base": [math.nan] * 3}))[0]
    lost = headline(samples.values({"base": [math.nan] * 3, "good": BASE[:3], "bad": BASE[:3]}))[0]
    assert lost == "No other solver has a value on every instance that base has: nobody can be called best."


def test_tracks_have_a_finding_each() -> None:
    found = samples.search()
    assert finding(found, "policy")[0].startswith("rules wins")
    assert finding(found, "search")[0].startswith("bayesian wins: its run_time is 0.8")
    said = headline(found)
    assert said[0].startswith("Policy track: rules")
    assert any(s.startswith("Search track: bayesian") for s in said)


def test_the_unavailable_are_named() -> None:
    assert "decima was unavailable here and did not run." in headline(samples.troubled())
