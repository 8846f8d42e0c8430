# SPDX-License-Identifier: Apache-2.0
"""From the cells of a study to the rows of a comparison."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from trimtab.core.errors import UnknownName, UsageError
from trimtab.core.outcome import Run, Track
from trimtab.core.problem import Metric

from .results import Comparison, Results, Row, Verdict
from .statistics import LEVEL, Paired, holm, instances_needed, paired, wins_ties_losses

Table = dict[str, dict[str, float]]  # solver -> instance -> value

FEWEST = 3  # instances below which there is no verdict


def compare(results: Results, metric: str = "", *, reference: str = "", track: Track | None = None) -> Comparison:
    """See `Results.compare`."""
    judged = _metric(results, metric)
    runs = _by_solver(results)
    tracks: dict[str, Track] = {solver: cells[0].track for solver, cells in runs.items()}
    reference, track = _reference(results, reference, track, tracks)
    runs = {solver: cells for solver, cells in runs.items() if tracks[solver] == track}
    table = {solver: _seed_averages(cells, judged.name) for solver, cells in runs.items()}
    beside = {solver: _Beside.of(table[solver], table[reference]) for solver in runs}
    rivals = [solver for solver in runs if solver != reference]
    adjusted = dict(zip(rivals, holm([beside[solver].found.p_value for solver in rivals]), strict=True))
    rows = [_row(judged, runs[s], table[s], beside[s], adjusted.get(s), len(rivals)) for s in runs]
    instances = tuple(dict.fromkeys(run.instance for cells in runs.values() for run in cells))
    return Comparison(judged, reference, _ranked(judged, rows), instances, table)


def order(results: Results) -> tuple[str, ...]:
    """See `Results.solvers`: the reference's track first, best first in each."""
    tracks: dict[str, Track] = {run.solver: run.track for run in results.runs if run.status != "unavailable"}
    first = tracks.get(results.reference, "policy")
    present = sorted(set(tracks.values()), key=lambda track: track != first)
    return tuple(row.solver for track in present for row in compare(results, track=track).rows)


def _metric(results: Results, name: str) -> Metric:
    for metric in results.metrics:
        if metric.name == (name or results.metrics[0].name):
            return metric
    raise UnknownName(f"metric of {results.problem}", name, [metric.name for metric in results.metrics])


def _by_solver(results: Results) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = defaultdict(list)
    for run in results.runs:
        if run.solver not in results.unavailable:
            runs[run.solver].append(run)
    if not runs:
        raise UsageError(f"{results.problem}: there is nothing to compare, no solver ran")
    return runs


def _reference(results: Results, wanted: str, track: Track | None, tracks: Mapping[str, Track]) -> tuple[str, Track]:
    """The reference asked for; else the study's; else, in a track that lacks it, random search or the first."""
    if wanted and wanted not in tracks:
        raise UnknownName("solver with results to be the reference", wanted, tracks)
    if wanted and track not in (None, tracks[wanted]):
        raise UsageError(f"the reference {wanted!r} is on the {tracks[wanted]} track: it can't be ranked with {track}")
    named = wanted or results.reference
    if named in tracks and track in (None, tracks[named]):
        return named, tracks[named]
    wished: Track = next(iter(tracks.values())) if track is None else track
    members = [solver for solver in tracks if tracks[solver] == wished]
    if not members:
        raise UsageError(f"{results.problem}: no solver of the {wished} track ran")
    return next((solver for solver in members if solver.startswith("random")), members[0]), wished


def _seed_averages(runs: Sequence[Run], metric: str) -> dict[str, float]:
    values: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        if run.status == "ok" and metric in run.metrics:
            values[run.instance].append(run.metrics[metric])
    return {instance: fmean(found) for instance, found in values.items()}


@dataclass(frozen=True)
class _Beside:
    """A solver on the instances that it shares with the reference."""

    instances: tuple[str, ...]
    found: Paired

    @classmethod
    def of(cls, values: Mapping[str, float], reference: Mapping[str, float]) -> _Beside:
        shared = tuple(instance for instance in reference if instance in values)
        return cls(shared, paired([values[i] for i in shared], [reference[i] for i in shared]))

    def worst(self, *, lower_is_better: bool) -> tuple[str, float]:
        ratios = self.found.ratios
        if not ratios.size or np.isnan(ratios).all():
            return "", math.nan
        i = int(np.nanargmax(ratios) if lower_is_better else np.nanargmin(ratios))
        return self.instances[i], float(ratios[i])


def _row(
    metric: Metric, runs: Sequence[Run], values: Mapping[str, float], beside: _Beside, p: float | None, rivals: int
) -> Row:
    """`p` is Holm-adjusted, and None for the reference itself."""
    found, lower_is_better = beside.found, metric.goal == "minimize"
    wins, ties, losses = wins_ties_losses(found.ratios, lower_is_better=lower_is_better)
    worst_instance, worst_ratio = beside.worst(lower_is_better=lower_is_better)
    verdict = "reference" if p is None else _verdict(metric, beside, p)
    return Row(
        solver=runs[0].solver,
        track=runs[0].track,
        mean=fmean(values.values()) if values else math.nan,
        instances=len(values),
        paired=len(beside.instances),
        ratio=found.ratio,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        p_holm=1.0 if p is None else p,
        wins=wins,
        ties=ties,
        losses=losses,
        worst_instance=worst_instance,
        worst_ratio=worst_ratio,
        verdict=verdict,
        needed=instances_needed(found.effect, len(found.ratios), rivals) if verdict == "not separated" else None,
        failures=sum(run.status != "ok" for run in runs),
        fit_s=max(run.fit_s for run in runs),
        solve_s=median(run.solve_s for run in runs),
        evaluations=fmean(run.evaluations for run in runs),
        cpu_s=math.fsum(run.cpu_s for run in runs),
        scale=found.scale,
    )


def _verdict(metric: Metric, beside: _Beside, p: float) -> Verdict:
    if len(beside.instances) < FEWEST:
        return "too few instances"
    if not p < LEVEL:
        return "not separated"
    return "better" if (beside.found.ratio < 1) == (metric.goal == "minimize") else "worse"


def _ranked(metric: Metric, rows: Sequence[Row]) -> tuple[Row, ...]:
    sign = 1 if metric.goal == "minimize" else -1
    return tuple(sorted(rows, key=lambda row: (math.isnan(row.ratio), sign * row.ratio)))
