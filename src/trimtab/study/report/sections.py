# SPDX-License-Identifier: Apache-2.0
"""The parts of the page around the comparisons: what was asked, where it ran, how to read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..results import Results
from .markup import Html, data_link, join, tag
from .words import budget, command, listed, tracks

HOW_TO_READ = {
    "Pairing": "Solvers are compared on the same instances under the same seeds. Seeds are averaged inside an instance "
    "first, and the instance is the sampling unit: more seeds make no interval narrower than the instances allow.",
    "Ratio": "The geometric mean over instances of solver ÷ reference. It treats twice and half alike, gives a small "
    "instance the same say as a large one, and ranks solvers the same way whichever is the reference.",
    "95 % interval": "Student's t interval on the logarithms of those ratios. Were the study repeated on new instances "
    "of the same kind, about 95 of 100 such intervals would hold the true ratio.",
    "Verdict": "“Better” and “worse” come from the paired t test, adjusted by Holm's method for the number of solvers: "
    "the chance of any wrong verdict in a table is at most 5 %. Intervals are not adjusted, so one that just misses 1 "
    "may still be “not separated”. “Needs” says how many instances would probably separate a difference of this size.",
    "Won, tied, lost": "On how many instances the solver's average is better than, equal to and worse than the "
    "reference's. The worst instance is the one with the least favourable ratio.",
    "Tracks": "A policy decides without trying anything; a search may try candidates, within one budget for all. "
    "The two are never ranked together.",
}


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """Short facts, each under its name."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs), class_="facts")


def asked(results: Results) -> Html:
    """What was compared with what, on what, under which rules."""
    instances = {run.instance for run in results.runs}
    references = dict.fromkeys(results.compare(track=track).reference for track in tracks(results))
    return facts(
        [
            ("Instances", f"{len(instances):,}, {results.split} split"),
            ("Suite", results.suite or "shipped"),
            ("Seeds", f"{len(results.seeds)} ({listed(map(str, results.seeds), 6)})"),
            ("Backend", results.backend),
            ("Solvers", f"{len({run.solver for run in results.runs} | set(results.unavailable))}"),
            ("Reference", listed([r for r in references if r]) or results.reference),
            ("Track", listed(tracks(results)) or "none"),
            ("Budget", budget(results.budget)),
            ("Version of the problem", results.version),
        ]
    )


def environment(system: Mapping[str, Any]) -> Html:
    return tag("dl", *(_entry(key, value) for key, value in system.items() if key != "command"), class_="system")


def _entry(key: object, value: object) -> Html:
    if isinstance(value, Mapping):
        shown: object = join((join([tag("span", k, class_="aside"), f" {v}"]) for k, v in value.items()), ", ")
    elif isinstance(value, (list, tuple)):
        shown = ", ".join(map(str, value))
    elif key == "memory" and isinstance(value, int):
        shown = f"{value / 2**30:.1f} GiB"
    elif isinstance(value, float):
        shown = f"{value:.4g}"
    else:
        shown = value
    return tag("div", tag("dt", str(key).replace("_", " ")), tag("dd", shown))


def reproduce(results: Results) -> Html:
    return join(
        [
            tag("pre", tag("code", command(results)), tabindex="0"),
            tag("p", f"Ledger: {results.folder}", class_="note") if results.folder else "",
        ]
    )


def how_to_read() -> Html:
    entries = (join([tag("dt", name), tag("dd", text)]) for name, text in HOW_TO_READ.items())
    return details("How to read this", tag("dl", *entries, class_="prose"))


def details(summary: object, *content: object) -> Html:
    return tag("details", tag("summary", summary), *content)


def download_links(name: str, csv_text: str, json_text: str) -> Html:
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in name)
    return tag(
        "p",
        data_link("Download CSV", csv_text, media_type="text/csv", filename=f"{stem}.csv"),
        data_link("Download JSON", json_text, media_type="application/json", filename=f"{stem}.json"),
        class_="downloads",
    )
