# SPDX-License-Identifier: Apache-2.0
"""The same findings in a terminal of 80 columns or more, readable without colour."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trimtab.core.outcome import Track

from ..results import Comparison, Results, Row
from .headline import headline
from .markup import clean
from .scale import RatioScale
from .words import MARKS, NONE, aligned, count, direction, duration, name_of, number, ratio, shorten, tracks, unit

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text

STYLES = {"better": "bold blue", "worse": "yellow", "reference": "bold"}
WIDE = 104  # columns from which the interval is drawn and cost and worst instance are shown
BAR = 21


def render(results: Results, console_width: int = 80) -> Group:
    """The first metric in full, the others in one compact table; then what it means and what is missing."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_title(results)]
    for track in tracks(results):
        parts += [Text(), _table(results.compare(track=track), track, console_width >= WIDE)]
        if len(results.metrics) > 1:
            parts += [Text(), _others(results, track)]
    parts += [Text(), _legend(), Text()]
    parts += [Text(clean(sentence), style="bold" if k == 0 else "") for k, sentence in enumerate(headline(results))]
    parts += [_unavailable(name, reason) for name, reason in results.unavailable.items()]
    return Group(*parts)


def _title(results: Results) -> Text:
    from rich.text import Text

    instances = len({run.instance for run in results.runs})
    asked = f"{results.backend}, {results.split} split, {count(instances, 'instance')} × {count(len(results.seeds), 'seed')}"
    return Text.assemble((clean(name_of(results)), "bold"), "  ", (clean(asked), "dim"))


def _plain_table(title: str) -> Table:
    from rich.box import Box
    from rich.table import Table
    from rich.text import Text

    lines = Box("    \n    \n ── \n    \n    \n    \n    \n    \n")
    return Table(box=lines, title=Text(clean(title), style="bold"), title_justify="left", padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")


def _table(comparison: Comparison, track: Track, wide: bool) -> Table:
    metric = comparison.metric
    heading = f"{metric.name}{', ' * bool(unit(metric))}{unit(metric)} ({direction(metric)}), {track} track"
    table = _plain_table(heading)
    table.add_column("solver", no_wrap=True, overflow="ellipsis")
    columns = ["mean", "ratio", "95 % interval"]
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    scale = RatioScale.over(v for row in comparison.rows for v in (row.low, row.ratio, row.high))
    if wide:
        table.add_column(_axis(scale), no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("won tied lost", justify="right", no_wrap=True)
    table.add_column("decides in", justify="right", no_wrap=True)
    if wide:
        table.add_column("worst instance", no_wrap=True, overflow="ellipsis")
    means = aligned(row.mean for row in comparison.rows)
    for row, mean in zip(comparison.rows, means, strict=True):
        table.add_row(*_cells(row, mean, scale, wide), style=STYLES.get(row.verdict, ""))
    return table


def _cells(row: Row, mean: str, scale: RatioScale, wide: bool) -> list[Text]:
    from rich.text import Text

    mine = row.verdict == "reference"
    interval = f"{ratio(row.low)} {ratio(row.high)}" if math.isfinite(row.low) and math.isfinite(row.high) else NONE
    shown = [shorten(clean(row.solver), 18), mean, "1" if mine else ratio(row.ratio), NONE if mine else interval]
    shown += [_bar(row, scale)] if wide else []
    shown += [f"{MARKS[row.verdict]} {_short_verdict(row)}"]
    shown += [NONE if mine else f"{row.wins:4} {row.ties:4} {row.losses:4}", duration(row.solve_s)]
    if wide:
        shown.append("" if mine or not row.worst_instance else f"{ratio(row.worst_ratio)} {shorten(clean(row.worst_instance), 18)}")
    return [Text(cell) for cell in shown]


def _short_verdict(row: Row) -> str:
    return {"not separated": "level", "too few instances": "too few", "reference": "ref"}.get(row.verdict, row.verdict)


def _column(scale: RatioScale, value: float) -> int:
    return round(scale.position(value) * (BAR - 1))


def _axis(scale: RatioScale) -> Text:
    from rich.text import Text

    line = [" "] * BAR
    for tick in (scale.low, 1.0, scale.high):
        label = f"{tick:.2g}"
        at = min(max(0, _column(scale, tick) - len(label) // 2), BAR - len(label))
        if all(c == " " for c in line[max(0, at - 1) : at + len(label) + 1]):
            line[at : at + len(label)] = label
    return Text("".join(line))


def _bar(row: Row, scale: RatioScale) -> str:
    line = [" "] * BAR
    line[_column(scale, 1.0)] = "┊"
    if row.verdict != "reference" and math.isfinite(row.low) and math.isfinite(row.high):
        low, high = _column(scale, row.low), _column(scale, row.high)
        line[low : high + 1] = "─" * (high - low + 1)
    if row.verdict != "reference" and math.isfinite(row.ratio):
        line[_column(scale, row.ratio)] = MARKS[row.verdict]
    return "".join(line)


def _others(results: Results, track: Track) -> Table:
    """A row for each solver, a column for each further metric: ratio and mark."""
    from rich.text import Text

    comparisons = [results.compare(metric.name, track=track) for metric in results.metrics[1:]]
    table = _plain_table("other metrics, as a ratio to the reference")
    table.add_column("solver", no_wrap=True, overflow="ellipsis")
    for comparison in comparisons:
        higher = " ↑" if comparison.metric.goal == "maximize" else ""
        table.add_column(Text(shorten(clean(comparison.metric.name), 16) + higher), justify="right", no_wrap=True)
    for first in results.compare(track=track).rows:
        cells = [_compact(comparison, first.solver) for comparison in comparisons]
        table.add_row(Text(shorten(clean(first.solver), 18)), *cells, style="bold" if first.verdict == "reference" else "")
    return table


def _compact(comparison: Comparison, solver: str) -> Text:
    from rich.text import Text

    row = next((row for row in comparison.rows if row.solver == solver), None)
    if row is None or not math.isfinite(row.mean):
        return Text(NONE)
    if row.verdict == "reference":
        metric = comparison.metric
        return Text(f"{number(row.mean)}{' ' * bool(unit(metric))}{clean(unit(metric))} {MARKS['reference']}")
    return Text(f"{ratio(row.ratio)} {MARKS[row.verdict]}", style=STYLES.get(row.verdict, ""))


def _legend() -> Text:
    from rich.text import Text

    said = f"{MARKS['better']} better  {MARKS['worse']} worse  {MARKS['not separated']} not separated"
    return Text(f"{said}  (paired over instances; geometric mean, t interval, Holm)", style="dim")


def _unavailable(name: str, reason: str) -> Text:
    from rich.text import Text

    return Text.assemble((f"{clean(name)} is unavailable: ", "yellow"), clean(reason))


