# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest

from trimtab.core.problem import Metric
from trimtab.study.report.anytime import curves
from trimtab.study.results import Results

from . import samples


def study(histories: dict[tuple[str, str, int], tuple[tuple[int, float], ...]]) -> Results:
    """(solver, instance, seed) -> history; each ends with what it found."""
    runs = [
        samples.run(instance, solver, seed, {"cost": history[-1][1]}, track="search", anytime=history, evaluations=8)
        for (solver, instance, seed), history in histories.items()
    ]
    return samples.results(runs, metrics=(Metric("cost", "s"),), reference="random")


def test_the_curve_is_the_geometric_mean_of_ratios_to_the_reference_s_end() -> None:
    found = study(
        {
            ("random", "a", 0): ((1, 8.0), (4, 2.0)),
            ("random", "b", 0): ((1, 4.0),),
            ("other", "a", 0): ((1, 4.0), (8, 1.0)),
            ("other", "b", 0): ((2, 4.0),),
        }
    )
    by_solver = {curve.solver: curve for curve in curves(found, found.compare())}
    random, other = by_solver["random"], by_solver["other"]
    at = dict(zip(random.evaluations.tolist(), random.ratios.tolist(), strict=True))
    assert at[1] == pytest.approx(math.sqrt(8 / 2 * 4 / 4))
    assert at[4] == pytest.approx(1.0)
    at = dict(zip(other.evaluations.tolist(), other.ratios.tolist(), strict=True))
    assert min(at) == 2  # before, one instance has nothing yet
    assert at[2] == pytest.approx(math.sqrt(4 / 2 * 4 / 4))
    assert at[8] == pytest.approx(math.sqrt(1 / 2 * 4 / 4))


def test_seeds_are_averaged_inside_an_instance() -> None:
    found = study({("random", "a", 0): ((1, 2.0),), ("random", "a", 1): ((1, 6.0), (3, 4.0))})
    (curve,) = curves(found, found.compare())
    at = dict(zip(curve.evaluations.tolist(), curve.ratios.tolist(), strict=True))
    assert at[1] == pytest.approx((2 + 6) / 2 / 3)
    assert at[3] == pytest.approx(1.0)


def test_policies_have_no_curve() -> None:
    found = samples.search()
    assert curves(found, found.compare(track="policy")) == []
