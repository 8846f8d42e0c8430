# SPDX-License-Identifier: Apache-2.0
"""What is refused, and the message that says why; units and memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.device_placement.problem import (
    Placement,
    PlacementInstance,
    homogeneous,
    memory,
    topological_order,
    units,
)
from trimtab.problems.device_placement.simulator import Simulator

from .made import graph_of


def two(**options: object) -> object:
    return homogeneous("two", 2, kind="core", bandwidth=1.0, **options)  # type: ignore[arg-type]


def test_a_cycle_names_an_op_on_it() -> None:
    with pytest.raises(InvalidInstance, match="op 'op1' is on a cycle"):
        graph_of([1.0] * 4, [(0, 1, 1.0), (1, 2, 1.0), (2, 1, 1.0), (2, 3, 1.0)])


def test_a_negative_cost_names_its_op() -> None:
    with pytest.raises(InvalidInstance, match="op 'op1': a compute time is negative"):
        graph_of([1.0, -1.0], [(0, 1, 1.0)])


def test_an_op_that_runs_nowhere_is_named() -> None:
    with pytest.raises(InvalidInstance, match="op 'op1' runs on no type of device"):
        graph_of([[1.0, 2.0], [np.inf, np.inf]], [(0, 1, 1.0)])


def test_an_op_that_fits_on_no_device_is_named() -> None:
    graph = graph_of([1.0, 1.0], [(0, 1, 1.0)], memory=[1.0, 9.0])
    with pytest.raises(InvalidInstance, match=r"op 'op1' fits on no device \(9 B; the largest has 8 B\)"):
        PlacementInstance(graph, two(memory_bytes=8.0))  # type: ignore[arg-type]


def test_a_group_that_fits_on_no_device_is_named() -> None:
    graph = graph_of([1.0, 1.0], [(0, 1, 1.0)], memory=[5.0, 5.0], colocation=[7, 7])
    with pytest.raises(InvalidInstance, match="op 'op0' and its colocation group fits on no device"):
        PlacementInstance(graph, two(memory_bytes=8.0))  # type: ignore[arg-type]


def test_a_device_type_without_measurements() -> None:
    topology = homogeneous("t", 1, kind="gpu", bandwidth=1.0)
    with pytest.raises(InvalidInstance, match="not measured on devices of type 'gpu', only on core"):
        PlacementInstance(graph_of([1.0], []), topology)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("links", "string", "none of"),
        ("link_gap_s", -1.0, "must be finite"),
        ("memory_bytes", np.array([1.0]), "shape"),
    ],
)
def test_bad_topologies(field: str, value: object, message: str) -> None:
    with pytest.raises(InvalidInstance, match=f"'{field}'.*{message}|{message}"):
        replace(homogeneous("two", 2, kind="core", bandwidth=1.0), **{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "priority", "note"),
    [
        ([0, 0], None, "there are 3 ops"),
        ([0, 5, 0], None, "op 'op1' is on device 5 of 2"),
        ([0, 1, 0], None, "op 'op1' is apart from its colocation group 4"),
        ([0, 0, 0], None, "device 'core0' has 5 B, and needs 6 B"),
        ([0, 0, 1], [0.0, np.nan, 0.0], "a priority is not a number"),
    ],
)
def test_infeasible_placements_say_why(device: list[int], priority: list[float] | None, note: str) -> None:
    graph = graph_of([1.0] * 3, [(0, 1, 1.0)], colocation=[4, 4, -1], memory=[2, 2, 2])
    instance = PlacementInstance(graph, two(memory_bytes=5.0))  # type: ignore[arg-type]
    outcome = Simulator().evaluate(
        instance, Placement(np.array(device), None if priority is None else np.array(priority)), seed=0
    )
    assert not outcome.feasible and note in outcome.note


def test_units_are_numbered_by_their_first_op() -> None:
    unit, first = units(graph_of([1.0] * 5, [(0, 1, 1.0)], colocation=[9, -1, 3, 9, 3]))
    assert unit.tolist() == [0, 1, 2, 0, 2] and first.tolist() == [0, 1, 2]


def test_memory_is_what_is_kept_and_the_largest_workspace() -> None:
    graph = replace(
        graph_of([1.0] * 3, [(0, 1, 1.0)], memory=[1, 2, 4]),
        output_bytes=np.array([10.0, 20, 40]),
        workspace_bytes=np.array([100.0, 200, 400]),
    )
    instance = PlacementInstance(graph, two())  # type: ignore[arg-type]
    assert memory(instance, np.array([0, 0, 1])).tolist() == [33 + 200, 44 + 400]


def test_topological_order_takes_the_smallest_first() -> None:
    assert topological_order(4, np.array([3, 3]), np.array([0, 1])).tolist() == [2, 3, 0, 1]
