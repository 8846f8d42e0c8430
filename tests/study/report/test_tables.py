# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import re

import pytest

from trimtab.study.report import tables
from trimtab.study.report.markup import Html
from trimtab.study.report.scale import RatioScale

from . import samples

TABLE = {"base": [1.0, 2.0, 4.0], "good": [0.5, 1.01, 1.99], "bad": [2.0, 4.1, 7.9]}


def cells(table: Html) -> list[list[str]]:
    """The text of each row's cells."""
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.S)
    return [
        [re.sub(r"<[^>]+>", "", c).strip() for c in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", r, re.S)] for r in rows
    ]


def test_comparison_says_what_the_comparison_found() -> None:
    head, *body = cells(tables.comparison_table(samples.values(TABLE).compare(), ["absent"]))
    assert head[:3] == ["solver", "mean, s", "ratio"]
    assert [row[0] for row in body] == ["good", "base", "bad", "absent"]
    assert [row[5] for row in body] == ["● better", "│ reference", "◆ worse", "× unavailable"]
    assert [row[6] for row in body] == ["3 / 0 / 0", "–", "0 / 0 / 3", "–"]
    assert body[0][7] == "i1 0.505"
    assert body[2][7] == "i1 2.050"
    assert "failed" not in head


def test_failures_get_a_column_where_there_are_any() -> None:
    table = {**TABLE, "good": [0.5, math.nan, 2.0]}
    head, *body = cells(tables.comparison_table(samples.values(table).compare()))
    assert head[-1] == "failed"
    assert {row[0]: row[-1] for row in body} == {"good": "1", "base": "–", "bad": "–"}


def test_a_bar_lies_where_its_interval_does() -> None:
    comparison = samples.values(TABLE).compare()
    good = comparison.rows[0]
    scale = RatioScale.over([0.4, 2.5])
    drawn = tables.interval_bar(good, scale)
    x, width = (float(re.findall(rf'<rect[^>]* {key}="([\d.]+)"', drawn)[0]) for key in ("x", "width"))
    assert x == pytest.approx(2 + 156 * scale.position(good.low), abs=2)
    assert x + width == pytest.approx(2 + 156 * scale.position(good.high), abs=2)
    assert 'class="better"' in drawn


def test_every_instance_with_its_best_in_bold() -> None:
    table = tables.instance_table(samples.values(TABLE, "maximize").compare())
    head, *body = cells(table)
    assert head == ["instance", "bad", "base", "good"]
    assert body[1] == ["i1", "4.100", "2.000", "1.010"]
    assert table.count("<b>") == 3
    assert "<b>4.100</b>" in table


def test_cost() -> None:
    rows = {row[0]: row[1:] for row in cells(tables.cost_table(samples.scheduling(4, 1).compare().rows))}
    assert rows["decima"] == ["28.4 min", "none", "300 µs", "240 ms"]
    assert rows["fifo"][0] == "none"


def test_failures_are_told_together() -> None:
    _, *body = cells(tables.failure_table(samples.troubled()))
    assert body[0] == ["broken", "failed", "16", "tpch-b20-000, seed 0", "ZeroDivisionError: float division by zero"]
    assert body[1][:3] == ["brittle", "timeout", "4"]
    _, *one = cells(tables.failure_table(samples.troubled(), most=1))
    assert len(one) == 1
    assert "1 more kind of failure: see the ledger." in tables.failure_table(samples.troubled(), most=1)
