# SPDX-License-Identifier: Apache-2.0
"""A plan on paper: split points of contiguous plans, and a picture that draws every op."""

from __future__ import annotations

import json

import numpy as np

from trimtab.problems.device_placement.problem import Placement, PlacementInstance, homogeneous
from trimtab.problems.device_placement.rendering import plan_json, render, split_points
from trimtab.problems.device_placement.simulator import Simulator

from .made import graph_of

CHAIN = graph_of([1.0] * 6, [(i, i + 1, 1.0) for i in range(5)])
INSTANCE = PlacementInstance(CHAIN, homogeneous("three", 3, kind="core", bandwidth=1.0, queue="priority"))


def test_split_points_begin_the_later_stages() -> None:
    assert split_points(INSTANCE, np.array([2, 2, 0, 0, 0, 1])) == ["op2", "op5"]


def test_interleaved_plans_have_none() -> None:
    assert split_points(INSTANCE, np.array([0, 1, 0, 1, 2, 2])) is None


def test_the_plan_names_every_op() -> None:
    plan = json.loads(plan_json(INSTANCE, Placement(np.array([0, 0, 1, 1, 2, 2]), np.arange(6.0))))
    assert plan["device_of_op"] == {"op0": 0, "op1": 0, "op2": 1, "op3": 1, "op4": 2, "op5": 2}
    assert plan["priority_of_op"]["op3"] == 3.0 and plan["split_points"] == ["op2", "op4"]


def test_the_rendering_has_a_row_per_device() -> None:
    rendering = render(INSTANCE, Placement(np.array([0, 0, 1, 1, 2, 2])), Simulator(), 0)
    assert [row["load s"] for row in rendering.table] == [3.0, 4.0, 3.0]
    assert "a step takes 8 s" in rendering.summary  # 6 ops and 2 transfers
    svg = rendering.files["timeline.svg"]
    assert (isinstance(svg, str) and svg.startswith("<?xml") and "core2" in svg) or "PolyCollection" in str(svg)
