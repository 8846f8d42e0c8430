# SPDX-License-Identifier: Apache-2.0
"""The finding in a few sentences, written from the numbers alone."""

from __future__ import annotations

import math

from trimtab.core.outcome import Track

from ..results import Comparison, Results, Row
from .words import count, interval, listed, needed, partial, ratio, tracks


def headline(results: Results) -> tuple[str, ...]:
    """Everything that the numbers say: what was found, what is missing, what failed."""
    return (*findings(results), *absent(results), *failed(results))


def findings(results: Results) -> list[str]:
    """Who wins, by how much and how surely, and how the learned solvers fare; track by track."""
    found = tracks(results)
    sentences = []
    for track in found:
        first, *rest = finding(results, track)
        sentences += [f"{track.capitalize()} track: {first}" if len(found) > 1 else first, *rest]
    return sentences


def finding(results: Results, track: Track) -> list[str]:
    """What the first metric says of one track; the first sentence says the most."""
    comparison = results.compare(track=track)
    metric = comparison.metric.name
    ranked = [row for row in comparison.rows if row.instances]
    if not ranked:
        return [f"No solver gave a feasible outcome, so there is nothing to say about {metric}."]
    if len(ranked) == 1:
        only = ranked[0]
        return [f"Only {only.solver} gave results ({count(only.instances, 'instance')}): there is nothing to compare."]
    incomplete = partial(comparison)
    best = _best(comparison, incomplete)
    if best is None:
        return [
            f"No other solver has a value on every instance that {comparison.reference} has: nobody can be called best."
        ]
    said = [_who_wins(comparison, best)]
    if best.verdict == "better":
        said += _runner_up(results, track, best, comparison.reference)
    return [*said, *_learned(results, track, comparison, incomplete), *_incomplete(comparison, incomplete)]


def absent(results: Results) -> list[str]:
    """Solvers that did not run."""
    if not results.unavailable:
        return []
    verb = "was" if len(results.unavailable) == 1 else "were"
    return [f"{listed(results.unavailable)} {verb} unavailable here and did not run."]


def failed(results: Results) -> list[str]:
    """Cells that ran and gave nothing to compare."""
    bad = [run for run in results.runs if run.status not in ("ok", "unavailable")]
    if not bad:
        return []
    return [f"{count(len(bad), 'cell')} of {listed(sorted({run.solver for run in bad}))} gave no feasible outcome."]


def _sign(comparison: Comparison) -> int:
    return 1 if comparison.metric.goal == "minimize" else -1


def _best(comparison: Comparison, incomplete: list[Row]) -> Row | None:
    """Among the rivals with a value wherever the reference has one: the best certain ratio, else the best ratio."""
    rows = [row for row in comparison.rows if row.verdict != "reference" and row.paired and row not in incomplete]
    certain = [row for row in rows if row.verdict == "better"]
    return min(certain or rows, key=lambda row: _sign(comparison) * row.ratio, default=None)


def _size(row: Row) -> str:
    return f"{ratio(row.ratio)}×, 95 % interval {interval(row.low, row.high)}"


def _who_wins(comparison: Comparison, best: Row) -> str:
    metric, reference = comparison.metric.name, comparison.reference
    on = count(best.paired, "instance")
    if best.verdict == "better":
        size = f"{metric} is {ratio(best.ratio)}× that of {reference} (95 % interval {interval(best.low, best.high)})"
        return f"{best.solver} wins: its {size}, and it is better on {best.wins} of {on}."
    if best.verdict == "worse":
        return (
            f"Nothing beats {reference}: on {metric} even the nearest, {best.solver}, is worse ({_size(best)}; {on})."
        )
    if best.verdict == "too few instances":
        return f"{on} cannot tell {best.solver} from {reference} ({metric}: {ratio(best.ratio)}×)."
    more = f"; it would take {needed(best.needed)} instances" if best.needed else ""
    return (
        f"Nothing beats {reference} for certain: on {metric} the nearest is {best.solver} ({_size(best)}; {on}){more}."
    )


def _runner_up(results: Results, track: Track, best: Row, beaten: str) -> list[str]:
    """What the winner's lead is worth: everyone else beside the winner, but for the reference that it beats."""
    beside = results.compare(reference=best.solver, track=track)
    others = [row for row in beside.rows if row.verdict != "reference" and row.paired]
    level = [row.solver for row in others if row.verdict in ("not separated", "too few instances")]
    # a family of other comparisons, so Holm may take back what the first sentence said of that pair
    level = [solver for solver in level if solver != beaten]
    if level:
        return [f"It is not separated from {listed(level)}."]
    if len(others) > 1 and all(row.verdict == "worse" for row in others):
        second = min(others, key=lambda row: _sign(beside) * row.ratio)
        if best.fit_s > 0 and second.fit_s == 0:  # that pair gets a sentence of its own
            return ["Every other solver is worse than it."]
        return [f"Every other solver is worse than it; the runner-up is {second.solver} ({_size(second)})."]
    return []


def _learned(results: Results, track: Track, comparison: Comparison, incomplete: list[Row]) -> list[str]:
    """The best trained solver beside the best untrained one, whichever way it went."""
    rows = [row for row in comparison.rows if row.paired and row not in incomplete]
    trained = [row for row in rows if row.fit_s > 0]
    plain = [row for row in rows if row.fit_s == 0]
    if not trained or not plain:
        return []
    learned, rival = trained[0].solver, plain[0].solver
    beside = results.compare(reference=rival, track=track)
    row = next(row for row in beside.rows if row.solver == learned)
    if not math.isfinite(row.ratio):
        return []
    subject = f"The learned solver {learned}" if len(trained) == 1 else f"The best learned solver, {learned},"
    words = {"better": "beats", "worse": "loses to"}
    return [
        f"{subject} {words.get(row.verdict, 'is not separated from')} the best untrained one, {rival} ({_size(row)})."
    ]


def _incomplete(comparison: Comparison, incomplete: list[Row]) -> list[str]:
    complete = next((row.paired for row in comparison.rows if row.verdict == "reference"), 0)
    return [
        f"{row.solver} has values on only {row.paired} of the {count(complete, 'instance')}, so its ratio "
        f"({ratio(row.ratio)}×) is not counted as a win."
        for row in incomplete
        if row.verdict == "better"
    ]
