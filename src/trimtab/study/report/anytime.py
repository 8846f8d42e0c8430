# SPDX-License-Identifier: Apache-2.0
"""Anytime curves: how good a search is after so many evaluations."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..results import Comparison, Results


@dataclass(frozen=True)
class Curve:
    """One solver. `ratios` are geometric means over instances, from the first point at which all have a value."""

    solver: str
    evaluations: NDArray[np.int64]
    ratios: NDArray[np.float64]


def curves(results: Results, comparison: Comparison, *, points: int = 60) -> list[Curve]:
    """Best first metric so far, seed-averaged, over what the reference found in the end on the same instance.

    Only instances on which every search has a curve count, so that the curves
    are about the same instances.
    """
    histories = _histories(results, comparison)
    final = {i: v for i, v in comparison.table.get(comparison.reference, {}).items() if v > 0}
    if not histories or not final:
        return []
    shared = sorted(set(final).intersection(*(set(found) for found in histories.values())))
    if not shared:
        return []
    last = max(e for found in histories.values() for seeds in found.values() for history in seeds for e, _ in history)
    last = max([last, *(run.evaluations for run in results.runs if run.solver in histories)])
    grid = np.unique(np.geomspace(1, max(last, 1), points).round().astype(np.int64))
    made = []
    for row in comparison.rows:
        if row.solver in histories:
            logs = np.array([_log_ratio(histories[row.solver][i], final[i], grid) for i in shared])
            mean = logs.mean(axis=0)
            known = np.isfinite(mean)
            if known.any():
                made.append(Curve(row.solver, grid[known], np.exp(mean[known])))
    return made


def _histories(results: Results, comparison: Comparison) -> dict[str, dict[str, list[tuple[tuple[int, float], ...]]]]:
    """solver -> instance -> one history for each seed."""
    found: dict[str, dict[str, list[tuple[tuple[int, float], ...]]]] = defaultdict(lambda: defaultdict(list))
    ranked = {row.solver: row.track for row in comparison.rows}
    for run in results.runs:
        positive = all(value > 0 and math.isfinite(value) for _, value in run.anytime)
        if run.anytime and positive and ranked.get(run.solver) == run.track:
            found[run.solver][run.instance].append(run.anytime)
    return found


def _log_ratio(
    seeds: list[tuple[tuple[int, float], ...]], final: float, grid: NDArray[np.int64]
) -> NDArray[np.float64]:
    """log(mean over seeds of the best so far / final) on the grid; NaN before the first evaluation."""
    best = []
    for history in seeds:
        at, value = np.array([e for e, _ in history]), np.array([v for _, v in history])
        step = np.searchsorted(at, grid, side="right") - 1
        best.append(np.where(step >= 0, value[np.maximum(step, 0)], np.nan))
    return np.asarray(np.log(np.mean(best, axis=0) / final), np.float64)
