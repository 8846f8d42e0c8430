# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.study.report.scale import FARTHEST, RatioScale

ratios = st.lists(st.floats(1e-6, 1e6), max_size=20)


@given(ratios, st.integers(2, 6))
def test_every_scale_shows_one_and_its_ticks_apart(values: list[float], most: int) -> None:
    scale = RatioScale.over(values)
    ticks = scale.ticks(most)
    assert 1.0 in ticks
    assert all(scale.low <= t <= scale.high for t in ticks)
    places = [scale.position(t) for t in ticks]
    assert all(b - a >= 0.7 / most - 1e-9 for a, b in pairwise(places))


@given(ratios)
def test_every_ratio_has_a_place(values: list[float]) -> None:
    scale = RatioScale.over([*values, math.nan, math.inf, 0.0, -1.0])
    places = [scale.position(v) for v in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= p <= 1 for p in places)


def test_the_scale_is_logarithmic() -> None:
    scale = RatioScale.over([0.5, 2.0])
    assert scale.position(1.0) == pytest.approx(0.5)
    assert scale.position(math.sqrt(2)) - 0.5 == pytest.approx((scale.position(2.0) - 0.5) / 2)


def test_outliers_are_drawn_at_the_edge() -> None:
    scale = RatioScale.over([0.9, 1e5])
    assert scale.high < 2 * FARTHEST
    assert scale.position(1e5) == 1.0
    assert scale.position(0.0) == 0.0
