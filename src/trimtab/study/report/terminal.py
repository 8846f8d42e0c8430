# SPDX-License-Identifier: Apache-2.0
"""The same findings in a terminal of 80 columns or more, readable without colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from trimtab.core.outcome import Track

from ..results import Comparison, Results, Row
from .headline import failed, findings
from .markup import clean
from .scale import RatioScale
from .words import MARKS, NONE, aligned, count, direction, duration, name_of, number, ratio, tracks, unit

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text

STYLES = {"better": "blue", "worse": "yellow", "reference": "bold", "unavailable": "dim"}
SHORT = {"not separated": "level", "too few instances": "too few", "reference": "reference"}
BAR = 21  # columns of an interval
GAP = 2  # blanks between columns


def render(results: Results, console_width: int = 80) -> Group:
    """For each track the first metric in full and the others in brief; then what it means and what is missing."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_title(results)]
    for track in tracks(results):
        comparison = results.compare(track=track)
        parts += [Text(), Text(_heading(comparison, track), style="bold"), _full(comparison, console_width)]
        if len(results.metrics) > 1:
            parts += [Text(), Text("other metrics, ratio to the reference (↑ higher is better)", style="bold")]
            parts.append(_others(results, track, console_width))
    parts += [Text(), _legend(), Text()]
    said = [*findings(results), *failed(results)]
    parts += [Text(clean(sentence), style="bold" if k == 0 else "") for k, sentence in enumerate(said)]
    parts += [_unavailable(solver, reason) for solver, reason in results.unavailable.items()]
    return Group(*parts)


def _title(results: Results) -> Text:
    from rich.text import Text

    size = f"{count(len({run.instance for run in results.runs}), 'instance')} × {count(len(results.seeds), 'seed')}"
    asked = f"{results.backend}, {results.split} split, {size}"
    return Text.assemble((clean(name_of(results)), "bold"), "  ", (clean(asked), "dim"))


def _heading(comparison: Comparison, track: Track) -> str:
    metric = comparison.metric
    measured = f"{metric.name}, {unit(metric)}" if unit(metric) else metric.name
    return clean(f"{measured} ({direction(metric)}), {track} track")


def _full(comparison: Comparison, width: int) -> Table:
    head = ["solver", "mean", "ratio", "95 % interval", "", "verdict", "w/t/l", "decides in", "cpu in all", "worst on"]
    means = aligned(row.mean for row in comparison.rows)
    scale = RatioScale.over(v for row in comparison.rows for v in (row.low, row.ratio, row.high))
    body = [_cells(row, mean, scale) for row, mean in zip(comparison.rows, means, strict=True)]
    head[4] = _axis(scale)
    styles = [STYLES.get(row.verdict, "") for row in comparison.rows]
    return _fitted(head, body, styles, width, optional=(9, 8, 4), left=(0, 4, 5, 9))


def _cells(row: Row, mean: str, scale: RatioScale) -> list[str]:
    mine = row.verdict == "reference"
    known = math.isfinite(row.low) and math.isfinite(row.high)
    return [
        clean(row.solver),
        mean,
        "1" if mine else ratio(row.ratio),
        f"{ratio(row.low)} {ratio(row.high)}" if known and not mine else NONE,
        _bar(row, scale),
        f"{MARKS[row.verdict]} {SHORT.get(row.verdict, row.verdict)}",
        NONE if mine else f"{row.wins}/{row.ties}/{row.losses}",
        duration(row.solve_s),
        duration(row.cpu_s + row.fit_s),
        f"{ratio(row.worst_ratio)} {clean(row.worst_instance)}" if row.worst_instance and not mine else "",
    ]


def _others(results: Results, track: Track, width: int) -> Table:
    """A row for each solver, a column for each further metric: ratio and mark; the reference's own mean."""
    comparisons = [results.compare(metric.name, track=track) for metric in results.metrics[1:]]
    arrows = {"minimize": "", "maximize": " ↑"}
    head = ["solver", *(clean(c.metric.name) + arrows[c.metric.goal] for c in comparisons)]
    rows = results.compare(track=track).rows
    body = [[clean(row.solver), *(_brief(comparison, row.solver) for comparison in comparisons)] for row in rows]
    styles = ["bold" if row.verdict == "reference" else "" for row in rows]
    return _fitted(head, body, styles, width, optional=tuple(range(len(head) - 1, 1, -1)), left=(0,))


def _brief(comparison: Comparison, solver: str) -> str:
    row = next(row for row in comparison.rows if row.solver == solver)
    if not math.isfinite(row.mean):
        return NONE
    beside = row.verdict != "reference" and math.isfinite(row.ratio)  # the reference may not have this metric at all
    shown = ratio(row.ratio) if beside else f"{number(row.mean)} {unit(comparison.metric)}".strip()
    return clean(f"{shown} {MARKS[row.verdict]}")


def _fitted(
    head: Sequence[str],
    body: Sequence[Sequence[str]],
    styles: Sequence[str],
    width: int,
    *,
    optional: Sequence[int],
    left: Sequence[int],
) -> Table:
    """A table no wider than the console: drop `optional` columns until it fits, and cut names before numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    widths = [max(map(cell_len, column)) for column in zip(head, *body, strict=True)]
    widths[0], widths[-1] = min(widths[0], 32), min(widths[-1], 32)
    kept = list(range(len(head)))
    for column in optional:
        if sum(widths[k] + GAP for k in kept) - GAP > width:
            kept.remove(column)
    widths[0] = max(6, min(widths[0], width - sum(widths[k] + GAP for k in kept[1:])))
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, GAP - 1, 0, 0), pad_edge=False, header_style="dim")
    for k in kept:
        side: Literal["left", "right"] = "left" if k in left else "right"
        table.add_column(Text(head[k]), justify=side, no_wrap=True, min_width=min(widths[k], 32), max_width=widths[k])
    for cells, style in zip(body, styles, strict=True):
        table.add_row(*(_cut(cells[k], widths[k]) for k in kept), style=style)
    return table


def _cut(cell: str, width: int) -> Text:
    from rich.text import Text

    text = Text(cell)
    text.truncate(width, overflow="ellipsis")
    return text


def _column(scale: RatioScale, value: float) -> int:
    return round(scale.position(value) * (BAR - 1))


def _axis(scale: RatioScale) -> str:
    line = [" "] * BAR
    for tick in (1.0, *scale.ticks(4)):
        label = f"{tick:g}"
        at = min(max(0, _column(scale, tick) - (len(label) - 1) // 2), BAR - len(label))
        if all(c == " " for c in line[max(0, at - 1) : at + len(label) + 1]):
            line[at : at + len(label)] = label
    return "".join(line)


def _bar(row: Row, scale: RatioScale) -> str:
    line = [" "] * BAR
    line[_column(scale, 1.0)] = "│"
    if row.verdict != "reference" and math.isfinite(row.low) and math.isfinite(row.high):
        low, high = _column(scale, row.low), _column(scale, row.high)
        line[low : high + 1] = "─" * (high - low + 1)
    if row.verdict != "reference" and math.isfinite(row.ratio):
        line[_column(scale, row.ratio)] = MARKS[row.verdict]
    return "".join(line)


def _legend() -> Text:
    from rich.text import Text

    marks = f"{MARKS['better']} better  {MARKS['worse']} worse  {MARKS['not separated']} level: not separated"
    return Text(f"{marks}  (paired; geometric mean, t, Holm)", style="dim")


def _unavailable(solver: str, reason: str) -> Text:
    from rich.text import Text

    return Text.assemble((f"{clean(solver)} is unavailable: ", "bold"), clean(reason))
