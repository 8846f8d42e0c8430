# SPDX-License-Identifier: Apache-2.0
"""The HTML page of a run of tuning, in the house's style. Whatever a program printed or a file named is escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trimtab.problems.runtime_tuning.system.session import Row
from trimtab.problems.runtime_tuning.system.tuning import Answer
from trimtab.study.files import replace_file
from trimtab.study.report.markup import Html, scroller, section, tag
from trimtab.study.report.page import document
from trimtab.study.report.sections import details, environment, facts
from trimtab.study.system import describe

from . import picture
from .assemble import Job
from .telling import headline, knob_rows, notes, ratio, show

CAPTION = (
    "Each dot is a trial: what it took, over what the default took beside it. The blue line is the least yet, noise "
    "included; squares break a constraint, triangles were killed for being too slow, crosses failed."
)


def write(path: Path, job: Job, answer: Answer, crowded: Sequence[float]) -> Path:
    """Write the page whole or not at all. Needs the extra ``report``."""
    text = page(job, answer, crowded)
    replace_file(path, lambda part: part.write_text(text, encoding="utf-8", newline="\n"))
    return path


def page(job: Job, answer: Answer, crowded: Sequence[float]) -> str:
    program = Path(job.command.argv[0].split()[0] if job.command.in_shell else job.command.argv[0]).name
    title = f"Tuning {program}"
    first, *others = notes(job, answer, crowded)
    top = tag(
        "header",
        tag("p", "trimtab tune", class_="kicker"),
        tag("h1", title),
        tag("p", headline(job, answer), class_="headline"),
        tag("p", " ".join([first, *others]), class_="more"),
        facts(_facts(job, answer)),
    )
    figure = tag("figure", picture.trials(answer.session, job.objective), tag("figcaption", tag("p", CAPTION)))
    return document(
        title,
        tag(
            "article",
            top,
            section("Use this", tag("pre", tag("code", job.command.show(answer.values)), tabindex="0")),
            section("Trials", figure, details("Every trial", _trials(job, answer.session.rows))),
            section("Knobs", tag("p", KNOBS, class_="note"), _knobs(job, answer)),
            section("System", environment(describe())),
        ),
    )


KNOBS = (
    "Share: how much of the spread of all results the knob explains by itself (adjusted for chance). "
    "Cost of putting back: measured by running the best with and without it, where the change was minimised."
)


def _facts(job: Job, answer: Answer) -> Iterable[tuple[str, object]]:
    objective = job.objective
    yield "Objective", f"{objective.metric}, {'less' if objective.goal == 'minimize' else 'more'} is better"
    for limit in objective.constraints:
        yield "Constraint", f"{limit.metric} <= {show(limit.metric, limit.limit)}"
    yield "Knobs", len(job.command.space.knobs)
    yield "Trials", answer.session.trials
    yield "Seconds of search", f"{answer.session.spent:.0f}"
    if answer.proof is not None:
        yield "Pairs of the proof", answer.proof.interval.n
    yield "Noise of a run", f"{100 * answer.session.gauge.sd:.1f} %"


def _knobs(job: Job, answer: Answer) -> Html:
    rows = [
        (row["knob"], row["default"], row["value"] or "–", _percent(row["share"]), _cost(row["worth"]))
        for row in knob_rows(job.command.space, answer)
    ]
    return scroller(_table(("Knob", "Default", "Best", "Share", "Cost of putting back"), rows), "Knobs")


def _trials(job: Job, rows: Sequence[Row]) -> Html:
    space, objective = job.command.space, job.objective

    def cells(number: int, row: Row) -> tuple[object, ...]:
        trial = row.trial
        changed: Mapping[str, Any] = space.changed(trial.values)
        words = " ".join(f"{name}={space.by_name[name].show(value)}" for name, value in changed.items())
        value = "–" if trial.loss is None else f"{ratio(trial.loss, objective):.3f}"
        return number, value, trial.status, trial.runs, trial.note or "–", words or "the default"

    made = [cells(k, row) for k, row in enumerate(rows, 1)]
    return scroller(_table(("Trial", "Ratio", "Status", "Runs", "Note", "Changed"), made, words=(4, 5)), "Every trial")


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]], words: Sequence[int] = ()) -> Html:
    head = tag("thead", tag("tr", *(tag("th", column, scope="col") for column in columns)))
    body = (
        tag(
            "tr",
            tag("th", first, scope="row"),
            *(tag("td", cell, class_="words" if k in words else None) for k, cell in enumerate(rest, 1)),
        )
        for first, *rest in rows
    )
    return tag("table", head, tag("tbody", *body))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _cost(worth: float | None) -> str:
    if worth is None:
        return "–"
    return f"{100 * math.expm1(worth):+.0f} %" if worth < 20 else "it fails"
