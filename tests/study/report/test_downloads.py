# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import io
import json

import pytest

from trimtab.study.report.downloads import as_csv, as_json, harmless

from . import samples


def test_csv_holds_every_value_of_every_metric() -> None:
    found = samples.scheduling(7, 2)
    comparisons = [found.compare(metric.name) for metric in found.metrics]
    lines = list(csv.DictReader(io.StringIO(as_csv(comparisons))))
    assert len(lines) == 7 * len(samples.EFFECTS)
    for line in lines:
        for comparison in comparisons:
            value = comparison.table[line["solver"]][line["instance"]]
            assert float(line[comparison.metric.name]) == pytest.approx(value, rel=1e-5)


def test_a_missing_value_is_an_empty_cell() -> None:
    found = samples.troubled()
    lines = csv.DictReader(io.StringIO(as_csv([found.compare(metric.name) for metric in found.metrics])))
    assert {line["solver"] for line in lines} == {"weighted-fair", "srpt", "brittle"}


def test_json_is_strict_and_holds_rows_and_values() -> None:
    found = samples.troubled()
    comparison = found.compare()
    read = json.loads(as_json(found, [comparison]), parse_constant=pytest.fail)
    (compared,) = read["comparisons"]
    assert read["unavailable"] == dict(found.unavailable)
    assert [row["solver"] for row in compared["rows"]] == [row.solver for row in comparison.rows]
    assert compared["rows"][0]["ratio"] == pytest.approx(comparison.rows[0].ratio, rel=1e-5)
    column = dict(zip(compared["instances"], compared["values"]["brittle"], strict=True))
    assert {i for i, v in column.items() if v is None} == {"tpch-b20-001", "tpch-b20-004"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "  =1", "\t=1", "\n=1"])
def test_no_text_is_a_formula(text: str) -> None:
    assert harmless(text).startswith("'")
    assert harmless("a=1") == "a=1"


def test_hostile_names_stay_in_their_cell() -> None:
    found = samples.hostile()
    lines = list(csv.reader(io.StringIO(as_csv([found.compare()]))))
    assert {len(line) for line in lines} == {4}
    assert not [cell for line in lines for cell in line if cell[:1] in "=+@" and cell]
    assert any(cell.startswith("'=cmd") for line in lines for cell in line)
