# SPDX-License-Identifier: Apache-2.0
"""The cheapest plan is the cheapest of all there are, and costs what its units of work say."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from trimtab.problems.join_ordering.problem import HASH, INDEX, JoinPlan, JoinQuery
from trimtab.problems.join_ordering.selection.memory import Memory
from trimtab.problems.join_ordering.selection.pricing import UNITS, cheapest, prices, units

from ..queries import trees


def test_no_plan_is_cheaper(queries: list[JoinQuery], whole: Memory):
    seen = 0
    for query in queries:
        if query.num_relations > 5:
            continue
        sheet = whole.sheet(query)
        assert sheet is not None
        ns, joins, operators = cheapest(sheet, prices())
        assert units(sheet, JoinPlan(joins, operators)) @ prices() == pytest.approx(ns)
        least = np.inf
        for tree in trees(query, query.everything):
            joins = JoinPlan.of(tree).joins
            kinds = [(HASH, INDEX) if not inner & (inner - 1) else (HASH,) for inner in joins[:, 1].tolist()]
            for chosen in product(*kinds):
                least = min(least, float(units(sheet, JoinPlan(joins, np.array(chosen, np.int8))) @ prices()))
                seen += 1
        assert ns == pytest.approx(least)
    assert seen > 1000


def test_prices_are_there_and_sane():
    known = dict(zip(UNITS, prices().tolist(), strict=True))
    assert min(known.values()) >= 0
    assert known["lookup"] > known["probe"]
    assert 5 < known["scan"] < 500  # ns a row
