# SPDX-License-Identifier: Apache-2.0
"""What tuning came to, in words, as a table and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trimtab.problems.runtime_tuning.problem import Objective
from trimtab.problems.runtime_tuning.space import KnobSpace, Value
from trimtab.problems.runtime_tuning.system.pairs import Interval
from trimtab.problems.runtime_tuning.system.tuning import Answer

from ..screen import number, size
from .assemble import Job

FAILED: Final = ("censored", "crash", "timeout", "refused")


def ratios(interval: Interval, objective: Objective) -> tuple[float, float, float]:
    """Objective over that of the default: middle, low, high."""
    middle, low, high = interval.ratio()
    return (middle, low, high) if objective.goal == "minimize" else (1 / middle, 1 / high, _over(low))


def _over(value: float) -> float:
    return 1 / value if value > 0 else math.inf


def ratio(loss: float, objective: Objective) -> float:
    return math.exp(loss if objective.goal == "minimize" else -loss)


def headline(job: Job, answer: Answer) -> str:
    """The finding, in a sentence or two."""
    proof, metric = answer.proof, job.objective.metric
    if proof is None:
        over = job.objective.broken(answer.session.rows[0].trial.metrics)
        if over:
            limits = " and ".join(f"{c.metric} <= {show(c.metric, c.limit)}" for c in over)
            return f"No gain: nothing was found that keeps {limits} and is better. Mind that the default breaks it."
        return "No significant gain: nothing that was tried looked better than the default. Keep the default."
    if proof.verdict == "fails":
        return "No gain: the best that was found does not always do its work. Keep the default."
    if proof.verdict == "breaks a constraint":
        return f"No gain: the best that was found breaks the constraint {proof.broken}. Keep the default."
    middle, low, high = ratios(proof.interval, job.objective)
    said = f"{metric} {middle:.3f} times that of {job.reference}, 95 % interval {low:.3f} to {high:.3f}"
    said += f" ({proof.interval.n} pairs, measured afresh)"
    if proof.verdict == "better":
        return f"A real gain: {said}."
    verdict = "No significant gain" if proof.verdict == "no significant gain" else f"Worse than {job.reference}"
    return f"{verdict}: {said}. Keep {job.reference}."


def notes(job: Job, answer: Answer, crowded: Sequence[float]) -> list[str]:
    """What a careful reader wants to know besides."""
    found = [_counts(answer)]
    finding, proof = answer.finding, answer.proof
    if finding is not None:
        seen, expected = ratio(finding.seen, job.objective), ratio(finding.loss, job.objective)
        found.append(
            f"The search saw {seen:.3f}, and expected {expected:.3f} "
            "(the best of many noisy results tends to be too good to be true)."
        )
    if proof is not None and proof.metrics:
        names = dict.fromkeys([job.objective.metric, "cpu", "wall", "rss", *job.command.metrics])
        parts = (f"{n} {show(n, proof.default[n])} -> {show(n, proof.metrics[n])}" for n in names)
        found.append(f"Means of {job.reference} and of the best: {', '.join(parts)}.")
    if answer.reduction is not None:
        removed = answer.reduction.removed
        found.append(
            f"Not needed, and back at the default: {', '.join(removed)}." if removed else "Every change is needed."
        )
    if crowded:
        found.append(
            f"The machine was busy with other things (load up to {max(crowded):.1f}), "
            "so that times are less sure than they could be."
        )
    return found


def _counts(answer: Answer) -> str:
    session = answer.session
    failed = {status: sum(row.trial.status == status for row in session.rows) for status in (*FAILED, "constraint")}
    words = dict(zip(failed, ("too slow", "failed", "hung", "refused", "over a limit"), strict=True))
    parts = [f"{count} {words[status]}" for status, count in failed.items() if count]
    runs = sum(len(row.shots) for row in session.rows)
    return f"{session.trials} trials, {runs} runs in {session.spent:.0f} s{': ' if parts else ''}{', '.join(parts)}."


def show(metric: str, value: float) -> str:
    if metric in ("cpu", "wall"):
        return f"{value:.3g} s"
    return size(value) if metric == "rss" else number(value)


def knob_rows(space: KnobSpace, answer: Answer) -> list[dict[str, Any]]:
    """Every knob: default, the best's value, its share of the spread, and what putting it back costs, where known."""
    best: Mapping[str, Value] = answer.session.space.default
    if answer.finding is not None:
        best = answer.reduction.values if answer.reduction else answer.finding.values
    worth = answer.reduction.worth if answer.reduction else {}
    changed = space.changed(best)
    rows = [
        {
            "knob": knob.name,
            "default": knob.show(knob.default),
            "value": knob.show(best[knob.name]) if knob.name in changed else "",
            "share": answer.importance.get(knob.name),
            "worth": worth.get(knob.name),
        }
        for knob in space.knobs
    ]
    return sorted(rows, key=lambda row: (not row["value"], -(row["share"] or 0.0)))


def as_json(job: Job, answer: Answer, crowded: Sequence[float], files: Mapping[str, Any]) -> dict[str, Any]:
    proof, finding = answer.proof, answer.finding
    middle, low, high = ratios(proof.interval, job.objective) if proof else (None, None, None)
    return {
        "verdict": proof.verdict if proof else "no significant gain",
        "values": dict(answer.values),
        "changed": job.command.space.changed(answer.values),
        "command": job.command.show(answer.values),
        "objective": {"metric": job.objective.metric, "goal": job.objective.goal},
        "ratio": middle,
        "interval": [low, high] if proof else None,
        "pairs": proof.interval.n if proof else 0,
        "metrics": proof.metrics if proof else {},
        "default": proof.default if proof else {},
        "expected": ratio(finding.loss, job.objective) if finding else None,
        "seen": ratio(finding.seen, job.objective) if finding else None,
        "best_found": dict(finding.values) if finding else None,
        "knobs": knob_rows(job.command.space, answer),
        "trials": answer.session.trials,
        "invalid": sum(row.trial.status in FAILED for row in answer.session.rows),
        "seconds": answer.session.spent,
        "overhead": sum(row.overhead for row in answer.session.rows) / max(1, answer.session.trials),
        "load": max(crowded, default=None),
        **files,
    }
