# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trimtab.study.statistics import holm, instances_needed, iqm, paired, wins_ties_losses

positive = st.floats(1e-3, 1e3)
pairs = st.lists(st.tuples(positive, positive), min_size=2, max_size=30)


@given(pairs)
def test_paired_is_the_t_test_of_scipy_on_logs(pairs: list[tuple[float, float]]) -> None:
    x, r = np.array(pairs).T
    logs = np.log(x / r)
    found = paired(x, r)
    assert found.ratio == pytest.approx(stats.gmean(x) / stats.gmean(r))
    if logs.std(ddof=1) > 1e-9:
        expected = stats.ttest_1samp(logs, 0)
        interval = expected.confidence_interval(0.95)
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
        assert np.log([found.low, found.high]) == pytest.approx([interval.low, interval.high], rel=1e-6, abs=1e-9)


@given(pairs)
def test_turning_the_comparison_round_turns_the_interval_round(pairs: list[tuple[float, float]]) -> None:
    x, r = np.array(pairs).T
    one, other = paired(x, r), paired(r, x)
    assert [1 / other.high, 1 / other.low, other.p_value] == pytest.approx([one.low, one.high, one.p_value], rel=1e-6)


@given(pairs, positive)
def test_units_do_not_count(pairs: list[tuple[float, float]], unit: float) -> None:
    x, r = np.array(pairs).T
    one, other = paired(x, r), paired(x * unit, r * unit)
    assert [other.low, other.high] == pytest.approx([one.low, one.high], rel=1e-6)


def test_equal_everywhere_is_no_difference_and_a_constant_one_is_certain() -> None:
    same = paired([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert (same.ratio, same.low, same.high, same.p_value) == (1, 1, 1, 1)
    half = paired([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    assert (half.ratio, half.p_value) == (pytest.approx(0.5), 0)


@pytest.mark.parametrize("n", [0, 1])
def test_one_instance_gives_no_interval(n: int) -> None:
    found = paired([2.0][:n], [1.0][:n])
    assert all(math.isnan(value) for value in (found.low, found.high, found.p_value))
    assert math.isnan(found.ratio) if n == 0 else found.ratio == 2


def test_values_that_are_not_positive_are_compared_by_differences() -> None:
    x, r = np.array([0.0, 1.0, -2.0, 4.0]), np.array([1.0, 2.0, -1.0, 4.0])
    found = paired(x, r)
    expected = stats.ttest_rel(x, r)
    interval = expected.confidence_interval(0.95)
    unit = np.abs(r).mean()
    assert found.scale == "difference"
    assert found.p_value == pytest.approx(expected.pvalue)
    assert [found.ratio, found.low, found.high] == pytest.approx(
        [1 + (x - r).mean() / unit, 1 + interval.low / unit, 1 + interval.high / unit]
    )


def test_a_reference_of_zeros_has_no_ratio_and_no_crash() -> None:
    assert math.isnan(paired([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]).ratio)


def test_holm_on_the_example_of_the_literature() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []
    adjusted = holm([math.nan, 0.02, 0.01])
    assert math.isnan(adjusted[0])
    assert adjusted[1:] == pytest.approx([0.02, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_nothing_and_bonferroni(p_values: list[float]) -> None:
    for p, adjusted in zip(p_values, holm(p_values), strict=True):
        assert p <= adjusted <= min(1, len(p_values) * p) + 1e-12


def test_wins_ties_and_losses() -> None:
    ratios = np.array([0.5, 1.0, 1 + 1e-12, 1.2, 2.0])
    assert wins_ties_losses(ratios, lower_is_better=True) == (1, 2, 2)
    assert wins_ties_losses(ratios, lower_is_better=False) == (2, 2, 1)


@pytest.mark.parametrize("effect", [0.2, 0.5, -0.8])
def test_instances_needed_gives_four_chances_in_five(effect: float) -> None:
    n = instances_needed(effect, 5)
    assert n is not None
    quantile = stats.t.ppf(0.975, n - 1)
    power = stats.nct.sf(quantile, n - 1, abs(effect) * math.sqrt(n))
    assert power == pytest.approx(0.8, abs=0.03)
    more = instances_needed(effect, 5, comparisons=10)
    assert more is not None
    assert more > n


def test_no_effect_needs_no_number() -> None:
    assert instances_needed(0.0, 5) is None
    assert instances_needed(math.nan, 5) is None
    assert instances_needed(3.0, 12) == 13  # never fewer than there are


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_iqm_is_the_trimmed_mean_of_scipy(values: list[float]) -> None:
    assert iqm(values) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-12, abs=1e-9)
