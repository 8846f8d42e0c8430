# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.join_ordering.problem import Cardinalities, JoinEdge
from trimtab.problems.join_ordering.simulator.pack import pack, pack_with

from ..queries import SHAPES, connected, random_query, rows


@pytest.mark.parametrize("shape", SHAPES)
def test_the_product_form_fills_what_is_connected(shape: str) -> None:
    query = random_query(shape, 6, 3, product=True)
    found = pack(query).rows_log
    for subset in range(1, 64):
        if connected(query, subset):
            assert found[subset] == pytest.approx(math.log(rows(query, subset)))
        else:
            assert np.isnan(found[subset])


def test_a_count_goes_before_the_product_form() -> None:
    query = random_query("chain", 3, 0, product=True)
    cards = dict(zip(query.cardinalities.subsets.tolist(), query.cardinalities.rows.tolist(), strict=True))
    found = pack_with(query, Cardinalities.of({**cards, 3: 12345.0}, "count"))
    assert found.rows_log[3] == pytest.approx(math.log(12345))


def test_a_missing_subset_is_named() -> None:
    query = random_query("chain", 4, 0)
    cut = query.cardinalities.subsets != 6
    some = Cardinalities(
        query.cardinalities.subsets[cut], query.cardinalities.rows[cut], query.cardinalities.kinds[cut], "count"
    )
    edges = tuple(replace(edge, selectivity=float("nan")) for edge in query.edges)
    with pytest.raises(InvalidInstance, match="no rows of r1, r2"):
        pack(replace(query, cardinalities=some, edges=edges))


def test_indexes_are_looked_up_from_the_other_side() -> None:
    query = random_query("chain", 3, 0)
    edges = (JoinEdge(0, 1, "x", "id", right_key=True), JoinEdge(1, 2, "y", "z", left_index=True))
    graph = pack(replace(query, edges=edges))
    assert graph.key_lookup.tolist() == [0, 0b001, 0]
    assert graph.lookup.tolist() == [0, 0b101, 0]


def test_the_judge_and_the_planner_see_different_rows() -> None:
    query = random_query("chain", 2, 0)
    guess = Cardinalities.of({1: 2.0, 2: 3.0, 3: 4.0}, "guess", 2)
    both = replace(query, estimates=guess)
    assert pack(both).rows_log[3] == pytest.approx(math.log(4))
    assert pack(both, True).rows_log[3] == pytest.approx(math.log(rows(query, 3)))
