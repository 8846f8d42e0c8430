# SPDX-License-Identifier: Apache-2.0
"""The page put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files

from ..results import Results
from . import sections, tables
from .chapter import Chapter
from .downloads import as_csv, as_json
from .headline import absent, failed, finding, headline
from .markup import Html, section, tag
from .words import name_of, tracks

POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # the browser itself refuses any request


def page(studies: Sequence[Results]) -> str:
    """The whole document of one or several studies."""
    title = name_of(studies[0]) if len(studies) == 1 else "Scorecard"
    content = [_scorecard(studies)] if len(studies) > 1 else []
    content += [study(results, f"s{k}") for k, results in enumerate(studies)]
    return document(title, *content, footer=sections.how_to_read())


def document(title: str, *content: Html, footer: object = "") -> str:
    """A page that is whole in itself, in the house's style."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{title} · trimtab"),
        tag("style", Html(files("trimtab.study.report").joinpath("style.css").read_text("utf-8"))),
    )
    made_by = tag("p", "Made by trimtab. This file is whole in itself: it asks nothing of any network.")
    main = tag("main", *content, tag("footer", footer, made_by))
    return f"<!doctype html>\n{tag('html', head, tag('body', main), lang='en')}\n"


def _scorecard(studies: Sequence[Results]) -> Html:
    entries = (
        tag("li", tag("a", name_of(results), href=f"#s{k}"), tag("p", *headline(results)[:1]))
        for k, results in enumerate(studies)
    )
    kicker = tag("p", "trimtab studies", class_="kicker")
    return tag("header", kicker, tag("h1", "Scorecard"), tag("ol", *entries, class_="scorecard"))


def study(results: Results, name: str) -> Html:
    """One study, from its finding down to its data."""
    chapters = Chapter.all_of(results, name)
    top = tag(
        "header",
        tag("p", "trimtab study", class_="kicker"),
        tag("h1", name_of(results)),
        tag("p", results.question, class_="question") if results.question else "",
        *_findings(results),
        sections.asked(results),
    )
    compared = [part for chapter in chapters for part in chapter.sections()]
    return tag("article", top, *compared, *_absences(results), *_data(results, chapters), *_colophon(results), id=name)


def _findings(results: Results) -> Iterator[Html]:
    """The first sentence of each track large, the others below it."""
    found = tracks(results)
    for track in found:
        first, *rest = finding(results, track)
        label = tag("span", f"{track} track", class_="label") if len(found) > 1 else ""
        yield tag("p", label, first, class_="headline")
        yield tag("p", " ".join(rest), class_="more")
    yield tag("p", " ".join([*absent(results), *failed(results)]), class_="more")


def _absences(results: Results) -> Iterator[Html]:
    if results.unavailable:
        yield section("Unavailable", tables.unavailable_table(results.unavailable))
    if any(run.status not in ("ok", "unavailable") for run in results.runs):
        yield section("Without a result", tables.failure_table(results))


def _data(results: Results, chapters: Sequence[Chapter]) -> Iterator[Html]:
    comparisons = [comparison for chapter in chapters for comparison in chapter.comparisons]
    if comparisons:
        links = sections.download_links(name_of(results), as_csv(comparisons), as_json(results, comparisons))
        intro = tag("p", "The values of every instance, averaged over seeds, on all metrics.", class_="note")
        yield section("Data", intro, links, *(_instances(chapter) for chapter in chapters))


def _instances(chapter: Chapter) -> Html:
    metric = chapter.comparisons[0].metric
    summary = f"{metric.name} of every instance, {chapter.track} track"
    return sections.details(summary, tables.instance_table(chapter.comparisons[0]))


def _colophon(results: Results) -> Iterator[Html]:
    yield section("Reproduce", sections.reproduce(results))
    if results.system:
        yield section("System", sections.environment(results.system))
