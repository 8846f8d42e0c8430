# SPDX-License-Identifier: Apache-2.0
"""One track of one study on the page: comparison, every instance, cost, and the way a search took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trimtab.core.outcome import Track
from trimtab.core.problem import Metric

from ..results import Comparison, Results
from . import charts, tables
from .anytime import Curve, curves
from .markup import Html, section, tag
from .scale import RatioScale
from .words import count, direction, listed, partial, ratio, tracks


@dataclass(frozen=True)
class Chapter:
    """`comparisons` is one for each metric, the deciding one first; `name` starts the ids of its charts."""

    results: Results
    track: Track
    comparisons: tuple[Comparison, ...]
    name: str

    @classmethod
    def all_of(cls, results: Results, name: str) -> list[Chapter]:
        return [
            cls(results, t, tuple(results.compare(m.name, track=t) for m in results.metrics), f"{name}{t[0]}")
            for t in tracks(results)
        ]

    @property
    def unavailable(self) -> list[str]:
        """Solvers of this track that could not run; those of no known track belong to the first."""
        known = {run.solver: run.track for run in self.results.runs if run.status == "unavailable"}
        first = tracks(self.results)[0]
        return [solver for solver in self.results.unavailable if known.get(solver, first) == self.track]

    def sections(self) -> Iterator[Html]:
        of = "" if len(tracks(self.results)) == 1 else f", {self.track} track"
        first, *others = self.comparisons
        drawn = any(row.ratio > 0 for row in first.rows)
        yield section(
            "Comparison" + of, metric_block(first, self.unavailable), forest(first, self.name) if drawn else ""
        )
        if others:
            yield section("Other metrics" + of, *map(metric_block, others))
        if drawn:
            yield section("Instance by instance" + of, *panels(first, self.name))
        yield section("Cost" + of, *costs(first, self.name))
        ways = curves(self.results, first)
        if ways:
            yield section("Anytime" + of, anytime(ways, first, self.name))


def metric_block(comparison: Comparison, unavailable: Sequence[str] = ()) -> Html:
    metric = comparison.metric
    said = tag("span", f"{direction(metric)}; ratio to {comparison.reference}", class_="aside")
    notes = tag("p", " ".join(_notes(comparison)), class_="note")
    table = tables.comparison_table(comparison, unavailable)
    return tag("div", tag("h3", metric.name, " ", said), table, notes, class_="metric")


def _notes(comparison: Comparison) -> Iterator[str]:
    """What a reader of the table must know that its numbers don't say."""
    whole = next((row.paired for row in comparison.rows if row.verdict == "reference"), 0)
    for row in partial(comparison):
        yield f"{row.solver} has values on {row.paired} of {count(whole, 'instance')} only: its row is about those."
    shares = [row.solver for row in comparison.rows if row.scale == "difference" and row.paired]
    if shares:
        yield (
            f"Not every value is positive, so {listed(shares)} is compared by differences: "
            "1.03 means that the mean lies above the reference's by 3 % of its size."
        )


def forest(comparison: Comparison, name: str) -> Html:
    entries = (("better", "●", "better"), ("worse", "◆", "worse"), ("", "○", "not separated"))
    legend = (tag("li", tag("span", mark, class_=f"mark {kind}"), f" {said}") for kind, mark, said in entries)
    side = "Left" if comparison.metric.goal == "minimize" else "Right"
    said = f"{side} of the line is better than {comparison.reference}."
    more = "A bar is the 95 % interval of the mean ratio, each faint dot one instance."
    caption = tag("figcaption", tag("ul", *legend), tag("p", said, " ", more))
    return tag("figure", charts.forest(comparison, name=f"{name}f"), caption, class_="wide")


def panels(comparison: Comparison, name: str) -> list[Html]:
    """One small chart for each solver but the reference, all on one scale."""
    paired = {row.solver: charts.paired_ratios(comparison, row.solver) for row in comparison.rows}
    rows = [row for row in comparison.rows if row.verdict != "reference" and paired[row.solver]]
    scale = RatioScale.over(r for row in rows for r in paired[row.solver].values())
    figures = (
        tag(
            "figure",
            tag("figcaption", tag("b", row.solver), tag("br"), f"{ratio(row.ratio)}, won {row.wins} of {row.paired}"),
            charts.instance_panel(comparison, row, scale, name=f"{name}i{k}"),
        )
        for k, row in enumerate(rows)
    )
    intro = f"One stroke for each instance, sorted: {_quality(comparison.metric)}, ratio to {comparison.reference}."
    return [tag("p", intro, class_="note"), tag("div", *figures, class_="panels")]


def _quality(metric: Metric) -> str:
    return f"{metric.name} ({direction(metric)})"


def costs(comparison: Comparison, name: str) -> list[Html]:
    """A chart for each cost in which the solvers differ, and the table of all."""
    rows = [row for row in comparison.rows if row.ratio > 0]
    kinds = (
        ("time to decide, per cell", {row.solver: row.solve_s for row in rows}, True),
        ("training, CPU time", {row.solver: row.fit_s for row in rows}, True),
        ("evaluations, per cell", {row.solver: row.evaluations for row in rows}, False),
    )
    figures = [
        tag("figure", charts.cost(rows, spent, label=label, name=f"{name}c{k}", in_seconds=in_seconds))
        for k, (label, spent, in_seconds) in enumerate(kinds)
        if max(spent.values(), default=0.0) > 1.5 * min(spent.values(), default=0.0)
    ]
    intro = f"{_quality(comparison.metric)}, ratio to {comparison.reference}, against what it takes."
    drawing = [tag("p", intro, class_="note"), tag("div", *figures, class_="pair")] if figures else []
    return [*drawing, tables.cost_table(comparison.rows)]


def anytime(ways: Sequence[Curve], comparison: Comparison, name: str) -> Html:
    said = (
        f"The best {comparison.metric.name} found so far, as a ratio to what {comparison.reference} ends with: "
        "the geometric mean over instances. A search tries under other seeds than it is judged by, "
        "so a curve need not end at the table's ratio."
    )
    drawing = charts.anytime(ways, reference=comparison.reference, name=f"{name}a")
    return tag("figure", drawing, tag("figcaption", tag("p", said)), class_="wide")
