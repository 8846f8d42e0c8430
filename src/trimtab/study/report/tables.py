# SPDX-License-Identifier: Apache-2.0
"""The tables of the page."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ..results import Comparison, Results, Row
from .markup import Html, join, scroller, tag
from .scale import RatioScale
from .words import MARKS, NONE, aligned, count, duration, interval, number, ratio, unit, verdict

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


def comparison_table(comparison: Comparison) -> Html:
    """Who is better, by how much, how surely, and where it is worst."""
    rows = comparison.rows
    scale = RatioScale.over(v for row in rows for v in (row.low, row.ratio, row.high))
    values = aligned(row.mean for row in rows)
    metric = comparison.metric
    heading = f"mean, {unit(metric)}" if unit(metric) else "mean"
    head = ["solver", heading, "ratio", "95 % interval", tag("th", _axis(scale), class_="bar", aria_hidden="true")]
    head += [tag("th", "verdict", class_="words", scope="col"), "won", "tied", "lost"]
    head += [tag("th", "worst instance", class_="words", scope="col"), "failed"]
    body = (_comparison_row(row, value, scale) for row, value in zip(rows, values, strict=True))
    return table(head, body, label=f"Comparison on {metric.name}", class_="comparison")


def _comparison_row(row: Row, mean: str, scale: RatioScale) -> list[object]:
    mine = row.verdict == "reference"
    worst: object = NONE
    if row.worst_instance and not mine:
        worst = join([row.worst_instance, tag("span", ratio(row.worst_ratio), class_="aside")], " ")
    return [
        row.solver,
        mean,
        "1" if mine else ratio(row.ratio),
        NONE if mine else interval(row.low, row.high),
        tag("td", interval_bar(row, scale), class_="bar"),
        verdict_cell(row),
        *((NONE,) * 3 if mine else (row.wins, row.ties, row.losses)),
        words(worst),
        row.failures or NONE,
    ]


def verdict_cell(row: Row) -> Html:
    word = row.verdict.split(" (")[0]
    mark = tag("span", MARKS[row.verdict], class_="mark", aria_hidden="true")
    return words(mark, " ", verdict(row), class_=CLASSES.get(word, ""))


def _x(scale: RatioScale, value: float) -> str:
    return f"{2 + 156 * scale.position(value):.1f}"


def interval_bar(row: Row, scale: RatioScale) -> Html:
    """The interval as a bar on the table's common scale, with the line of equality."""
    one = _x(scale, 1.0)
    parts = [tag("line", class_="one", x1=one, x2=one, y1=0, y2=40)]
    if row.verdict == "reference":
        parts.append(tag("line", class_="ref", x1=one, x2=one, y1=12, y2=28))
    elif math.isfinite(row.ratio):
        at = _x(scale, row.ratio)
        if math.isfinite(row.low) and math.isfinite(row.high):
            parts.append(tag("line", class_="range", x1=_x(scale, row.low), x2=_x(scale, row.high), y1=20, y2=20))
        if row.verdict == "worse":
            parts.append(tag("path", class_="point", d=f"M{at} 14.5l5.5 5.5-5.5 5.5-5.5-5.5z"))
        else:
            parts.append(tag("circle", class_="point", cx=at, cy=20, r=4.5))
    said = "reference" if row.verdict == "reference" else f"ratio {ratio(row.ratio)}, {interval(row.low, row.high)}"
    return tag("svg", *parts, viewBox="0 0 160 40", class_=CLASSES.get(row.verdict, "level"), role="img", aria_label=said)


def _axis(scale: RatioScale) -> Html:
    ticks = (tag("text", f"{t:g}", x=_x(scale, t), y=14) for t in scale.ticks(4))
    return tag("svg", *ticks, viewBox="0 0 160 20")


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
    head = ("solver", "training, CPU", "evaluations a cell", "deciding, a cell", "whole study, CPU")
    return table(head, body, label="Cost of each solver")


def instance_table(comparison: Comparison) -> Html:
    """Every seed-averaged value; the best of an instance in bold."""
    solvers = [row.solver for row in comparison.rows if row.instances]
    best = min if comparison.metric.goal == "minimize" else max
    every = [v for s in solvers for v in comparison.table.get(s, {}).values() if math.isfinite(v)]
    decimals = len(aligned(every[:1] + [max(map(abs, every), default=1.0)])[0].partition(".")[2]) if every else 0

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
        [s, words(status), n, words(f"{first[s, status, note].instance}, seed {first[s, status, note].seed}"), words(note or NONE)]
        for (s, status, note), n in kinds.most_common(most)
    )
    left = [tag("th", name, class_="words", scope="col") for name in ("status", "first", "what was said")]
    shown = table(("solver", left[0], "cells", *left[1:]), body, label="Cells that failed")
    rest = len(kinds) - most
    return join([shown, tag("p", f"{count(rest, 'kind')} of failure more are in the ledger.")]) if rest > 0 else shown
