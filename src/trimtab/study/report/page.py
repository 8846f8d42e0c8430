# SPDX-License-Identifier: Apache-2.0
"""The page put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from trimtab.core.outcome import Track

from ..results import Comparison, Results
from . import anytime, charts, downloads, sections, tables
from .headline import headline
from .markup import Html, join, tag
from .scale import RatioScale
from .words import direction, name_of, ratio, tracks, unit

POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # the browser itself refuses any request


@dataclass(frozen=True)
class Chapter:
    """One track of one study, compared on every metric."""

    results: Results
    track: Track
    comparisons: tuple[Comparison, ...]
    name: str  # prefix of its SVG ids


def page(studies: Sequence[Results]) -> str:
    """The whole document."""
    title = name_of(studies[0]) if len(studies) == 1 else "Scorecard"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · trimtab"),
        tag("style", Html(files(__package__).joinpath("style.css").read_text("utf-8"))),
    )
    content = [_scorecard(studies)] if len(studies) > 1 else []
    content += [study(results, f"s{k}") for k, results in enumerate(studies)]
    content.append(tag("footer", sections.how_to_read(), tag("p", "Made by trimtab. This file makes no network request.")))
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', *content)), lang='en')}\n"


def _scorecard(studies: Sequence[Results]) -> Html:
    entries = (
        tag("li", tag("a", name_of(results), href=f"#s{k}"), tag("p", headline(results)[0]))
        for k, results in enumerate(studies)
    )
    return tag("header", tag("p", "trimtab", class_="kicker"), tag("h1", "Scorecard"), tag("ol", *entries, class_="scorecard"))


def study(results: Results, name: str) -> Html:
    """One study, from its finding down to its data."""
    chapters = [
        Chapter(results, t, tuple(results.compare(m.name, track=t) for m in results.metrics), f"{name}{t[0]}")
        for t in tracks(results)
    ]
    said = headline(results)
    top = tag(
        "header",
        tag("p", "trimtab study", class_="kicker"),
        tag("h1", name_of(results)),
        tag("p", results.question, class_="question") if results.question else "",
        tag("p", said[0], class_="headline") if said else "",
        tag("p", " ".join(said[1:]), class_="more") if said[1:] else "",
        sections.asked(results),
    )
    parts = [part for chapter in chapters for part in track_sections(chapter, alone=len(chapters) == 1)]
    return tag("article", top, *parts, *_absences(results), *_data(results, chapters), *_colophon(results), id=name)


def track_sections(chapter: Chapter, *, alone: bool) -> list[Html]:
    """The comparison on each metric, instance by instance, cost, and the way there."""
    ranked = [c for c in chapter.comparisons if any(row.instances for row in c.rows)]
    if not ranked:
        return [_section(_title(chapter, "No results", alone), tag("p", "No cell of this track has a value."))]
    first, *others = ranked
    body = [_metric_block(first), tag("figure", charts.forest(first, name=f"{chapter.name}f"), _legend(first), class_="wide")]
    made = [_section(_title(chapter, "Comparison", alone), *body)]
    made += [_section(_title(chapter, "Other metrics", alone), *map(_metric_block, others))] if others else []
    made += [_section(_title(chapter, "Instance by instance", alone), *_panels(first, chapter.name))]
    made += [_section(_title(chapter, "Cost", alone), *_costs(first, chapter.name))]
    curves = anytime.curves(chapter.results, first)
    if curves:
        made.append(_section(_title(chapter, "Anytime", alone), *_anytime(curves, first, chapter.name)))
    return made


def _title(chapter: Chapter, what: str, alone: bool) -> str:
    return what if alone else f"{what} · {chapter.track} track"


def _section(title: str, *content: object, **attributes: Any) -> Html:
    return tag("section", tag("h2", title), *content, **attributes)


def _metric_block(comparison: Comparison) -> Html:
    metric = comparison.metric
    note = f"{direction(metric)}; ratio to {comparison.reference}" if comparison.reference else direction(metric)
    heading = tag("h3", metric.name, " ", tag("span", note, class_="aside"))
    short = [f"{row.solver} ({row.instances})" for row in comparison.rows if row.instances < len(comparison.instances)]
    missing = tag("p", f"Not on all {len(comparison.instances)} instances: {', '.join(short)}.", class_="note") if short else ""
    return tag("div", heading, tables.comparison_table(comparison), missing, class_="metric")


def _legend(comparison: Comparison) -> Html:
    entries = (("better", "●", "better"), ("worse", "◆", "worse"), ("level", "○", "not separated"))
    marks = (join([tag("span", mark, class_=f"mark {name}"), f" {said}"]) for name, mark, said in entries)
    return tag("figcaption", join(marks, Html("&emsp;")), Html("&emsp;"), "Faint dots are instances.")


def _panels(comparison: Comparison, name: str) -> list[Html]:
    rows = [row for row in comparison.rows if row.verdict != "reference" and row.paired]
    scale = RatioScale.over(r for row in rows for r in charts.paired_ratios(comparison, row.solver).values())
    figures = (
        tag(
            "figure",
            tag("figcaption", tag("b", row.solver), tag("span", f"{ratio(row.ratio)} · {row.wins} of {row.paired} won")),
            charts.instance_panel(comparison, row, scale, name=f"{name}i{k}"),
        )
        for k, row in enumerate(rows)
    )
    intro = (
        f"One stroke for each instance, from 1 (as {comparison.reference}) to the solver's ratio on it, sorted. "
        f"{comparison.metric.name}: {direction(comparison.metric)}."
    )
    return [tag("p", intro, class_="note"), tag("div", *figures, class_="panels")]


def _costs(comparison: Comparison, name: str) -> list[Html]:
    rows = [row for row in comparison.rows if row.instances]
    kinds = (
        ("time to decide, each cell", {row.solver: row.solve_s for row in rows}, True),
        ("training, CPU time", {row.solver: row.fit_s for row in rows}, True),
        ("evaluations, each cell", {row.solver: row.evaluations for row in rows}, False),
    )
    drawn = (
        tag("figure", charts.cost(rows, costs, label=label, name=f"{name}c{k}", in_seconds=in_seconds))
        for k, (label, costs, in_seconds) in enumerate(kinds)
        if any(costs.values())
    )
    intro = f"{comparison.metric.name}, as a ratio to {comparison.reference}, against what it costs."
    return [tag("p", intro, class_="note"), tag("div", *drawn, class_="pair"), tables.cost_table(rows)]


def _anytime(curves: Sequence[anytime.Curve], comparison: Comparison, name: str) -> list[Html]:
    intro = (
        f"The best {comparison.metric.name} found so far, as a ratio to what {comparison.reference} ends with "
        "(geometric mean over instances)."
    )
    drawing = charts.anytime(curves, reference=comparison.reference, name=f"{name}a")
    return [tag("p", intro, class_="note"), tag("figure", drawing, class_="wide")]


def _absences(results: Results) -> list[Html]:
    made = []
    if results.unavailable:
        made.append(_section("Unavailable", tables.unavailable_table(results.unavailable)))
    if any(run.status not in ("ok", "unavailable") for run in results.runs):
        made.append(_section("Failed", tables.failure_table(results)))
    return made


def _data(results: Results, chapters: Sequence[Chapter]) -> list[Html]:
    comparisons = [comparison for chapter in chapters for comparison in chapter.comparisons]
    if not comparisons:
        return []
    links = sections.download_links(
        name_of(results), downloads.as_csv(comparisons), downloads.as_json(results, comparisons)
    )
    shown = (
        sections.details(f"{c.metric.name}{', ' * bool(unit(c.metric))}{unit(c.metric)}, every instance, {chapter.track} track", tables.instance_table(c))
        for chapter in chapters
        for c in chapter.comparisons[:1]
    )
    intro = tag("p", "Values of every instance, averaged over seeds; all metrics.", class_="note")
    return [_section("Data", intro, links, *shown)]


def _colophon(results: Results) -> list[Html]:
    made = [_section("Reproduce", sections.reproduce(results))]
    return [*made, _section("System", sections.environment(results.system))] if results.system else made
