# SPDX-License-Identifier: Apache-2.0
"""The finding in a few sentences, written from the numbers alone."""

from __future__ import annotations

import math

from trimtab.core.outcome import Track

from ..results import Comparison, Results, Row
from .words import count, interval, listed, ratio, tracks


def headline(results: Results) -> tuple[str, ...]:
    """Sentences: who wins, by how much and how surely; how the learned solvers fare; what is missing."""
    found = tracks(results)
    sentences = []
    for track in found:
        said = finding(results, track)
        sentences += [f"{track.capitalize()} track: {said[0]}", *said[1:]] if len(found) > 1 else said
    return (*sentences, *_missing(results))


def finding(results: Results, track: Track) -> list[str]:
    """What the first metric says of one track."""
    comparison = results.compare(track=track)
    ranked = [row for row in comparison.rows if row.instances]
    if not ranked:
        return [f"No solver gave a feasible outcome, so there is nothing to say about {comparison.metric.name}."]
    if len(ranked) == 1:
        only = ranked[0]
        return [f"Only {only.solver} ran ({count(only.instances, 'instance')}); there is nothing to compare it with."]
    best = _best(comparison)
    if best is None:
        return [f"No solver shares an instance with {comparison.reference or 'a reference'}: nothing can be compared."]
    said = [_who_wins(comparison, best)]
    if best.verdict == "better":
        said += _runner_up(results, track, best)
    return said + _learned(results, track, comparison, best)


def _best(comparison: Comparison) -> Row | None:
    """The best ratio that is certain; without one, the best ratio of all but the reference."""
    sign = 1 if comparison.metric.goal == "minimize" else -1
    rows = [row for row in comparison.rows if row.verdict != "reference" and math.isfinite(row.ratio)]
    certain = [row for row in rows if row.verdict == "better"]
    return min(certain or rows, key=lambda row: sign * row.ratio, default=None)


def _who_wins(comparison: Comparison, best: Row) -> str:
    metric, reference = comparison.metric.name, comparison.reference
    size = f"{ratio(best.ratio)}×, 95 % interval {interval(best.low, best.high)}"
    if best.verdict == "better":
        return (
            f"{best.solver} wins: its {metric} is {ratio(best.ratio)}× that of {reference} "
            f"(95 % interval {interval(best.low, best.high)}), better on {best.wins} of {count(best.paired, 'instance')}."
        )
    if best.verdict == "worse":
        return f"Nothing beats {reference}: on {metric} the nearest, {best.solver}, is worse ({size}; {count(best.paired, 'instance')})."
    if best.verdict == "too few instances":
        return f"{count(best.paired, 'instance')} cannot tell {best.solver} from {reference} ({metric}: {ratio(best.ratio)}×)."
    more = f"; it would take about {best.needed:,} instances" if best.needed else ""
    return (
        f"Nothing is separated from {reference}: on {metric} the nearest to winning is {best.solver} "
        f"({size}; {count(best.paired, 'instance')}){more}."
    )


def _runner_up(results: Results, track: Track, best: Row) -> list[str]:
    """What the winner's lead is worth: compared with everyone else, the winner as reference."""
    others = [row for row in results.compare(reference=best.solver, track=track).rows if row.solver != best.solver]
    level = [row.solver for row in others if row.verdict in ("not separated", "too few instances")]
    if level:
        return [f"It is not separated from {listed(level)}."]
    if len(others) > 1 and all(row.verdict == "worse" for row in others):
        sign = 1 if results.metrics[0].goal == "minimize" else -1
        next_best = min(others, key=lambda row: sign * row.ratio)
        size = f"{ratio(next_best.ratio)}×, {interval(next_best.low, next_best.high)}"
        return [f"Every other solver is worse; the runner-up is {next_best.solver} ({size})."]
    return []


def _learned(results: Results, track: Track, comparison: Comparison, best: Row) -> list[str]:
    """The best trained solver beside the best untrained one, whichever way it went."""
    trained = [row for row in comparison.rows if row.fit_s > 0 and row.instances]
    plain = [row for row in comparison.rows if row.fit_s == 0 and row.instances]
    if not trained or not plain:
        return []
    learned, rival = trained[0], plain[0]
    beside = results.compare(reference=rival.solver, track=track)
    row = next((row for row in beside.rows if row.solver == learned.solver), None)
    if row is None or not math.isfinite(row.ratio):
        return []
    size = f"{ratio(row.ratio)}×, {interval(row.low, row.high)}"
    subject = f"The learned solver {learned.solver}" if len(trained) == 1 else f"The best learned solver, {learned.solver},"
    if row.verdict == "better":
        return [f"{subject} beats the best untrained one, {rival.solver} ({size})."]
    if row.verdict == "worse":
        return [f"{subject} loses to the untrained {rival.solver} ({size})."]
    return [f"{subject} is not separated from the best untrained one, {rival.solver} ({size})."]


def _missing(results: Results) -> list[str]:
    said = []
    if results.unavailable:
        verb = "was" if len(results.unavailable) == 1 else "were"
        said.append(f"{listed(results.unavailable)} {verb} unavailable here and did not run.")
    failed = [run for run in results.runs if run.status not in ("ok", "unavailable")]
    if failed:
        solvers = sorted({run.solver for run in failed})
        said.append(f"{count(len(failed), 'cell')} of {listed(solvers)} failed.")
    return said
