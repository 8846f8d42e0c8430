# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.core.errors import DataError, InvalidInstance
from trimtab.problems.join_ordering.problem import Cardinalities, JoinQuery
from trimtab.problems.join_ordering.selection.correction import Correction, fit, product_logs, terms
from trimtab.problems.join_ordering.selection.statistics import gather
from trimtab.problems.join_ordering.sql import TableInfo
from trimtab.problems.join_ordering.workload.database import Database
from trimtab.problems.join_ordering.workload.harvest import query_of

TABLES = {
    "a": TableInfo(("id", "x"), 1000.0, keys=frozenset({"id"})),
    "b": TableInfo(("a_id", "y"), 5000.0),
    "c": TableInfo(("a_id",), 300.0),
}


def star(extra: str = "") -> JoinQuery:
    return query_of(f"SELECT 1 FROM a, b, c WHERE b.a_id = a.id AND c.a_id = a.id{extra}", "q", TABLES)


def test_the_product_form_by_hand():
    query = star()
    logs = product_logs(query, [1000, 5000, 300], np.arange(1, 8))
    rows = np.exp(logs).round(6).tolist()
    # a, b, ab, c, ac, bc, abc: the three columns are one class of 1000 values
    assert rows == [1000, 5000, 5000, 300, 300, 1500, 1500]
    assert product_logs(query, [1, 1, 1], np.array([7])).tolist() == [0.0]  # never below one row


def test_indicators():
    found = terms(star(" AND b.y = 3"))
    assert (0b010, "P:b.y") in found
    assert (0b011, "PE:b.y|a.id=b.a_id") in found
    assert (0b111, "EE:a:id>b.a_id&id>c.a_id") in found
    assert [name for mask, name in found if name.startswith("T:")] == ["T:a", "T:b", "T:c"]


def test_an_error_that_follows_the_indicators_is_learnt():
    """Counts are the product form times 7 wherever b is filtered by y and joined with a."""
    plain, filtered = star(), star(" AND b.y = 3")
    base = {0: [1000, 5000, 300], 1: [1000, 50, 300]}
    made = []
    for k, query in enumerate((plain, filtered)):
        subsets = np.arange(1, 8)
        rows = np.exp(product_logs(query, base[k], subsets)) * np.where(k and (subsets & 3) == 3, 7.0, 1.0)
        made.append(
            replace(query, cardinalities=Cardinalities.of(dict(zip(subsets.tolist(), rows, strict=True)), "count"))
        )
    learnt = fit(made * 20, [base[0], base[1]] * 20, ridge=0.01)
    for k, query in enumerate(made):
        assert learnt.cardinalities(query, base[k]).rows == pytest.approx(query.cardinalities.rows, rel=0.05)
    other = query_of(
        "SELECT 1 FROM u, v WHERE u.k = v.k", "o", {"u": TableInfo(("k",), 10.0), "v": TableInfo(("k",), 20.0)}
    )
    assert learnt.cardinalities(other, [10, 20]).rows.tolist() == pytest.approx([10, 20, 20])  # nothing known of these


def test_weights_come_back(tmp_path: Path):
    made = Correction({"T:a": 0.5, "E:a=b": -2.0}, {"command": "test"})
    made.save(tmp_path / "c.safetensors")
    again = Correction.load(tmp_path / "c.safetensors", 2)
    assert again.weights == made.weights
    with pytest.raises(DataError):
        Correction.load(tmp_path / "c.safetensors", 3)


def test_unknown_sizes_are_said():
    query = query_of("SELECT 1 FROM u, v WHERE u.k = v.k", "o", None)
    with pytest.raises(InvalidInstance, match="rows of its tables are not known"):
        product_logs(query, [1, 1], np.array([3]))


@pytest.mark.parametrize(
    ("predicate", "exactly"),
    [
        ("s.name = 'libs'", True), ("p.arch = 'all'", True), ("p.multi_arch = 'x'", False),
        ("p.name LIKE 'lib%'", False),
        ("p.installed_size < 300", False), ("p.installed_size > 600", False), ("p.desc_len = 7", True),
    ],
)  # fmt: skip
def test_selectivities_of_one_predicate(predicate: str, exactly: bool, duck: Any, small_aptdb: Database):
    from trimtab.problems.join_ordering.workload.harvest import catalogue_of_database

    text = f"SELECT 1 FROM package p, section s WHERE p.section_id = s.id AND {predicate}"
    query = query_of(text, "q", catalogue_of_database(duck, small_aptdb))
    estimated = gather(duck, small_aptdb).base_rows(query)
    for i, (alias, table) in enumerate((("p", "package"), ("s", "section"))):
        where = f" WHERE {predicate}" if predicate.startswith(f"{alias}.") else ""
        (true,) = duck.execute(f"SELECT count(*) FROM {table} {alias}{where}").fetchone()
        assert estimated[i] == pytest.approx(max(1, true), rel=1e-9 if exactly else 0.15, abs=0 if exactly else 3)
