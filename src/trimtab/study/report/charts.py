# SPDX-License-Identifier: Apache-2.0
"""The charts of one comparison: forest, instance by instance, cost, anytime."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..results import Comparison, Row
from .anytime import Curve
from .figure import BETTER, INK, LINE, MUTED, PAPER, SERIES, WORSE, axes, canvas, inline
from .markup import Html, clean
from .scale import RatioScale
from .words import duration, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"better": BETTER, "worse": WORSE}
MARKERS = {"better": "o", "worse": "D", "not separated": "o", "too few instances": "o"}
WIDTH = 420
ENDS = ("o", "D", "s", "^", "v", "P")  # a shape for each curve, so that no reader depends on colour
SECONDS = (*(10.0**k for k in range(-6, 2)), 60.0, 600.0, 3600.0, 36000.0, 360000.0)


def paired_ratios(comparison: Comparison, solver: str) -> dict[str, float]:
    """Instance -> solver / reference, where both have a positive value."""
    reference = comparison.table.get(comparison.reference, {})
    values = comparison.table.get(solver, {})
    return {
        name: values[name] / reference[name]
        for name in comparison.instances
        if values.get(name, 0) > 0 and reference.get(name, 0) > 0
    }


def forest(comparison: Comparison, *, name: str) -> Html:
    """Geometric-mean ratio and interval of each solver, every instance faintly behind it."""
    rows = [row for row in comparison.rows if row.ratio > 0]
    clouds = {row.solver: list(paired_ratios(comparison, row.solver).values()) for row in rows}
    ends = [value for row in rows for value in (row.low, row.high)]
    scale = RatioScale.over([*ends, *(r for cloud in clouds.values() for r in cloud)])
    names = [shorten(clean(row.solver), 22) for row in rows]
    with canvas(WIDTH, 22 * len(rows) + 52) as figure:
        chart = axes(figure, left=12 + round(6.4 * max(map(len, names))), right=14, top=4, bottom=48)
        _ratio_axis(chart, scale, across=True)
        for y, row in enumerate(rows):
            if row.verdict != "reference":
                _dots(chart, [math.log(r) for r in clouds[row.solver]], y)
            _interval(chart, y, row)
        chart.set(ylim=(len(rows) - 0.4, -0.6), yticks=range(len(rows)))
        chart.set_yticklabels(names, color=INK)
        chart.set_xlabel(
            f"{shorten(clean(comparison.metric.name), 20)}, ratio to {shorten(clean(comparison.reference), 20)}"
        )
        return inline(figure, name=name, title=f"Forest plot: ratio to {comparison.reference} with 95 % interval")


def _interval(chart: Axes, y: int, row: Row) -> None:
    colour = COLOURS.get(row.verdict, INK)
    low, middle, high = (math.log(v) if v > 0 else math.nan for v in (row.low, row.ratio, row.high))
    chart.plot([low, high], [y, y], color=colour, linewidth=2)
    face = PAPER if row.verdict not in COLOURS else colour
    if row.verdict == "reference":
        chart.plot([0, 0], [y - 0.3, y + 0.3], color=INK, linewidth=2)
    else:
        chart.plot([middle], [y], MARKERS[row.verdict], color=colour, markerfacecolor=face, markersize=5.5)


def _dots(chart: Axes, x: Sequence[float], y: float) -> None:
    """Points as one path of zero-length strokes: a tenth of the size of as many markers."""
    across = np.clip(np.asarray(x, float), *chart.get_xlim())
    gaps = np.full(len(x), np.nan)
    apart = 0.56 * (np.arange(len(x)) * 0.618034 % 1 - 0.5)  # golden steps: a cloud, and always the same one
    up = y + apart
    points = np.stack([across, across, gaps], 1).ravel(), np.stack([up, up, gaps], 1).ravel()
    chart.plot(*points, color=MUTED, alpha=0.45, linewidth=2.4)


def _ratio_axis(chart: Axes, scale: RatioScale, *, across: bool) -> None:
    ticks = scale.ticks(5)
    limits, marks = (math.log(scale.low), math.log(scale.high)), [math.log(t) for t in ticks]
    labels = [f"{t:g}" for t in ticks]
    if across:
        chart.set_xlim(limits)
        chart.set_xticks(marks, labels)
        chart.axvline(0, color=MUTED, linewidth=1)
    else:
        chart.set_ylim(limits)
        chart.set_yticks(marks, labels)
        chart.axhline(0, color=MUTED, linewidth=1)
    chart.grid(axis="x" if across else "y", linewidth=0.6)


def instance_panel(comparison: Comparison, row: Row, scale: RatioScale, *, name: str) -> Html:
    """One solver: a stroke from 1 to its ratio for each instance, the best first."""
    lower_is_better = comparison.metric.goal == "minimize"
    logs = np.sort(np.log([*paired_ratios(comparison, row.solver).values()]))[:: 1 if lower_is_better else -1]
    with canvas(190, 112) as figure:
        chart = axes(figure, left=34, right=4, top=6, bottom=6)
        _ratio_axis(chart, scale, across=False)
        chart.set(xlim=(-1, len(logs)), xticks=[])
        chart.spines["bottom"].set_visible(False)
        _strokes(chart, logs, logs < 0, BETTER if lower_is_better else WORSE)
        _strokes(chart, logs, logs > 0, WORSE if lower_is_better else BETTER)
        return inline(figure, name=name, title=f"{row.solver} on each instance, ratio to {comparison.reference}")


def _strokes(chart: Axes, heights: NDArray[np.float64], chosen: NDArray[np.bool_], colour: str) -> None:
    x = np.flatnonzero(chosen)
    tips = np.clip(heights[chosen], *chart.get_ylim())
    points = np.stack([np.zeros(len(x)), tips, np.full(len(x), np.nan)], 1).ravel()
    wide = max(0.7, min(5.0, 120 / len(heights)))
    chart.plot(np.repeat(x, 3), points, color=colour, linewidth=wide, solid_capstyle="butt")


def cost(rows: Sequence[Row], costs: Mapping[str, float], *, label: str, name: str, in_seconds: bool) -> Html:
    """What a solver costs (log scale; nothing at the left edge) against the quality it reaches."""
    shown = sorted((row for row in rows if row.ratio > 0), key=lambda row: row.ratio)
    scale = RatioScale.over(row.ratio for row in shown)
    names = [shorten(clean(row.solver), 22) for row in shown]
    with canvas(WIDTH, max(210, 15 * len(shown) + 64)) as figure:
        chart = axes(figure, left=42, right=_margin(names), top=8, bottom=46)
        _ratio_axis(chart, scale, across=False)
        x = _cost_axis(chart, [costs[row.solver] for row in shown], in_seconds)
        heights = [math.log(row.ratio) for row in shown]
        for row, across, up in zip(shown, x, heights, strict=True):
            colour = COLOURS.get(row.verdict, INK)
            face = colour if row.verdict in COLOURS else PAPER
            chart.plot(
                [across], [up], MARKERS.get(row.verdict, "s"), color=colour, markerfacecolor=face, markersize=6.5
            )
        _margin_labels(chart, x, heights, names)
        chart.set_xlabel(label)
        return inline(figure, name=name, title=f"{label} against quality")


def _cost_axis(chart: Axes, values: Sequence[float], in_seconds: bool) -> list[float]:
    """A log axis with a place for nothing at its left end; returns where each value lies on it."""
    steps = SECONDS if in_seconds else tuple(10.0**k for k in range(12))
    positive = [v for v in values if v > 0]
    below = [s for s in steps if s <= min(positive)] or [min(positive)]
    above = [s for s in steps if s >= max(positive)] or [max(positive)]
    first, last = math.log10(below[-1]), math.log10(above[0])
    decades = [s for s in steps if first <= math.log10(s) <= last]
    thin = decades[:: math.ceil(len(decades) / 4)]
    marks = {math.log10(s): duration(s, 1) if in_seconds else f"{s:,.0f}" for s in thin}
    nothing = first - max(0.4, 0.3 * (last - first))
    if len(positive) < len(values):
        marks[nothing] = "none"
    chart.set_xticks(list(marks), list(marks.values()))
    air = 0.06 * (last - first) + 0.02
    chart.set_xlim((nothing if len(positive) < len(values) else first) - air, last + air)
    return [math.log10(v) if v > 0 else nothing for v in values]


def _margin(names: Sequence[str]) -> int:
    """Room for names and the hairlines to them, in units."""
    return 34 + round(6.2 * max(map(len, names)))


def _margin_labels(chart: Axes, x: Sequence[float], y: Sequence[float], labels: list[str]) -> None:
    """Names in the right margin, in the order of height, with a hairline to each point."""
    low, high = chart.get_ylim()
    order = np.argsort(y, kind="stable")
    places = _spread([float(y[k]) for k in order], low, high)
    for k, place in zip(order, places, strict=True):
        fraction = (place - low) / (high - low)
        chart.annotate(
            labels[k],
            (x[k], y[k]),
            xytext=(1 + 24 / chart.bbox.width, fraction),
            textcoords="axes fraction",
            va="center_baseline",
            fontsize=10.5,
            arrowprops={"arrowstyle": "-", "color": LINE, "linewidth": 0.8, "shrinkA": 2, "shrinkB": 4},
        )


def _spread(heights: Sequence[float], low: float, high: float) -> list[float]:
    """Ascending heights moved apart until labels fit, as little as may be (isotonic regression, pool adjacent)."""
    gap = (high - low) / max(len(heights), 12)
    pools: list[tuple[float, int]] = []
    for k, height in enumerate(heights):
        total, many = height - k * gap, 1
        while pools and pools[-1][0] / pools[-1][1] > total / many:
            before, others = pools.pop()
            total, many = total + before, many + others
        pools.append((total, many))
    first, last = low + gap / 2, high - gap / 2 - (len(heights) - 1) * gap
    level = [min(max(total / many, first), last) for total, many in pools for _ in range(many)]
    return [place + k * gap for k, place in enumerate(level)]


def anytime(curves: Sequence[Curve], *, reference: str, name: str) -> Html:
    """Best value so far against evaluations spent, as a ratio to what the reference ends with."""
    scale = RatioScale.over(v for curve in curves for v in curve.ratios)
    names = [shorten(clean(curve.solver), 22) for curve in curves]
    with canvas(WIDTH, max(230, 15 * len(curves) + 64)) as figure:
        chart = axes(figure, left=42, right=_margin(names), top=8, bottom=46)
        _ratio_axis(chart, scale, across=False)
        chart.set_xscale("log")
        most = max(curve.evaluations[-1] for curve in curves)
        chart.set_xlim(min(curve.evaluations[0] for curve in curves) * 0.95, most * 1.05)
        for k, curve in enumerate(curves):
            colour, heights = SERIES[k % len(SERIES)], np.log(curve.ratios)
            chart.plot(curve.evaluations, heights, color=colour, drawstyle="steps-post", linewidth=1.8)
            chart.plot(
                curve.evaluations[-1:], heights[-1:], ENDS[k % len(ENDS)], color=colour, markersize=6, clip_on=False
            )
        ticks = [10**k for k in range(0, math.floor(math.log10(most)) + 1)]
        chart.set_xticks(ticks, [f"{t:,}" for t in ticks])
        chart.minorticks_off()
        _margin_labels(
            chart,
            [c.evaluations[-1] for c in curves],
            [math.log(c.ratios[-1]) for c in curves],
            [c.solver for c in curves],
        )
        chart.set_xlabel("evaluations spent")
        return inline(
            figure, name=name, title=f"Best so far against evaluations, ratio to the final value of {reference}"
        )
