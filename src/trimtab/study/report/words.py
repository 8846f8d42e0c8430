# SPDX-License-Identifier: Apache-2.0
"""Numbers, durations and verdicts in words: one spelling for the page and the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable

from trimtab.core.outcome import Track
from trimtab.core.problem import Metric
from trimtab.core.task import Budget

from ..results import Comparison, Results, Row

#: A shape for each verdict, so that no reader depends on colour.
MARKS = {"better": "●", "worse": "◆", "not separated": "○", "too few instances": "·", "reference": "│"}
NONE = "–"


def number(value: float, digits: int = 4) -> str:
    """At least `digits` significant digits, thousands apart: 0.8712, 84.31, 12,345."""
    if not math.isfinite(value):
        return NONE if math.isnan(value) else "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if not -4 <= magnitude < 9:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(0, digits - 1 - magnitude)}f}"


def aligned(values: Iterable[float], digits: int = 4) -> list[str]:
    """A column of numbers with the same number of decimals: that of the largest."""
    column = list(values)
    largest = max((abs(v) for v in column if math.isfinite(v)), default=0.0)
    if not 1e-4 <= largest < 1e9:
        return [number(v, digits) for v in column]
    decimals = max(0, digits - 1 - math.floor(math.log10(largest)))
    return [f"{v:,.{decimals}f}" if math.isfinite(v) else number(v) for v in column]


def ratio(value: float) -> str:
    return f"{value:.3f}" if 0.1 <= value < 10 else number(value, 3)


def interval(low: float, high: float) -> str:
    return f"{ratio(low)} to {ratio(high)}" if math.isfinite(low) and math.isfinite(high) else NONE


def duration(seconds: float, digits: int = 3) -> str:
    """Seconds in the unit that a person would pick."""
    if not math.isfinite(seconds) or seconds == 0:
        return number(seconds)
    for limit, scale, unit in ((1e-3, 1e6, "µs"), (1, 1e3, "ms"), (60, 1, "s"), (3600, 1 / 60, "min")):
        if seconds < limit:
            return f"{number(seconds * scale, digits)} {unit}"
    return f"{number(seconds / 3600, digits)} h"


def count(many: int, noun: str) -> str:
    return f"{many:,} {noun}" + ("" if many == 1 else "s")


def listed(names: Iterable[str], limit: int = 4) -> str:
    """'a', 'a and b', 'a, b and c', 'a, b, c and 5 more'."""
    *head, last = [*names] or [""]
    if len(head) >= limit:
        head, last = head[: limit - 1], f"{len(head) + 2 - limit} more"
    return f"{', '.join(head)} and {last}" if head else last


def shorten(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"


def budget(allowed: Budget) -> str:
    parts = []
    if math.isfinite(allowed.evaluations):
        parts.append(count(int(allowed.evaluations), "evaluation"))
    if math.isfinite(allowed.seconds):
        parts.append(duration(allowed.seconds))
    return ", ".join(parts) or "unlimited"


def unit(metric: Metric) -> str:
    return "" if metric.unit in ("", "1") else metric.unit


def direction(metric: Metric) -> str:
    return "lower is better" if metric.goal == "minimize" else "higher is better"


def verdict(row: Row) -> str:
    """The verdict as a word; where nothing is separated, how many instances it would take."""
    if row.verdict == "not separated" and row.needed:
        return f"not separated (needs {needed(row.needed)})"
    return row.verdict


def needed(instances: int) -> str:
    """A planned number of instances, without pretending to know a large one."""
    return f"about {instances:,}" if instances <= 10_000 else "over 10,000"


def partial(comparison: Comparison) -> list[Row]:
    """Solvers that lack a value on an instance where the reference has one: their ratio flatters them."""
    complete = next((row.paired for row in comparison.rows if row.verdict == "reference"), 0)
    return [row for row in comparison.rows if 0 < row.paired < complete]


def tracks(results: Results) -> tuple[Track, ...]:
    """The tracks that have cells, policy first. They are never ranked together."""
    ran = {run.track for run in results.runs if run.status != "unavailable"}
    order: tuple[Track, ...] = ("policy", "search")
    return tuple(track for track in order if track in ran)


def name_of(results: Results) -> str:
    return results.problem + (f" · {results.suite}" if results.suite else "")


def command(results: Results) -> str:
    """The command that was given, or one that asks for the same."""
    given = results.system.get("command")
    if given:
        return str(given)
    names = sorted({run.solver for run in results.runs})
    parts = ["trimtab run", results.problem, "--split", results.split, "--seeds", str(len(results.seeds))]
    parts += ["--suite", results.suite] if results.suite else []
    parts += ["--backend", results.backend, "--solvers", ",".join(names)]
    if math.isfinite(results.budget.evaluations):
        parts += ["--budget", f"{results.budget.evaluations:g}"]
    if math.isfinite(results.budget.seconds):
        parts += ["--budget-seconds", f"{results.budget.seconds:g}"]
    return " ".join(parts)
