# SPDX-License-Identifier: Apache-2.0
"""The tables of the page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ..results import Comparison, Results, Row
from .markup import Html, join, scroller, tag
from .scale import RatioScale
from .words import MARKS, NONE, aligned, count, duration, interval, needed, number, ratio, unit

CLASSES = {"better": "better", "worse": "worse", "reference": "reference"}


def table(head: Iterable[object], body: Iterable[Sequence[object]], *, label: str, class_: str = "") -> Html:
    """A scrolling table; the first cell of each row is its header."""
    top = tag("thead", tag("tr", *(cell if _is_cell(cell) else tag("th", cell, scope="col") for cell in head)))
    rows = (
        tag("tr", tag("th", first, scope="row"), *(cell if _is_cell(cell) else tag("td", cell) for cell in rest))
        for first, *rest in body
    )
    return scroller(tag("table", top, tag("tbody", *rows), class_=class_ or None), label)


def _is_cell(cell: object) -> bool:
    return isinstance(cell, Html) and cell.startswith(("<td", "<th"))


def words(*children: object, class_: str = "") -> Html:
    """A cell of text, set left; numbers are set right."""
    return tag("td", *children, class_=f"words {class_}".strip())


def comparison_table(comparison: Comparison, unavailable: Iterable[str] = ()) -> Html:
    """Who is better, by how much, how surely, and where it is worst; who could not run comes last."""
    rows = comparison.rows
    scale = RatioScale.over(v for row in rows for v in (row.low, row.ratio, row.high))
    failures = any(row.failures for row in rows)
    metric = comparison.metric
    head = ["solver", f"mean, {unit(metric)}" if unit(metric) else "mean", "ratio"]
    head += [tag("th", _axis(scale), class_="bar", aria_hidden="true"), "95 % interval"]
    head += [tag("th", "verdict", class_="words", scope="col"), "won / tied / lost", "worst on"]
    head += ["failed"] * failures
    values = aligned(row.mean for row in rows)
    body = [_comparison_row(row, value, scale, failures) for row, value in zip(rows, values, strict=True)]
    body += [_unavailable_row(solver, scale, failures) for solver in unavailable]
    return table(head, body, label=f"Comparison on {metric.name}", class_="comparison")


def _comparison_row(row: Row, mean: str, scale: RatioScale, failures: bool) -> list[object]:
    mine = row.verdict == "reference"
    worst = join([row.worst_instance, " ", tag("span", ratio(row.worst_ratio), class_="beside")])
    return [
        row.solver,
        mean,
        "1" if mine else ratio(row.ratio),
        _bar_cell(scale, interval_bar(row, scale)),
        NONE if mine else interval(row.low, row.high),
        verdict_cell(row),
        NONE if mine else f"{row.wins} / {row.ties} / {row.losses}",
        NONE if mine or not row.worst_instance else worst,
        *[row.failures or NONE] * failures,
    ]


def _unavailable_row(solver: str, scale: RatioScale, failures: bool) -> list[object]:
    said = words(tag("span", "×", class_="mark", aria_hidden="true"), " unavailable", class_="aside")
    return [solver, NONE, NONE, _bar_cell(scale), NONE, said, NONE, NONE, *[NONE] * failures]


def verdict_cell(row: Row) -> Html:
    mark = tag("span", MARKS[row.verdict], class_="mark", aria_hidden="true")
    more = tag("span", f" needs {needed(row.needed)}", class_="aside") if row.needed else ""
    return words(mark, " ", row.verdict, more, class_=CLASSES.get(row.verdict, ""))


def _x(scale: RatioScale, value: float) -> float:
    return round(2 + 156 * scale.position(value), 1)


def _bar_cell(scale: RatioScale, *bar: Html) -> Html:
    return tag("td", *bar, class_="bar", style=f"--one:{_x(scale, 1.0)}")


def interval_bar(row: Row, scale: RatioScale) -> Html:
    """The interval as a bar on the table's common scale, notched at the ratio; hollow where it decides nothing."""
    parts = []
    if row.verdict == "reference":
        parts.append(tag("line", class_="ref", x1=_x(scale, 1), x2=_x(scale, 1), y1=6, y2=26))
    elif math.isfinite(row.low) and math.isfinite(row.high):
        low, high = _x(scale, row.low), _x(scale, row.high)
        wide = max(3.0, high - low)
        parts.append(tag("rect", x=round((low + high - wide) / 2, 1), y=11, width=round(wide, 1), height=10, rx=1.5))
        if wide > 9:
            parts.append(tag("line", class_="notch", x1=_x(scale, row.ratio), x2=_x(scale, row.ratio), y1=11, y2=21))
    said = "reference" if row.verdict == "reference" else f"ratio {ratio(row.ratio)}, {interval(row.low, row.high)}"
    return tag(
        "svg", *parts, viewBox="0 0 160 32", class_=CLASSES.get(row.verdict, "level"), role="img", aria_label=said
    )


def _axis(scale: RatioScale) -> Html:
    inside = (t for t in scale.ticks(3) if 0.06 < scale.position(t) < 0.94)
    ticks = (tag("text", f"{t:g}", x=_x(scale, t), y=14) for t in inside)
    return tag("svg", *ticks, viewBox="0 0 160 18")


def cost_table(rows: Sequence[Row]) -> Html:
    """What training, deciding and measuring took."""
    body = (
        [
            row.solver,
            duration(row.fit_s) if row.fit_s else "none",
            number(row.evaluations, 3) if row.evaluations else "none",
            duration(row.solve_s),
            duration(row.cpu_s),
        ]
        for row in rows
    )
    head = ("solver", "training, CPU", "evaluations per cell", "deciding, per cell", "whole study, CPU")
    return table(head, body, label="Cost of each solver")


def instance_table(comparison: Comparison) -> Html:
    """Every seed-averaged value; the best of an instance in bold."""
    solvers = [row.solver for row in comparison.rows if row.instances]
    best = min if comparison.metric.goal == "minimize" else max
    every = [v for s in solvers for v in comparison.table.get(s, {}).values() if math.isfinite(v)]
    decimals = len(aligned([max(map(abs, every), default=1.0)])[0].partition(".")[2])

    def row(instance: str) -> list[object]:
        values = [comparison.table.get(s, {}).get(instance, math.nan) for s in solvers]
        top = best((v for v in values if math.isfinite(v)), default=math.nan)
        cells = (f"{v:.{decimals}f}" if math.isfinite(v) else NONE for v in values)
        return [instance, *(tag("b", c) if v == top else c for c, v in zip(cells, values, strict=True))]

    body = (row(instance) for instance in comparison.instances)
    return table(["instance", *solvers], body, label=f"{comparison.metric.name} of every instance", class_="instances")


def unavailable_table(unavailable: Mapping[str, str]) -> Html:
    body = ([solver, words(reason)] for solver, reason in unavailable.items())
    head = ("solver", tag("th", "why, and what brings it", class_="words", scope="col"))
    return table(head, body, label="Solvers that were unavailable")


def failure_table(results: Results, *, most: int = 40) -> Html:
    """Cells without a value, those with the same note together."""
    failed = [run for run in results.runs if run.status not in ("ok", "unavailable")]
    kinds = Counter((run.solver, run.status, run.note) for run in failed)
    first = {(run.solver, run.status, run.note): run for run in reversed(failed)}
    body = (
        [
            s,
            words(status),
            n,
            words(f"{first[s, status, note].instance}, seed {first[s, status, note].seed}"),
            words(note or NONE),
        ]
        for (s, status, note), n in kinds.most_common(most)
    )
    left = [tag("th", name, class_="words", scope="col") for name in ("status", "first", "what was said")]
    shown = table(("solver", left[0], "cells", *left[1:]), body, label="Cells that failed")
    rest = len(kinds) - most
    more = tag("p", f"{count(rest, 'more kind')} of failure: see the ledger.", class_="note")
    return join([shown, more]) if rest > 0 else shown
