# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.study.report import charts
from trimtab.study.report.anytime import curves
from trimtab.study.report.markup import Html
from trimtab.study.report.scale import RatioScale

from . import samples


def texts(svg: Html) -> dict[str, float]:
    """Each text of a chart, and its x."""
    found = {}
    for element in ET.fromstring(svg).iter("text"):
        place = element.get("x") or re.findall(r"[-\d.]+", element.get("transform", "0"))[0]
        found["".join(element.itertext())] = float(place)
    return found


def points(svg: Html) -> list[tuple[float, float]]:
    """Where markers are."""
    return [(float(e.attrib["x"]), float(e.attrib["y"])) for e in ET.fromstring(svg).iter("use")]


def test_paired_ratios_leave_out_what_has_no_ratio() -> None:
    comparison = samples.values({"base": [1.0, 2.0, 0.0, 4.0], "other": [2.0, 1.0, 3.0, math.nan]}).compare()
    assert charts.paired_ratios(comparison, "other") == {"i0": 2.0, "i1": 0.5}


def test_forest_puts_ratios_on_a_log_axis() -> None:
    table = {"base": [1.0] * 4, "half": [0.5, 0.49, 0.51, 0.5], "twice": [2.0, 2.02, 1.98, 2.0]}
    svg = charts.forest(samples.values(table).compare(), name="f")
    label = texts(svg)
    (half, _), (twice, _) = points(svg)
    per_doubling = (twice - half) / 2
    assert twice - label["1"] == pytest.approx(per_doubling, abs=0.6)
    assert [name for name in label if name in table] == ["half", "base", "twice"]


@pytest.mark.parametrize(("goal", "better", "worse"), [("minimize", 3, 1), ("maximize", 1, 3)])
def test_a_panel_has_a_stroke_for_each_instance(goal: str, better: int, worse: int) -> None:
    comparison = samples.values({"base": [1.0] * 5, "mixed": [0.5, 0.8, 0.9, 1.0, 2.0]}, goal).compare()
    (row,) = [row for row in comparison.rows if row.solver == "mixed"]
    svg = charts.instance_panel(comparison, row, RatioScale.over([0.5, 2.0]), name="i")
    drawn = {
        colour: path.attrib["d"].count("M")
        for path in ET.fromstring(svg).iter("path")
        for colour in ("better", "worse")
        if f"var(--{colour})" in path.get("style", "")
    }
    assert drawn == {"better": better, "worse": worse}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).map(sorted))
def test_labels_move_apart_and_no_further(heights: list[float]) -> None:
    placed = charts._spread(heights, 0.0, 1.0)
    gap = 1 / 12
    assert all(b - a >= gap - 1e-9 for a, b in pairwise(placed))
    assert min(placed) >= gap / 2 - 1e-9
    assert max(placed) <= 1 - gap / 2 + 1e-9


@given(st.lists(st.floats(0.3, 0.7), min_size=2, max_size=2).map(sorted))
def test_two_labels_share_the_way(heights: list[float]) -> None:
    low, high = charts._spread(heights, 0.0, 1.0)
    assert low + high == pytest.approx(sum(heights))
    assert high - low == pytest.approx(max(1 / 12, heights[1] - heights[0]))


def test_cost_has_a_place_for_nothing() -> None:
    rows = samples.scheduling(5, 1).compare().rows
    svg = charts.cost(rows, {r.solver: r.fit_s for r in rows}, label="training", name="c", in_seconds=True)
    label = texts(svg)
    assert label["none"] < label["10 min"] < label["1 h"]
    assert len(points(svg)) == len(rows)
    free = [x for x, _ in points(svg) if x == pytest.approx(label["none"], abs=0.6)]
    assert len(free) == sum(r.fit_s == 0 for r in rows)


def test_anytime_draws_every_search_to_its_end() -> None:
    found = samples.search()
    comparison = found.compare(track="search")
    svg = charts.anytime(curves(found, comparison), reference="random", name="a")
    assert {"random", "bayesian", "annealing", "genetic", "1", "10", "100"} <= set(texts(svg))
    ends = [x for x, _ in points(svg)]
    assert np.ptp(ends) < 0.5
    assert len(ends) == 4
